"""Follow a run of command jobs and show it to its end."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from outspread.cli.command_run_lines import exit_code
from outspread.cli.command_run_view import JsonView, LineView, RunView

if TYPE_CHECKING:
    from outspread.controller.command_port import CommandPort


def run_view(*, as_json: bool) -> RunView:
    """Return the view for whoever reads standard output."""
    return JsonView(sys.stdout) if as_json else LineView(sys.stdout, moving=sys.stdout.isatty())


async def watch_run(port: "CommandPort", run_id: str, view: RunView, *, junit: Path | None) -> int:
    """Show a run until it is over; return the exit code that it asks for."""
    from outspread.client.following import follow

    wait_s = 1.0 if sys.stdout.isatty() else 20.0  # on a terminal the time moves on
    async for progress in follow(port, run_id, wait_s=wait_s):
        await view.show(port, progress)
        status = progress.status
    view.finish(status)
    if junit is not None:
        from outspread.cli.command_junit import write_junit

        await write_junit(port, status, junit)
    return exit_code(status)
