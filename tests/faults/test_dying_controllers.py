"""Controllers that die at the worst moments: at each point of a commit and of a start (F3), while a large run comes in (F4)."""

import asyncio
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.faults.farm_site import FarmSite, farm_site
from tests.faults.hasty_farm import POINTS

from outspread.client.http_controller import HttpController
from outspread.controller.command_values import CommandJob, CommandRun, CommandRunStatus
from outspread.errors import InfrastructureError

SEED = int(os.environ.get("OUTSPREAD_FAULT_SEED", "1"))
AT_A_START = {"restart", "cell", "replay"}
_LARGE = 100_000


def persistently(call: Callable[[], CommandRunStatus], *, within_s: float) -> CommandRunStatus:
    """Repeat a call through the deaths of controllers until it is answered."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            return call()
        except InfrastructureError:
            if time.monotonic() > deadline:
                raise


def start_again(site: FarmSite, **environment: str) -> None:
    """Start a controller that may die at once."""
    site.start_controller(environment=environment, may_die=True)


def test_f3_a_controller_dies_at_each_point_and_nothing_is_lost(
    tmp_path: Path, side_by_side: Callable[[Callable[[str], None], Iterable[str]], None]
) -> None:
    print(f"seed {SEED}")
    side_by_side(lambda point: die_again_and_again(tmp_path / point, point), POINTS)


def die_again_and_again(directory: Path, point: str) -> None:
    """Have controllers die at a point while runs are submitted and worked on."""
    dice = random.Random(f"{SEED} {point}")
    with farm_site(directory) as farm:
        farm.lease_s = 30.0  # deaths of controllers are no reason to lose one
        farm.start_controller()
        farm.start_worker("ann", slots=4)
        farm.submit("sleep 600", run_id="lasting")  # so that there is something to begin again with
        acknowledged: list[str] = []
        over = threading.Event()

        def submit_on() -> None:
            number = 0
            while not over.is_set():
                run_id, marks = f"r{number}", [f"echo {number}.{job}; exit {job % 2}" for job in range(5)]
                try:
                    persistently(lambda: farm.submit(*marks, run_id=run_id, retries=1), within_s=30)  # noqa: B023 - called at once
                except InfrastructureError:
                    return
                acknowledged.append(run_id)
                number += 1

        client = threading.Thread(target=submit_on)
        client.start()
        try:
            for _ in range(3):
                assert farm.controller is not None
                farm.controller.kill()
                farm.controller.wait(10)
                passes = 1 if point in AT_A_START else dice.randint(1, 30)
                start_again(farm, OUTSPREAD_TEST_DIES=f"{point}:{passes}")
                assert farm.controller.wait(30) == -signal.SIGKILL, f"it never came to {point} {passes} times"
                start_again(farm)
        finally:
            over.set()
            client.join()
        assert acknowledged
        for run_id in acknowledged:
            counts = farm.wait_for_end(run_id, within_s=60).counts
            assert (counts.passed, counts.failed) == (3, 2), run_id
        last = acknowledged[-1]
        for job in range(5):
            decides = [attempt for attempt in farm.job(job, last).attempts if attempt.decides]
            assert farm.log_of(decides[0].attempt_id) == f"{last[1:]}.{job}\n".encode()
        farm.cancel("lasting")
        farm.wait_for_end("lasting")
        assert len(farm.job(0, "lasting").attempts) == 1


def test_f4_a_large_submission_that_a_death_breaks_off_is_whole_or_absent(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    print(f"seed {SEED}")
    jobs = tuple(CommandJob(f"j{number}", ("true",)) for number in range(_LARGE))
    run = CommandRun("large", "me", jobs)

    async def submit(url: str) -> CommandRunStatus:
        async with HttpController(url) as controller:
            return await controller.submit_commands(run)

    with farm_site(tmp_path / "farm") as farm:
        farm.start_controller()
        for _ in range(3):
            client = threading.Thread(target=lambda: _ignoring_faults(lambda: asyncio.run(submit(farm.url))))
            client.start()
            time.sleep(dice.uniform(0.2, 2.5))
            farm.restart_controller()
            client.join()
            farm.check_record()  # the run is not there, or has all its jobs
        status = persistently(lambda: asyncio.run(submit(farm.url)), within_s=60)
        assert (status.counts.total, status.counts.queued) == (_LARGE, _LARGE)
        farm.cancel("large")
        assert farm.wait_for_end("large").counts.cancelled == _LARGE


def _ignoring_faults(call: Callable[[], object]) -> None:
    try:
        call()
    except InfrastructureError:
        return
