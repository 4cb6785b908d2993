"""``outspread watch``: follow a run of a controller to its end."""

from pathlib import Path

import click

from outspread.cli.controller_options import Visitor, controller_options, in_loop
from outspread.cli.watch_run import RunWatch, watch_options


@click.command()
@click.argument("run", required=False)
@watch_options
@controller_options
def command(run: str | None, junit: Path | None, as_json: bool, url: str, token_file: str | None) -> int:
    """Watch a run to its end; without RUN the one that was submitted last from here."""
    visitor = Visitor(url, token_file)
    run_id = visitor.run_id(run)
    watch = RunWatch(as_json=as_json, junit=junit)

    async def follow() -> int:
        async with visitor.controller() as controller:
            return await watch.to_the_end(controller, run_id)

    try:
        return in_loop(follow())
    except KeyboardInterrupt:
        watch.interrupted()
        raise
