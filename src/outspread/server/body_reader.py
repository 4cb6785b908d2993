"""Reading the body of a request, in bounded room and time."""

import asyncio
import time
from typing import Final

from outspread.server.asgi import Message, Receive, Scope, header
from outspread.server.problem import Code, ProblemError

#: A body has so long, and a second more for every so many bytes that came.
BODY_GRACE_S: Final = 30.0
SLOWEST_BYTES_A_SECOND: Final = 4096


class ClientGoneError(Exception):
    """Nobody is there to be answered."""


async def read_body(scope: Scope, receive: Receive, *, limit_bytes: int, grace_s: float = BODY_GRACE_S) -> bytes:
    """Return the whole body. ProblemError for one that is too large or comes too slowly."""
    refuse_large(scope, limit_bytes)
    message = await patiently(receive, grace_s)
    if not message.get("more_body", False):  # as almost always
        whole: bytes = message.get("body", b"")
        if len(whole) > limit_bytes:
            raise _too_large(limit_bytes)
        return whole
    began = time.monotonic()
    body = bytearray(message.get("body", b""))
    while message.get("more_body", False):
        left_s = began + grace_s + len(body) / SLOWEST_BYTES_A_SECOND - time.monotonic()
        message = await patiently(receive, min(grace_s, left_s))
        body += message.get("body", b"")
        if len(body) > limit_bytes:
            raise _too_large(limit_bytes)
    return bytes(body)


async def patiently(receive: Receive, wait_s: float) -> Message:
    """Return the next part of a body. ProblemError when it does not come in time, ClientGoneError when it never will."""
    try:
        async with asyncio.timeout(wait_s):
            message = await receive()
    except TimeoutError as error:
        raise ProblemError(Code.TOO_SLOW, "cannot wait longer for the rest of the request") from error
    if message["type"] == "http.disconnect":
        raise ClientGoneError
    return message


def refuse_large(scope: Scope, limit_bytes: int) -> None:
    """Raise ProblemError for a body that says itself that it is too large."""
    told = header(scope, b"content-length")
    if told.isdecimal() and int(told) > limit_bytes:
        raise _too_large(limit_bytes)


def _too_large(limit_bytes: int) -> ProblemError:
    return ProblemError(Code.TOO_LARGE, f"cannot take more than {limit_bytes} bytes in one request")
