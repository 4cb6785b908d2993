"""What every store promises (``outspread.store.contract``), on every store."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from pathlib import Path

import pytest
from tests.servers.served import served

from outspread.server.asgi import Scope
from outspread.server.gate import Right
from outspread.server.store_door import store_door
from outspread.store.contract import CHUNK_BYTES, SMALL_BLOB_BYTES, Store, source_of
from outspread.store.digest import EMPTY, Digest
from outspread.store.disk_store import DiskStore
from outspread.store.errors import BlobMissingError, WrongContentError
from outspread.store.remote_store import open_remote_store


def allow_all(_scope: Scope, _right: Right) -> None:
    pass


OpenStore = Callable[[], AbstractAsyncContextManager[Store]]

SMALL = b"small"
LARGE = bytes(range(256)) * 4096 * 3 + b"the rest"  # three chunks and a bit
ABSENT = Digest.of(b"never stored")


@pytest.fixture(params=["disk", "remote"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    @asynccontextmanager
    async def disk() -> AsyncIterator[Store]:
        with DiskStore(tmp_path / "store") as store:
            yield store

    @asynccontextmanager
    async def remote() -> AsyncIterator[Store]:
        async with disk() as behind, served(store_door(behind, allow_all)) as url, open_remote_store(url) as store:
            yield store

    return {"disk": disk, "remote": remote}[request.param]


async def read(store: Store, digest: Digest, *, offset: int = 0) -> bytes:
    async with aclosing(store.open_stream(digest, offset=offset)) as pieces:  # type: ignore[type-var]
        return b"".join([piece async for piece in pieces])


async def put(store: Store, content: bytes) -> Digest:
    digest = Digest.of(content)
    await store.put_stream(digest, source_of(content))
    return digest


async def test_what_is_put_is_there(open_store: OpenStore) -> None:
    async with open_store() as store:
        await store.put_blobs({Digest.of(SMALL): SMALL, Digest.of(b"other"): b"other"})
        large = await put(store, LARGE)
        assert await store.find_missing([Digest.of(SMALL), large, ABSENT]) == {ABSENT}
        assert await store.get_blobs([Digest.of(SMALL), ABSENT]) == {Digest.of(SMALL): SMALL}
        assert await read(store, large) == LARGE
        assert await read(store, Digest.of(b"other")) == b"other"


async def test_the_empty_blob_is_always_there(open_store: OpenStore) -> None:
    async with open_store() as store:
        assert await store.find_missing([EMPTY]) == set()
        assert await store.get_blobs([EMPTY]) == {EMPTY: b""}
        assert await read(store, EMPTY) == b""
        await put(store, b"")
        await store.put_blobs({EMPTY: b""})


async def test_a_digest_with_another_size_is_another_blob(open_store: OpenStore) -> None:
    async with open_store() as store:
        digest = await put(store, SMALL)
        other = Digest(digest.hash, 4)
        assert await store.find_missing([other, Digest(EMPTY.hash, 1)]) == {other, Digest(EMPTY.hash, 1)}
        assert await store.get_blobs([other]) == {}
        with pytest.raises(BlobMissingError):
            await read(store, other)
        assert await read(store, digest) == SMALL


async def test_thousands_are_asked_for_in_one_call(open_store: OpenStore) -> None:
    digests = [Digest(f"{number:064x}", number) for number in range(50_000)]
    async with open_store() as store:
        present = await put(store, SMALL)
        assert await store.find_missing([*digests, present]) == set(digests)


async def test_more_than_a_pack_is_put_and_read(open_store: OpenStore) -> None:
    blobs = {Digest.of(content): content for number in range(40) for content in [bytes([number]) * SMALL_BLOB_BYTES]}
    async with open_store() as store:
        await store.put_blobs(blobs)
        assert await store.get_blobs(blobs) == blobs


async def test_an_offset_is_where_reading_begins(open_store: OpenStore) -> None:
    async with open_store() as store:
        digest = await put(store, LARGE)
        for offset in (1, CHUNK_BYTES, len(LARGE) - 1, len(LARGE)):
            assert await read(store, digest, offset=offset) == LARGE[offset:]


async def test_absent_blobs_cannot_be_streamed(open_store: OpenStore) -> None:
    async with open_store() as store:
        with pytest.raises(BlobMissingError) as missing:
            await read(store, ABSENT)
        assert missing.value.missing == (ABSENT,)


@pytest.mark.parametrize("content", [b"wrong", b"smal", b"smalls", b""])
async def test_wrong_content_is_not_stored(open_store: OpenStore, content: bytes) -> None:
    digest, innocent = Digest.of(SMALL), Digest.of(b"innocent")
    async with open_store() as store:
        with pytest.raises(WrongContentError):
            await store.put_blobs({innocent: b"innocent", digest: content})
        assert digest in await store.find_missing([digest, innocent])
        with pytest.raises(WrongContentError):
            await store.put_stream(digest, source_of(content))
        assert await store.find_missing([digest]) == {digest}
        assert await put(store, SMALL) == digest


async def test_an_upload_that_broke_off_goes_on_where_it_did(open_store: OpenStore) -> None:
    digest = Digest.of(LARGE)
    asked: list[int] = []

    async def breaks(offset: int) -> AsyncIterator[bytes]:
        yield LARGE[offset : 2 * CHUNK_BYTES]
        raise BrokenError

    async def goes_on(offset: int) -> AsyncIterator[bytes]:
        asked.append(offset)
        yield LARGE[offset:]

    async with open_store() as store:
        assert await store.kept_bytes(digest) == 0
        with pytest.raises(BrokenError):
            await store.put_stream(digest, breaks)
        assert await store.find_missing([digest]) == {digest}
        await kept(store, digest, 2 * CHUNK_BYTES)
        await store.put_stream(digest, goes_on)
        assert asked == [2 * CHUNK_BYTES]
        assert await read(store, digest) == LARGE
        assert await store.kept_bytes(digest) == 0


async def test_a_kept_part_that_was_wrong_is_not_in_the_way(open_store: OpenStore) -> None:
    digest = Digest.of(LARGE)

    async def breaks(offset: int) -> AsyncIterator[bytes]:
        yield b"?" * CHUNK_BYTES
        raise BrokenError

    async with open_store() as store:
        with pytest.raises(BrokenError):
            await store.put_stream(digest, breaks)
        await kept(store, digest, CHUNK_BYTES)
        with pytest.raises(WrongContentError):
            await put(store, LARGE)
        assert await put(store, LARGE) == digest
        assert await read(store, digest) == LARGE


async def test_the_same_blob_may_come_from_many_sides(open_store: OpenStore) -> None:
    async with open_store() as store:
        await asyncio.gather(
            *(put(store, LARGE) for _ in range(4)), *(store.put_blobs({Digest.of(SMALL): SMALL}) for _ in range(4))
        )
        assert await store.find_missing([Digest.of(LARGE), Digest.of(SMALL)]) == set()
        assert await read(store, Digest.of(LARGE)) == LARGE


async def test_who_stops_reading_leaves_nothing_behind(open_store: OpenStore) -> None:
    async with open_store() as store:
        digest = await put(store, LARGE)
        for _ in range(3):
            async with aclosing(store.open_stream(digest)) as pieces:  # type: ignore[type-var]
                async for _ in pieces:
                    break
        assert await read(store, digest) == LARGE


class BrokenError(Exception):
    """The source broke off."""


async def kept(store: Store, digest: Digest, size_bytes: int) -> None:
    """Wait until the store has noticed that the upload broke off."""
    async with asyncio.timeout(5):
        while await store.kept_bytes(digest) != size_bytes:
            await asyncio.sleep(0.01)
