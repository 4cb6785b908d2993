"""State machines that look for an order of calls that breaks a promise: of the farm's scheduler, and of the seats of sessions."""

import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.unit.controller.conftest import run_spec
from tests.unit.controller.farm.conftest import Farm, Hand

from outspread.controller.changes import AttemptEnded
from outspread.controller.command_values import LEASE_S, AttemptEnd, CommandJob
from outspread.controller.farm.farm_changes import AttemptOver, JobStarted, RunOver
from outspread.controller.run_in_hand import RunInHand, plan_seats
from outspread.controller.values import Assignment, AttemptFinished, AttemptStarted, JobWanted, Outcome, Seat, SeatClosed

_NAMES = ["ann", "bob", "eve"]
_ENDS = st.sampled_from([Outcome.PASSED, Outcome.PASSED, Outcome.FAILED, Outcome.TIMEOUT, Outcome.INFRA])
_LIMITS = st.sampled_from([(), ("database",)])


class FarmMachine(RuleBasedStateMachine):
    """Runs, workers, lost answers, repeats, deaths, restarts of workers and cancels, in any order."""

    @initialize()
    def begin(self) -> None:
        self.farm = Farm()
        self.hands = {name: Hand(self.farm, name, slots=number) for number, name in enumerate(_NAMES, start=1)}
        self.begun: dict[str, set[int]] = {name: set() for name in _NAMES}
        self.totals: dict[str, int] = {}
        self.lives = itertools.count(2)

    @rule(jobs=st.integers(1, 4), retries=st.integers(0, 2), limits=_LIMITS, owner=st.sampled_from("ab"))
    def submit(self, jobs: int, retries: int, limits: tuple[str, ...], owner: str) -> None:
        run_id = f"r{len(self.totals)}"
        self.totals[run_id] = jobs
        wanted = [CommandJob(f"j{number}", ("x",), retries=retries, limits=limits) for number in range(jobs)]
        self.farm.submit(run_id, wanted, owner=owner)

    @rule(name=st.sampled_from(_NAMES), answered=st.booleans())
    def ask(self, name: str, answered: bool) -> None:
        hand = self.hands[name]
        before = dict(hand.held)
        hand.call()
        if not answered:
            hand.held = before  # it never heard of what it was given

    @rule(name=st.sampled_from(_NAMES))
    def begin_all(self, name: str) -> None:
        self.begun[name] |= self.hands[name].held.keys()
        self.hands[name].call(begun=tuple(self.hands[name].held), free=False)

    @rule(name=st.sampled_from(_NAMES), outcome=_ENDS, repeated=st.booleans())
    def end_one(self, name: str, outcome: Outcome, repeated: bool) -> None:
        hand = self.hands[name]
        if not hand.held:
            return
        fence = next(iter(hand.held))
        end = AttemptEnd(fence, outcome, run_s=1.0)
        hand.call(ended=[end])
        if repeated:
            hand.call(ended=[end])

    @rule(name=st.sampled_from(_NAMES))
    def give_back(self, name: str) -> None:
        self.hands[name].call(returned=tuple(self.hands[name].held), free=False)

    @rule(name=st.sampled_from(_NAMES))
    def die(self, name: str) -> None:
        hand = self.hands[name]
        hand.incarnation, hand.sequence, hand.held = f"{name}/{next(self.lives)}", 0, {}

    @rule(seconds=st.sampled_from([0.5, 6.0, LEASE_S + 1]))
    def wait(self, seconds: float) -> None:
        self.farm.tick(seconds)

    @precondition(lambda self: self.totals)
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        self.farm.scheduler.cancel(data.draw(st.sampled_from(sorted(self.totals))), "enough", at=self.farm.at)
        self.farm.take_changes()

    @invariant()
    def is_sound(self) -> None:
        scheduler = self.farm.scheduler
        held = [fence for worker in scheduler.workers.values() for fence in worker.in_hand]
        assert len(held) == len(set(held)), "an attempt is in two hands"
        for run in scheduler.runs.values():
            counts = run.counts
            finals = counts.passed + counts.failed + counts.cancelled + counts.infra
            assert counts.queued + counts.running + finals == counts.total
        assert scheduler.usage._of_limit.get("database", 0) <= 1, "a lock has two owners"
        fences: dict[tuple[str, int], int] = {}
        decided: Counter[tuple[str, int]] = Counter()
        for change in self.farm.changes:
            if isinstance(change, JobStarted | AttemptOver):
                assert change.fence >= fences.get((change.run_id, change.number), 0), "a fence went back"
                fences[change.run_id, change.number] = change.fence
            if isinstance(change, AttemptOver):
                decided[change.run_id, change.number] += change.decides
        assert not decided or max(decided.values()) <= 1, "a job was decided twice"

    def teardown(self) -> None:
        """Let one honest worker do what is left: everything comes to its end."""
        if not hasattr(self, "farm"):
            return
        self.farm.tick(LEASE_S + 1)
        honest = Hand(self.farm, "honest", slots=2)
        for _ in range(40 * sum(self.totals.values()) + 40):
            honest.call()
            for fence in tuple(honest.held):
                honest.call(ended=[AttemptEnd(fence, Outcome.PASSED, run_s=1.0)], free=False)
            if not self.farm.scheduler.runs:
                break
            self.farm.tick(LEASE_S / 3)
        overs = Counter(change.run_id for change in self.farm.changes if isinstance(change, RunOver))
        assert overs == Counter(self.totals.keys()), "a run has no end, or two"


class SeatMachine(RuleBasedStateMachine):
    """Sessions that take seats and jobs, finish, are lost, speak late or twice, and a run that may be cancelled."""

    @initialize()
    def begin(self) -> None:
        spec = run_spec(*(f"b:s:t/x{number}" for number in range(6)), workers=3)
        fences = itertools.count(1)
        self.run = RunInHand(spec, plan_seats(spec, chosen_seed=7), expected_s=(), next_fence=fences.__next__)
        self.seats: list[Seat] = []
        self.given: dict[str, Assignment] = {}
        self.past: list[Any] = []  # what was said once
        self.changes: list[Any] = []

    def _hear(self, report: Any) -> bool:
        self.past.append(report)
        return self.run.hear(report)

    @rule()
    def open_seat(self) -> None:
        seat = self.run.open_seat("worker")
        if seat is not None:
            assert all(seat.fence > other.fence for other in self.seats), "a fence went back"
            self.seats.append(seat)

    @precondition(lambda self: self.seats)
    @rule(data=st.data())
    def ask(self, data: Any) -> None:
        seat = data.draw(st.sampled_from(self.seats))
        assignment = self.run.assign(JobWanted(seat.seat_id, seat.fence), at=1.0)
        if assignment is not None and assignment.job is not None:
            self.given[seat.seat_id] = assignment

    @precondition(lambda self: self.given)
    @rule(data=st.data(), outcome=_ENDS, started=st.booleans())
    def finish(self, data: Any, outcome: Outcome, started: bool) -> None:
        given = self.given.pop(data.draw(st.sampled_from(sorted(self.given))))
        assert given.job is not None
        if started:
            self._hear(AttemptStarted(2.0, given.seat_id, given.fence, given.job.name, given.attempt, "m", "b:s"))
        self._hear(AttemptFinished(3.0, given.seat_id, given.fence, given.job.name, given.attempt, outcome, 1.0))

    @precondition(lambda self: self.seats)
    @rule(data=st.data(), lost=st.booleans(), reason=st.sampled_from(["", "no machine"]))
    def close(self, data: Any, lost: bool, reason: str) -> None:
        seat = data.draw(st.sampled_from(self.seats))
        self.given.pop(seat.seat_id, None)
        self._hear(SeatClosed(4.0, seat.seat_id, seat.fence, reason=reason, lost=lost))

    @precondition(lambda self: self.past)
    @rule(data=st.data())
    def say_again(self, data: Any) -> None:
        """What is delivered twice changes nothing."""
        report = data.draw(st.sampled_from(self.past))
        self._take()
        before = len(self.changes)
        self.run.hear(report)
        self._take()
        assert len(self.changes) == before

    @rule()
    def cancel(self) -> None:
        self.run.cancel("enough", at=5.0)

    def _take(self) -> None:
        self.changes += self.run.changes
        self.run.changes.clear()

    @invariant()
    def is_sound(self) -> None:
        if not hasattr(self, "run"):
            return
        self._take()
        decided = Counter(change.number for change in self.changes if isinstance(change, AttemptEnded) and change.decides)
        assert not decided or max(decided.values()) == 1, "a job was decided twice"
        in_hand = [seat.job for seat in self.run._seats.values() if seat.job is not None]
        assert len(in_hand) == len(set(in_hand)), "a job is in two hands"

    def teardown(self) -> None:
        """Let honest sessions do what is left."""
        if not hasattr(self, "run"):
            return
        for seat in self.seats:
            self.run.hear(SeatClosed(6.0, seat.seat_id, seat.fence))
        for _ in range(100):
            honest = self.run.open_seat("worker")
            if honest is None:
                break
            while (
                given := self.run.assign(JobWanted(honest.seat_id, honest.fence), at=7.0)
            ) is not None and given.job is not None:
                finished = AttemptFinished(8.0, honest.seat_id, honest.fence, given.job.name, given.attempt, Outcome.PASSED, 1.0)
                assert self.run.hear(finished)
            assert self.run.hear(SeatClosed(9.0, honest.seat_id, honest.fence))
        assert self.run.is_finished(), "a job has no end"


@pytest.mark.parametrize("machine", [FarmMachine, SeatMachine])
def test_no_order_of_calls_breaks_a_promise(machine: type[RuleBasedStateMachine]) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(machine, settings=settings(max_examples=150, stateful_step_count=40, deadline=None))
