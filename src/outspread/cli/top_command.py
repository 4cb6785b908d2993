"""``outspread top``: how a farm goes, as it goes."""

import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

import click

from outspread.cli.controller_options import Visitor, controller_options, in_loop
from outspread.cli.span_of_time import SpanOfTime
from outspread.cli.write_answer import write_answer

if TYPE_CHECKING:
    from outspread.cli.top_lines import FarmLook
    from outspread.client.http_controller import HttpController

#: Runs that are not over are looked for among so many.
_RUNS: Final = 200


@click.command()
@click.option("--every", "every_s", type=SpanOfTime(), default="2s", help="Look so often; 2s unless told.")
@click.option("--once", is_flag=True, help="Look once. As when the output is no terminal.")
@click.option("--json", "as_json", is_flag=True, help="Look once, and print JSON.")
@controller_options
def command(every_s: float, once: bool, as_json: bool, url: str, token_file: str | None) -> None:
    """Show how the farm of a controller goes: what runs and waits, how fast, how long commits take, who works. Ctrl-C ends it."""
    visitor = Visitor(url, token_file)
    if once or as_json or not sys.stdout.isatty():
        in_loop(_show_once(visitor, as_json=as_json))
        return
    try:
        in_loop(_show(visitor, every_s))
    except KeyboardInterrupt:
        return


async def _show_once(visitor: Visitor, *, as_json: bool) -> None:
    from outspread.cli.top_lines import top_lines

    async with visitor.controller() as controller:
        look = await _look(controller)
    shown = {"figures": look.figures, "runs": look.runs, "workers": look.workers}
    write_answer(shown, top_lines(look, None), as_json=as_json)


async def _show(visitor: Visitor, every_s: float) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from outspread.cli.top_lines import top_lines

    before: FarmLook | None = None
    with Live(console=Console(highlight=False), screen=True, auto_refresh=False, transient=True) as live:
        async with visitor.controller() as controller:
            async for look in _looks(controller, every_s):
                lines = [visitor.url, "", *top_lines(look, before)]
                live.update(Text("\n".join(lines), no_wrap=True, overflow="ellipsis"), refresh=True)
                before = look


async def _looks(controller: "HttpController", every_s: float) -> "AsyncIterator[FarmLook]":
    import asyncio

    while True:
        yield await _look(controller)
        await asyncio.sleep(every_s)


async def _look(controller: "HttpController") -> "FarmLook":
    import time

    from outspread.cli.top_lines import FarmLook

    figures = await controller.figures()
    runs = await controller.command_runs(limit=_RUNS)
    workers = await controller.workers()
    return FarmLook(
        at_s=time.monotonic(),
        figures=figures,
        runs=tuple(run for run in runs if run.state == "running"),
        workers=tuple(workers),
    )
