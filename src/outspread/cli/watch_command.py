"""``outspread watch``: follow a run of a controller to its end."""

import sys
from pathlib import Path

import click

from outspread.cli.controller_options import Visitor, controller_options, in_loop


@click.command()
@click.argument("run", required=False)
@click.option("--junit", type=click.Path(dir_okay=False), help="Write a JUnit report.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines.")
@controller_options
def command(run: str | None, junit: str | None, as_json: bool, url: str, token_file: str | None) -> int:
    """Watch a run to its end; without RUN the one that was submitted last from here."""
    from outspread.cli.watch_run import run_view, watch_run

    visitor = Visitor(url, token_file)
    run_id = visitor.run_id(run)

    async def watch() -> int:
        async with visitor.controller() as controller:
            return await watch_run(controller, run_id, run_view(as_json=as_json), junit=Path(junit) if junit else None)

    try:
        return in_loop(watch())
    except KeyboardInterrupt:
        print(f"the run goes on: outspread watch {run_id}, outspread cancel {run_id}", file=sys.stderr)
        raise
