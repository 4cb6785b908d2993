"""The store over HTTP, as a plain ASGI application: what is below ``/api/v1/blobs``. Its other side is ``store.remote_store``.

    POST /missing          digests -> those that are not there
    POST /packed           small blobs, stored together
    POST /read             digests -> a pack of those that are there
    GET, HEAD HASH/SIZE    one blob; ``Range: bytes=N-`` goes on; of an absent one, ``Upload-Offset`` says how much is kept
    PUT HASH/SIZE          one blob, from ``Upload-Offset`` on

Mount it there, or at the root. Who may do what is for ``check`` to say.
"""

import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Final

from outspread.server.answer import send_problem
from outspread.server.asgi import App, Receive, Scope, Send, header
from outspread.server.body_reader import BodyReader, ClientGoneError
from outspread.server.byte_range import part_of
from outspread.server.gate import Right
from outspread.server.problem import Code, ProblemError
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

_NUMBER: Final = re.compile(r"\d{1,19}", re.ASCII)
_WHOLE_BODY_TYPE: Final = b"application/octet-stream"


#: Raises ProblemError when a request may not do something.
Check = Callable[[Scope, Right], None]


def store_door(store: Store, check: Check) -> App:
    """Return the application."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"cannot serve {scope['type']}: the store speaks HTTP only")
        request = _Request(scope, receive, send)
        try:
            await _serve(store, check, request)
        except ClientGoneError:
            return
        except Exception as error:  # noqa: BLE001 # whatever it is, the client is told and the log knows
            await request.fail(_told(error))

    return app


async def _serve(store: Store, check: Check, request: "_Request") -> None:
    action = _ACTIONS.get((request.method, request.path))
    check(request.scope, Right.UPLOAD if request.method == "PUT" or action is _put_packed else Right.READ)
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
            allowed = (("allow", "GET, HEAD, PUT"),)
            raise ProblemError(Code.NO_SUCH_METHOD, f"cannot {request.method[:20]} a blob", headers=allowed)


async def _missing(store: Store, request: "_Request") -> None:
    digests = Digest.unpack(await request.body.whole(DIGESTS_A_CALL * 40))
    await request.answer(200, pack_digests(await store.find_missing(digests)))


async def _put_packed(store: Store, request: "_Request") -> None:
    await store.put_blobs(unpack_blobs(await request.body.whole(LARGEST_PACK_BYTES)))
    await request.answer(204, b"")


async def _read_packed(store: Store, request: "_Request") -> None:
    digests = Digest.unpack(await request.body.whole(DIGESTS_A_CALL * 40))
    if sum(digest.size_bytes + 40 for digest in set(digests)) > LARGEST_PACK_BYTES:
        raise ProblemError(Code.TOO_LARGE, f"cannot send so much in one pack: {LARGEST_PACK_BYTES} bytes is the limit")
    await request.answer(200, pack_blobs(await store.get_blobs(set(digests))))


async def _get(store: Store, request: "_Request", digest: Digest) -> None:
    part = part_of(header(request.scope, b"range"), digest.size_bytes)
    first, end = part or (0, digest.size_bytes)
    length = end - first
    async with aclosing(store.open_stream(digest, offset=first)) as pieces:  # type: ignore[type-var]
        piece = await anext(pieces, b"")  # an absent blob says so now
        headers = [(b"content-length", b"%d" % length), (b"accept-ranges", b"bytes"), (b"content-type", _WHOLE_BODY_TYPE)]
        if part is not None:
            headers.append((b"content-range", b"bytes %d-%d/%d" % (first, end - 1, digest.size_bytes)))
        await request.begin(200 if part is None else 206, headers)
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
        async for piece in request.body.pieces():
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
        self.body = BodyReader(scope, receive)
        self._send = send
        self._begun = False

    async def answer(self, status: int, content: bytes) -> None:
        headers = [(b"content-type", _WHOLE_BODY_TYPE)] if content else []
        if status != 204:
            headers.append((b"content-length", b"%d" % len(content)))
        await self.begin(status, headers)
        await self.send_piece(content, last=True)

    async def fail(self, error: Exception) -> None:
        """Answer with an error, unless an answer has begun: then the connection ends as it is."""
        if self._begun:
            return
        reads_only = self.method in {"GET", "HEAD"}
        # The connection ends rather than that we read what nobody wants.
        await send_problem(self._send, error, close=not (self.body.is_over or reads_only), has_body=self.method != "HEAD")

    async def begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def send_piece(self, content: bytes, *, last: bool = False) -> None:
        await self._send({"type": "http.response.body", "body": content, "more_body": not last})


def _offset(request: _Request) -> int:
    told = header(request.scope, OFFSET_HEADER.encode())
    if told and not _NUMBER.fullmatch(told):
        raise ProblemError(Code.INVALID, f"cannot go on from {told[:40]!r}: it is no offset")
    return int(told or 0)


def _told(error: Exception) -> Exception:
    """Return an error of the store as the door tells it."""
    match error:
        case BlobMissingError():
            return ProblemError(Code.NOT_FOUND, error.message)
        case OffsetError():
            return ProblemError(Code.CONFLICT, error.message, headers=((OFFSET_HEADER, str(error.offset)),))
        case StoreFullError():
            return ProblemError(Code.FULL, error.message)
        case WrongContentError():
            return ProblemError(Code.INVALID, error.message)
    return error
