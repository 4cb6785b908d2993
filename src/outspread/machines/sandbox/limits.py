"""Control groups of a sandbox, version 1 or 2: made where they can be, removed when it ends, swept when its keeper could not.

Their names carry the keeper's process id and start time, so that the one of a dead keeper is known for what it is.
"""

# pathlib takes 10 ms to import, half of what a start costs:
# ruff: noqa: PTH102, PTH106, PTH110, PTH123, PTH208

import os
import time

from outspread.machines.process_identity import is_alive, own_identity
from outspread.machines.sandbox.host_mounts import HostMount, is_at_or_below

_PREFIX = "outspread-"
_SIGKILL = 9
_REMOVE_WITHIN_S = 2.0

#: Controller: (file of version 1, file of version 2).
_FILES = {"memory": ("memory.limit_in_bytes", "memory.max"), "pids": ("pids.max", "pids.max")}


class Limits:
    """The control groups of one sandbox: ``made`` says for which controllers there is one."""

    def __init__(self, mounts: list[HostMount], membership: str, wanted: dict[str, int]) -> None:
        """Make the groups; ``membership`` is our own ``/proc/self/cgroup``, ``wanted`` a limit for each controller."""
        self._directories: list[str] = []
        self._parents: set[str] = set()
        self.made: set[str] = set()
        pid, started = own_identity()
        self._name = f"{_PREFIX}{pid}-{started}"
        try:
            for controllers, place in group_places(mounts, membership):
                self._make(controllers, place, wanted)
        except BaseException:
            self.remove()
            raise

    def _make(self, controllers: frozenset[str], place: "GroupPlace", wanted: dict[str, int]) -> None:
        wanted_here = [controller for controller in wanted if controller in controllers and controller not in self.made]
        if not wanted_here:
            return
        for parent in place.parents:
            directory = f"{parent}/{self._name}"
            try:
                os.mkdir(directory)
            except OSError:  # not ours to use, or mounted read-only: perhaps the next one is
                continue
            files = [(controller, f"{directory}/{_FILES[controller][place.version - 1]}") for controller in wanted_here]
            if all(os.path.exists(file) for _, file in files):
                self._directories.append(directory)
                self._parents.add(parent)
                for controller, file in files:
                    write_setting(file, str(wanted[controller]))
                    self.made.add(controller)
                return
            os.rmdir(directory)

    def join(self) -> None:
        """Put this process into the groups, and what it will start."""
        for directory in self._directories:
            write_setting(f"{directory}/cgroup.procs", "0")

    def remove(self) -> None:
        """Remove the groups once the last process is out of them."""
        deadline = time.monotonic() + _REMOVE_WITHIN_S
        for directory in self._directories:
            while not remove_group(directory) and time.monotonic() < deadline:
                time.sleep(0.001)
        self._directories.clear()

    def sweep(self) -> None:
        """Remove what keepers that were killed have left beside our own groups."""
        for parent in self._parents:
            for name in os.listdir(parent):
                if name.startswith(_PREFIX) and not _is_in_use(name):
                    empty_group(f"{parent}/{name}")
                    remove_group(f"{parent}/{name}")


class GroupPlace:
    """Where groups of one hierarchy may be made: our own group first, then the ones around it."""

    def __init__(self, version: int, mount: HostMount, path: str) -> None:
        self.version = version
        # what is mounted may be a part of the hierarchy (in a container): our path counts from its root
        inside = path[len(mount.root.rstrip("/")) :] if is_at_or_below(path, mount.root) else ""
        own = mount.path + inside.rstrip("/")
        self.parents = [own]
        if version == 2:  # a group with processes in it cannot have groups with limits below it, one around it can
            while len(own) > len(mount.path):
                own = own.rpartition("/")[0]
                self.parents.append(own)


def group_places(mounts: list[HostMount], membership: str) -> list[tuple[frozenset[str], GroupPlace]]:
    """Return where groups may be made, with the controllers of each; ``membership`` is our own ``/proc/self/cgroup``."""
    found: list[tuple[frozenset[str], GroupPlace]] = []
    for line in membership.splitlines():
        number, names, path = line.split(":", 2)
        if number == "0":
            found.extend((frozenset(_FILES), GroupPlace(2, mount, path)) for mount in mounts if mount.kind == "cgroup2")
        else:
            controllers = frozenset(names.split(","))
            found.extend(
                (controllers, GroupPlace(1, mount, path))
                for mount in mounts
                if mount.kind == "cgroup" and controllers <= set(mount.options.split(","))
            )
    return found


def _is_in_use(name: str) -> bool:
    """Return whether a group belongs to a live keeper, or is none of ours after all."""
    numbers = name.removeprefix(_PREFIX).split("-")
    return len(numbers) != 2 or not all(map(str.isdigit, numbers)) or is_alive(int(numbers[0]), int(numbers[1]))


def write_setting(path: str, text: str) -> None:
    """Write to a file of a group."""
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def remove_group(directory: str) -> bool:
    """Remove a group; return whether it is gone."""
    try:
        os.rmdir(directory)
    except FileNotFoundError:
        return True
    except OSError:  # busy: a process of it is still on its way out
        return False
    return True


def empty_group(directory: str) -> None:
    """Kill what is still in a group whose keeper is dead."""
    try:
        with open(f"{directory}/cgroup.procs") as file:
            pids = [int(line) for line in file]
    except OSError:  # swept by someone else meanwhile
        return
    for pid in pids:
        try:
            os.kill(pid, _SIGKILL)
        except ProcessLookupError:
            continue
