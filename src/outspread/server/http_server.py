"""uvicorn, as a controller wants it: without signal handlers of its own, and patient with nobody.

uvicorn bounds neither the time nor the room that headers may take.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from typing import Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from outspread.server.asgi import App

#: From the beginning of a connection, or of a request, until its headers are there.
HEADERS_WITHIN_S: Final = 10.0
HEADERS_LIMIT_BYTES: Final = 64 * 1024
#: How long a connection without a request is kept.
IDLE_S: Final = 75.0
#: How long requests have to end when the server does.
STOPS_WITHIN_S: Final = 2
_BACKLOG: Final = 2048


class PunctualProtocol(HttpToolsProtocol):
    """One connection, which ends when headers do not come in time or are too long."""

    _deadline: asyncio.TimerHandle | None = None
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._have_headers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._deadline is not None:
            self._header_bytes += len(data)
            if self._header_bytes > HEADERS_LIMIT_BYTES:
                self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_headers()

    def on_headers_complete(self) -> None:
        self._have_headers()
        super().on_headers_complete()

    def _expect_headers(self) -> None:
        if self._deadline is None:
            self._header_bytes = 0
            self._deadline = self.loop.call_later(HEADERS_WITHIN_S, self.transport.close)

    def _have_headers(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.has_begun = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.has_begun.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to the program."""
        yield


@asynccontextmanager
async def serving_http(app: App, listening: socket.socket) -> AsyncIterator[None]:
    """Serve ``app`` meanwhile; in the end, requests that are not over soon are cancelled. Closes the socket."""
    # Connections inherit it; asyncio would set it on those of its own sockets only. Without it, each answer takes 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        app,
        http=PunctualProtocol,
        interface="asgi3",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=round(IDLE_S),
        timeout_graceful_shutdown=STOPS_WITHIN_S,
        backlog=_BACKLOG,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await server.has_begun.wait()
        yield
    finally:
        server.should_exit = True
        await running
