"""The port, without a record: who waits for whom, and what is told to whom."""

import asyncio
from collections.abc import Callable

import pytest

from outspread.controller.embedded import EmbeddedController
from outspread.controller.exchange_values import Exchange, Orders
from outspread.controller.ledger import UnrecordedLedger
from outspread.controller.port import ControllerPort
from outspread.controller.values import (
    Assignment,
    AttemptFinished,
    AttemptStarted,
    JobWanted,
    MachineProgress,
    Outcome,
    Report,
    RunFinished,
    RunOptions,
    RunSpec,
    RunStarted,
    Seat,
    SeatClosed,
)
from outspread.errors import UserError


class Hand:
    """One worker's hand on the port."""

    def __init__(self, controller: EmbeddedController, name: str = "worker") -> None:
        self.controller = controller
        self.name = name

    async def call(
        self, *reports: Report, slots: int = 0, wants: tuple[JobWanted, ...] = (), wait_s: float = 0.0, run_id: str = "run-1"
    ) -> Orders:
        said = tuple((run_id, report) for report in reports)
        return await self.controller.exchange(
            Exchange(worker=self.name, free_slots=slots, reports=said, wants=wants, wait_s=wait_s)
        )

    async def want(self, seat: Seat, *reports: Report) -> Assignment:
        (assignment,) = (await self.call(*reports, wants=(JobWanted(seat.seat_id, seat.fence),))).assignments
        return assignment

    async def carry(self, seat: Seat, outcome: Outcome = Outcome.PASSED) -> None:
        """Do what there is to do for a seat."""
        given = await self.want(seat)
        while given.job is not None:
            ended = AttemptFinished(2.0, seat.seat_id, given.fence, given.job.name, given.attempt, outcome, 0.5)
            given = await self.want(seat, started(given), ended)
        await self.call(SeatClosed(3.0, seat.seat_id, seat.fence))


def started(given: Assignment) -> AttemptStarted:
    assert given.job is not None
    return AttemptStarted(1.0, given.seat_id, given.fence, given.job.name, given.attempt, "m", "b:s")


def made() -> EmbeddedController:
    return EmbeddedController(UnrecordedLedger(), wall=lambda: 1000.5, monotonic=lambda: 7.0)


def test_a_run_from_submission_to_its_end(make_run: Callable[..., RunSpec]) -> None:
    async def scenario() -> None:
        controller = made()
        hand = Hand(controller)
        await controller.submit(make_run("b:s:x/1", "b:s:x/2", "b:t:x/1"))
        watcher = controller.watch("run-1")
        orders = await hand.call(slots=5)
        assert [(seat.system, seat.total_jobs) for seat in orders.seats] == [("s", 3), ("t", 3)]
        for seat in orders.seats:
            await hand.carry(seat)
        events = [event async for event in watcher]
        assert events[0] == RunStarted(1000.5, "run-1", 1000, True, 3, "demo", sessions=2)
        assert [type(event) for event in events[1:-1]] == 2 * [AttemptStarted, AttemptFinished] + [SeatClosed] + [
            AttemptStarted,
            AttemptFinished,
            SeatClosed,
        ]
        assert events[-1] == RunFinished(1000.5, "run-1", True, 0.0)

    asyncio.run(scenario())


def test_it_is_a_controller_as_the_port_wants_it() -> None:
    async def scenario(port: ControllerPort) -> None:
        assert await port.history() == []
        with pytest.raises(UserError, match="no record is kept"):
            await port.run_detail("run-1")

    asyncio.run(scenario(made()))


def test_no_more_seats_than_free_slots(make_run: Callable[..., RunSpec]) -> None:
    async def scenario() -> None:
        controller = made()
        await controller.submit(make_run("b:s:x/1", "b:t:x/1", "b:u:x/1"))
        assert len((await Hand(controller, "one").call(slots=2)).seats) == 2
        assert [seat.system for seat in (await Hand(controller, "two").call(slots=2)).seats] == ["u"]

    asyncio.run(scenario())


def test_submitting_twice_is_once(make_run: Callable[..., RunSpec]) -> None:
    async def scenario() -> None:
        controller = made()
        await controller.submit(make_run("b:s:x/1"))
        await controller.submit(make_run("b:s:x/1"))
        hand = Hand(controller)
        (seat,) = (await hand.call(slots=5)).seats
        await hand.carry(seat)
        await controller.submit(make_run("b:s:x/1"))  # also when it is over
        assert (await hand.call(slots=5)).seats == ()
        with pytest.raises(UserError, match="other content"):
            await controller.submit(make_run("b:s:x/2"))

    asyncio.run(scenario())


@pytest.mark.parametrize("run_id", ["", "../up", "a/b", "x" * 65, "ü", ".hidden", "a\n"])
def test_an_id_that_cannot_name_a_file_is_refused(make_run: Callable[..., RunSpec], run_id: str) -> None:
    with pytest.raises(UserError, match="an id is"):
        asyncio.run(made().submit(make_run("b:s:x/1", run_id=run_id)))


def test_a_job_twice_is_refused(make_run: Callable[..., RunSpec]) -> None:
    with pytest.raises(UserError, match="the job b:s:x/1 is there twice"):
        asyncio.run(made().submit(make_run("b:s:x/1", "b:s:x/1")))


def test_a_run_without_jobs_is_over_at_once(make_run: Callable[..., RunSpec]) -> None:
    async def scenario() -> None:
        controller = made()
        await controller.submit(make_run())
        assert [type(event) async for event in controller.watch("run-1")] == [RunStarted, RunFinished]

    asyncio.run(scenario())


def test_a_poll_is_answered_when_there_is_work(make_run: Callable[..., RunSpec]) -> None:
    async def scenario() -> None:
        controller = EmbeddedController(UnrecordedLedger())
        async with asyncio.TaskGroup() as group:
            poll = group.create_task(Hand(controller).call(slots=1, wait_s=60))
            await asyncio.sleep(0)
            await controller.submit(make_run("b:s:x/1"))
        assert len(poll.result().seats) == 1

    asyncio.run(scenario())


def test_a_poll_with_nothing_to_say_ends_in_time() -> None:
    async def scenario() -> None:
        controller = EmbeddedController(UnrecordedLedger())
        assert await Hand(controller).call(slots=1, wait_s=0.01) == Orders()

    asyncio.run(scenario())


def test_a_seat_that_comes_free_wakes_a_poll(make_run: Callable[..., RunSpec]) -> None:
    async def scenario() -> None:
        controller = EmbeddedController(UnrecordedLedger())
        one, two = Hand(controller, "one"), Hand(controller, "two")
        await controller.submit(make_run("b:s:x/1"))
        (seat,) = (await one.call(slots=1)).seats
        given = await one.want(seat)
        async with asyncio.TaskGroup() as group:
            poll = group.create_task(two.call(slots=1, wait_s=60))
            await asyncio.sleep(0)
            await one.call(started(given), SeatClosed(3.0, seat.seat_id, seat.fence, "the machine is gone"))
        (again,) = poll.result().seats
        assert again.fence > seat.fence

    asyncio.run(scenario())


def test_stale_seats_are_told_so_and_change_nothing(make_run: Callable[..., RunSpec]) -> None:
    async def scenario() -> None:
        controller = made()
        hand = Hand(controller)
        await controller.submit(make_run("b:s:x/1"))
        watcher = controller.watch("run-1")
        (seat,) = (await hand.call(slots=1)).seats
        given = await hand.want(seat)
        late = AttemptFinished(2.0, seat.seat_id, given.fence, "b:s:x/1", 9, Outcome.FAILED, 0.5)
        orders = await hand.call(started(given), late, wants=(JobWanted("no such seat", 1),))
        assert orders.stale_seats == tuple(sorted(["no such seat", seat.seat_id]))
        done = AttemptFinished(2.0, seat.seat_id, given.fence, "b:s:x/1", 1, Outcome.PASSED, 0.5)
        assert (await hand.call(done)).stale_seats == ()
        assert (await hand.call(done)).stale_seats == (seat.seat_id,)
        await hand.call(SeatClosed(3.0, seat.seat_id, seat.fence))
        assert (await hand.call(SeatClosed(3.0, seat.seat_id, seat.fence))).stale_seats == (seat.seat_id,)
        events = [event async for event in watcher]
        assert [event for event in events if isinstance(event, AttemptFinished)] == [done]
        assert isinstance(events[-1], RunFinished)
        assert events[-1].passed

    asyncio.run(scenario())


def test_cancelling_reaches_the_workers_that_have_seats_at_once(make_run: Callable[..., RunSpec]) -> None:
    async def scenario() -> None:
        controller = EmbeddedController(UnrecordedLedger())
        busy, idle = Hand(controller, "busy"), Hand(controller, "idle")
        await controller.submit(make_run("b:s:x/1", "b:s:x/2"))
        watcher = controller.watch("run-1")
        (seat,) = (await busy.call(slots=1)).seats
        async with asyncio.TaskGroup() as group:
            poll = group.create_task(busy.call(slots=1, wait_s=60))
            await asyncio.sleep(0)
            await controller.cancel("run-1", "enough")
        assert poll.result() == Orders(cancelled_runs=("run-1",))
        assert await idle.call(slots=1) == Orders()
        assert (await busy.want(seat)).job is None
        await busy.call(SeatClosed(3.0, seat.seat_id, seat.fence))
        last = [event async for event in watcher][-1]
        assert isinstance(last, RunFinished)
        assert not last.passed
        await controller.cancel("run-1", "again")
        with pytest.raises(UserError, match="not known"):
            await controller.cancel("run-2", "no such run")

    asyncio.run(scenario())


def test_a_run_cancelled_before_it_has_seats_ends_at_once(make_run: Callable[..., RunSpec]) -> None:
    async def scenario() -> None:
        controller = made()
        watcher = controller.watch("run-1")
        await controller.submit(make_run("b:s:x/1", options=RunOptions(seed=3)))
        await controller.cancel("run-1", "enough")
        assert [type(event) async for event in watcher] == [RunStarted, RunFinished]

    asyncio.run(scenario())


def test_reports_of_no_known_run_are_dropped(make_run: Callable[..., RunSpec]) -> None:
    async def scenario() -> None:
        hand = Hand(made())
        assert await hand.call(MachineProgress(1.0, "b", "s", "hello"), run_id="unknown") == Orders()
        assert (await hand.call(SeatClosed(1.0, "seat", 1), run_id="unknown")).stale_seats == ("seat",)

    asyncio.run(scenario())


def test_many_runs_do_not_pile_up_in_memory(make_run: Callable[..., RunSpec]) -> None:
    async def scenario() -> None:
        controller = made()
        for number in range(100):
            await controller.submit(make_run(run_id=f"run-{number}"))
        assert len(controller._runs) < 50

    asyncio.run(scenario())
