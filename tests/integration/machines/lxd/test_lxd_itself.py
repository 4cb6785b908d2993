"""The lxd backend by itself, on a real daemon: machines are made, found, and given back; nothing else is touched."""

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs
from tests.lxd.daemon import IMAGE, IMAGE_WITH_PYTHON, LxdDaemon

from outspread.errors import ConnectionLostError, InfrastructureError, NotReadyError, UserError
from outspread.machines.contract import Machine, MachineRequest, Shell
from outspread.machines.lxd import api
from outspread.machines.lxd.backend import LxdBackend
from outspread.project.model import Backend, System

NewRequest = Callable[..., MachineRequest]


@pytest.fixture
def new_request(lxd: LxdDaemon, monkeypatch: pytest.MonkeyPatch) -> NewRequest:
    """Make requests to the daemon; fail if an instance is left when the test is over."""
    for name, value in lxd.environment.items():
        monkeypatch.setenv(name, value)

    def make(system: System | None = None, **backend: object) -> MachineRequest:
        of = system or System(IMAGE, "lxd")
        described = Backend("lxd", "lxd", {of.name: of}, **backend)  # type: ignore[arg-type] # fields of it
        return MachineRequest(uuid.uuid4().hex, "run", "project", "/", described, of, password="a $pass'word")

    return make


def ignore(_text: str) -> None:
    pass


async def said_by(shell: Shell, script: str) -> str:
    said = bytearray()
    end = await shell.run(script.encode(), output=said.extend, kill_after_s=60)
    assert end.passed, said.decode()
    return said.decode().strip()


def test_a_container_has_what_was_asked_for(lxd: LxdDaemon, new_request: NewRequest) -> None:
    async def main() -> None:
        backend = LxdBackend()
        system = System(IMAGE, "lxd", config=(("limits.processes", "321"),), storage_bytes=2 * 2**30)
        machine = await backend.allocate(new_request(system, memory_bytes=200 * 2**20), ignore)
        try:
            assert machine.address.startswith("10.77.0.")
            assert machine in await found(backend, machine)
            shell = await backend.connect(machine)
            assert await said_by(shell, "id -u; hostname") == f"0\n{machine.label}"
            assert (await said_by(shell, "getent shadow root")).startswith("root:$")
            allowed = await said_by(shell, "mkdir -p /run/sshd; sshd -T | grep -E '^(permitroot|passwordauth)'")
            assert allowed.splitlines() == ["permitrootlogin yes", "passwordauthentication yes"]
            await shell.close()
            shown = lxd.lxc("config", "show", machine.label)
            assert 'limits.processes: "321"' in shown
            assert "limits.memory: 200MiB" in shown
            assert "size: 2048MiB" in shown
        finally:
            await backend.discard(machine)
        await backend.discard(machine)
        assert machine.label not in lxd.instances()
        with pytest.raises(NotReadyError, match="not found"):
            await backend.connect(machine)

    asyncio.run(main())


@pytest.mark.parametrize("image", [IMAGE, IMAGE_WITH_PYTHON])
def test_an_instance_that_is_stopped_is_lost_at_once(lxd: LxdDaemon, new_request: NewRequest, image: str) -> None:
    async def main() -> None:
        backend = LxdBackend()
        machine = await backend.allocate(new_request(System(image, "lxd")), ignore)
        try:
            shell = await backend.connect(machine)
            started = asyncio.Event()
            running = asyncio.create_task(shell.run(b"echo on; sleep 100", output=lambda _piece: started.set(), kill_after_s=60))
            await started.wait()
            await asyncio.to_thread(lxd.lxc, "stop", "--force", machine.label)
            async with asyncio.timeout(10):
                with pytest.raises(ConnectionLostError, match="lost the connection"):
                    await running
                with pytest.raises(NotReadyError, match="stopped"):
                    await backend.connect(machine)
            await shell.close()
        finally:
            await backend.discard(machine)

    asyncio.run(main())


async def found(backend: LxdBackend, machine: Machine) -> list[Machine]:
    """Return what is found of ``machine``, as if the password were known."""
    return [structs.replace(one, password=machine.password) for one in await backend.existing()]


def test_a_draft_is_enough_to_give_back_and_others_instances_are_left_alone(lxd: LxdDaemon, new_request: NewRequest) -> None:
    async def main() -> None:
        backend = LxdBackend()
        request = new_request()
        draft = backend.draft(request)
        await backend.discard(draft)  # there is none yet
        lxd.lxc("init", IMAGE, draft.label)  # of somebody else, who chose the same name
        try:
            await backend.discard(draft)
            assert draft.label in lxd.instances()
            assert await backend.existing() == []
            with pytest.raises(InfrastructureError, match="already exists"):
                await backend.allocate(request, ignore)
            assert draft.label in lxd.instances()
        finally:
            lxd.lxc("delete", "-f", draft.label)

    asyncio.run(main())


@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.4, 0.9])
def test_a_cancelled_allocation_leaves_nothing(lxd: LxdDaemon, new_request: NewRequest, after_s: float) -> None:
    async def main() -> None:
        allocating = asyncio.create_task(LxdBackend().allocate(new_request(), ignore))
        await asyncio.wait([allocating], timeout=after_s)
        allocating.cancel()
        with pytest.raises(asyncio.CancelledError):
            await allocating

    asyncio.run(main())
    assert lxd.instances() == []


@pytest.mark.parametrize(
    ("system", "complaint"),
    [
        (System("local-1", "lxd", image="local:none"), "the server has no image local:none"),
        (System(IMAGE, "lxd", profiles=("none",)), "none"),
        (System(IMAGE, "lxd", vm=True), "virtual machine"),
    ],
)
def test_what_cannot_be_had_is_said(lxd: LxdDaemon, new_request: NewRequest, system: System, complaint: str) -> None:
    with pytest.raises((UserError, InfrastructureError), match=complaint):
        asyncio.run(LxdBackend().allocate(new_request(system), ignore))
    assert lxd.instances() == []


def test_a_server_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, new_request: NewRequest) -> None:
    monkeypatch.setenv("LXD_DIR", "/nowhere")
    with pytest.raises(UserError, match="there is no /nowhere"):
        asyncio.run(LxdBackend().allocate(new_request(), ignore))


def test_a_server_elsewhere_is_named_by_location(
    lxd: LxdDaemon, new_request: NewRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(api, "_HEARTBEAT_S", 0.5)

    async def main() -> None:
        backend = LxdBackend()
        machine = await backend.allocate(new_request(location="far"), ignore)
        try:
            shell = await backend.connect(machine)
            assert await said_by(shell, "sleep 2; hostname") == machine.label  # silence for several heartbeats
            await shell.close()
            (found,) = await backend.existing()
            assert (found.machine_id, found.data["server"]) == (machine.machine_id, "far")
        finally:
            await backend.discard(backend.draft(new_request(location="far")))  # another one, which there is not
            await backend.discard(structs.replace(machine, address=""))
        assert await backend.existing() == []

    with lxd.as_remote("far", tmp_path) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        asyncio.run(main())
    assert lxd.instances() == []
    assert asyncio.run(LxdBackend().existing()) == []  # as if from a network where the server is not
