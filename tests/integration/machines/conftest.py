"""A sandbox for tests that look at one from the inside, and the check that nothing of it is left."""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from outspread.machines.contract import Machine, MachineRequest, ScriptEnd, Shell
from outspread.machines.sandbox.backend import SandboxBackend
from outspread.project.model import Backend, System

Run = Callable[[str], Coroutine[Any, Any, tuple[ScriptEnd, str]]]


def processes_with(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if mark.encode() in words:
                found.append(int(entry.name))
    return found


@pytest.fixture
def mark() -> str:
    """What the ids of this test's machines begin with."""
    return f"test{os.getpid()}x{time.monotonic_ns():x}"


@pytest.fixture
def processes_of() -> Callable[[str], list[int]]:
    """Find the keepers and agents whose command lines hold a mark."""
    return processes_with


@pytest.fixture
def control_groups() -> Callable[[str | int], list[Path]]:
    """Find the control groups that a keeper made."""

    def find(keeper: str | int) -> list[Path]:
        patterns = ("*", "*/*", "*/*/*", "*/*/*/*")
        return [path for pattern in patterns for path in Path("/sys/fs/cgroup").glob(f"{pattern}/outspread-{keeper}-*")]

    return find


@pytest.fixture
def new_request(tmp_path: Path, mark: str) -> Iterator[Callable[..., MachineRequest]]:
    """Make requests for sandboxes; fail if a process or a mount of one is left when the test is over."""
    mounts = Path("/proc/self/mountinfo").read_text()
    count = 0

    def make(*, system: str = "this-host", image: str = "", storage_bytes: int = 0, memory_bytes: int = 0) -> MachineRequest:
        nonlocal count
        count += 1
        described = System(name=system, backend="sandbox", image=image, storage_bytes=storage_bytes)
        backend = Backend(name="sandbox", type="sandbox", systems={system: described}, memory_bytes=memory_bytes)
        return MachineRequest(
            machine_id=f"{mark}-{count}", run_id="run", project="project", root=str(tmp_path), backend=backend, system=described
        )

    yield make
    deadline = time.monotonic() + 10
    while processes_with(mark) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert processes_with(mark) == []
    assert Path("/proc/self/mountinfo").read_text() == mounts


@pytest.fixture
def in_sandbox(new_request: Callable[..., MachineRequest]) -> Callable[..., list[str]]:
    """Run scripts one after the other in a new sandbox; return what each said, or how it ended if it said nothing."""

    def run(
        *scripts: str, kill_after_s: float = 30, progress: Callable[[str], None] = lambda _text: None, **asked: Any
    ) -> list[str]:
        async def one(shell: Shell, script: str) -> str:
            said: list[bytes] = []
            end = await shell.run(script.encode(), output=said.append, kill_after_s=kill_after_s)
            text = b"".join(said).decode(errors="replace").strip()
            return text or f"{'timed out, ' if end.timed_out else ''}exit {end.exit_code}, signal {end.signal}"

        async def main() -> list[str]:
            backend = SandboxBackend()
            machine: Machine = await backend.allocate(new_request(**asked), progress)
            try:
                shell = await backend.connect(machine)
                return [await one(shell, script) for script in scripts]
            finally:
                await backend.discard(machine)

        return asyncio.run(main())

    return run
