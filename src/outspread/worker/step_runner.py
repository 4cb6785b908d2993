"""Run one step on a machine to its end: its script, again after each reboot that it asks for, with its two timeouts."""

import asyncio
from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from outspread.errors import ConnectionLostError, InfrastructureError
from outspread.machines.contract import OutputSink, ScriptEnd, Shell
from outspread.machines.markers import Word, final_marker
from outspread.machines.prologue import render_script
from outspread.project.durations import duration_text
from outspread.worker.captured_output import CapturedOutput
from outspread.worker.late_excerpt import late_excerpt
from outspread.worker.line_times import LineTimes

MAX_REBOOTS = 10
_MARKER_BYTES = 64 * 1024  # a marker is the last line, and no longer than this


class StepScript(Struct, frozen=True):
    """What a step runs, where, with what, and for how long (seconds)."""

    parts: tuple[str, ...]
    directory: str
    environment: tuple[tuple[str, str], ...]
    warn_s: float
    kill_s: float


class StepEnd(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    TIMEOUT = "timeout"


class StepResult(Struct, frozen=True):
    """How a step ended. ``reason`` is "" when it passed; ``error_text`` says that it is the author's own, by ERROR."""

    end: StepEnd
    output: bytes
    reason: str = ""
    error_text: bool = False
    exit_code: int | None = None
    signal: int | None = None


class StepRunner:
    """Runs steps through one shell. ``late`` gets the text of each warning.

    ``rebooting`` and ``rebooted`` get the count of each reboot, before and after it. With ``time_lines`` each line of output has
    the time before it.
    """

    def __init__(
        self,
        shell: Shell,
        *,
        late: Callable[[str], None],
        rebooting: Callable[[int], None],
        rebooted: Callable[[int], None],
        time_lines: bool = False,
    ) -> None:
        self._shell = shell
        self._late = late
        self._rebooting = rebooting
        self._rebooted = rebooted
        self._time_lines = time_lines

    async def run(self, script: StepScript, printed: OutputSink | None = None) -> StepResult:
        """Return how ``script`` ended; ``printed`` gets its output as it comes.

        Raises ConnectionLostError when the machine is lost on the way.
        """
        earlier = b""  # what the rounds before the last reboot printed
        reboot_key = "0"
        reboots = 0
        while True:
            captured, last, end = await self._round(script, reboot_key, printed)
            output = earlier + captured.data()
            marker = final_marker(last.decode(errors="surrogateescape"), end.exit_code)
            if marker is None or marker.word is not Word.REBOOT:
                return _result(script, output, end, marker.text if marker else None)
            reboots += 1
            self._rebooting(reboots)
            if reboots > MAX_REBOOTS:
                return StepResult(StepEnd.FAILED, output, f"asked for more than {MAX_REBOOTS} reboots")
            try:
                await self._shell.reboot(within_s=script.kill_s)
            except ConnectionLostError:
                raise
            except InfrastructureError as error:
                raise ConnectionLostError(f"machine did not come back from a requested reboot: {error}") from error
            self._rebooted(reboots)
            earlier = output + b"\n"
            reboot_key = marker.text or str(reboots)

    async def _round(
        self, script: StepScript, reboot_key: str, printed: OutputSink | None
    ) -> tuple[CapturedOutput, bytes, ScriptEnd]:
        """Run the script once; return what to show of its output, the end of it as it was printed, and how it ended."""
        text = render_script(
            script.parts, directory=script.directory, environment=(*script.environment, ("SPREAD_REBOOT", reboot_key)), trace=True
        )
        captured = CapturedOutput()
        plain = CapturedOutput(_MARKER_BYTES)

        def keep(piece: bytes) -> None:
            captured.add(piece)
            if printed is not None:
                printed(piece)

        show = LineTimes(keep).add if self._time_lines else keep

        def take(piece: bytes) -> None:
            plain.add(piece)
            show(piece)

        with _Lateness(captured, script.warn_s, self._late):
            end = await self._shell.run(text, output=take, kill_after_s=script.kill_s)
        return captured, plain.end(_MARKER_BYTES), end


class _Lateness:
    """Warns each ``warn_s`` seconds of what a script has printed since the last time."""

    def __init__(self, captured: CapturedOutput, warn_s: float, late: Callable[[str], None]) -> None:
        self._captured = captured
        self._warn_s = warn_s
        self._late = late
        self._seen = 0
        self._seen_bytes = 0

    def __enter__(self) -> None:
        self._wait()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._warn_s, self._warn)

    def _warn(self) -> None:
        printed = self._captured.data().decode(errors="surrogateescape")
        unchanged = self._captured.size_bytes == self._seen_bytes
        self._late(late_excerpt(printed, self._seen, unchanged=unchanged))
        self._seen, self._seen_bytes = len(printed), self._captured.size_bytes
        self._wait()


def _result(script: StepScript, output: bytes, end: ScriptEnd, error_text: str | None) -> StepResult:
    if end.timed_out:
        limit = duration_text(script.kill_s)
        output = output.rstrip(b"\n") + b"\n<kill-timeout reached>\n"
        return StepResult(StepEnd.TIMEOUT, output, f"kill-timeout reached after {limit}", signal=end.signal)
    if error_text is not None:
        return StepResult(StepEnd.FAILED, output, error_text, error_text=True, exit_code=end.exit_code)
    if end.passed:
        return StepResult(StepEnd.PASSED, output, exit_code=0)
    reason = f"killed by signal {end.signal}" if end.exit_code is None else f"exit code {end.exit_code}"
    return StepResult(StepEnd.FAILED, output, reason, exit_code=end.exit_code, signal=end.signal)
