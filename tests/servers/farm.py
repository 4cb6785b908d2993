"""A farm for tests: a controller on its real record, directly or through its doors, and a worker's calls."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry
from tests.servers.served import served

from outspread.client.http_controller import HttpController
from outspread.controller.command_port import CommandPort
from outspread.controller.command_values import AttemptEnd, AttemptLogPiece, CommandJob, CommandNews, CommandOrders
from outspread.controller.exchange_values import Exchange
from outspread.controller.farm.farm_controller import FarmController
from outspread.controller.farm.farm_ledger import FarmLedger
from outspread.controller.port import WorkerPort
from outspread.server.api import Doors, http_api
from outspread.server.asgi import App, Message, Receive, Scope, Send
from outspread.server.gate import Gate
from outspread.server.token_book import TokenBook


class Port(WorkerPort, CommandPort, Protocol):
    """What workers and clients see of a controller."""


@asynccontextmanager
async def direct_farm(directory: Path) -> AsyncIterator[FarmController]:
    """Give a controller in this process."""
    controller = FarmController(FarmLedger(directory, wall=time.time))
    await controller.open()
    try:
        yield controller
    finally:
        await controller.close()


@asynccontextmanager
async def served_farm(directory: Path, *, repeated: int | None = None, require_token: bool = False) -> AsyncIterator[str]:
    """Serve a controller; give its URL. ``repeated`` is the seed of a network that delivers each call three times."""
    async with AsyncExitStack() as stack:
        controller = await stack.enter_async_context(direct_farm(directory))
        book = stack.enter_context(TokenBook(directory))
        gate = Gate(book, require_token=require_token)
        app = http_api(Doors(controller=controller, gate=gate, registry=CollectorRegistry()))
        yield await stack.enter_async_context(served(app if repeated is None else repeating(app, repeated)))


@asynccontextmanager
async def distant_farm(directory: Path, *, repeated: int | None = None) -> AsyncIterator[HttpController]:
    """Give a controller seen over HTTP."""
    async with served_farm(directory, repeated=repeated) as url, HttpController(url) as controller:
        yield controller


def repeating(app: App, seed: int) -> App:
    """Return ``app`` behind a network that delivers each call three times, now and again after calls that were made later."""
    chance = random.Random(seed)
    earlier: list[tuple[Scope, bytes]] = []

    async def repeat(scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        message: Message = {"more_body": True}
        while message.get("more_body"):
            message = await receive()
            body += message.get("body", b"")
        answers: list[list[Message]] = [[], [], []]
        calls = [app(dict(scope), _said(body), _kept_in(answer)) for answer in answers]
        await asyncio.gather(*calls)
        for message in chance.choice(answers):
            await send(message)
        chance.shuffle(earlier)
        again = [earlier.pop() for _ in range(min(len(earlier), chance.randrange(3)))]
        earlier.append((scope, body))
        for old_scope, old_body in again:
            late = asyncio.ensure_future(app(dict(old_scope), _said(old_body), _kept_in([])))
            await asyncio.wait([late], timeout=0.02)
            late.cancel()  # one that waits: whoever it came from is not told
            await asyncio.wait([late])

    return repeat


def _said(body: bytes) -> Receive:
    said = False

    async def receive() -> Message:
        nonlocal said
        if said:
            await asyncio.Event().wait()
        said = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _kept_in(answer: list[Message]) -> Send:
    async def send(message: Message) -> None:
        answer.append(message)

    return send


def jobs(*names: str, retries: int = 0) -> tuple[CommandJob, ...]:
    return tuple(CommandJob(name=name, command=("x",), retries=retries) for name in names)


class Caller:
    """A worker's calls."""

    def __init__(self, port: WorkerPort, name: str = "ann", *, slots: int = 1, dimensions: dict[str, str] | None = None) -> None:
        self.port = port
        self.name = name
        self.slots = slots
        self.dimensions = dimensions or {}
        self.sequence = 0
        self.holding: set[int] = set()

    async def call(
        self,
        *,
        begun: tuple[int, ...] = (),
        ended: tuple[AttemptEnd, ...] = (),
        pieces: tuple[AttemptLogPiece, ...] = (),
        free: int | None = None,
        wait_s: float = 0.0,
    ) -> CommandOrders:
        self.sequence += 1
        self.holding -= {end.fence for end in ended}
        news = CommandNews(
            incarnation=self.name,
            sequence=self.sequence,
            slots=self.slots,
            free=self.slots - len(self.holding) if free is None else free,
            dimensions=self.dimensions,
            holding=tuple(self.holding),
            begun=begun,
            ended=ended,
            pieces=pieces,
        )
        orders = (await self.port.exchange(Exchange(self.name, 0, wait_s=wait_s, commands=news))).commands
        assert orders is not None
        self.holding |= {claim.fence for claim in orders.claims}
        return orders
