"""Requests for sandboxes, and the check that nothing of one is left: no process, no mount, no control group."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from outspread.machines.contract import MachineRequest
from outspread.project.model import Backend, System

MakeRequest = Callable[..., MachineRequest]

_SETTLED_WITHIN_S = 10.0


def new_mark() -> str:
    """Return what the ids of a test's machines begin with."""
    return f"test{os.getpid()}x{time.monotonic_ns():x}"


def processes_with(mark: str, *, environment: bool = True) -> dict[int, bytes]:
    """Return the processes, but this one, whose command lines, or environments, hold a mark; and what it was found in."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes() + ((entry / "environ").read_bytes() if environment else b"")
            except OSError:
                continue
            if mark.encode() in words:
                found[int(entry.name)] = words[:300]
    return found


def control_groups_of(keeper: str | int) -> list[Path]:
    """Return the control groups that a keeper made."""
    patterns = ("*", "*/*", "*/*/*", "*/*/*/*")
    return [path for pattern in patterns for path in Path("/sys/fs/cgroup").glob(f"{pattern}/outspread-{keeper}-*")]


@contextlib.contextmanager
def sandbox_requests(directory: Path, mark: str) -> Iterator[MakeRequest]:
    """Make requests meanwhile; fail if anything of one is left in the end. ``directory``: the test's own, as pytest gives it."""
    mounts = _mounts(directory)
    count = 0

    def make(*, system: str = "this-host", image: str = "", storage_bytes: int = 0, memory_bytes: int = 0) -> MachineRequest:
        nonlocal count
        count += 1
        described = System(name=system, backend="sandbox", image=image, storage_bytes=storage_bytes)
        backend = Backend(name="sandbox", type="sandbox", systems={system: described}, memory_bytes=memory_bytes)
        return MachineRequest(
            machine_id=f"{mark}-{count}", run_id="run", project="project", root=str(directory), backend=backend, system=described
        )

    yield make
    deadline = time.monotonic() + _SETTLED_WITHIN_S
    while processes_with(mark) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert processes_with(mark) == {}
    assert _mounts(directory) == mounts


def _mounts(directory: Path) -> list[str]:
    """Return what is mounted, but for what another test session has in its own directory."""
    session = directory.parent
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if f"{session.parent}/" not in line or f"{session}/" in line]
