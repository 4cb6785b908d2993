"""``outspread why``: why a job waits, or ended as it did."""

import click

from outspread.cli.controller_options import Visitor, controller_options, in_loop, write_out


@click.command()
@click.argument("job")
@click.option("--run", help="The run of a job that is given by name; else the one submitted last from here.")
@controller_options
def command(job: str, run: str | None, url: str, token_file: str | None) -> None:
    """Say why JOB waits, and for how long probably; or how it ended. JOB is RUN.NUMBER or the name of a job."""
    from outspread.cli.command_run_lines import why_lines
    from outspread.client.naming import find_job

    visitor = Visitor(url, token_file)

    async def show() -> None:
        async with visitor.controller() as controller:
            found = await find_job(controller, job, run_id=visitor.run_of(job, run))
            for line in why_lines(await controller.job(found.run_id, found.number)):
                write_out(line)

    in_loop(show())
