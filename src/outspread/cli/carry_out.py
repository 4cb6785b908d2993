"""Run what was selected, with every way of showing it told of the beginning, the middle and the end."""

import contextlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from outspread.cli.held_output import HeldOutput
from outspread.cli.keep_wish import KeepWish
from outspread.cli.keepable import machines_may_be_left, refuse_what_cannot_be_kept
from outspread.cli.open_book import open_book
from outspread.cli.program_end import leave_broken_pipe
from outspread.cli.renderer import Renderer
from outspread.cli.run_here import run_here
from outspread.cli.selection import Selection
from outspread.cli.tally import Tally
from outspread.controller.values import ArtifactsFetched, Report, RunFinished, RunOptions
from outspread.errors import UserError


def say_aside(text: str) -> None:
    """Tell people something that is no part of the output; that nobody reads it any more is no reason to stop."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


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
    selection: Selection,
    options: RunOptions,
    renderers: Sequence[Renderer],
    *,
    artifacts: str,
    keep: KeepWish,
    out: HeldOutput,
    say: Callable[[str], None] = say_aside,
    discard_command: str = "",
) -> RunEnd:
    """Run the selected jobs in this process; ``artifacts`` is the directory to keep them in, or "".

    ``out`` is where the renderers print; ``say`` tells people why nothing happens yet. ``discard_command`` gives back machines
    that a killed run leaves behind.
    """
    if keep.reuse or options.hold_failed_s:
        refuse_what_cannot_be_kept(selection, "--reuse" if keep.reuse else "--keep-failed")
    elif options.abend and machines_may_be_left(selection):
        say_aside("warning: machines are given back at the end all the same; to keep them for a look, reuse them")
    interrupts = 0
    verdict = Verdict()

    def note_interrupt() -> None:
        nonlocal interrupts
        interrupts += 1
        _show_cursor()
        if interrupts == 1:
            say_aside("interrupted: ending what runs and giving machines back; once more to leave at once")
        elif discard_command:
            say_aside(f"left at once; this gives back what is left: {discard_command}")

    try:
        with open_book(Path(selection.project.root), keep, say=say) as book:
            run_here(
                selection.project,
                selection.jobs,
                options,
                host=selection.host,
                renderers=[verdict, *renderers],
                artifacts_dir=_made(artifacts) if artifacts else None,
                on_interrupt=note_interrupt,
                out=out,
                kept=book,
                password=keep.password,
            )
    except BrokenPipeError:
        leave_broken_pipe()
    return RunEnd(verdict.passed and not interrupts, bool(interrupts))


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
