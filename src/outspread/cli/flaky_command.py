"""``outspread flaky``: jobs that pass only now and then."""

import sys
import time

import click

from outspread.cli.controller_options import Visitor, controller_options, in_loop
from outspread.cli.write_answer import write_answer


@click.command()
@click.option("--project", help="Only of this project.")
@click.option("--days", type=click.IntRange(1, 3650), default=30, help="Of so many days.")
@click.option("-n", "--number", type=click.IntRange(1, 1000), default=50, help="How many to show.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@controller_options
def command(project: str | None, days: int, number: int, as_json: bool, url: str, token_file: str | None) -> None:
    """List jobs that passed only after a failure with the same inputs, the most often first."""
    from outspread.cli.farm_lines import flaky_rows

    visitor = Visitor(url, token_file)

    async def show() -> None:
        async with visitor.controller() as controller:
            jobs = await controller.flaky_jobs(project=project, since=time.time() - days * 86400, limit=number)
        if not jobs and not as_json:
            print("no job was flaky", file=sys.stderr)
            return
        write_answer(jobs, flaky_rows(jobs), as_json=as_json)

    in_loop(show())
