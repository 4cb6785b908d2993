"""The control groups of a slot, version 1 or 2, where they can be made: they limit its commands, and tell when one met a limit.

What a slot starts is born in them, at no cost for each command. Their name carries the supervisor's process id and start time, so
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
_REMOVE_WITHIN_S = 1.0


class _Files:
    """The files of one controller: of what was refused with the word before its number, of the limit with the word for none."""

    def __init__(self, counter: str, word: bytes, limit: str, none: str) -> None:
        self.counter = counter
        self.word = word
        self.limit = limit
        self.none = none


#: By controller, those of version 2 before those of version 1.
_FILES = {
    "memory": (
        _Files("memory.events", b"oom_kill ", "memory.max", "max"),
        _Files("memory.oom_control", b"oom_kill ", "memory.limit_in_bytes", "-1"),
    ),
    "pids": (_Files("pids.events", b"max ", "pids.max", "max"),),
}
#: Version 2 counts swapped memory apart: what may not be in memory is not to be there either.
_SWAP = "memory.swap.max"


class SlotGroups:
    """Where slots' groups may be made on this host."""

    def __init__(self) -> None:
        """Find the places, and sweep what dead supervisors have left there."""
        pid, started = own_identity()
        self._own = f"{_PREFIX}{pid}-{started}-"
        self._parents: dict[str, str] = {}  # by controller
        mounts = parse_mounts(_read("/proc/self/mountinfo"))
        for controllers, place in group_places(mounts, _read("/proc/self/cgroup")):
            wanted = [name for name in _FILES if name in controllers and name not in self._parents]
            for parent in place.parents if wanted else ():
                if usable := self._usable(parent, wanted):
                    self._parents.update(dict.fromkeys(usable, parent))
                    break
        self._sweep()

    def make(self, number: int) -> "SlotGroup":
        """Return the groups of a slot, as far as there can be any."""
        directories = {}
        for controller, parent in self._parents.items():
            directory = f"{parent}/{self._own}{number}"
            try:
                os.mkdir(directory)
            except FileExistsError:  # of a slot with this number that ended, or it is of two controllers
                pass
            except OSError:  # they have become too many, or it was taken from us: it goes without
                continue
            directories[controller] = directory
        return SlotGroup(directories)

    def _usable(self, parent: str, controllers: "list[str]") -> "list[str]":
        """Return which of the controllers a group below ``parent`` would have."""
        probe = f"{parent}/{self._own}probe"
        try:
            os.mkdir(probe)
        except OSError:  # not ours to use, or mounted read-only: perhaps the next one is
            return []
        try:
            return [controller for controller in controllers if _files_in(probe, controller) is not None]
        finally:
            remove_group(probe)

    def _sweep(self) -> None:
        for parent in set(self._parents.values()):
            for name in os.listdir(parent):
                numbers = name.removeprefix(_PREFIX).split("-")
                if not name.startswith(_PREFIX) or not all(map(str.isdigit, numbers[:2])) or len(numbers) != 3:
                    continue
                if not is_alive(int(numbers[0]), int(numbers[1])):
                    empty_group(f"{parent}/{name}")
                    remove_group(f"{parent}/{name}")


class SlotGroup:
    """The groups of one slot, by controller: of none, where there are none."""

    def __init__(self, directories: "dict[str, str]") -> None:
        self._directories: dict[str, str] = {}
        self._files: dict[str, _Files] = {}
        self._counters: dict[str, int] = {}
        self._limits: dict[str, int] = {}  # as they are set now; none: 0
        for controller, directory in directories.items():
            if (files := _files_in(directory, controller)) is not None:
                self._directories[controller] = directory
                self._files[controller] = files
                self._counters[controller] = os.open(f"{directory}/{files.counter}", os.O_RDONLY | os.O_CLOEXEC)

    def join(self) -> None:
        """Put this process into the groups, and what it will start; groups that may be made but not joined are not used."""
        for directory in set(self._directories.values()):
            try:
                write_setting(f"{directory}/cgroup.procs", "0")
            except OSError:
                self._directories = {name: other for name, other in self._directories.items() if other != directory}

    def has(self, controller: str) -> bool:
        """Tell whether there is a group for ``memory`` or ``pids``."""
        return controller in self._directories

    def set_limit(self, controller: str, limit: int) -> None:
        """Hold what is in the group to a limit; 0: to none. OSError when the kernel will not have it."""
        if controller in self._directories and limit != self._limits.get(controller, 0):
            self._write_limit(controller, str(limit) if limit else "")
            self._limits[controller] = limit

    def bar_processes(self) -> None:
        """Let nothing more be started, so that what is there can be ended; ``set_limit`` undoes it."""
        if "pids" in self._directories:
            self._write_limit("pids", "0")
            self._limits["pids"] = -1

    def refused(self, controller: str) -> int:
        """Return how often a limit was met so far: processes killed for want of memory, or not started."""
        if controller not in self._directories:
            return 0
        word = self._files[controller].word
        for line in os.pread(self._counters[controller], 4096, 0).splitlines():
            if line.startswith(word):
                return int(line[len(word) :])
        return 0

    def remove(self) -> None:
        """End what is in the groups and remove them, unless they are busy for too long: the next supervisor does, then."""
        for counter in self._counters.values():
            os.close(counter)
        for directory in set(self._directories.values()):
            empty_group(directory)
            deadline = time.monotonic() + _REMOVE_WITHIN_S
            while not remove_group(directory) and time.monotonic() < deadline:
                time.sleep(0.005)

    def _write_limit(self, controller: str, text: str) -> None:
        directory, files = self._directories[controller], self._files[controller]
        write_setting(f"{directory}/{files.limit}", text or files.none)
        if controller == "memory" and os.path.exists(f"{directory}/{_SWAP}"):
            write_setting(f"{directory}/{_SWAP}", "0" if text else "max")


def _files_in(directory: str, controller: str) -> "_Files | None":
    """Return the files by which a group has a controller; None when it has not."""
    return next((files for files in _FILES[controller] if os.path.exists(f"{directory}/{files.counter}")), None)


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()
