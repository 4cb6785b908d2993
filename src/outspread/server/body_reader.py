"""Reading the body of a request, in bounded room and time."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final

from outspread.server.asgi import Message, Receive, Scope, header
from outspread.server.problem import Code, ProblemError

#: A body has so long, and a second more for every so many bytes that came.
BODY_GRACE_S: Final = 30.0
SLOWEST_BYTES_A_SECOND: Final = 4096


class ClientGoneError(Exception):
    """Nobody is there to be answered."""


class BodyReader:
    """One body. ProblemError when it does not come in time, ClientGoneError when it never will."""

    def __init__(self, scope: Scope, receive: Receive, *, grace_s: float = BODY_GRACE_S) -> None:
        self.is_over = False  # all of it was read
        self._scope = scope
        self._receive = receive
        self._grace_s = grace_s
        self._until = time.monotonic() + grace_s

    async def message(self) -> Message:
        """Return its next part as it came."""
        try:
            async with asyncio.timeout(min(self._grace_s, self._until - time.monotonic())):
                message = await self._receive()
        except TimeoutError as error:
            raise ProblemError(Code.TOO_SLOW, "cannot wait longer for the rest of the request") from error
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        self._until += len(message.get("body", b"")) / SLOWEST_BYTES_A_SECOND
        self.is_over = not message.get("more_body", False)
        return message

    async def pieces(self) -> AsyncIterator[bytes]:
        """Return what is left of it, as it comes."""
        while not self.is_over:
            if piece := (await self.message()).get("body", b""):
                yield piece

    async def whole(self, limit_bytes: int) -> bytes:
        """Return all of it; ProblemError when it is larger."""
        told = header(self._scope, b"content-length")
        if told.isdecimal() and int(told) > limit_bytes:
            raise _too_large(limit_bytes)
        body: bytes | bytearray = (await self.message()).get("body", b"")
        if not self.is_over:
            body = bytearray(body)
            async for piece in self.pieces():
                body += piece
                if len(body) > limit_bytes:
                    raise _too_large(limit_bytes)
        if len(body) > limit_bytes:
            raise _too_large(limit_bytes)
        return bytes(body)


def _too_large(limit_bytes: int) -> ProblemError:
    return ProblemError(Code.TOO_LARGE, f"cannot take more than {limit_bytes} bytes in one request")
