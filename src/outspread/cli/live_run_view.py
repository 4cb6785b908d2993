"""A run of command jobs on a terminal: how far it is, in a line that moves, with failures printed above as they come."""

import time
from collections.abc import Callable

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from outspread.cli.command_run_lines import failure_lines, progress_line, summary_lines
from outspread.cli.live_view import REFRESHES_PER_S, Progress
from outspread.cli.run_views import FAILURES, FailedJobs
from outspread.cli.spans import span
from outspread.controller.command_values import CommandAttempt, CommandRunStatus, JobCounts
from outspread.controller.values import Outcome


class LiveRunView:
    """Shows a run on ``console``. The display redraws itself from a thread, from a value that is replaced and never changed."""

    logs_shown = 20

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.time) -> None:
        self._console = console
        self._clock = clock
        self._failed = FailedJobs()
        self._status: CommandRunStatus | None = None
        self._live = Live(
            get_renderable=self._frame, console=console, refresh_per_second=REFRESHES_PER_S, transient=True, redirect_stdout=False
        )

    def ended(self, attempt: CommandAttempt, log: bytes) -> None:
        self._failed.note(attempt)
        if attempt.outcome in FAILURES:
            style = "bold red" if attempt.decides and attempt.outcome is not Outcome.INFRA else "yellow"
            for line in failure_lines(attempt, log):
                self._print(line, "dim" if line.startswith("  |") else style)

    def stands(self, status: CommandRunStatus) -> None:
        begins, self._status = self._status is None, status
        if begins:
            self._live.start(refresh=True)

    def finish(self, status: CommandRunStatus) -> None:
        self.close()
        for line in summary_lines(status, self._failed.names):
            self._print(line, "")

    def close(self) -> None:
        self._live.stop()

    def _frame(self) -> RenderableType:
        status = self._status
        return Text() if status is None else run_frame(status.counts, since_s=self._clock() - status.submitted_at)

    def _print(self, line: str, style: str) -> None:
        # Text, not markup: brackets in what jobs print mean nothing.
        self._console.print(Text(line, style=style), soft_wrap=True)


def run_frame(counts: JobCounts, *, since_s: float) -> RenderableType:
    """Return the display of a run."""
    done = counts.total - counts.queued - counts.running
    left_s = Progress(counts.total, done).left_s(since_s)
    words = Text(progress_line(counts, since_s=since_s), style="bold red" if counts.failed else "")
    if left_s is not None:
        words.append(f"  about {span(left_s)} left", style="dim")
    frame = Table.grid(padding=(0, 2), expand=True)
    frame.add_column(ratio=1, min_width=4)
    frame.add_column(no_wrap=True, overflow="ellipsis", justify="right")
    frame.add_row(ProgressBar(total=max(1, counts.total), completed=done), words)
    return frame
