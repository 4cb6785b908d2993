"""The HTTP API as one ASGI application: the doors, and which request goes through which.

Exchange and store are plain ASGI; everything else is Litestar's, with its description at ``/api/v1/openapi.json``.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from litestar import Litestar, Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from msgspec import Struct
from prometheus_client import CollectorRegistry

from outspread import __version__
from outspread.controller.command_port import CommandPort
from outspread.controller.exchange_wire import EXCHANGE_PATH
from outspread.controller.port import FarmWorkerPort
from outspread.server.answer import send_problem
from outspread.server.api_limits import REQUEST_LIMIT_BYTES, SLOWEST_TAKER_S
from outspread.server.asgi import App, Message, Receive, Scope, Send
from outspread.server.attempt_routes import attempt_routes
from outspread.server.body_reader import BodyReader, ClientGoneError
from outspread.server.description_routes import description_routes
from outspread.server.event_routes import event_routes
from outspread.server.exchange_door import exchange_door
from outspread.server.gate import Gate, Right
from outspread.server.health_routes import health_routes
from outspread.server.litestar_parts import allow, tell_error
from outspread.server.open_streams import OpenStreams
from outspread.server.problem import Code, ProblemError
from outspread.server.record_routes import record_routes
from outspread.server.run_routes import run_routes
from outspread.server.worker_routes import worker_routes

API_PATH: Final = "/api/v1"
BLOBS_PATH: Final = f"{API_PATH}/blobs"


class FarmPort(FarmWorkerPort, CommandPort, Protocol):
    """All that a controller does for those who call over HTTP."""


class Doors(Struct, frozen=True, kw_only=True):
    """What the API needs. ``blobs`` is the store's door, which asks the gate itself; without it there is no store.

    Streams end when ``is_stopping``; their readers come back.
    """

    controller: FarmPort
    gate: Gate
    registry: CollectorRegistry
    why_not_ready: Callable[[], str] = lambda: ""
    is_stopping: Callable[[], bool] = lambda: False
    blobs: App | None = None


def http_api(doors: Doors) -> App:
    """Return the application."""
    exchange = exchange_door(doors.controller, doors.gate)
    described: App = api_handlers(doors)  # type: ignore[assignment] # its own types of the same things

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"cannot serve {scope['type']}: this speaks HTTP only")
        path: str = scope["path"]
        if path == EXCHANGE_PATH:
            await exchange(scope, receive, send)
            return
        taker = _Taker(send)
        try:
            if path.startswith(f"{BLOBS_PATH}/"):
                if doors.blobs is None:
                    await send_problem(send, ProblemError(Code.NOT_FOUND, "cannot find this: there is no store here"), close=True)
                else:
                    await doors.blobs(scope, receive, taker.send)
            else:
                await described(scope, _Giver(scope, receive).receive, taker.send)
        except (ClientGoneError, _SlowTakerError):
            return  # the connection ends with the answer as it is

    return app


def api_handlers(doors: Doors) -> Litestar:
    """Return what is behind the doors that are described."""
    controller, gate, streams = doors.controller, doors.gate, OpenStreams()
    handlers = [
        *run_routes(controller, gate),
        *event_routes(controller, doors.is_stopping, streams),
        *attempt_routes(controller, doors.is_stopping, streams),
        *worker_routes(controller, gate),
        *record_routes(controller),
        *description_routes(),
    ]
    return Litestar(
        [Router(API_PATH, route_handlers=handlers), *health_routes(doors.why_not_ready, doors.registry)],
        guards=[allow(gate, Right.READ)],
        exception_handlers={Exception: tell_error},
        request_max_body_size=REQUEST_LIMIT_BYTES,
        openapi_config=OpenAPIConfig(
            "Outspread",
            __version__,
            description="Runs of command jobs, and the workers that carry them.",
            path=f"{API_PATH}/openapi",  # Litestar wants a tree of its own for this; ours is openapi.json
            render_plugins=[JsonRenderPlugin()],
        ),
        logging_config=None,
    )


class _SlowTakerError(Exception):
    """Who asked does not take the answer."""


class _Taker:
    """Sends an answer to those who take it."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def send(self, message: Message) -> None:
        try:
            async with asyncio.timeout(SLOWEST_TAKER_S):
                await self._send(message)
        except TimeoutError as error:
            raise _SlowTakerError from error


class _Giver:
    """Receives a body from those who give it. Afterwards, waiting for the end of the connection may take as long as it likes."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._body = BodyReader(scope, receive)
        self._receive = receive

    async def receive(self) -> Message:
        return await (self._receive() if self._body.is_over else self._body.message())
