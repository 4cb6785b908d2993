"""Any order of calls, crashes, losses, repeats and cancels leaves each job decided once, and nothing behind."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from outspread.controller.command_values import AttemptEnd, CommandJob, CommandNews
from outspread.controller.farm.farm_changes import AttemptOver, JobReleased, JobStarted, RunOver, RunStopped
from outspread.controller.values import JobState, Outcome

STEPS = 300
OUTCOMES = [Outcome.PASSED] * 6 + [Outcome.FAILED, Outcome.TIMEOUT, Outcome.INFRA]


def invariants(farm: Any) -> None:
    scheduler = farm.scheduler
    in_hand = {fence for worker in scheduler.workers.values() for fence in worker.in_hand}
    assert set(scheduler._attempts) >= in_hand
    for run in scheduler.runs.values():
        counts = run.counts
        finals = counts.passed + counts.failed + counts.cancelled + counts.infra
        assert counts.queued + counts.running + finals == counts.total
        assert len(run.in_hand) == counts.running


def final_states(farm: Any, totals: dict[str, int]) -> None:
    decided: Counter[tuple[str, int]] = Counter()
    fences: dict[tuple[str, int], int] = {}
    overs = {change.run_id: change for change in farm.changes if isinstance(change, RunOver)}
    for change in farm.changes:
        if isinstance(change, JobStarted | AttemptOver):
            assert change.fence >= fences.get((change.run_id, change.number), 0)
            fences[change.run_id, change.number] = change.fence
        if isinstance(change, AttemptOver) and change.decides:
            decided[change.run_id, change.number] += 1
        if isinstance(change, JobReleased) and change.state is JobState.CANCELLED:
            decided[change.run_id, change.number] += 1
    assert not decided or max(decided.values()) == 1
    stopped = {change.run_id for change in farm.changes if isinstance(change, RunStopped)}
    for run_id, total in totals.items():
        counts = overs[run_id].counts
        assert counts.queued == counts.running == 0
        assert counts.passed + counts.failed + counts.cancelled + counts.infra == total
        by_attempt = sum(1 for run, _ in decided if run == run_id)
        assert by_attempt == total if run_id not in stopped else by_attempt <= total


@pytest.mark.parametrize("seed", range(25))
def test_every_job_is_decided_once(farm: Any, hand: Callable[..., Any], seed: int) -> None:
    dice = random.Random(seed)
    hands = [hand(f"w{n}", slots=dice.randint(1, 3), dimensions={"kvm": dice.choice(["yes", "no"])}) for n in range(4)]
    hands[0].dimensions = {"kvm": "yes"}
    totals: dict[str, int] = {}
    said: list[tuple[Any, CommandNews]] = []

    def submit() -> None:
        run_id, jobs = f"r{len(totals)}", dice.randint(1, 12)
        totals[run_id] = jobs
        farm.submit(
            run_id,
            [
                CommandJob(
                    name=f"j{n}",
                    command=("x",),
                    retries=dice.randint(0, 2),
                    priority=dice.choice([0, 0, 5]),
                    requires=dice.choice([{}, {"kvm": "yes"}]),
                )
                for n in range(jobs)
            ],
            owner=dice.choice("ab"),
        )

    def work(worker: Any) -> None:
        ended = [AttemptEnd(fence, dice.choice(OUTCOMES), run_s=dice.random()) for fence in worker.held if dice.random() < 0.4]
        ending = {end.fence for end in ended}
        begun = [fence for fence in worker.held if fence not in ending and dice.random() < 0.5]
        returned = [fence for fence in worker.held if fence not in ending and fence not in begun and dice.random() < 0.1]
        for fence in [*ending, *returned]:
            worker.held.pop(fence)
        worker.sequence += 1
        news = CommandNews(
            incarnation=worker.incarnation,
            sequence=worker.sequence,
            slots=worker.slots,
            free=worker.slots,
            dimensions=worker.dimensions,
            holding=tuple(worker.held),
            begun=tuple(begun),
            ended=tuple(ended),
            returned=tuple(returned),
        )
        said.append((worker, news))
        for _ in range(dice.choice([1, 1, 1, 3])):
            orders = worker.say(news)
        if dice.random() < 0.1:
            for claim in orders.claims:  # the answer was lost
                worker.held.pop(claim.fence)
        for stop in orders.stops:
            worker.held.pop(stop.fence, None)

    for _ in range(STEPS):
        worker = dice.choice(hands)
        match dice.choices(["work", "tick", "submit", "cancel", "crash", "replay", "gone"], [60, 15, 4, 1, 3, 5, 2])[0]:
            case "work":
                work(worker)
            case "tick":
                farm.tick(dice.choice([0.5, 3.0, 12.0]))
            case "submit":
                submit()
            case "cancel" if totals:
                farm.scheduler.cancel(dice.choice(list(totals)), "enough", at=farm.at)
                farm.take_changes()
            case "crash":
                worker.incarnation, worker.sequence, worker.held = f"{worker.incarnation}+", 0, {}
            case "replay" if said:
                other, news = dice.choice(said)
                held = dict(other.held)
                other.say(news, hand_out=False)
                other.held = held
            case "gone":
                farm.now += 1
                farm.scheduler.connection_lost(worker.name, worker.incarnation, since=farm.now, now=farm.now, at=farm.at)
                farm.take_changes()
            case _:
                pass
        invariants(farm)
    for _ in range(2000):
        if not farm.scheduler.runs:
            break
        farm.tick(3.0)
        for worker in hands:
            ended = [AttemptEnd(fence, Outcome.PASSED) for fence in worker.held]
            orders = worker.call(ended=ended)
            for stop in orders.stops:
                worker.held.pop(stop.fence, None)
            invariants(farm)
    assert {run.run_id: run.counts for run in farm.scheduler.runs.values()} == {}
    assert farm.scheduler._attempts == {}
    assert not farm.scheduler.has_ready()
    final_states(farm, totals)
