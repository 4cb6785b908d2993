"""A controller by itself: how many jobs pass through ``exchange``, durably, and how long a call takes on a large farm."""

import asyncio
import itertools
import logging
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp

from bench.farm import serving
from bench.report import Figure
from outspread.client.http_controller import HttpController
from outspread.controller.command_values import AttemptEnd, CommandJob, CommandNews, CommandOrders, CommandRun
from outspread.controller.exchange_values import Exchange, Orders
from outspread.controller.exchange_wire import EXCHANGE_PATH, MESSAGE_PACK, decode_orders, encode_exchange
from outspread.controller.farm.farm_controller import FarmController
from outspread.controller.farm.farm_ledger import FarmLedger
from outspread.controller.port import WorkerPort
from outspread.controller.values import Outcome

_JOBS: Final = 30_000
_CALLERS: Final = 100
_CROWD: Final = 1000
_JOB_S: Final = 1.0
_MEASURED_S: Final = 15.0
_SETTLES_S: Final = 4.0


class Caller:
    """A worker that does nothing but call. Its jobs are long enough that it is given no more than it has slots for."""

    def __init__(self, port: WorkerPort, name: str, *, slots: int = 1) -> None:
        self._port = port
        self._name = name
        self._slots = slots
        self._sequence = itertools.count(1)
        self.holding: tuple[int, ...] = ()

    async def call(self, *, ended: tuple[int, ...] = (), begun: tuple[int, ...] = (), wait_s: float = 0.0) -> CommandOrders:
        held = tuple(fence for fence in self.holding if fence not in ended)
        news = CommandNews(
            incarnation="1",
            sequence=next(self._sequence),
            slots=self._slots,
            free=self._slots - len(held),
            holding=held,
            begun=begun,
            ended=tuple(AttemptEnd(fence, Outcome.PASSED, run_s=_JOB_S, exit_code=0) for fence in ended),
        )
        orders = (await self._port.exchange(Exchange(self._name, 0, wait_s=wait_s, commands=news))).commands
        assert orders is not None
        self.holding = (*held, *(claim.fence for claim in orders.claims))
        return orders

    async def leave(self) -> None:
        """Say the last word: what it holds goes back."""
        news = CommandNews("1", next(self._sequence), self._slots, 0, returned=self.holding, leaving=True)
        await self._port.exchange(Exchange(self._name, 0, commands=news))


class _HttpPort:
    """As of the real worker, without its repeating: a call that fails is to be seen here."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url + EXCHANGE_PATH

    async def exchange(self, call: Exchange) -> Orders:
        headers = {"content-type": MESSAGE_PACK}
        async with self._session.post(self._url, data=encode_exchange(call), headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return decode_orders(await answer.read())


@asynccontextmanager
async def _controller() -> AsyncIterator[FarmController]:
    with tempfile.TemporaryDirectory(prefix="outspread-bench-", dir=Path.cwd()) as directory:
        controller = FarmController(FarmLedger(Path(directory), wall=time.time))
        await controller.open()
        yield controller
        await controller.close()


def _run(jobs: int) -> CommandRun:
    return CommandRun("r", "bench", tuple(CommandJob(f"j{number}", ("true",)) for number in range(jobs)))


async def _jobs_a_second(per_call: int) -> float:
    """Have workers end so many jobs in each call and take as many, until none is left."""

    async def work(worker: Caller) -> None:
        await worker.call()
        while worker.holding:
            await worker.call(ended=worker.holding)

    async with _controller() as controller:
        await controller.submit_commands(_run(_JOBS))
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(_CALLERS):
                group.create_task(work(Caller(controller, f"w{number}", slots=per_call)))
        took_s = time.perf_counter() - began
        assert (await controller.progress("r")).status.counts.passed == _JOBS
    return _JOBS / took_s


async def _latencies(url: str) -> list[float]:
    """Return how long calls took that told the end of a job and were answered with the next, on a farm of a thousand workers."""
    took: list[float] = []
    dice = random.Random(1)
    over_at = time.perf_counter() + _SETTLES_S + _MEASURED_S

    async def listen(worker: Caller) -> None:
        while True:
            await worker.call(wait_s=20.0)

    async def work(worker: Caller, number: int) -> None:
        await asyncio.sleep(number / _CROWD * _JOB_S)
        await worker.call()
        listening = asyncio.create_task(listen(worker))
        while time.perf_counter() < over_at:
            await worker.call(begun=worker.holding)
            await asyncio.sleep(dice.uniform(0.5, 1.5) * _JOB_S)  # in step they would come all at once
            began = time.perf_counter()
            await worker.call(ended=worker.holding)
            if over_at - _MEASURED_S < began < over_at:
                took.append(time.perf_counter() - began)
        listening.cancel()

    async with HttpController(url) as controller:
        await controller.submit_commands(_run(int(_CROWD * (_SETTLES_S + _MEASURED_S + 5) / _JOB_S)))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, asyncio.TaskGroup() as group:
        port = _HttpPort(session, url)
        for number in range(_CROWD):
            group.create_task(work(Caller(port, f"w{number}"), number))
    return took


def exchange(bin_dir: Path) -> Iterator[Figure]:
    """Yield how fast jobs pass, and how long one call takes."""
    logging.getLogger("outspread").setLevel(logging.WARNING)
    for per_call, least in ((1, 3000), (10, 10_000)):
        a_second = statistics.median(asyncio.run(_jobs_a_second(per_call)) for _ in range(3))
        name = f"{per_call} job{'s' * (per_call > 1)} a call, {_CALLERS} callers, durable: microseconds a job"
        yield Figure(name, 1e6 / a_second, "us", bound=1e6 / least, note=f"{a_second:,.0f} jobs/s")
    with serving(bin_dir) as farm:
        took = sorted(asyncio.run(_latencies(farm.url)))
    rate = len(took) / _MEASURED_S
    for share, bound in ((0.5, None), (0.99, 100.0)):
        milliseconds = took[int(len(took) * share)] * 1000
        name = f"a call of {_CROWD:,} workers over HTTP, p{share * 100:.0f}"
        yield Figure(name, milliseconds, "ms", bound=bound, note=f"{rate:,.0f} jobs/s")
