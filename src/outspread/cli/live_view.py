"""A run on a terminal: what each session does now and how far the run is, with failures printed above as they come."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console, ConsoleDimensions, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from outspread.cli.end_report import EndReport
from outspread.cli.job_lines import DOING, discard_line, job_line, machine_line, run_line, sent_so_far
from outspread.cli.live_lines import LiveLines
from outspread.cli.spans import span
from outspread.cli.terminal_text import shown_text
from outspread.controller.values import (
    AttemptFinished,
    ContentProgress,
    ContentSent,
    MachineAllocated,
    MachineConnected,
    MachineDiscarding,
    MachineFailed,
    MachineGone,
    MachineKept,
    MachineRequested,
    MachineReused,
    Outcome,
    Rebooted,
    RebootRequested,
    Report,
    RunStarted,
    ShellClosed,
    ShellOpened,
    StepFinished,
    StepOutput,
    StepStarted,
)

if TYPE_CHECKING:
    from outspread.cli.tally import Tally

REFRESHES_PER_S = 4
_STYLES = {Outcome.PASSED: "green", Outcome.SKIPPED: "dim", Outcome.ABORTED: "yellow", Outcome.CANCELLED: "yellow"}


class Row(Struct, frozen=True):
    """What one machine does, and since when (seconds since the epoch)."""

    machine: str
    doing: str
    since: float


class Progress(Struct, frozen=True):
    """How far the run is."""

    total: int = 0
    passed: int = 0
    failed: int = 0
    others: int = 0
    began_at: float = 0.0
    passed_word: str = "passed"

    @property
    def done(self) -> int:
        return self.passed + self.failed + self.others

    def left_s(self, now: float) -> float | None:
        """Return how long the rest takes at the pace so far, or None while there is no telling."""
        if not 0 < self.done < self.total:
            return None
        return (now - self.began_at) / self.done * (self.total - self.done)


class LiveView:
    """Shows a run on ``console``. ``clock`` (seconds since the epoch) only tells how long things last on the screen.

    The display redraws itself from a thread, from values that are replaced and never changed.
    """

    def __init__(
        self,
        console: Console,
        report: EndReport,
        *,
        verbosity: int = 0,
        may_leave_machines: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._console = console
        self._report = report
        self._verbosity = verbosity
        self._may_leave_machines = may_leave_machines
        self._clock = clock
        self._progress = Progress()
        self._rows: dict[str, Row] = {}  # by machine id
        self._ids: dict[str, str] = {}  # machine: machine id
        self._live_lines = LiveLines()
        self._live = Live(
            get_renderable=self._frame, console=console, refresh_per_second=REFRESHES_PER_S, transient=True, redirect_stdout=False
        )

    def feed(self, event: Report) -> None:
        self._report.feed(event)
        self._live_lines.feed(event)
        match event:
            case RunStarted():
                self._progress = Progress(total=event.total_jobs, began_at=event.at, passed_word=self._report.passed_word)
                self._print(run_line(event), "bold")
                self._live.start(refresh=True)
                if self._may_leave_machines:
                    self._print(discard_line(event.run_id), "dim")
            case AttemptFinished():
                self._attempt(event)
            case StepOutput():
                for line in self._live_lines.lines(event):
                    self._print(shown_text(line), "")
            case ShellOpened():
                self._live.stop()
                for line in self._report.failure_before(event):
                    self._print(line, _style(line))
                self._print(machine_line(event, self._verbosity), "bold")
            case ShellClosed():
                if line := machine_line(event, self._verbosity):
                    self._print(line, "yellow")
                self._live.start(refresh=True)
            case ContentProgress(machine_id=machine_id, machine=machine):
                self._rows[machine_id] = Row(machine, f"sending project: {sent_so_far(event)}", event.at - event.took_s)
            case _:
                self._row(event)
                if line := machine_line(event, self._verbosity):
                    self._print(line, "yellow" if isinstance(event, MachineFailed) else "dim")

    def finish(self, tally: "Tally") -> None:
        self._live.stop()
        for line in self._report.lines():
            self._print(line, _style(line))

    def _attempt(self, event: AttemptFinished) -> None:
        counts = self._report.outcomes.counts()
        failed = counts.failed + counts.timed_out
        others = self._report.outcomes.tried - counts.passed - failed
        self._progress = replace(self._progress, passed=counts.passed, failed=failed, others=others)
        if event.outcome is not Outcome.PASSED or self._verbosity:
            self._print(job_line(event), _STYLES.get(event.outcome, "bold red"))

    def _row(self, event: Report) -> None:
        match event:
            case MachineRequested(machine_id=machine_id, backend=backend, system=system):
                self._rows[machine_id] = Row(f"{backend}:{system}", "allocating", event.at)
            case MachineAllocated(machine_id=machine_id, machine=machine) | MachineReused(machine_id=machine_id, machine=machine):
                self._ids[machine] = machine_id
                self._rows[machine_id] = Row(machine, "connecting", event.at)
            case MachineConnected(machine_id=machine_id, machine=machine) | ContentSent(machine_id=machine_id, machine=machine):
                self._rows[machine_id] = Row(machine, "sending project", event.at)
            case MachineDiscarding(machine_id=machine_id, machine=machine):
                self._rows[machine_id] = Row(machine, "discarding", event.at)
            case MachineGone(machine_id=machine_id) | MachineFailed(machine_id=machine_id) | MachineKept(machine_id=machine_id):
                self._rows.pop(machine_id, None)
            case StepStarted(machine=machine) | Rebooted(machine=machine):
                self._set(machine, f"{DOING[event.verb]} {_without_system(event.context, event.machine)}", event.at)
            case StepFinished(machine=machine, outcome=outcome) if outcome is not Outcome.PASSED:
                self._set(machine, f"finding out why {_without_system(event.context, event.machine)} failed", event.at)
            case RebootRequested(machine=machine):
                self._set(machine, "rebooting", event.at)
            case _:
                pass

    def _set(self, machine: str, doing: str, since: float) -> None:
        self._rows[self._ids.get(machine, machine)] = Row(machine, doing, since)

    def rows(self) -> list[Row]:
        """Return what the machines in use do, in the order in which they were asked for."""
        return list(self._rows.values())

    def _frame(self) -> RenderableType:
        return live_frame(self._progress, self.rows(), self._clock(), self._console.size)

    def _print(self, line: str, style: str) -> None:
        # Text, not markup: brackets in what tests print mean nothing.
        self._console.print(Text(line, style=style), soft_wrap=True)


def live_frame(progress: Progress, rows: list[Row], now: float, size: ConsoleDimensions) -> RenderableType:
    """Return the display: rows of sessions, as many as fit beside what else stands on the screen, over the progress."""
    room = max(1, size.height - 4)
    names_width = min(max((len(row.machine) for row in rows), default=1), size.width * 2 // 5)
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(no_wrap=True, overflow="ellipsis", style="cyan", width=names_width)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column(no_wrap=True, justify="right", style="dim", width=6)
    for row in rows[:room]:
        table.add_row(Text(row.machine), Text(row.doing), span(now - row.since))
    if len(rows) > room:
        table.add_row(Text(f"and {len(rows) - room} more"), "", "")
    left_s = progress.left_s(now)
    bar = Table.grid(padding=(0, 2), expand=True)
    bar.add_column(ratio=1)
    bar.add_column(no_wrap=True, justify="right")
    counts = Text(f"{progress.done}/{progress.total}  {progress.passed} {progress.passed_word}")
    if progress.failed:
        counts.append(f"  {progress.failed} failed", style="bold red")
    if progress.others:
        counts.append(f"  {progress.others} other", style="yellow")
    counts.append(f"  {span(now - progress.began_at)}", style="dim")
    if left_s is not None:
        counts.append(f", about {span(left_s)} left", style="dim")
    bar.add_row(ProgressBar(total=max(1, progress.total), completed=progress.done), counts)
    return Group(table, bar)


def _style(line: str) -> str:
    """Return how a line of the report looks."""
    return "bold red" if line.startswith("FAILED ") else "dim" if line.startswith("  |") else ""


def _without_system(context: str, machine: str) -> str:
    """Return ``context`` without the ``backend:system:`` that its row begins with anyway."""
    return context.removeprefix(machine.partition(" (")[0]).removeprefix(":") or "system"
