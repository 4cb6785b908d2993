"""``python -m tests.soak [--minutes M] [--seed S]``: a farm at work while its controller and its workers are killed at random.

Afterwards every run that was acknowledged is over, each of its jobs decided once by an attempt whose log is whole, and no process
is left. The seed decides who is killed when; what that meets is up to the machine.
"""

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from tests.faults.farm_site import FarmSite, farm_site

from outspread.client.http_controller import HttpController
from outspread.controller.command_values import CommandJob, CommandRun
from outspread.controller.values import Outcome
from outspread.errors import InfrastructureError

_WORKERS = 4
_SLOTS = 2
_JOBS = 20
_MOST_RUNS_OPEN = 20


class _Soak:
    def __init__(self, site: FarmSite, seed: int) -> None:
        self.site = site
        self.dice = random.Random(seed)
        self.acknowledged: list[str] = []
        self.kills = {"controller": 0, "worker": 0}
        self.over = threading.Event()
        self.trouble: list[BaseException] = []
        self._workers: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, minutes: float) -> None:
        """Let it happen for so long, then wait for what was acknowledged."""
        self.site.start_controller()
        for number in range(_WORKERS):
            self._workers[f"w{number}"] = self.site.start_worker(f"w{number}", slots=_SLOTS)
        client = threading.Thread(target=self._noting_trouble)
        client.start()
        end = time.monotonic() + 60 * minutes
        while time.monotonic() < end and not self.trouble:
            time.sleep(self.dice.uniform(0.2, 5.0))
            self._kill()
        self.over.set()
        client.join()
        for error in self.trouble:
            raise error
        self.site.wait_until(self._is_idle, "the end of all runs", within_s=300)
        asyncio.run(self.check_all(self.site.url, self.acknowledged))

    def _kill(self) -> None:
        if self.dice.random() < 0.4:
            self.kills["controller"] += 1
            self.site.restart_controller()
            return
        self.kills["worker"] += 1
        name = self.dice.choice(sorted(self._workers))
        self._workers[name].kill()
        self._workers[name].wait()
        self._workers[name] = self.site.start_worker(name, slots=_SLOTS, wait=False)

    def _noting_trouble(self) -> None:
        try:
            asyncio.run(self._submit_on())
        except BaseException as error:  # noqa: BLE001 - raised by who waits for this thread
            self.trouble.append(error)

    async def _submit_on(self) -> None:
        async with HttpController(self.site.url) as controller:
            while not self.over.is_set():
                run_id = f"run{len(self.acknowledged)}"
                while not self.over.is_set():
                    try:
                        if sum(run.state == "running" for run in await controller.command_runs(limit=200)) >= _MOST_RUNS_OPEN:
                            await asyncio.sleep(0.2)
                            continue
                        await controller.submit_commands(CommandRun(run_id, "soak", self._jobs(run_id)))
                    except InfrastructureError:
                        continue
                    self.acknowledged.append(run_id)
                    break

    def _jobs(self, run_id: str) -> tuple[CommandJob, ...]:
        return tuple(
            CommandJob(
                name=f"j{number}",
                command=("/bin/sh", "-c", f"echo {run_id} {number}; sleep 0.{number % 4}; exit {int(number % 10 == 9)}"),
                retries=number % 3,
            )
            for number in range(_JOBS)
        )

    def _is_idle(self) -> bool:
        async def ask() -> int:
            async with HttpController(self.site.url) as controller:
                return (await controller.figures()).runs

        return not asyncio.run(ask())

    @staticmethod
    async def check_all(url: str, run_ids: Iterable[str]) -> None:
        """Fail unless each of these runs came to its right end."""
        async with HttpController(url) as controller:
            for run_id in run_ids:
                counts = (await controller.progress(run_id)).status.counts
                # A job may have met so many kills that it ended as infra: nothing is known of it then, and nothing is lost.
                assert counts.passed + counts.failed + counts.infra == counts.total == _JOBS, (run_id, counts)
                jobs = (await controller.jobs(run_id, limit=_JOBS)).jobs
                assert len(jobs) == _JOBS
                for job in jobs:
                    (attempt,) = [attempt for attempt in job.attempts if attempt.decides]
                    if attempt.outcome is Outcome.INFRA:
                        continue
                    assert attempt.outcome is (Outcome.FAILED if job.number % 10 == 9 else Outcome.PASSED), attempt
                    log = await controller.log_part(attempt.attempt_id)
                    assert log.data == f"{run_id} {job.number}\n".encode(), attempt


def main() -> int:
    """Soak, and tell what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.minutes:g} minutes", flush=True)
    with tempfile.TemporaryDirectory(prefix="outspread-soak-") as directory, farm_site(Path(directory) / "farm") as site:
        soak = _Soak(site, options.seed)
        soak.run(options.minutes)
    jobs = len(soak.acknowledged) * _JOBS
    print(
        f"{jobs} jobs in {len(soak.acknowledged)} runs; {soak.kills['controller']} controllers and {soak.kills['worker']} workers"
        " killed: 0 lost, 0 twice, 0 processes left"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
