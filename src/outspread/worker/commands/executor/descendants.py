"""The processes below one: found through /proc, and signalled."""

# pathlib takes 10 ms to import, half of what a start costs:
# ruff: noqa: PTH123, PTH208

import os


def descendants(ancestor: int) -> "list[int]":
    """Return the ids of all living processes below ``ancestor``, parents before their children."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (parent := _living_parent(name)):
            children.setdefault(parent, []).append(int(name))
    found = list(children.get(ancestor, ()))
    for pid in found:  # grows while we go
        found += children.get(pid, ())
    return found


def signal_all(pids: "list[int]", number: int) -> None:
    """Send a signal to processes that may have ended meanwhile."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
        except PermissionError:  # it has become somebody else (sudo): only the kernel can end it, with its session
            continue


def is_uninterruptible(pid: int) -> bool:
    """Tell whether a process waits in the kernel where no signal reaches it."""
    return _state_and_parent(str(pid))[0] == b"D"


def _living_parent(name: str) -> int:
    state, parent = _state_and_parent(name)
    return 0 if state in {b"Z", b"X"} else parent


def _state_and_parent(name: str) -> "tuple[bytes, int]":
    try:
        with open(f"/proc/{name}/stat", "rb", 0) as file:
            stat = file.read(1024)
    except OSError:  # it ended meanwhile
        return b"X", 0
    fields = stat[stat.rindex(b")") + 2 :].split(None, 2)
    return fields[0], int(fields[1])
