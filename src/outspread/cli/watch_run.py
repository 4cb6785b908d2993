"""Follow a run of command jobs and show it to its end."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from outspread.cli.run_views import RunView
    from outspread.controller.command_port import CommandPort
    from outspread.controller.command_values import CommandRunStatus

_Command = TypeVar("_Command", bound=Callable[..., Any])

_LOG_BYTES: Final = 16 * 1024
#: How a run stands is asked for so often on a terminal; elsewhere only what happened matters.
_LIVE_S: Final = 2.0
_PLAIN_S: Final = 20.0


def watch_options(command: _Command) -> _Command:
    """Give a command the options of how a run is shown."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON Lines."),
        click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write a JUnit report."),
    ):
        command = option(command)
    return command


class RunWatch:
    """Shows a run as it was asked for. Raises UserError at once when the JUnit report could not be written."""

    def __init__(self, *, as_json: bool, junit: Path | None) -> None:
        from outspread.cli.choose_view import is_lively, stdout_for

        if junit is not None:
            from outspread.cli.whole_file import check_writable

            check_writable(junit)
        self._as_json = as_json
        self._junit = junit
        self._out = stdout_for("replace")
        self._lively = not as_json and is_lively(os.environ, terminal=self._out.isatty())
        self._run_id = ""
        self._is_known = False

    def submitting(self, run_id: str) -> None:
        """Take note that from now on there may be a run of this id."""
        self._run_id = run_id

    def submitted(self, status: "CommandRunStatus", what: str) -> None:
        """Say that a run was submitted, and ``what`` it is made of."""
        self._run_id, self._is_known = status.run_id, True
        if self._as_json:
            from outspread.cli.json_run_view import JsonRunView

            JsonRunView(self._out).submitted(status)
        else:
            print(f"run {status.run_id}: {what}", file=self._out, flush=True)

    def say(self, line: str) -> None:
        """Print something that only people care for."""
        if not self._as_json:
            print(line, file=self._out, flush=True)

    async def to_the_end(self, port: "CommandPort", run_id: str) -> int:
        """Show a run until it is over; return the exit code that it asks for."""
        from outspread.cli.command_run_lines import exit_code
        from outspread.cli.run_views import FAILURES
        from outspread.client.following import follow, log_end

        self._run_id, self._is_known = run_id, True
        view = self._view()
        shown = 0
        try:
            async for progress in follow(port, run_id, wait_s=_LIVE_S if self._lively else _PLAIN_S):
                status = progress.status
                self._run_id = status.run_id
                for attempt in progress.ended:
                    wanted = attempt.outcome in FAILURES and attempt.log_bytes > 0 and shown < view.logs_shown
                    shown += wanted
                    log = await log_end(port, attempt.attempt_id, limit_bytes=_LOG_BYTES) if wanted else b""
                    view.ended(attempt, log)
                view.stands(status)
            view.finish(status)
        finally:
            view.close()
        if self._junit is not None:
            from outspread.cli.command_junit import write_junit

            await write_junit(port, status, self._junit)
        return exit_code(status)

    def interrupted(self) -> None:
        """Say what becomes of the run when it is not watched any more."""
        if not self._run_id:
            return
        what = "the run goes on" if self._is_known else "the run may have been submitted"
        print(f"{what}: outspread watch {self._run_id} shows it, outspread cancel {self._run_id} ends it", file=sys.stderr)

    def _view(self) -> "RunView":
        if self._as_json:
            from outspread.cli.json_run_view import JsonRunView

            return JsonRunView(self._out)
        if self._lively:
            from rich.console import Console

            from outspread.cli.live_run_view import LiveRunView

            return LiveRunView(Console(file=self._out, highlight=False))
        from outspread.cli.run_views import PlainRunView

        return PlainRunView(self._out)
