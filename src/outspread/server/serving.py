"""A controller from its first moment to its last: record, store, API and housekeeping, wired."""

import asyncio
import contextlib
import gc
import os
import resource
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Final

from msgspec import Struct
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

from outspread.controller.farm.farm_controller import FarmController
from outspread.controller.farm.farm_ledger import FarmLedger
from outspread.errors import InfrastructureError, OutspreadError
from outspread.server.answer import send_problem
from outspread.server.api import Doors, http_api
from outspread.server.asgi import App, Receive, Scope, Send
from outspread.server.farm_metrics import FarmMetrics
from outspread.server.gate import Gate
from outspread.server.housekeeping import clean, note_token_use
from outspread.server.http_server import serving_http
from outspread.server.problem import Code, ProblemError
from outspread.server.settings import ListenAddress, Settings
from outspread.server.store_door import store_door
from outspread.server.token_book import TokenBook
from outspread.store.digest import Digest
from outspread.store.disk_store import DiskStore

#: Looking through all objects for cycles takes a tenth of a second on a farm that is busy, and for that long nobody is answered.
#: What lives long here has none.
_COLLECTIONS: Final = (10_000, 10, 100_000)
#: What is left to be written has so long, when a controller stops.
_CLOSES_WITHIN_S: Final = 2.0


class Served(Struct, frozen=True):
    """A controller that serves, for whoever works beside it in the same process."""

    url: str
    controller: FarmController
    store: DiskStore


#: What runs beside a controller for as long as it serves, such as a worker. Is left before the controller stops.
Companion = Callable[[Served], AbstractAsyncContextManager[None]]


async def serve(settings: Settings, *, ready: Callable[[str], None], companion: Companion | None = None) -> None:
    """Be a controller until SIGTERM or SIGINT. ``ready`` is told the URL once all is there.

    InfrastructureError when the address or the state cannot be had.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        async with serving(settings) as served, contextlib.nullcontext() if companion is None else companion(served):
            ready(served.url)
            await stop.wait()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@asynccontextmanager
async def serving(settings: Settings, *, wall: Callable[[], float] = time.time) -> AsyncIterator[Served]:
    """Serve a controller meanwhile. In the end, who waits is answered, and what was said is written."""
    _raise_file_limit()
    gc.set_threshold(*_COLLECTIONS)
    async with AsyncExitStack() as stack:
        listening = stack.enter_context(_listen(settings.listen))
        url = _url(listening)
        book = stack.enter_context(TokenBook(settings.state))
        store = stack.enter_context(DiskStore(settings.state / "store"))
        entrance = _Entrance()
        # Requests outlive the controller: it answers those that wait when it is closed.
        await stack.enter_async_context(serving_http(entrance.app, listening))
        ledger = FarmLedger(settings.state, wall=wall)
        controller = FarmController(ledger, wall=wall, policy=settings.policy, missing_trees=_missing_in(store))
        await controller.open()
        stack.push_async_callback(_close, controller)
        gate = Gate(book, require_token=settings.require_token, wall=wall)
        entrance.open(
            http_api(
                Doors(
                    controller=controller,
                    gate=gate,
                    registry=_registry(controller),
                    why_not_ready=lambda: ledger.fault,
                    is_stopping=lambda: not entrance.is_open,
                    blobs=store_door(store, gate.check),
                )
            )
        )
        stack.callback(entrance.close)
        cleaning = clean(controller, store, keep_runs_s=settings.keep_runs_s, wall=wall)
        async with _meanwhile(note_token_use(gate, settings.state), cleaning, ledger.until_broken()):
            yield Served(url, controller, store)


class _Entrance:
    """Refuses who comes before the doors are open, or when they are closing. Such clients come again."""

    def __init__(self) -> None:
        self._inside: App | None = None

    @property
    def is_open(self) -> bool:
        return self._inside is not None

    def open(self, inside: App) -> None:
        self._inside = inside

    def close(self) -> None:
        self._inside = None

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._inside is None:
            headers = (("retry-after", "1"),)
            await send_problem(
                send, ProblemError(Code.UNAVAILABLE, "cannot serve now: not yet, or not any more", headers=headers), close=True
            )
        else:
            await self._inside(scope, receive, send)


@asynccontextmanager
async def _meanwhile(*duties: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Have duties done until this is left; one that fails ends it."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(duty) for duty in duties]
            yield
            for task in tasks:
                task.cancel()
    except ExceptionGroup as errors:
        first = errors.exceptions[0]
        if isinstance(first, OutspreadError):
            raise first from None
        raise


async def _close(controller: FarmController) -> None:
    with contextlib.suppress(TimeoutError):  # what cannot be written was not acknowledged: it is said again
        async with asyncio.timeout(_CLOSES_WITHIN_S):
            await controller.close()


def _listen(address: ListenAddress) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family)
    except OSError as error:
        why = (
            error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        )  # without Python's own words
        raise InfrastructureError(
            f"cannot listen on {address.host}:{address.port}: {why}",
            hint="is another controller running? --listen 127.0.0.1:0 takes a port that is free",
        ) from error


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _missing_in(store: DiskStore) -> Callable[[set[str]], Awaitable[set[str]]]:
    async def missing(trees: set[str]) -> set[str]:
        return {str(digest) for digest in await store.find_missing([Digest.parse(tree) for tree in trees])}

    return missing


def _registry(controller: FarmController) -> CollectorRegistry:
    registry = CollectorRegistry()
    for collector in (FarmMetrics(controller.current_figures), ProcessCollector(registry=None), PlatformCollector(registry=None)):
        registry.register(collector)
    return registry


def _raise_file_limit() -> None:
    """Let this process have as many connections as it may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
