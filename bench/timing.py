"""Time whole processes, by the operating system's own accounting."""

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

_ENDS_WITHIN_S = 60.0


class ProcessCost(Struct, frozen=True):
    """What one process cost. ``memory_mb`` is the largest resident set of it or of a child it waited for."""

    wall_s: float
    cpu_s: float
    memory_mb: float
    exit_code: int


def run_process(
    command: Sequence[str], *, cwd: Path | None = None, env: dict[str, str] | None = None, output: Path | None = None
) -> ProcessCost:
    """Run ``command`` with its output written to ``output`` or thrown away; if this is interrupted, so is the command."""
    with (output or Path(os.devnull)).open("wb") as written:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.DEVNULL, process_group=0
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # once: it gives machines back, then
            process.terminate()
            process.wait(_ENDS_WITHIN_S)
            raise
    process.returncode = os.waitstatus_to_exitcode(status)
    return ProcessCost(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode)


def median_ms(measure: Callable[[], float], *, runs: int) -> float:
    """Return the median of ``runs`` results of ``measure`` (seconds), in milliseconds, after one that does not count."""
    measure()
    return statistics.median(measure() for _ in range(runs)) * 1000


def seconds_of(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def spawn_bash() -> float:
    """Return the seconds of a bash that does nothing."""
    return seconds_of(lambda: os.waitpid(os.posix_spawn("/bin/bash", ["bash", "-c", ":"], {}), 0))
