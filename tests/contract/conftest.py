"""The implementations that the contract suites run on, and the check that none of them leaves anything behind."""

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.guests.guest_image import PASSWORD as GUEST_PASSWORD
from tests.hosts.host import Host, why_no_hosts
from tests.lxd.daemon import IMAGE as LXD_IMAGE
from tests.lxd.daemon import IMAGE_WITH_PYTHON as LXD_IMAGE_WITH_PYTHON
from tests.lxd.daemon import LxdDaemon
from tests.sandbox_requests import MakeRequest, control_groups_of, new_mark, processes_with, sandbox_requests

from outspread.machines.contract import Machine, MachineBackend, MachineRequest, Shell
from outspread.machines.local_shell import open_local_shell
from outspread.machines.lxd.backend import LxdBackend
from outspread.machines.qemu.backend import QemuBackend
from outspread.machines.sandbox.backend import SandboxBackend
from outspread.machines.ssh.shell import open_ssh_shell
from outspread.machines.ssh.target import SshTarget
from outspread.project.model import Backend, System

OpenShell = Callable[[], AbstractAsyncContextManager[Shell]]


@pytest.fixture
def new_request(tmp_path: Path) -> Iterator[MakeRequest]:
    """Make requests for sandboxes; fail if anything of one is left when the test is over."""
    with sandbox_requests(tmp_path, new_mark()) as make:
        yield make
    assert not Path("/run/upper1").exists()


class Offer(NamedTuple):
    """A backend, and what is special about testing it."""

    backend: MachineBackend
    type: str
    system: str
    new_request: Callable[..., MachineRequest]
    nothing_left: Callable[[Machine], None]  # fails if there is
    data_of: Callable[[int, int], dict[str, str]]  # the notes of a machine that is this process, started then
    end_of_boot_s: float  # by when a machine is surely being made


@pytest.fixture(params=["sandbox", "lxd", "qemu"])
def offer(request: pytest.FixtureRequest) -> Offer:
    """Offer each backend in turn."""
    made: Offer = request.getfixturevalue(f"{request.param}_offer")
    return made


@pytest.fixture
def sandbox_offer(new_request: Callable[..., MachineRequest]) -> Offer:
    def nothing_left(machine: Machine) -> None:
        assert control_groups_of(machine.data["keeper"]) == []

    def data_of(pid: int, started: int) -> dict[str, str]:
        return {"keeper": str(pid), "started": str(started)}

    return Offer(SandboxBackend(), "sandbox", "this-host", new_request, nothing_left, data_of, 0.03)


@pytest.fixture
def qemu_offer(new_guest: Callable[..., MachineRequest], guest_user: dict[str, str]) -> Offer:
    def nothing_left(machine: Machine) -> None:
        assert not Path(guest_user["OUTSPREAD_STATE"], "qemu", machine.machine_id).exists()

    def data_of(pid: int, _started: int) -> dict[str, str]:
        return {"pid": str(pid)}

    return Offer(QemuBackend(), "qemu", "debian-12", new_guest, nothing_left, data_of, 0.3)


@pytest.fixture
def lxd_offer(lxd: LxdDaemon, monkeypatch: pytest.MonkeyPatch) -> Iterator[Offer]:
    for name, value in lxd.environment.items():
        monkeypatch.setenv(name, value)
    before = set(lxd.instances())

    def nothing_left(_: Machine) -> None:
        assert set(lxd.instances()) == before

    def data_of(_pid: int, _started: int) -> dict[str, str]:
        return {}

    yield Offer(LxdBackend(), "lxd", LXD_IMAGE, new_container, nothing_left, data_of, 0.5)
    assert set(lxd.instances()) == before


def new_container(*, system: str = LXD_IMAGE) -> MachineRequest:
    """Make a request for a container."""
    described = System(name=system, backend="lxd", image=f"local:{system}")
    backend = Backend(name="lxd", type="lxd", systems={system: described})
    machine_id = secrets.token_hex(16)
    return MachineRequest(machine_id, "run", "project", "/", backend, described, password="secret")


@pytest.fixture(scope="module")
def container(lxd: LxdDaemon) -> Iterator[tuple[LxdBackend, Machine]]:
    """A container with a Python for the tests of one module."""
    yield from _container(lxd, LXD_IMAGE_WITH_PYTHON)


@pytest.fixture(scope="module")
def bare_container(lxd: LxdDaemon) -> Iterator[tuple[LxdBackend, Machine]]:
    """A container without one."""
    yield from _container(lxd, LXD_IMAGE)


def _container(lxd: LxdDaemon, system: str) -> Iterator[tuple[LxdBackend, Machine]]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in lxd.environment.items():
            patch.setenv(name, value)
        backend = LxdBackend()
        machine = asyncio.run(backend.allocate(new_container(system=system), lambda _text: None))
        yield backend, machine
        asyncio.run(backend.discard(machine))


@pytest.fixture
def new_guest(tmp_path: Path, guest_user: dict[str, str]) -> Iterator[Callable[..., MachineRequest]]:
    """Make requests for machines of QEMU's; fail if anything of one is left when the test is over."""
    mark = f"test{os.getpid()}x{time.monotonic_ns():x}"
    count = 0

    def make(*, system: str = "debian-12") -> MachineRequest:
        nonlocal count
        count += 1
        described = guest_system(system)
        backend = Backend(name="qemu", type="qemu", systems={system: described}, memory_bytes=256 * 2**20)
        return MachineRequest(
            machine_id=f"{mark}-{count}",
            run_id="run",
            project="project",
            root=str(tmp_path),
            backend=backend,
            system=described,
            password=described.password,
        )

    yield make
    assert processes_with(mark) == {}


def guest_system(name: str) -> System:
    """Describe the small guest; it goes on from a saved state, which is made by the first test that needs it."""
    devices = (("drive", "virtio"), ("network", "virtio"))
    return System(name=name, backend="qemu", image=name, password=GUEST_PASSWORD, device_backends=devices, saved_state=True)


@pytest.fixture(scope="module")
def guest(guest_home: dict[str, str]) -> Iterator[tuple[QemuBackend, Machine]]:
    """A machine of QEMU's for the tests of one module."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in guest_home.items():
            patch.setenv(name, value)
        backend = QemuBackend()
        system = guest_system("debian-12")
        of = Backend(name="qemu", type="qemu", systems={system.name: system}, memory_bytes=256 * 2**20)
        request = MachineRequest("shared-guest", "run", "project", "/", of, system, password=system.password)
        machine = asyncio.run(backend.allocate(request, lambda _text: None))
    yield backend, machine
    asyncio.run(backend.discard(machine))


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


#: An emulated machine is slow, and the way in the same as to any over SSH: these show that it is one.
_ON_A_GUEST = {
    "test_output_is_exact_and_merged",
    "test_cancelling_kills_the_whole_tree",
    "test_what_a_script_leaves_behind_lives_on_and_is_not_waited_for",
    "test_a_tree_may_be_sent_to_an_empty_directory",
    "test_paths_are_fetched_by_pattern",
    "test_a_lost_machine_is_said_to_be_lost",
    "test_what_a_job_sets_is_there",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what takes a shell on one of each kind."""
    if "open_shell" in metafunc.fixturenames:
        kinds = ["local", "sandbox", "lxd", "lxd-no-python", "ssh", "ssh-sudo", "ssh-no-python", "ssh-no-python-sudo"]
        on_a_guest = ["qemu"] if metafunc.function.__name__ in _ON_A_GUEST else []
        metafunc.parametrize("open_shell", kinds + on_a_guest, indirect=True)


@pytest.fixture
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

    @asynccontextmanager
    async def open_lent() -> AsyncIterator[Shell]:
        assert lent is not None
        backend, machine = lent
        shell = await backend.connect(machine)
        try:
            yield shell
        finally:
            await shell.close()

    lender = {"qemu": "guest", "lxd": "container", "lxd-no-python": "bare_container"}.get(request.param)
    lent = request.getfixturevalue(lender) if lender else None  # now: it runs a loop of its own
    if lent is not None:
        return open_lent
    return {"local": open_local, "sandbox": open_sandbox}.get(request.param, open_ssh)


@pytest.fixture
def within() -> Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]:
    """Wait until a fact holds; fail when it never does."""

    async def wait(fact: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(10):
            while not await fact():
                await asyncio.sleep(0.01)

    return wait
