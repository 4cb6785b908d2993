"""Run what was selected, with every way of showing it told of the beginning, the middle and the end."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from outspread.cli.held_output import HeldOutput
from outspread.cli.program_end import leave_broken_pipe
from outspread.cli.renderer import Renderer
from outspread.cli.run_here import run_here
from outspread.cli.selection import Selection
from outspread.controller.tally import Tally
from outspread.controller.values import ArtifactsFetched, Report, RunFinished, RunOptions
from outspread.errors import UserError


class RunEnd(NamedTuple):
    """What a run came to."""

    passed: bool
    interrupted: bool


class Verdict:
    """Judges a run: it passed when the controller says so, every job was tried, and nothing that was asked for is missing."""

    def __init__(self) -> None:
        self.passed = False
        self._finished_well = False
        self._artifacts_failed = False

    def feed(self, event: Report) -> None:
        match event:
            case ArtifactsFetched(error=error) if error:
                self._artifacts_failed = True
            case RunFinished(passed=passed):
                self._finished_well = passed
            case _:
                pass

    def finish(self, tally: Tally) -> None:
        spoilt = tally.failures or tally.aborted or tally.without_verdict or self._artifacts_failed
        self.passed = self._finished_well and not spoilt


def carry_out(
    selection: Selection, options: RunOptions, renderers: Sequence[Renderer], *, artifacts: str, out: HeldOutput
) -> RunEnd:
    """Run the selected jobs in this process; ``artifacts`` is the directory to keep them in, or "".

    ``out`` is where the renderers print.
    """
    interrupted = False
    verdict = Verdict()

    def note_interrupt() -> None:
        nonlocal interrupted
        interrupted = True
        _show_cursor()
        print("interrupted: ending what runs and giving machines back; once more to leave at once", file=sys.stderr)

    try:
        run_here(
            selection.project,
            selection.jobs,
            options,
            host=selection.host,
            renderers=[verdict, *renderers],
            artifacts_dir=_made(artifacts) if artifacts else None,
            on_interrupt=note_interrupt,
            out=out,
        )
    except BrokenPipeError:
        leave_broken_pipe()
    return RunEnd(verdict.passed and not interrupted, interrupted)


def _show_cursor() -> None:
    """Undo what a live display did to the terminal: a second interrupt leaves no time for it."""
    terminal = sys.__stderr__
    if terminal is not None and terminal.isatty():
        terminal.write("\x1b[?25h")
        terminal.flush()


def _made(directory: str) -> Path:
    """Return ``directory``, which exists then."""
    path = Path(directory).resolve()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot keep artifacts in {directory}: {error.strerror}") from error
    return path
