"""``outspread why``: why a job waits, or ended as it did."""

import click

from outspread.cli.controller_options import Visitor, controller_options, in_loop
from outspread.cli.write_answer import write_answer


@click.command()
@click.argument("job")
@click.option("--run", help="The run of a job that is given by name; else the one submitted last from here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@controller_options
def command(job: str, run: str | None, as_json: bool, url: str, token_file: str | None) -> None:
    """Say why JOB waits, and for how long probably; or how it ended. JOB is RUN.NUMBER or the name of a job."""
    from outspread.cli.command_run_lines import why_lines
    from outspread.client.naming import find_job

    visitor = Visitor(url, token_file)

    async def show() -> None:
        async with visitor.controller() as controller:
            found = await find_job(controller, job, in_run=lambda: visitor.run_id(run))
        write_answer(found, why_lines(found), as_json=as_json)

    in_loop(show())
