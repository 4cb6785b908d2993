"""Each rule of the scheduler, with a clock in hand."""

import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from outspread.controller.command_values import (
    CONFIRM_S,
    LEASE_S,
    AttemptEnd,
    AttemptLogPiece,
    CommandJob,
    CommandNews,
    Stop,
    StopReason,
    WorkerHealth,
)
from outspread.controller.farm.attempt_ids import split_attempt_id
from outspread.controller.farm.command_rules import POISON_LIMIT
from outspread.controller.farm.farm_changes import AttemptOver, JobClaimed, LogWritten, RunOver, RunStopped
from outspread.controller.farm.scheduler import WORKER_KEPT_S
from outspread.controller.farm.worker_state import AHEAD_JOBS
from outspread.controller.values import JobState, Outcome
from outspread.errors import UserError

Make = Callable[..., Any]


def over(farm: Any) -> list[AttemptOver]:
    return [change for change in farm.changes if isinstance(change, AttemptOver)]


def run_over(farm: Any) -> RunOver:
    (change,) = [change for change in farm.changes if isinstance(change, RunOver)]
    return change


def test_a_job_is_handed_out_run_and_decided_once(farm: Any, hand: Make) -> None:
    run = farm.submit("r", 1)
    ann = hand()
    claim = ann.take()
    assert (claim.run_id, claim.number, claim.attempt) == ("r", 0, 1)
    assert msgspec.json.decode(claim.job, type=CommandJob).name == "job 0"
    ann.finish(claim)
    (ended,) = over(farm)
    assert (ended.decides, ended.state, ended.outcome, ended.place) == (True, JobState.DONE, Outcome.PASSED, 1)
    assert run_over(farm).passed
    assert run.counts.passed == run.counts.total == 1
    assert farm.scheduler.runs == {}


def test_a_report_that_comes_again_changes_nothing(farm: Any, hand: Make) -> None:
    farm.submit("r", 2)
    ann = hand()
    claim = ann.take()
    end = AttemptEnd(claim.fence, Outcome.PASSED)
    ann.call(ended=[end], free=False)
    orders = ann.call(ended=[end], free=False)
    assert orders.stops == ()
    assert len(over(farm)) == 1


def test_an_overtaken_call_does_not_take_back_what_a_later_one_holds(farm: Any, hand: Make) -> None:
    farm.submit("r", 1)
    ann = hand()
    early = CommandNews(incarnation=ann.incarnation, sequence=1, slots=1, free=1)
    ann.sequence = 1
    claim = ann.take()
    ann.say(early)
    assert ann.finish(claim).stops == ()
    assert over(farm)[0].outcome is Outcome.PASSED


def test_a_failed_job_is_tried_again_as_often_as_it_may_and_elsewhere_first(farm: Any, hand: Make) -> None:
    farm.submit("r", [CommandJob(name="a", command=("x",), retries=1), CommandJob(name="b", command=("x",))])
    ann, bob = hand("ann"), hand("bob")
    claim = ann.take()
    assert claim.number == 0
    orders = ann.finish(claim, Outcome.FAILED, free=True)
    assert [again.number for again in orders.claims] == [1]  # not its own retry while there is other work
    (retry,) = bob.call().claims
    assert (retry.number, retry.attempt) == (0, 2)
    bob.finish(retry)
    first, second = over(farm)
    assert (first.state, first.outcome, first.decides) == (JobState.QUEUED, None, False)
    assert (second.outcome, second.flaky, second.decides) == (Outcome.PASSED, True, True)


def test_a_retry_never_waits_for_another_worker(farm: Any, hand: Make) -> None:
    farm.submit("r", [CommandJob(name="a", command=("x",), retries=1)])
    ann = hand()
    claim = ann.take()
    (again,) = ann.finish(claim, Outcome.FAILED, free=True).claims
    ann.finish(again, Outcome.FAILED)
    assert not run_over(farm).passed
    assert run_over(farm).counts.failed == 1
    assert run_over(farm).counts.retried == 1


def test_a_silent_worker_loses_its_jobs_and_no_test_retry_is_used_up(farm: Any, hand: Make) -> None:
    run = farm.submit("r", 1)
    ann, bob = hand("ann"), hand("bob")
    claim = ann.take()
    farm.tick(LEASE_S - 1)
    assert bob.call().claims == ()
    farm.tick(2)
    (again,) = bob.call().claims
    assert (again.number, again.attempt) == (0, 2)
    assert again.fence > claim.fence
    assert ann.finish(claim).stops == (Stop(claim.fence, StopReason.LOST),)
    bob.finish(again)
    assert [change.outcome for change in over(farm)] == [None, Outcome.PASSED]
    assert over(farm)[0].end.outcome is Outcome.INFRA
    assert run.counts.flaky == 0


def test_renewing_keeps_a_lease(farm: Any, hand: Make) -> None:
    farm.submit("r", 1)
    ann, bob = hand("ann"), hand("bob")
    claim = ann.take()
    for _ in range(10):
        farm.tick(LEASE_S / 3)
        assert bob.call().claims == ()
        ann.call(free=False)
    ann.finish(claim)
    assert run_over(farm).passed


def test_a_claim_that_is_not_confirmed_goes_back_soon(farm: Any, hand: Make) -> None:
    farm.submit("r", 1)
    ann, bob = hand("ann"), hand("bob")
    (claim,) = ann.call().claims
    ann.held.clear()  # the answer was lost
    farm.tick(CONFIRM_S + 0.1)
    (again,) = bob.call().claims
    assert again.attempt == 1
    assert again.fence > claim.fence
    assert over(farm) == []


def test_a_call_whose_answer_was_lost_is_answered_the_same_again(farm: Any, hand: Make) -> None:
    farm.submit("r", 5)
    ann = hand(slots=2)
    news = CommandNews(incarnation=ann.incarnation, sequence=1, slots=2, free=2)
    first = ann.say(news).claims
    assert len(first) == 2
    assert [claim.fence for claim in ann.say(news).claims] == [claim.fence for claim in first]
    ann.sequence = 1
    ann.call(free=False)  # which confirms them
    assert ann.say(news, hand_out=False).claims == ()


def test_a_broken_connection_puts_jobs_back_unless_the_worker_speaks_again(farm: Any, hand: Make) -> None:
    farm.submit("r", 1)
    ann, bob = hand("ann"), hand("bob")
    claim = ann.take()
    broke = farm.now
    farm.now += 0.5
    ann.call(free=False)
    farm.scheduler.connection_lost("ann", ann.incarnation, since=broke, now=farm.now, at=farm.at)
    assert bob.call().claims == ()
    broke = farm.now
    farm.now += 1
    farm.scheduler.connection_lost("ann", "another", since=broke, now=farm.now, at=farm.at)
    assert bob.call().claims == ()
    farm.scheduler.connection_lost("ann", ann.incarnation, since=broke, now=farm.now, at=farm.at)
    (again,) = bob.call().claims
    assert again.number == claim.number


def test_a_worker_that_was_started_again_has_lost_what_it_had(farm: Any, hand: Make) -> None:
    farm.submit("r", 1)
    ann = hand()
    old, claim = ann.incarnation, ann.take()
    ann.incarnation, ann.sequence, ann.held = "ann/2", 0, {}
    (again,) = ann.call().claims
    assert again.attempt == 2
    late = CommandNews(incarnation=old, sequence=99, slots=1, free=1, holding=(claim.fence,))
    assert ann.say(late).stops == (Stop(claim.fence, StopReason.LOST),)
    assert again.fence in farm.scheduler.workers["ann"].in_hand


def test_cancel_is_final_and_reaches_what_runs(farm: Any, hand: Make) -> None:
    run = farm.submit("r", [CommandJob(name=name, command=("x",), retries=5) for name in "abc"])
    ann = hand()
    claim = ann.take()
    farm.scheduler.cancel("r", "enough", at=farm.at)
    farm.scheduler.cancel("r", "again", at=farm.at)
    stopped, jobs_stopped = farm.take_changes()
    assert isinstance(stopped, RunStopped)
    assert stopped.reason == "enough"
    assert (jobs_stopped.first, jobs_stopped.end, jobs_stopped.in_hand) == (0, 3, (0,))
    orders = ann.call()
    assert (orders.claims, orders.stops) == ((), (Stop(claim.fence, StopReason.CANCELLED),))
    assert ann.call().stops == ()  # told once
    farm.tick(10)
    assert ann.call().stops == (Stop(claim.fence, StopReason.CANCELLED),)  # it goes on: told again
    ann.finish(claim, Outcome.FAILED)
    assert run_over(farm).cancelled
    assert run.counts.cancelled == 2
    assert run.counts.failed == 1


@pytest.mark.parametrize("outcome", [Outcome.CANCELLED, Outcome.INFRA])
def test_a_cancelled_run_ends_whatever_is_reported(farm: Any, hand: Make, outcome: Outcome) -> None:
    farm.submit("r", [CommandJob(name="a", command=("x",), retries=9)])
    ann = hand()
    claim = ann.take()
    farm.scheduler.cancel("r", "enough", at=farm.at)
    ann.finish(claim, outcome)
    assert run_over(farm).counts.cancelled == 1


def test_a_cancelled_run_ends_when_its_worker_is_lost(farm: Any, hand: Make) -> None:
    farm.submit("r", 1)
    hand().take()
    farm.scheduler.cancel("r", "enough", at=farm.at)
    farm.tick(LEASE_S + 1)
    assert run_over(farm).counts.cancelled == 1


def test_what_was_in_the_hands_of_two_lost_workers_is_given_one_at_a_time(farm: Any, hand: Make) -> None:
    """Poison is known by the third loss, and what was beside it is not blamed; whether it had begun or not."""
    farm.submit("r", 4)
    for name in ("ann", "bob"):
        worker = hand(name, slots=4)
        assert len(worker.call().claims) == 4
        farm.tick(31)
    eve = hand("eve", slots=4)
    (first,) = eve.call().claims
    assert eve.call().claims == ()
    (second,) = eve.call(ended=[AttemptEnd(first.fence, Outcome.PASSED)]).claims
    farm.tick(31)
    (over_now,) = [change for change in over(farm) if change.outcome is Outcome.INFRA]
    assert (over_now.number, over_now.reason) == (second.number, "it ended 3 workers: ann, bob, eve")
    joe = hand("joe", slots=4)
    for _ in range(2):
        (claim,) = joe.call().claims
        joe.call(ended=[AttemptEnd(claim.fence, Outcome.PASSED)], free=False)
    assert farm.scheduler.runs == {}


def test_a_job_that_ends_its_workers_is_poison(farm: Any, hand: Make) -> None:
    farm.submit("r", 1)
    for number in range(POISON_LIMIT):
        hand(f"w{number}").take()
        farm.tick(LEASE_S + 1)
    assert run_over(farm).counts.infra == 1
    assert over(farm)[-1].reason == "it ended 3 workers: w0, w1, w2"


def test_workers_that_are_gone_for_long_are_forgotten_unless_on_hold(farm: Any, hand: Make) -> None:
    ann, bob, eve = hand("ann"), hand("bob"), hand("eve")
    for worker in (ann, bob, eve):
        worker.call()
    farm.scheduler.hold("bob", reason="repair", until=farm.at + 10 * WORKER_KEPT_S, at=farm.at)
    farm.tick(WORKER_KEPT_S - 1)
    eve.call()
    assert sorted(farm.scheduler.workers) == ["ann", "bob", "eve"]
    farm.tick(2)
    assert sorted(farm.scheduler.workers) == ["bob", "eve"]


def test_infrastructure_failures_hold_a_worker_for_longer_each_time(farm: Any, hand: Make) -> None:
    farm.submit("r", 40)
    ann, bob = hand("ann"), hand("bob")

    def fail() -> None:
        for _ in range(3):
            ann.call(ended=[AttemptEnd(ann.take().fence, Outcome.INFRA, reason="no disk")], free=False)

    fail()
    assert ann.call().claims == ()
    (status, *_) = farm.scheduler.worker_statuses(now=farm.now, at=farm.at)
    assert status.hold == "3 infrastructure failures in a row, the last: no disk"
    assert bob.call().claims
    farm.now += 31
    fail()
    farm.now += 31
    assert ann.call().claims == ()
    farm.now += 31
    assert ann.call().claims


def test_a_worker_on_hold_or_draining_gets_nothing(farm: Any, hand: Make) -> None:
    farm.submit("r", 1)
    ann = hand()
    assert ann.call(draining=True).claims == ()
    news = CommandNews(incarnation="ann/1", sequence=9, slots=1, free=1, health=WorkerHealth(hold="disk full"))
    assert ann.say(news).claims == ()
    assert not farm.scheduler.hold("eve", reason="no", until=farm.at + 9, at=farm.at)
    ann.sequence = 9
    assert farm.scheduler.hold("ann", reason="repair", until=farm.at + 9, at=farm.at)
    assert ann.call().claims == ()
    farm.now += 10
    assert len(ann.call().claims) == 1


def test_what_is_given_back_is_not_counted_as_a_failure(farm: Any, hand: Make) -> None:
    run = farm.submit("r", 1)
    ann = hand()
    for _ in range(10):
        (claim,) = ann.call().claims
        ann.call(returned=[claim.fence], free=False)
    assert over(farm) == []
    for attempt in range(1, 9):
        claim = ann.take()
        assert claim.attempt == attempt
        ann.call(returned=[claim.fence], free=False)
    assert run.counts.queued == 1
    assert [change.infra_failures for change in over(farm)] == [0] * 8


def test_short_jobs_are_handed_out_ahead_and_long_ones_are_not(farm: Any, hand: Make) -> None:
    farm.submit("r", 1000)
    ann = hand(slots=2)
    claims = ann.call().claims
    assert len(claims) == 2  # nothing is known of them yet
    claims = ann.call(ended=[AttemptEnd(claim.fence, Outcome.PASSED, run_s=0.01) for claim in claims]).claims
    assert len(claims) == 40  # 0.2 s a slot
    claims = ann.call(ended=[AttemptEnd(claim.fence, Outcome.PASSED, run_s=1e-6) for claim in claims]).claims
    assert len(claims) <= 2 * AHEAD_JOBS
    bob = hand("bob")
    farm.submit("long", [CommandJob(name="x", command=("x",), priority=9)], known_s={"x": 60.0})
    assert [claim.run_id for claim in bob.call().claims] == ["long"]


def test_longest_expected_go_first(farm: Any, hand: Make) -> None:
    jobs = [CommandJob(name=name, command=("x",)) for name in ("short", "long", "middle")]
    farm.submit("r", jobs, known_s={"short": 1.0, "long": 30.0, "middle": 10.0})
    assert [claim.number for claim in hand(slots=3).call().claims] == [1, 2, 0]


def test_owners_share_and_one_who_comes_late_is_served_at_once(farm: Any, hand: Make) -> None:
    farm.submit("big", 50, owner="eve")
    ann = hand()
    for _ in range(10):
        ann.finish(ann.take())
    farm.submit("small", 5, owner="bob")
    order = []
    for _ in range(10):
        claim = ann.take()
        order.append(claim.run_id)
        ann.finish(claim)
    assert order.count("small") == 5
    assert order[0] == "small"
    assert order[:9].count("big") == 4


def test_requirements_are_met(farm: Any, hand: Make) -> None:
    farm.submit("r", [CommandJob(name="a", command=("x",), requires={"kvm": "yes"}), CommandJob(name="b", command=("x",))])
    ann, bob = hand("ann", slots=5), hand("bob", slots=5, dimensions={"kvm": "yes", "os": "debian"})
    assert [claim.number for claim in ann.call().claims] == [1]
    assert [claim.number for claim in bob.call().claims] == [0]


def test_logs_come_in_pieces_each_once(farm: Any, hand: Make) -> None:
    farm.submit("r", 1)
    ann = hand()
    fence = ann.take().fence
    piece = AttemptLogPiece(fence, 0, b"one")
    ann.call(pieces=[piece], free=False)
    ann.call(pieces=[piece, AttemptLogPiece(fence, 1, b"two", skipped_bytes=7)], free=False)
    ann.call(pieces=[AttemptLogPiece(fence, 3, b"lost")], free=False)
    ann.call(ended=[AttemptEnd(fence, Outcome.PASSED, pieces=2)], free=False)
    written = [change.data for change in farm.changes if isinstance(change, LogWritten)]
    assert written == [b"one", b"\n[... 7 bytes left out ...]\ntwo"]
    assert over(farm)[0].log == b""
    assert over(farm)[0].end.remark == ""


def test_a_short_log_comes_with_its_end(farm: Any, hand: Make) -> None:
    farm.submit("r", 1)
    ann = hand()
    fence = ann.take().fence
    pieces = [AttemptLogPiece(fence, 0, b"one"), AttemptLogPiece(fence, 1, b"two")]
    ann.call(pieces=pieces, ended=[AttemptEnd(fence, Outcome.PASSED, pieces=3)], free=False)
    assert over(farm)[0].log == b"onetwo"
    assert over(farm)[0].end.remark == "a part of its log was lost"


def test_lies_change_nothing(farm: Any, hand: Make) -> None:
    farm.submit("r", 2)
    ann, eve = hand("ann"), hand("eve")
    claim = ann.take()
    assert eve.finish(claim).stops == (Stop(claim.fence, StopReason.LOST),)
    assert eve.call(begun=[claim.fence, 7], returned=[claim.fence], free=False).stops == ()
    assert over(farm) == []
    ann.call(ended=[AttemptEnd(claim.fence, Outcome.ABORTED, run_s=-5, fetch_s=math.nan, collect_s=math.inf)], free=False)
    end = over(farm)[0].end
    assert (end.outcome, end.run_s, end.fetch_s) == (Outcome.INFRA, 0, 0)
    assert end.collect_s < 1e9


def test_claims_are_noted_when_a_controller_ends(farm: Any, hand: Make) -> None:
    farm.submit("r", 2)
    ann = hand(slots=2)
    first, second = ann.call().claims
    ann.call(begun=[first.fence], free=False)
    farm.scheduler.note_claims()
    assert farm.take_changes() == [JobClaimed("r", second.number, 1, second.fence)]


def test_ids_of_attempts() -> None:
    assert split_attempt_id("a-b.12.3") == ("a-b", 12, 3)
    for wrong in ("", "a", "a.1", "a.1.x", ".1.2", "a.-1.2"):
        with pytest.raises(UserError, match=r"RUN\.NUMBER\.ATTEMPT"):
            split_attempt_id(wrong)
