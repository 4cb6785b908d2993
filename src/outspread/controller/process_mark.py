"""Who carries a run: a mark of this process that a later one can judge, also after a reboot or when the number was reused."""

import os
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_START_FIELD: Final = 22 - 3  # of /proc/PID/stat, counted after the command name, which may hold anything


def own_mark() -> str:
    """Return the mark of this process: boot id, process namespace, number, start time."""
    pid = os.getpid()
    return f"{_place()} {pid} {_start_time(pid)}"


def is_alive(mark: str) -> bool:
    """Tell whether the process of ``mark`` still runs; one of another boot does not, one of another namespace may."""
    boot, _, rest = mark.partition(" ")
    namespace, _, process = rest.partition(" ")
    own_boot, own_namespace = _place().split(" ")
    if boot != own_boot:
        return False
    if namespace != own_namespace:
        return True
    pid, _, start = process.partition(" ")
    return pid.isdecimal() and _start_time(int(pid)) == start


def _place() -> str:
    boot = (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
    return f"{boot} {(_PROC / 'self/ns/pid').readlink().name}"


def _start_time(pid: int) -> str:
    """Return when the process started, in clock ticks since boot; empty when there is none, or only its corpse."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in {"Z", "X"} else fields[_START_FIELD]
