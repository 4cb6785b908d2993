"""The implementations that the contract suites run on, and the check that none of them leaves anything behind."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from tests.hosts.host import Host, why_no_hosts

from outspread.machines.contract import Machine, MachineRequest, Shell
from outspread.machines.local_shell import open_local_shell
from outspread.machines.sandbox.backend import SandboxBackend
from outspread.machines.ssh.shell import open_ssh_shell
from outspread.machines.ssh.target import SshTarget
from outspread.project.model import Backend, System

OpenShell = Callable[[], AbstractAsyncContextManager[Shell]]


def _processes_with(mark: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if mark.encode() in words:
                found.append(f"{entry.name}: {words[:300]!r}")
    return found


def _control_groups(keeper: str) -> list[Path]:
    return [
        path
        for pattern in ("*", "*/*", "*/*/*", "*/*/*/*")
        for path in Path("/sys/fs/cgroup").glob(f"{pattern}/outspread-{keeper}-*")
    ]


@pytest.fixture
def new_request(tmp_path: Path) -> Iterator[Callable[..., MachineRequest]]:
    """Make requests for sandboxes; fail if anything of one is left when the test is over."""
    mark = f"test{os.getpid()}x{time.monotonic_ns():x}"
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
    while _processes_with(mark) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _processes_with(mark) == []
    assert Path("/proc/self/mountinfo").read_text() == mounts
    assert not Path("/run/upper1").exists()


@pytest.fixture
def no_groups_left() -> Callable[[Machine], None]:
    """Fail unless the control groups of a machine are gone."""

    def check(machine: Machine) -> None:
        assert _control_groups(machine.data["keeper"]) == []

    return check


@pytest.fixture(scope="module")
def ssh_host() -> Iterator[Host]:
    """A host with a Python, for the tests of one module."""
    if reason := why_no_hosts():
        pytest.skip(reason)
    with Host() as host:
        yield host


@pytest.fixture(scope="module")
def bare_ssh_host() -> Iterator[Host]:
    """A host without one."""
    if reason := why_no_hosts():
        pytest.skip(reason)
    with Host(python=False) as host:
        yield host


@pytest.fixture(params=["local", "sandbox", "ssh", "ssh-sudo", "ssh-no-python", "ssh-no-python-sudo"])
def open_shell(request: pytest.FixtureRequest, new_request: Callable[..., MachineRequest]) -> OpenShell:
    """Open a shell of each kind, as an asynchronous context manager."""

    @asynccontextmanager
    async def open_local() -> AsyncIterator[Shell]:
        shell = await open_local_shell()
        try:
            yield shell
        finally:
            await shell.close()

    @asynccontextmanager
    async def open_sandbox() -> AsyncIterator[Shell]:
        backend = SandboxBackend()
        machine = await backend.allocate(new_request(), lambda _text: None)
        try:
            yield await backend.connect(machine)
        finally:
            await backend.discard(machine)

    @asynccontextmanager
    async def open_ssh() -> AsyncIterator[Shell]:
        host: Host = request.getfixturevalue("bare_ssh_host" if "no-python" in request.param else "ssh_host")
        username = "tester" if "sudo" in request.param else "root"
        shell = await open_ssh_shell(SshTarget(host.address, host.port, username=username, password=host.password))
        try:
            yield shell
        finally:
            await shell.close()

    return {"local": open_local, "sandbox": open_sandbox}.get(request.param, open_ssh)


@pytest.fixture
def within() -> Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]:
    """Wait until a fact holds; fail when it never does."""

    async def wait(fact: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(10):
            while not await fact():
                await asyncio.sleep(0.01)

    return wait
