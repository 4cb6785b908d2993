"""Getting a machine, giving it back, keeping it: what is done and said, whatever the backend does."""

import asyncio
import io
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from outspread.controller.values import (
    ContentKept,
    ContentSent,
    MachineAllocated,
    MachineDiscarding,
    MachineFailed,
    MachineGone,
    MachineKept,
    MachineRequested,
    MachineReused,
    Report,
    RunOptions,
    Seat,
)
from outspread.errors import ConnectionLostError, InfrastructureError, NotReadyError, OutspreadError, UserError
from outspread.machines.contract import LeftBehindError, Machine, MachineRequest, ScriptEnd
from outspread.machines.reuse.machine_book import MachineBook, unwritten_book
from outspread.machines.reuse.reuse_text import ReuseEntry
from outspread.project.model import Backend, Project, System, Timeouts
from outspread.worker.machine_supply import MachineSupply


class LastingBackend:
    """Machines at h0, h1, ..., which live on. ``connect_fails`` and ``discard_fails`` are raised one after the other."""

    machines_live_on = True

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.requests: list[MachineRequest] = []
        self.addresses = [f"h{number}" for number in range(9)]
        self.allocate_fails: list[OutspreadError] = []
        self.connect_fails: list[OutspreadError] = []
        self.discard_fails: list[OutspreadError] = []
        self.discarded: list[str] = []
        self.hang = asyncio.Event()
        self.hang.set()

    def draft(self, request: MachineRequest) -> Machine:
        return Machine(request.machine_id, "lab", "lasting", "a-1", username="root", password=request.password)

    async def allocate(self, request: MachineRequest, progress: Callable[[str], None]) -> Machine:
        self.requests.append(request)
        await self.hang.wait()
        if self.allocate_fails:
            raise self.allocate_fails.pop(0)
        address = self.addresses.pop(0)
        return replace(self.draft(request), address=address, label=address)

    async def connect(self, machine: Machine) -> Any:
        if self.connect_fails:
            raise self.connect_fails.pop(0)
        return self.shell

    async def discard(self, machine: Machine) -> None:
        await self.hang.wait()
        if self.discard_fails:
            raise self.discard_fails.pop(0)
        self.discarded.append(machine.address)

    async def existing(self) -> Sequence[Machine]:
        return ()


class Supply:
    """A supply with all that it is given, and what it says."""

    def __init__(
        self, make_shell: Any, book: MachineBook | None = None, *, password: str = "", wait_s: float | None = None
    ) -> None:
        self.scripts: list[str] = []
        self.content_is_there = True
        self.shell = make_shell(self._behave)
        self.backend = LastingBackend(self.shell)
        self.book = book or unwritten_book()
        self.events: list[Report] = []
        self.pauses: list[float] = []
        system = System("a-1", "lab", timeouts=Timeouts(wait_s=wait_s))
        lab = Backend("lab", "lasting", {"a-1": system})
        project = Project("p", "/root", "/root/spread.yaml", "/p q", {"lab": lab}, {})
        seat = Seat("s", "r", "lab", "a-1", 0, 1, project, RunOptions(), 1)
        self.supply = MachineSupply(
            seat,
            backend_of=lambda _: self.backend,
            archive=lambda: io.BytesIO(b"content"),
            report=self.events.append,
            recorded=self._recorded,
            kept=self.book,
            password=password,
            sleep=self._sleep,
        )

    async def _recorded(self) -> None:
        assert isinstance(self.events[-1], MachineRequested)

    async def _sleep(self, pause_s: float) -> None:
        self.pauses.append(pause_s)

    def _behave(self, script: str) -> tuple[ScriptEnd, bytes]:
        self.scripts.append(script)
        return ScriptEnd(0 if self.content_is_there or "rm -rf" in script else 1), b""

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events if type(event).__name__ != "MachineProgress"]


MakeSupply = Callable[..., Supply]


@pytest.fixture
def make_supply(fake_shell: Any) -> MakeSupply:
    def make(*arguments: Any, **options: Any) -> Supply:
        return Supply(fake_shell, *arguments, **options)

    return make


def keeping(*noted: ReuseEntry, **options: Any) -> MachineBook:
    return MachineBook(lambda _entries: None, noted, lends=True, keeps=True, **options)


def test_a_new_machine_is_asked_for_sent_to_and_given_back(make_supply: MakeSupply) -> None:
    async def main() -> None:
        one = make_supply()
        assert await one.supply.acquire() == one.shell
        await one.supply.release()
        await one.supply.release()
        assert one.kinds() == [
            "MachineRequested",
            "MachineAllocated",
            "MachineConnected",
            "ContentSent",
            "MachineDiscarding",
            "MachineGone",
        ]
        assert one.shell.content == [b"content"]
        assert one.scripts == []  # a new machine is not looked at
        assert one.backend.discarded == ["h0"]
        requested = next(event for event in one.events if isinstance(event, MachineRequested))
        allocated = next(event for event in one.events if isinstance(event, MachineAllocated))
        assert '"address":"h0"' in allocated.record
        assert len(one.backend.requests[0].password) == 16
        assert one.backend.requests[0].password not in requested.record + allocated.record

    asyncio.run(main())


def test_kept_machines_come_first_and_are_kept_again(make_supply: MakeSupply) -> None:
    async def main() -> None:
        book = keeping(ReuseEntry("lab", "a-1", "k1"))
        one = make_supply(book)
        await one.supply.acquire()
        assert one.kinds() == ["MachineReused", "MachineConnected", "ContentKept"]
        reused = one.events[0]
        assert isinstance(reused, MachineReused)
        assert (reused.address, reused.kept) == ("k1", True)
        other = make_supply(book)  # another session, while the first has the machine
        await other.supply.acquire()
        assert other.kinds()[:2] == ["MachineRequested", "MachineAllocated"]
        await one.supply.release()
        await other.supply.release()
        assert one.kinds()[-1] == other.kinds()[-1] == "MachineKept"
        assert one.backend.discarded == other.backend.discarded == []
        assert [entry.address for entry in book.entries] == ["k1", "h0"]
        third = make_supply(book)
        await third.supply.acquire()
        assert third.supply.machine.address == "k1"

    asyncio.run(main())


def test_one_that_was_lost_is_kept_but_not_used_again(make_supply: MakeSupply) -> None:
    async def main() -> None:
        book = keeping(ReuseEntry("lab", "a-1", "k1"))
        one = make_supply(book)
        await one.supply.acquire()
        await one.supply.release(lost=True)
        other = make_supply(book)
        await other.supply.acquire()
        assert other.supply.machine.address == "h0"

    asyncio.run(main())


@pytest.mark.parametrize(("resends", "there"), [(True, True), (False, False)])
def test_content_is_sent_again_when_asked_for_or_gone(make_supply: MakeSupply, resends: bool, there: bool) -> None:
    async def main() -> None:
        one = make_supply(keeping(ReuseEntry("lab", "a-1", "k1"), resends=resends))
        one.content_is_there = there
        await one.supply.acquire()
        assert any(isinstance(event, ContentSent) for event in one.events)
        assert not any(isinstance(event, ContentKept) for event in one.events)
        assert any("cd -- '/p q'" in script and "rm -rf" in script for script in one.scripts)
        assert one.shell.content == [b"content"]

    asyncio.run(main())


def test_a_kept_machine_that_does_not_answer_is_tried_once_and_left(make_supply: MakeSupply) -> None:
    async def main() -> None:
        book = keeping(ReuseEntry("lab", "a-1", "k1"))
        one = make_supply(book)
        one.backend.connect_fails = [NotReadyError("no answer")]
        await one.supply.acquire()
        assert one.kinds()[:3] == ["MachineReused", "MachineFailed", "MachineRequested"]
        assert one.pauses == []
        assert one.supply.machine.address == "h0"
        assert [entry.address for entry in book.entries] == ["k1", "h0"]

    asyncio.run(main())


def test_without_keeping_one_that_does_not_answer_is_given_back(make_supply: MakeSupply) -> None:
    async def main() -> None:
        book = MachineBook(lambda _entries: None, [ReuseEntry("lab", "a-1", "k1")], lends=True)
        one = make_supply(book)
        one.backend.connect_fails = [ConnectionLostError("wrong password")]
        await one.supply.acquire()
        assert one.backend.discarded == ["k1"]
        await one.supply.release()
        assert one.backend.discarded == ["k1", "h0"]
        assert book.entries == ()

    asyncio.run(main())


def test_a_new_machine_may_take_its_time_to_answer(make_supply: MakeSupply) -> None:
    async def main() -> None:
        one = make_supply()
        one.backend.connect_fails = [NotReadyError("booting")] * 3
        await one.supply.acquire()
        assert len(one.pauses) == 3
        assert one.backend.discarded == []

    asyncio.run(main())


def test_but_not_for_ever_and_no_longer_than_the_project_says(make_supply: MakeSupply) -> None:
    async def main() -> None:
        one = make_supply(wait_s=1e-9)
        one.backend.connect_fails = [NotReadyError("booting")] * 9
        with pytest.raises(NotReadyError):
            await one.supply.acquire()
        assert one.backend.discarded == ["h0", "h1", "h2"]
        assert [event.final for event in one.events if isinstance(event, MachineFailed)] == [False, False, True]

    asyncio.run(main())


def test_what_waiting_does_not_mend_is_not_waited_for(make_supply: MakeSupply) -> None:
    async def main() -> None:
        one = make_supply()
        one.backend.connect_fails = [ConnectionLostError("wrong password")] * 3
        with pytest.raises(ConnectionLostError):
            await one.supply.acquire()
        assert one.pauses == []

    asyncio.run(main())


def test_a_new_machine_that_cannot_be_used_is_given_back_even_if_machines_are_kept(make_supply: MakeSupply) -> None:
    async def main() -> None:
        book = keeping()
        one = make_supply(book)
        one.backend.connect_fails = [ConnectionLostError("wrong password")]
        await one.supply.acquire()
        assert one.backend.discarded == ["h0"]
        assert [entry.address for entry in book.entries] == ["h1"]

    asyncio.run(main())


def test_pauses_between_allocations_grow_to_a_bound(make_supply: MakeSupply) -> None:
    async def main() -> None:
        one = make_supply()
        one.backend.allocate_fails = [InfrastructureError("none free")] * 6
        await one.supply.acquire()
        assert one.pauses == [0.5, 1, 2, 4, 5, 5]

    asyncio.run(main())


def test_a_machine_at_anothers_address_is_not_used_and_not_given_back(make_supply: MakeSupply) -> None:
    async def main() -> None:
        book = unwritten_book()
        one, other = make_supply(book), make_supply(book)
        await one.supply.acquire()
        with pytest.raises(UserError, match="cannot use lab:a-1 at h0"):
            await other.supply.acquire()
        await other.supply.release()
        assert other.backend.discarded == []
        assert other.kinds() == ["MachineRequested", "MachineFailed"]

    asyncio.run(main())


def test_one_that_cannot_be_written_down_is_given_back(make_supply: MakeSupply) -> None:
    def refuse(entries: Sequence[ReuseEntry]) -> None:
        if entries:
            raise InfrastructureError("cannot write: disk full", retry=False)

    async def main() -> None:
        one = make_supply(MachineBook(refuse, keeps=True))
        with pytest.raises(InfrastructureError, match="disk full"):
            await one.supply.acquire()
        assert one.backend.discarded == ["h0"]
        assert one.kinds() == ["MachineRequested", "MachineAllocated", "MachineDiscarding", "MachineGone", "MachineFailed"]

    asyncio.run(main())


def test_a_discard_that_fails_is_told_and_the_machine_stays_noted(make_supply: MakeSupply) -> None:
    async def main() -> None:
        one = make_supply()
        await one.supply.acquire()
        one.backend.discard_fails = [InfrastructureError("busy")]
        await one.supply.release()
        failed = one.events[-1]
        assert isinstance(failed, MachineFailed)
        assert (failed.reason, failed.final) == ("cannot discard lab:a-1 (h0): busy", True)
        assert [entry.address for entry in one.book.entries] == ["h0"]

    asyncio.run(main())


def test_cancelled_while_it_gives_back_it_goes_on_giving_back(make_supply: MakeSupply) -> None:
    async def main() -> None:
        one = make_supply()
        one.backend.connect_fails = [ConnectionLostError("wrong password")]
        acquiring = asyncio.ensure_future(one.supply.acquire())
        while not one.backend.requests or len(one.events) < 2:
            await asyncio.sleep(0)
        one.backend.hang.clear()
        while not any(isinstance(event, MachineDiscarding) for event in one.events):
            await asyncio.sleep(0)
        acquiring.cancel()
        await asyncio.wait([acquiring])
        assert acquiring.cancelled()
        releasing = asyncio.ensure_future(one.supply.release())
        await asyncio.sleep(0)
        one.backend.hang.set()
        await releasing
        assert one.backend.discarded == ["h0"]
        assert sum(isinstance(event, MachineGone) for event in one.events) == 1

    asyncio.run(main())


def test_cancelled_while_it_asks_nothing_is_left_to_find(make_supply: MakeSupply) -> None:
    async def main() -> None:
        one = make_supply()
        one.backend.hang.clear()
        acquiring = asyncio.ensure_future(one.supply.acquire())
        while not one.backend.requests:
            await asyncio.sleep(0)
        acquiring.cancel()
        await asyncio.wait([acquiring])
        assert one.kinds() == ["MachineRequested", "MachineGone"]

    asyncio.run(main())


def test_the_password_of_the_session_is_for_machines_without_one(make_supply: MakeSupply) -> None:
    async def main() -> None:
        one = make_supply(password="given")
        await one.supply.acquire()
        assert one.backend.requests[0].password == "given"

    asyncio.run(main())


def test_what_ends_with_us_is_given_back_though_machines_are_kept(make_supply: MakeSupply) -> None:
    async def main() -> None:
        book = keeping()
        one = make_supply(book)
        one.backend.machines_live_on = False
        await one.supply.acquire()
        await one.supply.release()
        assert one.backend.discarded == ["h0"]
        assert not any(isinstance(event, MachineKept) for event in one.events)
        assert book.entries == ()

    asyncio.run(main())


def test_what_could_not_be_given_back_is_not_forgotten(make_supply: MakeSupply) -> None:
    async def main() -> list[Report]:
        one = make_supply()
        left = replace(one.backend.draft(one.supply._request()), address="h7", label="h7")
        one.backend.allocate_fails = [LeftBehindError(left, "its server is away")]
        with pytest.raises(LeftBehindError, match="its server is away"):
            await one.supply.acquire()
        await one.supply.release()
        return one.events

    events = asyncio.run(main())
    assert [type(event) for event in events[-3:]] == [MachineAllocated, MachineDiscarding, MachineFailed]
    assert not any(isinstance(event, MachineGone) for event in events)
    allocated, _, failed = events[-3:]
    assert isinstance(allocated, MachineAllocated)
    assert '"h7"' in allocated.record
    assert isinstance(failed, MachineFailed)
    assert failed.final
