"""A million queued jobs: how long they take to submit, to be there again after a restart, to be claimed, and to be cancelled."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from bench.exchange import Caller
from bench.farm import serving
from bench.report import Figure
from outspread.client.http_controller import HttpController
from outspread.controller.command_values import CommandJob, CommandRun

_JOBS: Final = 1_000_000
_FEW: Final = 1000
_BESIDE: Final = 50_000
_CALLS: Final = 500


def _run(run_id: str, jobs: int) -> CommandRun:
    return CommandRun(run_id, "bench", tuple(CommandJob(f"j{number}", ("true",)) for number in range(jobs)))


async def _submit(url: str, run: CommandRun) -> float:
    async with HttpController(url) as controller:
        began = time.perf_counter()
        await controller.submit_commands(run)
        return time.perf_counter() - began


def _submitted_s(url: str) -> float:
    return asyncio.run(_submit(url, _run("million", _JOBS)))


async def _claim_s(url: str, goes_on: Callable[[int], bool] = lambda calls: calls < _CALLS) -> list[float]:
    """Return how long calls take that report a job and are given another."""
    took: list[float] = []
    async with HttpController(url) as controller:
        caller = Caller(controller, f"w{time.monotonic_ns()}")
        await caller.call()
        while goes_on(len(took)):
            began = time.perf_counter()
            await caller.call(ended=caller.holding)
            took.append(time.perf_counter() - began)
        await caller.leave()
    return took


async def _cancel(url: str, run_id: str) -> float:
    async with HttpController(url) as controller:
        began = time.perf_counter()
        await controller.cancel(run_id, "enough")
        return time.perf_counter() - began


def million(bin_dir: Path) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="outspread-bench-", dir=Path.cwd()) as directory:
        state = Path(directory)
        with serving(bin_dir, state=state) as farm:
            asyncio.run(_submit(farm.url, _run("few", _FEW)))
            few_s = statistics.median(asyncio.run(_claim_s(farm.url)))
            asyncio.run(_cancel(farm.url, "few"))
            asyncio.run(_submit(farm.url, _run("beside", _BESIDE)))
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as elsewhere:
                submission = elsewhere.submit(_submitted_s, farm.url)
                beside = sorted(asyncio.run(_claim_s(farm.url, lambda _: not submission.done())))
                yield Figure("1,000,000 jobs: submit", submission.result(), "s", bound=30.0)
            note = f"p99 {beside[int(len(beside) * 0.99)] * 1000:.0f} ms, longest {beside[-1] * 1000:.0f} ms"
            yield Figure("1,000,000 jobs: a call while they come in", statistics.median(beside) * 1000, "ms", note=note)
            asyncio.run(_cancel(farm.url, "beside"))
            note = f"while they came in {farm.memory_mb('VmHWM'):,.0f} MB"
            yield Figure("1,000,000 jobs: the controller's memory", farm.memory_mb("VmRSS"), "MB", bound=1024.0, note=note)
        began = time.perf_counter()
        with serving(bin_dir, state=state) as farm:
            yield Figure("1,000,000 jobs: restart", time.perf_counter() - began, "s", bound=30.0)
            yield Figure("1,000,000 jobs: its memory after that", farm.memory_mb("VmRSS"), "MB", bound=1024.0)
            took = sorted(asyncio.run(_claim_s(farm.url)))
            ratio = statistics.median(took) / few_s
            yield Figure("1,000,000 jobs: a call, to that with 1,000", ratio, "x", bound=1.2, note=f"{few_s * 1000:.2f} ms")
            yield Figure("1,000,000 jobs: a call, p99", took[int(len(took) * 0.99)] * 1000, "ms", bound=50.0)
            yield Figure(
                "1,000,000 jobs: cancel them all, until it is answered", asyncio.run(_cancel(farm.url, "million")), "s", bound=1.0
            )
