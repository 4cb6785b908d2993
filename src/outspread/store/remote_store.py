"""The store of a controller, over HTTP; its other side is ``server.store_door``.

Network faults are met with bounded attempts, each stream going on where it broke off. Importing this imports aiohttp.
"""

import asyncio
import hashlib
import itertools
import random
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Final

import aiohttp
from msgspec import Struct

from outspread.store.contract import CHUNK_BYTES, Source
from outspread.store.digest import EMPTY, Digest
from outspread.store.errors import (
    BlobMissingError,
    OffsetError,
    StoreError,
    StoreFullError,
    StoreRefusedError,
    WrongContentError,
)
from outspread.store.retry_delays import retry_delays
from outspread.store.stream_check import StreamCheck
from outspread.store.wire import BLOBS_PATH, DIGESTS_A_CALL, OFFSET_HEADER, pack_blobs, pack_digests, packs, unpack_blobs

_CONNECTS_WITHIN_S: Final = 10.0
_ANSWERS_WITHIN_S: Final = 120.0
_CONNECTIONS: Final = 16
_TRANSIENT: Final = frozenset({408, 429, 500, 502, 503, 504})
_DETAIL_SHOWN: Final = 300


class _TransientError(Exception):
    """Another attempt may help."""


class _Answer(Struct, frozen=True):
    status: int
    offset: int
    content: bytes


@asynccontextmanager
async def open_remote_store(url: str, *, token: str = "") -> AsyncIterator["RemoteStore"]:
    """Give access to the store of the controller at ``url``."""
    session = aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {token}"} if token else {},
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECTS_WITHIN_S, sock_read=_ANSWERS_WITHIN_S),
        connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
        read_bufsize=CHUNK_BYTES,
        auto_decompress=False,
    )
    async with session:
        yield RemoteStore(url, session)


class RemoteStore:
    """The store at ``url``. The session, with its credentials and limits, is the caller's: see ``open_remote_store``."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url.rstrip("/")
        self._session = session

    async def find_missing(self, digests: Iterable[Digest]) -> set[Digest]:
        missing: set[Digest] = set()
        rest = iter(digests)
        while asked := list(itertools.islice(rest, DIGESTS_A_CALL)):
            missing.update(Digest.unpack((await self._call("POST", "/missing", pack_digests(asked))).content))
        return missing

    async def put_blobs(self, blobs: Mapping[Digest, bytes]) -> None:
        for digest, content in blobs.items():
            if len(content) != digest.size_bytes:  # a pack of it would be none
                raise WrongContentError(f"cannot store {digest}: the content has {len(content)} bytes", retry=False)
        for pack in packs(blobs):
            await self._call("POST", "/packed", pack_blobs({digest: blobs[digest] for digest in pack}))

    async def put_stream(self, digest: Digest, source: Source) -> None:
        delays = retry_delays(random.random)
        furthest = 0
        while (answer := await self._call("HEAD", f"/{digest}", missing=True)).status == 404:
            if answer.offset > furthest:  # it gets on, if in pieces
                delays, furthest = retry_delays(random.random), answer.offset
            try:
                begin: int | None = answer.offset
                for _ in range(2):  # another may be sending the same: then the store wants ours from the beginning
                    if begin is not None:
                        begin = await self._put(digest, source, begin)
            except _TransientError as error:
                await self._wait(delays, error)
            else:
                if begin is None:
                    return
                await self._wait(delays, OffsetError(begin))

    async def kept_bytes(self, digest: Digest) -> int:
        return (await self._call("HEAD", f"/{digest}", missing=True)).offset

    async def get_blobs(self, digests: Iterable[Digest]) -> dict[Digest, bytes]:
        found: dict[Digest, bytes] = {}
        for pack in packs(digests):
            found.update(unpack_blobs((await self._call("POST", "/read", pack_digests(pack))).content))
        for digest, content in found.items():
            if hashlib.sha256(content).hexdigest() != digest.hash:
                raise StoreError(f"cannot read {digest} from {self._url}: it came damaged")
        return found

    async def open_stream(self, digest: Digest, *, offset: int = 0) -> AsyncIterator[bytes]:
        if digest == EMPTY:
            return
        if offset >= digest.size_bytes:  # nothing to come, if it is there
            if await self.find_missing([digest]):
                raise BlobMissingError([digest])
            return
        check = StreamCheck(digest) if not offset else None
        delays = retry_delays(random.random)
        try:
            while offset < digest.size_bytes:
                try:
                    async for piece in self._get(digest, offset):
                        offset += len(piece)
                        if check is not None and not await check.is_sound(piece):
                            raise BlobMissingError([digest], why="it came damaged")
                        yield piece
                        delays = retry_delays(random.random)
                except _TransientError as error:
                    await self._wait(delays, error)
        finally:
            if check is not None:
                check.end()

    async def _call(self, method: str, path: str, body: bytes | None = None, *, missing: bool = False) -> _Answer:
        """Return the answer to a short request. ``missing``: one of the answers is that the blob is not there."""
        delays = retry_delays(random.random)
        while True:
            try:
                async with self._request(method, path, data=None if body is None else BytesIO(body)) as response:
                    if not (missing and response.status == 404):
                        await self._check(response)
                    return _Answer(response.status, _offset(response), await response.read())
            except (aiohttp.ClientError, OSError, TimeoutError, _TransientError) as error:
                await self._wait(delays, error)

    async def _put(self, digest: Digest, source: Source, offset: int) -> int | None:
        """Send the content from ``offset`` on. Return None when it is stored, or else where to begin instead."""
        broken: list[BaseException] = []

        async def body() -> AsyncIterator[bytes]:
            try:
                async for piece in source(offset):
                    yield piece
            except BaseException as error:
                broken.append(error)
                raise

        headers = {OFFSET_HEADER: str(offset), "Content-Type": "application/octet-stream"}
        try:  # the store answers first whether it wants the content
            async with self._request("PUT", f"/{digest}", data=body(), headers=headers, expect100=True) as response:
                if response.status == 409:
                    return _offset(response)
                await self._check(response)
                return None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            if broken and isinstance(broken[0], Exception):  # what the source says, not what became of the connection then
                raise broken[0] from None
            raise _TransientError(str(error) or type(error).__name__) from error

    async def _get(self, digest: Digest, offset: int) -> AsyncIterator[bytes]:
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        try:
            async with self._request("GET", f"/{digest}", headers=headers) as response:
                if response.status == 404:
                    raise BlobMissingError([digest])
                await self._check(response)
                async for piece in response.content.iter_any():
                    yield piece
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _TransientError(str(error) or type(error).__name__) from error

    def _request(
        self,
        method: str,
        path: str,
        *,
        data: BytesIO | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        expect100: bool = False,
    ) -> "aiohttp.client._RequestContextManager":
        url = f"{self._url}{BLOBS_PATH}{path}"
        return self._session.request(method, url, data=data, headers=headers, expect100=expect100, allow_redirects=False)

    async def _check(self, response: aiohttp.ClientResponse) -> None:
        if response.status < 300:
            return
        detail = (await response.text(errors="replace"))[:_DETAIL_SHOWN] or response.reason or ""
        said = f"{self._url} says {response.status}: {detail}"
        if response.status in _TRANSIENT:
            raise _TransientError(said)
        if response.status in {401, 403}:
            raise StoreRefusedError(f"cannot use the store: {said}", hint="give a token that is valid for this")
        if response.status == 507:
            raise StoreFullError(f"cannot write to the store: {said}")
        if response.status == 400:
            raise WrongContentError(f"cannot use the store: {said}", retry=False)
        raise StoreError(f"cannot use the store: {said}", retry=False)

    async def _wait(self, delays: Iterable[float], error: BaseException) -> None:
        """Wait for the next attempt, or give up."""
        delay = next(iter(delays), None)
        if delay is None:
            raise StoreError(f"cannot reach the store at {self._url}: {error or type(error).__name__}") from error
        await asyncio.sleep(delay)


def _offset(response: aiohttp.ClientResponse) -> int:
    told = response.headers.get(OFFSET_HEADER, "")
    return int(told) if told.isascii() and told.isdigit() else 0
