"""Nothing is left of an instance, whatever its server is doing with it; and nobody else's instance is touched."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Self, TypeVar

import pytest
from msgspec import structs

from outspread.machines.contract import Machine, MachineRequest
from outspread.machines.lxd import backend as lxd_backend
from outspread.machines.lxd.api import LxdError
from outspread.machines.lxd.backend import LxdBackend
from outspread.machines.lxd.instance_names import MACHINE_TAG, NAME_NOTE, instance_name
from outspread.machines.reuse.machine_book import MachineBook
from outspread.machines.reuse.reuse_text import ReuseEntry
from outspread.project.model import Backend, System

T = TypeVar("T")
SYSTEM = System(name="debian-12", backend="lxd")
REQUEST = MachineRequest(
    machine_id="0123456789abcdef",
    run_id="run",
    project="project",
    root="/nowhere",
    backend=Backend(name="lxd", type="lxd", systems={"debian-12": SYSTEM}),
    system=SYSTEM,
)
IMAGE = {"fingerprint": "f" * 64, "aliases": [{"name": "debian-12"}]}


class FakeServer:
    """What a server knows. An instance is there only when the operation that makes it is over, as while an image is fetched."""

    def __init__(self) -> None:
        self.instances: dict[str, dict[str, Any]] = {}
        self.operations: dict[str, dict[str, Any]] = {}
        self.asked = asyncio.Event()  # for an instance
        self.may_answer = asyncio.Event()
        self.may_be_made = asyncio.Event()
        self.may_cancel = False
        self.cancelled: list[str] = []

    def api(self, _server: object) -> Self:
        """Be the client, too."""
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Have nothing to close."""

    async def get(self, path: str) -> Any:
        if path.startswith("/1.0/images"):
            return [IMAGE]
        if path.startswith("/1.0/operations"):
            return {"running": list(self.operations.values())}
        if path.startswith("/1.0/instances?"):
            return list(self.instances.values())
        try:
            return self.instances[path.rpartition("/")[2]]
        except KeyError:
            raise LxdError("Instance not found", status=404) from None

    async def begin(self, _method: str, _path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.asked.set()
        return await asyncio.shield(self._begin(body))  # a request that was made goes on, whoever waits for the answer

    async def _begin(self, body: dict[str, Any]) -> dict[str, Any]:
        await self.may_answer.wait()
        self.begun("making", "task", body["name"], body)
        return self.operations["making"]

    def begun(self, operation_id: str, kind: str, name: str, body: dict[str, Any] | None = None) -> None:
        resources = {"instances": [f"/1.0/instances/{name}"]}
        self.operations[operation_id] = {
            "id": operation_id,
            "class": kind,
            "may_cancel": self.may_cancel,
            "resources": resources,
            "body": body,
        }

    async def finished(self, operation: dict[str, Any], *, within_s: float) -> dict[str, Any]:
        if operation["id"] in self.cancelled:
            raise LxdError("Cancelled", status=401)
        async with asyncio.timeout(within_s):
            await self.may_be_made.wait()
        self.operations.pop(operation["id"], None)
        if body := operation["body"]:
            self.add(body["name"], body["config"])
        return {}

    async def change(self, method: str, path: str, body: object = None, *, within_s: float) -> dict[str, Any]:
        name = path.rpartition("/")[2]
        if method == "DELETE" and name in self.operations:
            del self.operations[name]
            self.cancelled.append(name)
        elif method == "DELETE":
            del self.instances[name]
        return {}

    def add(self, name: str, config: dict[str, str]) -> None:
        self.instances[name] = {"name": name, "config": config, "status": "Stopped"}


MakeServer = Callable[[], FakeServer]


@pytest.fixture
def make_server(monkeypatch: pytest.MonkeyPatch) -> MakeServer:
    """Make the server that the backend speaks to; inside of the event loop."""

    def make() -> FakeServer:
        server = FakeServer()
        monkeypatch.setattr(lxd_backend, "LxdApi", server.api)
        monkeypatch.setenv("LXD_SOCKET", "/nowhere")
        return server

    return make


def ignore(_text: str) -> None:
    pass


def own_name(machine_id: str = REQUEST.machine_id) -> str:
    return instance_name(machine_id, SYSTEM.name)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what comes of it; fail when it does not end."""
    return asyncio.run(asyncio.wait_for(coroutine, 10))


async def turns(count: int = 20) -> None:
    """Let everybody go as far as they get."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("times", [1, 2])
def test_cancelled_before_the_server_has_answered(make_server: MakeServer, times: int) -> None:
    async def main() -> None:
        server = make_server()
        allocating = asyncio.ensure_future(LxdBackend().allocate(REQUEST, ignore))
        await server.asked.wait()
        for _ in range(times):
            allocating.cancel()
            await turns()
        server.may_answer.set()
        server.may_be_made.set()
        with pytest.raises(asyncio.CancelledError):
            await allocating
        await turns()
        assert (server.instances, server.operations) == ({}, {})

    run(main())


def test_cancelled_while_the_image_is_on_its_way(make_server: MakeServer) -> None:
    async def main() -> None:
        server = make_server()
        server.may_answer.set()
        allocating = asyncio.ensure_future(LxdBackend().allocate(REQUEST, ignore))
        await server.asked.wait()
        await turns()
        allocating.cancel()
        await turns()
        assert not allocating.done()  # the instance would come to be behind our back
        server.may_be_made.set()
        with pytest.raises(asyncio.CancelledError):
            await allocating
        await turns()
        assert (server.instances, server.operations) == ({}, {})

    run(main())


def test_what_may_be_cancelled_is_not_waited_for(make_server: MakeServer) -> None:
    async def main() -> None:
        server = make_server()
        server.may_cancel = True
        server.begun("making", "task", own_name(), {"name": own_name(), "config": {}})
        await LxdBackend().discard(LxdBackend().draft(REQUEST))
        assert server.cancelled == ["making"]
        assert server.instances == {}

    run(main())


def test_commands_in_it_and_what_happens_to_others_are_not_waited_for(make_server: MakeServer) -> None:
    async def main() -> None:
        server = make_server()
        server.begun("command", "websocket", own_name())
        server.begun("making", "task", f"{own_name()}-2")
        server.add(own_name(), {MACHINE_TAG: REQUEST.machine_id})
        await LxdBackend().discard(LxdBackend().draft(REQUEST))
        assert server.instances == {}
        assert len(server.operations) == 2

    run(main())


@pytest.mark.parametrize("tags", [{MACHINE_TAG: "another"}, {}])
@pytest.mark.parametrize("machine_id", [REQUEST.machine_id, "0123456789012345"])
def test_an_instance_without_the_tag_is_left_alone(make_server: MakeServer, tags: dict[str, str], machine_id: str) -> None:
    async def main() -> None:
        server = make_server()
        server.add(own_name(machine_id), tags)
        draft = LxdBackend().draft(structs.replace(REQUEST, machine_id=machine_id))
        await LxdBackend().discard(draft)
        await LxdBackend().discard(structs.replace(draft, data={**draft.data, NAME_NOTE: own_name(machine_id)}))
        assert list(server.instances) == [own_name(machine_id)]

    run(main())


@pytest.mark.parametrize("copy", ["kept-by-somebody", "spread-3-debian-12"])
def test_a_copy_of_an_instance_has_its_tags_and_is_not_ours(make_server: MakeServer, copy: str) -> None:
    async def main() -> None:
        server = make_server()
        tags = {MACHINE_TAG: REQUEST.machine_id, "user.outspread.system": SYSTEM.name}
        server.add(copy, tags)
        assert await LxdBackend().existing() == []
        server.add(own_name(), tags)
        (machine,) = await LxdBackend().existing()
        await LxdBackend().discard(machine)
        assert list(server.instances) == [copy]

    run(main())


def test_a_machine_of_a_reuse_file_is_the_instance_that_was_noted(make_server: MakeServer) -> None:
    async def main() -> Machine:
        server = make_server()
        backend = LxdBackend()
        draft = backend.draft(REQUEST)
        book = MachineBook(lambda _entries: None)
        book.note(structs.replace(draft, address="10.0.0.7"), draft)
        later = backend.draft(structs.replace(REQUEST, machine_id="fedcba9876543210"))
        taken = MachineBook(lambda _entries: None, book.entries, lends=True).take(later)
        assert taken is not None
        server.add(own_name(), {MACHINE_TAG: REQUEST.machine_id})
        await backend.discard(taken)
        assert server.instances == {}
        return taken

    assert run(main()).machine_id == REQUEST.machine_id


@pytest.mark.parametrize(
    ("name", "tags", "is_given_back"),
    [
        ("spread-7-debian-12", {}, True),
        ("spread-7-debian-12", {MACHINE_TAG: "another"}, False),
        ("spread-7-debian-13", {}, False),
        ("somebodys-debian-12", {}, False),
    ],
)
def test_an_instance_that_spread_made_and_noted_can_be_given_back(
    make_server: MakeServer, name: str, tags: dict[str, str], is_given_back: bool
) -> None:
    async def main() -> None:
        server = make_server()
        server.add(name, tags)
        server.add("spread-8-debian-12", {})
        entry = ReuseEntry("lxd", "debian-12", "10.0.0.7", data={"name": name})
        taken = MachineBook(lambda _entries: None, (entry,), lends=True).take(LxdBackend().draft(REQUEST))
        assert taken is not None
        await LxdBackend().discard(taken)
        left = ["spread-8-debian-12"] if is_given_back else [name, "spread-8-debian-12"]
        assert list(server.instances) == left

    run(main())
