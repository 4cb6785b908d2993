"""Whether a worker's machine is fit for work: enough disk for its directories, enough memory."""

import os
from pathlib import Path
from typing import Final

from msgspec import Struct

from outspread.controller.command_values import WorkerHealth
from outspread.worker.commands.sizes_in_words import size_in_words

_MEMORY: Final = Path("/proc/meminfo")


class HealthLimits(Struct, frozen=True):
    """Below these a worker takes no work. It does again when there is a quarter more."""

    disk_free_bytes: int = 1024**3
    memory_available_bytes: int = 128 * 1024**2


def look(directory: Path, limits: HealthLimits, *, held: bool) -> WorkerHealth:
    """Return how the machine is; ``held``: it was not well before."""
    disk = os.statvfs(directory)
    disk_free_bytes, memory_bytes = disk.f_bavail * disk.f_frsize, _available_bytes(_MEMORY.read_text("ascii"))
    # a file system smaller than the limit could never be fit
    least_disk_bytes = min(limits.disk_free_bytes, disk.f_blocks * disk.f_frsize // 10)
    hold = _shortage(f"disk space in {directory}", disk_free_bytes, least_disk_bytes, held=held)
    hold = hold or _shortage("memory", memory_bytes, limits.memory_available_bytes, held=held)
    return WorkerHealth(disk_free_bytes=disk_free_bytes, memory_available_bytes=memory_bytes, hold=hold)


def _shortage(what: str, have_bytes: int, least_bytes: int, *, held: bool) -> str:
    needed = least_bytes * 5 // 4 if held else least_bytes
    return f"too little {what}: {size_in_words(have_bytes)}, {size_in_words(needed)} needed" if have_bytes < needed else ""


def _available_bytes(meminfo: str) -> int:
    for line in meminfo.splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return 0
