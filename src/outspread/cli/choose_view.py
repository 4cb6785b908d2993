"""Which way of showing a run suits where its output goes."""

import os
import sys
from collections.abc import Callable, Mapping
from typing import TextIO

from outspread.cli.end_report import EndReport
from outspread.cli.github_actions import GithubActions, on_github_actions
from outspread.cli.renderer import Renderer


def is_lively(environment: Mapping[str, str], *, terminal: bool) -> bool:
    """Return whether a display that redraws itself is welcome."""
    return terminal and environment.get("TERM", "dumb") != "dumb"


def choose_view(
    out: TextIO,
    *,
    again: tuple[str, ...],
    verbosity: int,
    restoring: bool = False,
    may_leave_machines: bool = False,
    is_recorded: Callable[[], bool],
) -> Renderer:
    """Return the view for people: live on a terminal, plain elsewhere. The parameters are those of ``EndReport``.

    With ``may_leave_machines`` it says beforehand how to give them back if the run is killed.
    """
    github = None
    if on_github_actions(os.environ):
        import secrets

        github = GithubActions(secrets.token_hex(16))
    report = EndReport(again=again, github=github, restoring=restoring, is_recorded=is_recorded)
    if is_lively(os.environ, terminal=out.isatty()):
        from rich.console import Console

        from outspread.cli.live_view import LiveView

        return LiveView(Console(file=out, highlight=False), report, verbosity=verbosity, may_leave_machines=may_leave_machines)
    from outspread.cli.plain_view import PlainView

    return PlainView(out, report, verbosity=verbosity, may_leave_machines=may_leave_machines)


def stdout_for(errors: str) -> TextIO:
    """Return standard output, set to treat what it cannot encode by ``errors``."""
    out = sys.stdout
    if hasattr(out, "reconfigure"):
        out.reconfigure(errors=errors)
    return out
