"""The store over HTTP, as a plain ASGI application: what is below ``/api/v1/blobs``. Its other side is ``store.remote_store``.

    POST /missing          digests -> those that are not there
    POST /packed           small blobs, stored together
    POST /read             digests -> a pack of those that are there
    GET, HEAD HASH/SIZE    one blob; ``Range: bytes=N-`` goes on; of an absent one, ``Upload-Offset`` says how much is kept
    PUT HASH/SIZE          one blob, from ``Upload-Offset`` on

Mount it there, or at the root. Who may do what is for ``authorize`` to say.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from enum import StrEnum
from typing import Final

from msgspec import Struct

from outspread.errors import OutspreadError, UserError
from outspread.server.asgi import App, Receive, Scope, Send
from outspread.server.problem import CODES, Problem, problem_body
from outspread.store.contract import Store
from outspread.store.digest import Digest
from outspread.store.errors import BlobMissingError, OffsetError, StoreError, StoreFullError, WrongContentError
from outspread.store.wire import (
    BLOBS_PATH,
    DIGESTS_A_CALL,
    LARGEST_PACK_BYTES,
    OFFSET_HEADER,
    pack_blobs,
    pack_digests,
    unpack_blobs,
)

_log = logging.getLogger(__name__)

#: A sender that says nothing for so long is taken for gone.
_SILENCE_S: Final = 60.0
_RANGE: Final = re.compile(r"bytes=(\d{1,19})-(\d{1,19})?", re.ASCII)
_NUMBER: Final = re.compile(r"\d{1,19}", re.ASCII)
_WHOLE_BODY_TYPE: Final = b"application/octet-stream"


class Access(StrEnum):
    READ = "read"
    WRITE = "write"


class Refusal(Struct, frozen=True):
    """``status`` is 401, 403 or 429."""

    status: int
    reason: str


#: Returns why a request may not do something, None if it may. Gets the ASGI scope, with headers and the client's address.
Authorize = Callable[[Scope, Access], Awaitable[Refusal | None]]


class _AnswerError(Exception):
    """The answer to a request that cannot be met."""

    def __init__(self, status: int, detail: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


class _ClientGoneError(Exception):
    """Nobody is there to be answered."""


def store_door(store: Store, authorize: Authorize) -> App:
    """Return the application."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"cannot serve {scope['type']}: the store speaks HTTP only")
        request = _Request(scope, receive, send)
        try:
            await _serve(store, authorize, request)
        except _ClientGoneError:
            return
        except _AnswerError as error:
            await request.fail(error.status, error.detail, *error.headers)
        except OutspreadError as error:
            await request.fail(_status(error), error.message, *_told_offset(error))

    return app


async def _serve(store: Store, authorize: Authorize, request: "_Request") -> None:
    action = _ACTIONS.get((request.method, request.path))
    access = Access.WRITE if request.method == "PUT" or action is _put_packed else Access.READ
    if refusal := await authorize(request.scope, access):
        challenge = [(b"www-authenticate", b"Bearer")] if refusal.status == 401 else []
        raise _AnswerError(refusal.status, refusal.reason, *challenge)
    if action is not None:
        await action(store, request)
        return
    digest = Digest.parse(request.path.removeprefix("/"))
    match request.method:
        case "GET":
            await _get(store, request, digest)
        case "HEAD":
            await _head(store, request, digest)
        case "PUT":
            await _put(store, request, digest)
        case _:
            raise _AnswerError(405, f"{request.method} is not for blobs", (b"allow", b"GET, HEAD, PUT"))


async def _missing(store: Store, request: "_Request") -> None:
    digests = Digest.unpack(await request.body(DIGESTS_A_CALL * 40))
    await request.answer(200, pack_digests(await store.find_missing(digests)))


async def _put_packed(store: Store, request: "_Request") -> None:
    await store.put_blobs(unpack_blobs(await request.body(LARGEST_PACK_BYTES)))
    await request.answer(204, b"")


async def _read_packed(store: Store, request: "_Request") -> None:
    digests = Digest.unpack(await request.body(DIGESTS_A_CALL * 40))
    if sum(digest.size_bytes + 40 for digest in set(digests)) > LARGEST_PACK_BYTES:
        raise _AnswerError(413, f"cannot send so much in one pack: {LARGEST_PACK_BYTES} bytes is the limit")
    await request.answer(200, pack_blobs(await store.get_blobs(set(digests))))


async def _get(store: Store, request: "_Request", digest: Digest) -> None:
    first, end = _range(request, digest)
    length = end - first
    async with aclosing(store.open_stream(digest, offset=first)) as pieces:  # type: ignore[type-var]
        piece = await anext(pieces, b"")  # an absent blob says so now
        headers = [(b"content-length", b"%d" % length), (b"accept-ranges", b"bytes"), (b"content-type", _WHOLE_BODY_TYPE)]
        if length < digest.size_bytes:
            headers.append((b"content-range", b"bytes %d-%d/%d" % (first, end - 1, digest.size_bytes)))
        await request.begin(206 if length < digest.size_bytes else 200, headers)
        try:
            while piece and length > len(piece):
                await request.send_piece(piece)
                length -= len(piece)
                piece = await anext(pieces, b"")
        except StoreError:  # too late for a status: the connection ends before the content does
            _log.warning("blob broke off", extra={"digest": str(digest)}, exc_info=True)
            return
        await request.send_piece(piece[:length], last=True)


async def _head(store: Store, request: "_Request", digest: Digest) -> None:
    if await store.find_missing([digest]):
        kept = await store.kept_bytes(digest)
        await request.begin(404, [(OFFSET_HEADER.encode(), b"%d" % kept), (b"content-length", b"0")])
    else:
        await request.begin(200, [(b"content-length", b"%d" % digest.size_bytes), (b"accept-ranges", b"bytes")])
    await request.send_piece(b"", last=True)


async def _put(store: Store, request: "_Request", digest: Digest) -> None:
    begins = _offset(request)

    async def source(offset: int) -> AsyncIterator[bytes]:
        if offset < begins:
            raise OffsetError(offset)
        unwanted = offset - begins  # sent again, though it has been kept
        async for piece in request.pieces():
            if unwanted < len(piece):
                yield piece[unwanted:] if unwanted else piece
            unwanted = max(0, unwanted - len(piece))

    await store.put_stream(digest, source)
    await request.answer(201, b"")


_ACTIONS: Final = {
    ("POST", "/missing"): _missing,
    ("POST", "/packed"): _put_packed,
    ("POST", "/read"): _read_packed,
}


class _Request:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        path: str = scope["path"]
        self.path = path.removeprefix(BLOBS_PATH).rstrip("/")
        self._receive = receive
        self._send = send
        self._begun = False
        self._read = False

    def header(self, name: str) -> str:
        wanted = name.encode()
        headers: list[tuple[bytes, bytes]] = self.scope["headers"]
        return next((value.decode("latin-1") for key, value in headers if key.lower() == wanted), "")

    async def pieces(self) -> AsyncIterator[bytes]:
        """Return the body as it comes."""
        while not self._read:
            try:
                async with asyncio.timeout(_SILENCE_S):
                    message = await self._receive()
            except TimeoutError as error:
                raise _AnswerError(408, f"nothing came for {_SILENCE_S:.0f} s") from error
            if message["type"] == "http.disconnect":
                raise _ClientGoneError
            self._read = not message.get("more_body", False)
            if piece := message.get("body", b""):
                yield piece

    async def body(self, limit_bytes: int) -> bytes:
        """Return the whole body."""
        too_long = _AnswerError(413, f"cannot take more than {limit_bytes} bytes in one request")
        told = self.header("content-length")
        if told.isdigit() and int(told) > limit_bytes:
            raise too_long
        body = bytearray()
        async for piece in self.pieces():
            body += piece
            if len(body) > limit_bytes:
                raise too_long
        return bytes(body)

    async def answer(self, status: int, content: bytes) -> None:
        headers = [(b"content-type", _WHOLE_BODY_TYPE)] if content else []
        if status != 204:
            headers.append((b"content-length", b"%d" % len(content)))
        await self.begin(status, headers)
        await self.send_piece(content, last=True)

    async def fail(self, status: int, detail: str, *headers: tuple[bytes, bytes]) -> None:
        """Answer with an error, unless an answer has begun: then the connection ends as it is."""
        if self._begun:
            return
        content = b"" if self.method == "HEAD" else problem_body(Problem(CODES[status], detail))
        told = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content)), *headers]
        if not self._read and self.method not in {"GET", "HEAD"}:
            told.append((b"connection", b"close"))  # rather than read what nobody wants
        await self.begin(status, told)
        await self.send_piece(content, last=True)

    async def begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def send_piece(self, content: bytes, *, last: bool = False) -> None:
        await self._send({"type": "http.response.body", "body": content, "more_body": not last})


def _range(request: _Request, digest: Digest) -> tuple[int, int]:
    """Return what is wanted of a blob: the offset where it begins and the one where it ends."""
    found = _RANGE.fullmatch(request.header("range"))
    if found is None:  # none, or one of a kind that we may ignore (RFC 9110)
        return 0, digest.size_bytes
    first, last = int(found[1]), int(found[2] or digest.size_bytes)
    if first >= digest.size_bytes or last < first:
        raise _AnswerError(416, f"{digest} has no such part", (b"content-range", b"bytes */%d" % digest.size_bytes))
    return first, min(last + 1, digest.size_bytes)


def _offset(request: _Request) -> int:
    told = request.header(OFFSET_HEADER)
    if told and not _NUMBER.fullmatch(told):
        raise _AnswerError(400, f"{told[:40]!r} is no offset")
    return int(told or 0)


def _status(error: OutspreadError) -> int:
    match error:
        case BlobMissingError():
            return 404
        case OffsetError():
            return 409
        case StoreFullError():
            return 507
        case WrongContentError() | UserError():
            return 400
    return 503


def _told_offset(error: OutspreadError) -> list[tuple[bytes, bytes]]:
    return [(OFFSET_HEADER.encode(), b"%d" % error.offset)] if isinstance(error, OffsetError) else []
