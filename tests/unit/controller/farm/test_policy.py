"""Limits, quotas and weights of a farm, and that they are named as the reason."""

from collections.abc import Callable
from typing import Any

import pytest

from outspread.controller.command_values import CommandJob
from outspread.controller.farm.farm_changes import RunOver
from outspread.controller.farm.farm_policy import FarmPolicy
from outspread.controller.farm.scheduler import Scheduler
from outspread.controller.farm.waiting_reason import why_it_waits
from outspread.controller.values import Outcome

Make = Callable[..., Any]


def reason(farm: Any, run: Any, number: int) -> str:
    return why_it_waits(farm.scheduler, run, number, at=farm.at).reason


def test_only_so_many_jobs_of_a_limit_run_at_once(farm: Any, hand: Make) -> None:
    farm.scheduler = Scheduler(epoch=1, policy=FarmPolicy(limits={"database": 2}))
    jobs = [CommandJob(name=f"d{n}", command=("x",), limits=("database",)) for n in range(3)]
    run = farm.submit("r", [*jobs, CommandJob(name="free", command=("x",), priority=-1)])
    ann = hand(slots=9)
    claims = ann.call().claims
    assert [claim.number for claim in claims] == [0, 1, 3]
    assert reason(farm, run, 2) == "limit database is reached: 2 of 2 in use"
    (last,) = ann.finish(claims[0], free=True).claims
    assert last.number == 2


def test_a_limit_that_nobody_has_set_is_a_lock(farm: Any, hand: Make) -> None:
    farm.submit("r", [CommandJob(name=name, command=("x",), limits=("port 80",)) for name in "ab"])
    assert len(hand(slots=9).call().claims) == 1


def test_an_owner_with_a_quota_has_no_more_at_once(farm: Any, hand: Make) -> None:
    farm.scheduler = Scheduler(epoch=1, policy=FarmPolicy(quotas={"eve": 2}))
    run = farm.submit("r", 4, owner="eve")
    farm.submit("s", 1, owner="bob")
    ann = hand(slots=9)
    assert sorted(claim.run_id for claim in ann.call().claims) == ["r", "r", "s"]
    assert reason(farm, run, 3) == "quota of eve is reached: 2 of 2 jobs run"
    farm.tick(40)
    assert len(hand("bob", slots=9).call().claims) == 3  # what was lost is not counted any more


def test_weights_are_shares(farm: Any, hand: Make) -> None:
    farm.scheduler = Scheduler(epoch=1, policy=FarmPolicy(weights={"eve": 3.0}))
    farm.submit("r", 40, owner="eve")
    farm.submit("s", 40, owner="bob")
    ann = hand()
    order = []
    for _ in range(20):
        claim = ann.take()
        order.append(claim.run_id)
        ann.finish(claim)
    assert 14 <= order.count("r") <= 16


def test_a_run_stops_after_so_many_failures(farm: Any, hand: Make) -> None:
    run = farm.submit("r", 10)
    run.stop_after = 2
    ann = hand()
    for _ in range(2):
        ann.finish(ann.take(), Outcome.FAILED)
    assert ann.call().claims == ()
    farm.take_changes()
    (over,) = [change for change in farm.changes if isinstance(change, RunOver)]
    assert over.cancelled
    assert (over.counts.failed, over.counts.cancelled) == (2, 8)
    assert run.cancel_reason == "2 jobs failed"


@pytest.mark.parametrize(
    ("requires", "workers", "expected"),
    [
        ({}, [], "there is no worker"),
        ({"kvm": "yes"}, [{}], "no worker has kvm=yes"),
        ({"a": "1", "b": "2"}, [{"a": "1"}, {"b": "2"}], "no worker has all of a=1, b=2"),
        ({}, [{}], "behind 5 jobs, about 5 s"),
    ],
)
def test_why_a_job_waits(farm: Any, hand: Make, requires: dict[str, str], workers: list[dict[str, str]], expected: str) -> None:
    for number, dimensions in enumerate(workers):
        hand(f"w{number}", slots=2, dimensions=dimensions).call()
    names = [f"j{n}" for n in range(6)]
    run = farm.submit(
        "r", [CommandJob(name=name, command=("x",), requires=requires) for name in names], known_s=dict.fromkeys(names, 2.0)
    )
    wait = why_it_waits(farm.scheduler, run, 5, at=farm.at)
    assert wait.reason == expected
    if wait.ahead is not None:
        assert (wait.ahead, wait.starts_in_s) == (5, 5.0)


def test_held_and_gone_workers_are_the_reason(farm: Any, hand: Make) -> None:
    run = farm.submit("r", 2)
    ann = hand()
    ann.call()
    farm.scheduler.hold("ann", reason="repair", until=farm.at + 60, at=farm.at)
    assert reason(farm, run, 1) == "each worker is on hold or leaving; ann: repair"
    farm.tick(40)
    assert reason(farm, run, 1) == "no worker is connected; last seen: ann"


def test_the_work_that_is_left_is_known(farm: Any, hand: Make) -> None:
    run = farm.submit("r", [CommandJob(name=name, command=("x",)) for name in "abc"], known_s={"a": 4.0, "b": 2.0})
    assert run.status().work_left_s == 10.0  # c is put at the 75th percentile
    ann = hand()
    ann.finish(ann.take(), run_s=4.0)
    assert run.status().work_left_s == 6.0
