"""Which process is meant: an id and its start time, since ids are used again."""

# pathlib takes 10 ms to import, half of what a start costs:
# ruff: noqa: PTH123

import os


def own_identity() -> tuple[int, int]:
    """Return our process id and start time."""
    pid = os.getpid()
    return pid, start_time(pid)


def start_time(pid: int) -> int:
    """Return when a process started, in clock ticks since boot; 0 when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb", 0) as file:
            stat = file.read()
    except OSError:
        return 0
    fields = stat[stat.rindex(b")") + 2 :].split()
    return 0 if fields[0] in b"ZX" else int(fields[19])


def is_alive(pid: int, started: int) -> bool:
    """Return whether the process that had this id and start time still runs; one that only waits to be collected does not."""
    return started != 0 and start_time(pid) == started
