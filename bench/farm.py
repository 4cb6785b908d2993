"""A farm of one host, as ``outspread up`` is: what a job costs beyond the spawning itself, everything durable and over HTTP."""

import asyncio
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from bench.report import Figure
from outspread.client.http_controller import HttpController
from outspread.controller.command_values import CommandJob, CommandRun, CommandRunStatus

_JOBS = 10_000
_SLOTS = 2
_SLEEP_S = 0.05
_SLEEPS = 400
_SINGLE = 60
_ROUNDS = 3

#: The floor: two plain processes, each spawning one program after another.
_FLOOR = """
import os, sys
for _ in range(int(sys.argv[1])):
    os.waitpid(os.posix_spawn("/bin/true", ["true"], os.environ), 0)
"""


class _Cost(Struct, frozen=True):
    wall_s: float
    cpu_s: float


class _Farm:
    """``outspread up`` in a directory of its own. ``cpu_s`` is known when it has ended."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.url = url
        self.cpu_s = 0.0
        self._process = process

    def memory_mb(self, figure: str) -> float:
        """Return what ``/proc`` says: ``VmRSS`` for now, ``VmHWM`` for the most it ever was."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition(f"{figure}:")[2].split()[0]) / 1024

    def end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_s = usage.ru_utime + usage.ru_stime


@contextmanager
def _up(bin_dir: Path) -> Iterator[_Farm]:
    with serving(bin_dir, "up", "--slots", str(_SLOTS)) as farm:
        yield farm


@contextmanager
def serving(bin_dir: Path, *words: str, state: Path | None = None) -> Iterator[_Farm]:
    """Have a controller of its own meanwhile: ``outspread serve`` unless other words are given."""
    with tempfile.TemporaryDirectory(prefix="outspread-bench-") as directory:
        environment = {
            **os.environ,
            "OUTSPREAD_CONTROLLER_STATE": str(state or f"{directory}/state"),
            "XDG_CACHE_HOME": f"{directory}/cache",
        }
        command = [str(bin_dir / "outspread"), *(words or ("serve",)), "--listen", "127.0.0.1:0"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found is not None
            farm = _Farm(process, found[0].rstrip(","))
            try:
                yield farm
            finally:
                farm.end()


async def _run(url: str, run_id: str, jobs: tuple[CommandJob, ...]) -> CommandRunStatus:
    async with HttpController(url) as controller:
        await controller.submit_commands(CommandRun(run_id, "bench", jobs))
        cursor = 0
        while True:
            progress = await controller.progress(run_id, cursor=cursor, wait_s=20)
            cursor = progress.cursor
            if progress.status.state != "running":
                assert progress.status.counts.passed == len(jobs)
                return progress.status


def _took_s(status: CommandRunStatus) -> float:
    assert status.finished_at is not None
    return status.finished_at - status.submitted_at


async def _single(url: str) -> list[float]:
    """Return the seconds from submitting one job to its result in the client's hands."""
    took: list[float] = []
    async with HttpController(url) as controller:
        for number in range(_SINGLE):
            run_id = f"single-{number}"
            began = time.perf_counter()
            await controller.submit_commands(CommandRun(run_id, "bench", (CommandJob("true", ("true",)),)))
            while (await controller.progress(run_id, cursor=0, wait_s=10)).status.state == "running":
                pass
            took.append(time.perf_counter() - began)
    return took


def _floor() -> _Cost:
    began, before = time.perf_counter(), os.times()
    processes = [subprocess.Popen([sys.executable, "-c", _FLOOR, str(_JOBS // _SLOTS)]) for _ in range(_SLOTS)]
    for process in processes:
        process.wait()
    after = os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return _Cost(time.perf_counter() - began, cpu_s)


def _trues(bin_dir: Path, idle_cpu_s: float) -> _Cost:
    jobs = tuple(CommandJob(f"j{number}", ("true",)) for number in range(_JOBS))
    with _up(bin_dir) as farm:
        wall_s = _took_s(asyncio.run(_run(farm.url, "trues", jobs)))
    return _Cost(wall_s, farm.cpu_s - idle_cpu_s)


def farm(bin_dir: Path) -> Iterator[Figure]:
    """Yield what jobs cost, each beside a floor taken in the same round."""
    with _up(bin_dir) as idle:
        pass
    floors, farms = [], []
    for _ in range(_ROUNDS):
        floors.append(_floor())
        farms.append(_trues(bin_dir, idle.cpu_s))
    floor_s = statistics.median(cost.wall_s for cost in floors)
    farm_s = statistics.median(cost.wall_s for cost in farms)
    cpu_ms = statistics.median((ours.cpu_s - floor.cpu_s) / _JOBS * 1000 for ours, floor in zip(farms, floors, strict=True))
    yield Figure("floor: 10,000 spawns by two plain processes", floor_s, "s", note=f"{_JOBS / floor_s:,.0f}/s")
    note = f"{_JOBS / farm_s:,.0f} jobs/s; of 2,400 at the floor: procrastinate 307, Ray 717 without durability"
    yield Figure("10,000 jobs `true`, two slots, to the floor", farm_s / floor_s, "x", bound=2400 / 900, note=note)
    yield Figure("CPU a job beyond the floor", cpu_ms, "ms", bound=1.0, note="Ray 1.3, Dask 2.2, dist_test 16")
    with _up(bin_dir) as up:
        sleeps = tuple(CommandJob(f"s{number}", ("sleep", str(_SLEEP_S))) for number in range(_SLEEPS))
        took_s = statistics.median(_took_s(asyncio.run(_run(up.url, f"sleeps{n}", sleeps))) for n in range(_ROUNDS))
        overhead = took_s / (_SLEEPS * _SLEEP_S / _SLOTS)
        single_s = statistics.median(asyncio.run(_single(up.url))[5:])
    yield Figure("jobs `sleep 0.05`, to the ideal", overhead, "x", bound=1.06, note="floor 1.036, Dask 1.08, Ray 1.10")
    yield Figure("one job, from submitting to its result, p50", single_s * 1000, "ms", bound=15, note="Ray 5.2, dist_test 24")
