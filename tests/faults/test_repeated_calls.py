"""F13: a network that delivers each call three times, some again when later ones have been made, changes nothing."""

import asyncio
import os
from pathlib import Path

import pytest
from tests.servers.farm import Caller, Port, direct_farm, distant_farm, jobs

from outspread.controller.command_values import AttemptEnd, AttemptLogPiece, Claim, CommandRun
from outspread.controller.farm import farm_controller, scheduler
from outspread.controller.values import Outcome

SEED = int(os.environ.get("OUTSPREAD_FAULT_SEED", "1"))

NAMES = ("a", "flaky b", "broken c")


async def work(port: Port) -> None:
    """Be a worker until the run is over."""
    ann = Caller(port)
    failed: set[int] = set()
    claims: list[Claim] = []
    async with asyncio.timeout(60):
        while (await port.progress("r1")).status.state == "running":
            if not claims:
                claims += (await ann.call(wait_s=0.2)).claims
                continue
            claim = claims.pop(0)
            name = NAMES[claim.number]
            fails = name.startswith("broken") or (name.startswith("flaky") and claim.number not in failed)
            said = (AttemptLogPiece(claim.fence, 0, b"one "), AttemptLogPiece(claim.fence, 1, b"two"))
            orders = await ann.call(begun=(claim.fence,), pieces=said[:1])
            if claim.fence in {stop.fence for stop in orders.stops}:
                ann.holding.discard(claim.fence)
                claims += orders.claims
                continue
            claims += orders.claims
            end = AttemptEnd(claim.fence, Outcome.FAILED if fails else Outcome.PASSED, exit_code=int(fails), pieces=2)
            if fails:
                failed.add(claim.number)
            claims += (await ann.call(pieces=said[1:], ended=(end,))).claims


async def outcome_of(port: Port) -> list[tuple[object, ...]]:
    """Submit, work, and tell all that is to be the same however often calls are delivered."""
    await port.submit_commands(CommandRun("r1", "me", jobs(*NAMES, retries=1)))
    await work(port)
    found: list[tuple[object, ...]] = []
    for job in (await port.jobs("r1")).jobs:
        ended = [attempt for attempt in job.attempts if attempt.outcome is not None and attempt.outcome is not Outcome.INFRA]
        logs = [(await port.log_part(attempt.attempt_id)).data for attempt in ended]
        deciding = sum(attempt.decides for attempt in ended)
        found.append((job.name, job.outcome, job.flaky, [attempt.outcome for attempt in ended], deciding, logs))
    status = (await port.progress("r1")).status
    found.append((status.state, status.counts.passed, status.counts.failed, status.counts.flaky))
    found.append((len(await port.command_runs()), len((await port.progress("r1")).ended)))
    return found


@pytest.mark.parametrize("seed", [SEED, SEED + 1])
async def test_calls_that_come_three_times_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    # What was handed out in an answer that got lost comes back sooner than in earnest.
    monkeypatch.setattr(scheduler, "CONFIRM_S", 0.1)
    monkeypatch.setattr(farm_controller, "_TICK_S", 0.05)
    async with direct_farm(tmp_path / "once") as port:
        once = await outcome_of(port)
    assert once[-2] == ("done", 2, 1, 1)
    async with distant_farm(tmp_path / "thrice", repeated=seed) as port:
        assert await outcome_of(port) == once
