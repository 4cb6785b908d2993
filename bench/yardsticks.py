"""What the machine itself takes for the things that everything here is made of."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from bench.report import Figure
from bench.timing import median_ms, seconds_of, spawn_bash


def _spawn(*command: str) -> float:
    return seconds_of(lambda: os.waitpid(os.posix_spawn(command[0], command, {}), 0))


def yardsticks() -> Iterator[Figure]:
    yield Figure("posix_spawn /bin/true", median_ms(lambda: _spawn("/bin/true"), runs=100), "ms")
    yield Figure("posix_spawn bash -c :", median_ms(spawn_bash, runs=100), "ms")
    with tempfile.TemporaryFile() as file:

        def sync() -> None:
            os.pwrite(file.fileno(), b"x" * 4096, 0)
            os.fdatasync(file.fileno())

        yield Figure("write and fdatasync of 4 KiB", median_ms(lambda: seconds_of(sync), runs=50), "ms")
    start = [sys.executable, "-c", ""]
    yield Figure("start of this Python", median_ms(lambda: seconds_of(lambda: subprocess.run(start, check=True)), runs=10), "ms")
