"""A run of command jobs shown in a pipe, a file or a build log; and what every way of showing one has in common."""

import time
from collections.abc import Callable
from typing import Final, Protocol, TextIO

from outspread.cli.command_run_lines import failure_lines, progress_line, summary_lines
from outspread.controller.command_values import CommandAttempt, CommandRunStatus
from outspread.controller.values import Outcome

FAILURES: Final = (Outcome.FAILED, Outcome.TIMEOUT, Outcome.INFRA)
_NAMED: Final = 200
_EVERY_S: Final = 10.0


class RunView(Protocol):
    """One way of showing a run. The calls come in the order in which things happened."""

    #: Of so many attempts that did not pass the end of the log is shown.
    logs_shown: int

    def ended(self, attempt: CommandAttempt, log: bytes) -> None:
        """Show that an attempt is over; ``log`` is the end of what it printed if that is wanted."""
        ...

    def stands(self, status: CommandRunStatus) -> None:
        """Show how the run stands."""
        ...

    def finish(self, status: CommandRunStatus) -> None:
        """Show what it came to."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was; called in the end, however that comes."""
        ...


class FailedJobs:
    """The names of jobs that did not pass, for the end."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def note(self, attempt: CommandAttempt) -> None:
        if attempt.decides and attempt.outcome in FAILURES and len(self.names) < _NAMED:
            self.names.append(attempt.job)


class PlainRunView:
    """Writes failures to ``out`` as they come, and each while how the run stands, if that has changed."""

    logs_shown = 20

    def __init__(self, out: TextIO, *, clock: Callable[[], float] = time.time, every_s: float = _EVERY_S) -> None:
        self._out = out
        self._clock = clock
        self._every_s = every_s
        self._failed = FailedJobs()
        self._told_at = clock()
        self._told = ""

    def ended(self, attempt: CommandAttempt, log: bytes) -> None:
        self._failed.note(attempt)
        if attempt.outcome in FAILURES:
            for line in failure_lines(attempt, log):
                self._line(line)

    def stands(self, status: CommandRunStatus) -> None:
        now = self._clock()
        line = progress_line(status.counts, since_s=now - status.submitted_at)
        told = line.partition(" ")[2]
        if now - self._told_at >= self._every_s and told != self._told:
            self._told_at, self._told = now, told
            self._line(line)

    def finish(self, status: CommandRunStatus) -> None:
        for line in summary_lines(status, self._failed.names):
            self._line(line)

    def close(self) -> None:
        """Do nothing: a pipe is as it was."""

    def _line(self, line: str) -> None:
        self._out.write(f"{line}\n")
        self._out.flush()
