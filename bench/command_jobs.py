"""What a worker of command jobs costs beside the spawning itself: with a controller that costs next to nothing."""

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from bench.report import Figure
from outspread.controller.command_values import Claim, CommandJob, CommandNews, CommandOrders
from outspread.controller.exchange_values import Exchange, Orders
from outspread.errors import InfrastructureError
from outspread.worker.commands.command_worker import CommandWorker, CommandWorkerOptions

_JOBS = 3000
_SLOTS = 2
_AHEAD = 60  # as many short jobs as a controller hands out ahead
_ROUNDS = 3

#: The floor: two plain processes, each spawning one program after another.
_FLOOR = """
import os, sys
for _ in range(int(sys.argv[1])):
    os.waitpid(os.posix_spawn("/bin/true", ["true"], os.environ), 0)
"""

_MOST_CPU_MS = 0.4  # a job, over the floor's
_SLEEP_S = 0.05
_SLEEPS = 200


class _Port:
    """Hands out jobs ahead and counts their ends."""

    def __init__(self, job: CommandJob, count: int) -> None:
        self._job = msgspec.Raw(msgspec.json.encode(job))
        self._left = count
        self._unended = count
        self._in_hand = 0
        self._fence = 0
        self.ended = asyncio.Event()

    async def exchange(self, call: Exchange) -> Orders:
        news = call.commands
        assert news is not None
        self._unended -= len(news.ended)
        self._in_hand -= len(news.ended)
        if not self._unended:
            self.ended.set()
        if call.wait_s and self._in_hand:
            await asyncio.sleep(call.wait_s)
        return Orders(commands=CommandOrders(tuple(self._claims(news))))

    def _claims(self, news: CommandNews) -> Iterator[Claim]:
        while self._left and self._in_hand < news.slots + _AHEAD:
            self._left -= 1
            self._in_hand += 1
            self._fence += 1
            yield Claim(self._fence, "run", self._fence, 1, self._job)


class _NoTrees:
    async def materialise(self, root: str, into: Path, *, writable: tuple[str, ...]) -> Callable[[], None]:
        raise InfrastructureError(f"cannot fetch {root}: there is no store")

    async def upload(self, directory: Path) -> str:
        raise InfrastructureError(f"cannot upload {directory}: there is no store")


def command_jobs() -> Iterator[Figure]:
    """Yield jobs a second and CPU a job of a worker beside those of the floor, taken in turns."""
    floors, workers = [], []
    job = CommandJob("true", ("/bin/true",))
    for _ in range(_ROUNDS):
        floors.append(_cost(_run_floor, _JOBS))
        workers.append(_cost(lambda: _run_worker(job, _JOBS), _JOBS))
    floor_s, floor_cpu_ms = min(floors)
    worker_s, worker_cpu_ms = min(workers)
    yield Figure("spawning /bin/true in two plain processes", floor_cpu_ms, "ms", note=f"CPU a job; {_JOBS / floor_s:.0f} jobs/s")
    yield Figure(
        "a worker's CPU a job over that",
        worker_cpu_ms - floor_cpu_ms,
        "ms",
        bound=_MOST_CPU_MS,
        note=f"{_JOBS / worker_s:.0f} jobs/s with two slots",
    )
    sleeps_s, _ = _cost(lambda: _run_worker(CommandJob("sleep", ("sleep", str(_SLEEP_S))), _SLEEPS), _SLEEPS)
    ideal_s = _SLEEPS * _SLEEP_S / _SLOTS
    yield Figure(f"sleep {_SLEEP_S}: time over ideal", (sleeps_s / ideal_s - 1) * 100, "%", bound=6.0)


def _cost(run: Callable[[], float], jobs: int) -> tuple[float, float]:
    """Return the seconds that ``run`` says it took, and the milliseconds of CPU a job."""
    before = _cpu_s()
    took_s = run()
    return took_s, (_cpu_s() - before) / jobs * 1000


def _cpu_s() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _run_floor() -> float:
    began = time.perf_counter()
    argv = [sys.executable, "-I", "-S", "-c", _FLOOR, str(_JOBS // _SLOTS)]
    processes = [subprocess.Popen(argv) for _ in range(_SLOTS)]
    for process in processes:
        process.wait()
    return time.perf_counter() - began


def _run_worker(job: CommandJob, count: int) -> float:
    return asyncio.run(_serve(job, count))


async def _serve(job: CommandJob, count: int) -> float:
    port = _Port(job, count)
    with tempfile.TemporaryDirectory() as directory:
        options = CommandWorkerOptions("bench", _SLOTS, Path(directory) / "work", environment=dict(os.environ))
        worker = CommandWorker(port, _NoTrees(), options)
        began = time.perf_counter()
        serving = asyncio.create_task(worker.serve())
        await port.ended.wait()
        took_s = time.perf_counter() - began
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
    return took_s
