"""The memory control group of a slot, version 1 or 2: made where it can be, to tell apart who was killed for want of memory.

What a slot starts is born in it, at no cost for each command. Its name carries the supervisor's process id and start time, so
that the next supervisor knows the groups that a dead one has left, and ends what is still in them.
"""

# pathlib takes 10 ms to import, half of what a start costs:
# ruff: noqa: PTH102, PTH110, PTH123, PTH208

import os
import time

from outspread.machines.process_identity import is_alive, own_identity
from outspread.machines.sandbox.host_mounts import parse_mounts
from outspread.machines.sandbox.limits import empty_group, group_places, remove_group, write_setting

_PREFIX = "outspread-slot-"
_COUNTERS = ("memory.events", "memory.oom_control")
_REMOVE_WITHIN_S = 1.0


class SlotGroups:
    """Where slots' groups may be made on this host; ``directory`` is empty where none may."""

    def __init__(self) -> None:
        """Find the place, and sweep what dead supervisors have left there."""
        pid, started = own_identity()
        self._own = f"{_PREFIX}{pid}-{started}-"
        self._parent = ""
        mounts = parse_mounts(_read("/proc/self/mountinfo"))
        for controllers, place in group_places(mounts, _read("/proc/self/cgroup")):
            if "memory" in controllers and (parent := next(filter(self._can_hold, place.parents), "")):
                self._parent = parent
                break
        self._sweep()

    def make(self, number: int) -> "SlotGroup | None":
        """Return the group of a slot; None where there is none."""
        if not self._parent:
            return None
        directory = f"{self._parent}/{self._own}{number}"
        try:
            os.mkdir(directory)
        except FileExistsError:  # of a slot with this number that ended
            pass
        except OSError:  # they have become too many, or it was taken from us: it goes without
            return None
        return SlotGroup(directory)

    def _can_hold(self, parent: str) -> bool:
        probe = f"{parent}/{self._own}probe"
        try:
            os.mkdir(probe)
        except OSError:  # not ours to use, or mounted read-only: perhaps the next one is
            return False
        try:
            return any(os.path.exists(f"{probe}/{name}") for name in _COUNTERS)
        finally:
            remove_group(probe)

    def _sweep(self) -> None:
        for name in os.listdir(self._parent) if self._parent else ():
            numbers = name.removeprefix(_PREFIX).split("-")
            if not name.startswith(_PREFIX) or not all(map(str.isdigit, numbers[:2])) or len(numbers) != 3:
                continue
            if not is_alive(int(numbers[0]), int(numbers[1])):
                empty_group(f"{self._parent}/{name}")
                remove_group(f"{self._parent}/{name}")


class SlotGroup:
    """One group."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        counter = next(path for name in _COUNTERS if os.path.exists(path := f"{directory}/{name}"))
        self._counter = os.open(counter, os.O_RDONLY | os.O_CLOEXEC)

    def join(self) -> None:
        """Put this process into the group, and what it will start."""
        write_setting(f"{self._directory}/cgroup.procs", "0")

    def kills(self) -> int:
        """Return how many processes of the group were killed so far for want of memory."""
        for line in os.pread(self._counter, 4096, 0).splitlines():
            if line.startswith(b"oom_kill "):
                return int(line[9:])
        return 0

    def remove(self) -> None:
        """End what is in the group and remove it, unless it is busy for too long: the next supervisor does, then."""
        os.close(self._counter)
        empty_group(self._directory)
        deadline = time.monotonic() + _REMOVE_WITHIN_S
        while not remove_group(self._directory) and time.monotonic() < deadline:
            time.sleep(0.005)


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()
