"""How much memory a process took at most, in kilobytes, resident.

What ``getrusage`` says of a child holds what its parent had when it forked; of oneself, what any test before had.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

_MEASURING = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


class PeakMemory:
    """What this process takes more from now on."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # the highest is now what there is
        self._before_kb = _highest_kb()

    @property
    def more_kb(self) -> int:
        return _highest_kb() - self._before_kb


def run_measured(program: Sequence[str], *, cwd: Path, stderr: IO[bytes]) -> tuple[int, int]:
    """Run a program; return its exit code and its memory."""
    measured = subprocess.run(
        [sys.executable, "-IS", "-c", _MEASURING, *program], cwd=cwd, stdout=subprocess.PIPE, stderr=stderr, check=False
    )
    return measured.returncode, int(measured.stdout)


def _highest_kb() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
