"""A run of command jobs shown while it goes on: on a terminal in a line that moves, in a pipe line by line, or as JSON Lines."""

import time
from typing import TYPE_CHECKING, Final, Protocol, TextIO

from outspread.cli.command_run_lines import failure_lines, progress_line, summary_line
from outspread.controller.command_values import CommandAttempt, CommandRunStatus, RunProgress
from outspread.controller.values import Outcome

if TYPE_CHECKING:
    from outspread.controller.command_port import CommandPort

_PLAIN_EVERY_S: Final = 10.0
_LOG_BYTES: Final = 16 * 1024
#: Logs of so many failures are shown; of more, the line alone.
_LOGS_SHOWN: Final = 20


class RunView(Protocol):
    """Shows what happens in a run."""

    async def show(self, port: "CommandPort", progress: RunProgress) -> None:
        """Show what happened since the last call."""
        ...

    def finish(self, status: CommandRunStatus) -> None:
        """Show what it came to."""
        ...


class LineView:
    """For people: failures as they come, and how it stands; ``moving``: in a line that is written over."""

    def __init__(self, out: TextIO, *, moving: bool) -> None:
        self._out = out
        self._moving = moving
        self._shown_at = 0.0
        self._shown = ""
        self._failures = 0

    async def show(self, port: "CommandPort", progress: RunProgress) -> None:
        for attempt in progress.ended:
            if attempt.outcome is not Outcome.PASSED and attempt.outcome is not Outcome.CANCELLED:
                await self._failure(port, attempt)
        line = progress_line(progress.status.counts, since_s=time.time() - progress.status.submitted_at)
        if self._moving:
            self._out.write(f"\r\x1b[K{line}")
        elif line.partition(" ")[2] != self._shown and time.monotonic() - self._shown_at >= _PLAIN_EVERY_S:
            self._shown_at, self._shown = time.monotonic(), line.partition(" ")[2]
            self._out.write(f"{line}\n")
        self._out.flush()

    def finish(self, status: CommandRunStatus) -> None:
        took_s = (status.finished_at or time.time()) - status.submitted_at
        self._line(summary_line(status, took_s=took_s))

    async def _failure(self, port: "CommandPort", attempt: CommandAttempt) -> None:
        from outspread.client.following import log_end

        self._failures += 1
        log = b""
        if self._failures <= _LOGS_SHOWN and attempt.log_bytes:
            log = await log_end(port, attempt.attempt_id, limit_bytes=_LOG_BYTES)
        for line in failure_lines(attempt, log):
            self._line(line)

    def _line(self, line: str) -> None:
        self._out.write(f"\r\x1b[K{line}\n" if self._moving else f"{line}\n")
        self._out.flush()


class JsonView:
    """For programs: each attempt that ended, and in the end the run, one JSON object a line."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    async def show(self, port: "CommandPort", progress: RunProgress) -> None:
        for attempt in progress.ended:
            self._write("attempt", attempt)

    def finish(self, status: CommandRunStatus) -> None:
        self._write("run", status)

    def _write(self, kind: str, value: CommandAttempt | CommandRunStatus) -> None:
        import msgspec

        self._out.write(msgspec.json.encode({"kind": kind, **msgspec.to_builtins(value)}).decode() + "\n")
        self._out.flush()
