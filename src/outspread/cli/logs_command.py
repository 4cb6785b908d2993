"""``outspread logs``: what an attempt printed."""

import sys

import click

from outspread.cli.controller_options import Visitor, controller_options, in_loop


@click.command()
@click.argument("job")
@click.option("-f", "--follow", is_flag=True, help="Go on while it prints, from when it begins.")
@click.option("--run", help="The run of a job that is given by name; else the one submitted last from here.")
@controller_options
def command(job: str, follow: bool, run: str | None, url: str, token_file: str | None) -> None:
    """Print the log of JOB's last attempt, or of one attempt, byte for byte.

    JOB is RUN.NUMBER, RUN.NUMBER.ATTEMPT, or the name of a job.
    """
    from outspread.client.following import log_parts
    from outspread.client.naming import find_attempt, wait_for_attempt

    visitor = Visitor(url, token_file)

    async def show() -> None:
        async with visitor.controller() as controller:
            find = wait_for_attempt if follow else find_attempt
            attempt = await find(controller, job, in_run=lambda: visitor.run_id(run))
            async for part in log_parts(controller, attempt.attempt_id, to_the_end=follow):
                sys.stdout.buffer.write(part.data)
                sys.stdout.buffer.flush()

    in_loop(show())
