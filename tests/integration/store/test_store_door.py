"""The door: who may do what, what is refused, and what the client makes of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from io import BytesIO
from pathlib import Path

import aiohttp
import pytest
from tests.servers.served import served

from outspread.server.asgi import Scope, header
from outspread.server.gate import Right
from outspread.server.problem import Code, ProblemError
from outspread.server.store_door import store_door
from outspread.store import remote_store
from outspread.store.contract import CHUNK_BYTES, source_of
from outspread.store.digest import EMPTY, Digest
from outspread.store.disk_store import DiskStore
from outspread.store.errors import StoreError, StoreFullError, StoreRefusedError
from outspread.store.remote_store import open_remote_store
from outspread.store.wire import LARGEST_PACK_BYTES, pack_blobs, pack_digests

DIGEST = Digest.of(b"content")
LARGE = bytes(range(256)) * 4096 * 3


def allow_all(_scope: Scope, _right: Right) -> None:
    pass


def writing_needs_a_token(scope: Scope, right: Right) -> None:
    if right is Right.UPLOAD and header(scope, b"authorization") != "Bearer secret":
        raise ProblemError(Code.UNAUTHENTICATED, "writing needs a token")


async def status(url: str, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    async with aiohttp.ClientSession() as session:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with session.request(
            method, f"{url}/api/v1/blobs{path}", data=BytesIO(body), headers=named, expect100=bool(body)
        ) as response:
            return response.status, await response.read()


async def test_writing_needs_what_the_check_wants(store: DiskStore) -> None:
    async with served(store_door(store, writing_needs_a_token)) as url:
        async with open_remote_store(url) as stranger:
            with pytest.raises(StoreRefusedError, match="writing needs a token"):
                await stranger.put_blobs({DIGEST: b"content"})
            with pytest.raises(StoreRefusedError):
                await stranger.put_stream(Digest.of(LARGE), source_of(LARGE))
            assert await stranger.find_missing([DIGEST, Digest.of(LARGE)]) == {DIGEST, Digest.of(LARGE)}
        async with open_remote_store(url, token="secret") as friend:
            await friend.put_blobs({DIGEST: b"content"})
            await friend.put_stream(Digest.of(LARGE), source_of(LARGE))
        async with open_remote_store(url) as stranger:
            assert await stranger.get_blobs([DIGEST]) == {DIGEST: b"content"}


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("PUT", f"/{DIGEST}", b"another", 400),
        ("PUT", f"/{DIGEST}", b"cut", 400),
        ("PUT", f"/{DIGEST}", b"content and more", 400),
        ("PUT", f"/{DIGEST.hash}/4", b"cont", 400),
        ("PUT", f"/{EMPTY.hash}/7", b"content", 400),
        ("PUT", f"/{DIGEST.hash.upper()}/7", b"content", 400),
        ("PUT", f"/{DIGEST.hash[:-1]}/7", b"content", 400),
        ("PUT", f"/{DIGEST.hash}/07", b"content", 400),
        ("PUT", f"/{DIGEST.hash}/-7", b"content", 400),
        ("PUT", f"/{DIGEST.hash}", b"content", 400),
        ("PUT", "/", b"content", 400),
        ("PUT", "/..%2f..%2fetc%2fpasswd/7", b"content", 400),
        ("GET", f"/{DIGEST}", b"", 404),
        ("HEAD", f"/{DIGEST}", b"", 404),
        ("GET", f"/{EMPTY}", b"", 200),
        ("GET", "/missing", b"", 400),
        ("DELETE", f"/{DIGEST}", b"", 405),
        ("POST", "/missing", b"x" * 39, 400),
        ("POST", "/missing", b"\0" * 40 * 20_001, 413),
        ("POST", "/packed", pack_blobs({DIGEST: b"another"}), 400),
        ("POST", "/packed", pack_blobs({DIGEST: b"content"})[:-1], 400),
        ("POST", "/packed", bytes(LARGEST_PACK_BYTES + 1), 413),
        ("POST", "/read", pack_digests([Digest("ab" * 32, LARGEST_PACK_BYTES)]), 413),
        ("POST", "/read", pack_digests([DIGEST]), 200),
    ],
)
async def test_what_is_wrong_is_refused_and_never_stored(
    store: DiskStore, method: str, path: str, body: bytes, expected: int
) -> None:
    async with served(store_door(store, allow_all)) as url:
        assert (await status(url, method, path, body))[0] == expected
    assert list(store.files.scan()) == []


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("bytes=3-", (206, b"tent")),
        ("bytes=0-2", (206, b"con")),
        ("bytes=5-100", (206, b"nt")),
        ("bytes=0-", (206, b"content")),
        ("bytes=7-", (416, None)),
        ("bytes=4-2", (416, None)),
        ("bytes=-2", (206, b"nt")),
        ("lines=1-2", (200, b"content")),  # a kind of range that we may ignore
    ],
)
async def test_ranges(store: DiskStore, wanted: str, expected: tuple[int, bytes | None]) -> None:
    await store.put_blobs({DIGEST: b"content"})
    async with served(store_door(store, allow_all)) as url:
        got = await status(url, "GET", f"/{DIGEST}", range=wanted)
    assert got[0] == expected[0]
    assert expected[1] in {None, got[1]}


async def test_an_upload_may_not_skip_anything(store: DiskStore) -> None:
    async with served(store_door(store, allow_all)) as url:
        assert (await status(url, "PUT", f"/{DIGEST}", b"tent", Upload_Offset="3"))[0] == 409
        assert (await status(url, "PUT", f"/{DIGEST}", b"tent", Upload_Offset="x"))[0] == 400
    assert list(store.files.scan()) == []


async def test_a_full_store_says_so(store: DiskStore) -> None:
    async def full(*_arguments: object) -> None:
        raise StoreFullError("cannot write to the store: no space left")

    store.put_blobs = full  # type: ignore[method-assign,assignment]
    async with served(store_door(store, allow_all)) as url:
        assert (await status(url, "POST", "/packed", pack_blobs({DIGEST: b"content"})))[0] == 507
        async with open_remote_store(url) as remote:
            with pytest.raises(StoreFullError, match="no space left"):
                await remote.put_blobs({DIGEST: b"content"})


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_store, "retry_delays", lambda _random: iter([0.0] * 3))


@pytest.mark.usefixtures("_hasty")
async def test_nobody_there_is_an_error_in_the_end() -> None:
    async with open_remote_store("http://127.0.0.1:1") as remote:
        with pytest.raises(StoreError, match=r"cannot reach the store at http://127\.0\.0\.1:1"):
            await remote.find_missing([DIGEST])
        with pytest.raises(StoreError):
            await remote.put_stream(DIGEST, source_of(b"content"))
        with pytest.raises(StoreError):
            async for _ in remote.open_stream(DIGEST):
                pass


class Cutting:
    """A way to a store that breaks off after so many bytes in one direction, each time anew until there is no cut left."""

    def __init__(self, url: str, *, up: list[int], down: list[int]) -> None:
        self._port = int(url.rpartition(":")[2])
        self._cuts = {"up": up, "down": down}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        ways = [
            asyncio.create_task(self._carry(reader, far_writer, "up")),
            asyncio.create_task(self._carry(far_reader, writer, "down")),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for each in (writer, far_writer):
            each.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str) -> None:
        carried = 0
        cuts = self._cuts[direction]
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
            carried += len(piece)
            if cuts and carried > cuts[0]:
                cuts.pop(0)
                return


@pytest.mark.usefixtures("_hasty")
@pytest.mark.parametrize("direction", ["up", "down"])
async def test_streams_go_on_where_they_broke_off(store: DiskStore, direction: str) -> None:
    cuts: dict[str, list[int]] = {"up": [], "down": []} | {direction: [CHUNK_BYTES, CHUNK_BYTES // 2, CHUNK_BYTES // 2]}
    digest = Digest.of(LARGE)
    async with served(store_door(store, allow_all)) as url:
        cutting = Cutting(url, **cuts)
        server = await asyncio.start_server(cutting.serve, "127.0.0.1", 0)
        async with server, open_remote_store(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as remote:
            sent: list[int] = []

            async def source(offset: int) -> AsyncIterator[bytes]:
                sent.append(offset)
                for start in range(offset, len(LARGE), CHUNK_BYTES):
                    yield LARGE[start : start + CHUNK_BYTES]

            await remote.put_stream(digest, source)
            assert b"".join([piece async for piece in remote.open_stream(digest)]) == LARGE
            assert cuts[direction] == []
            if direction == "up":
                assert max(sent) > 0


@pytest.mark.usefixtures("_hasty")
async def test_damage_on_the_servers_disk_is_never_taken_for_content(tmp_path: Path, flip: Callable[[Path, int], None]) -> None:
    told: list[Digest] = []
    with DiskStore(tmp_path, on_damage=lambda digest, _aside: told.append(digest)) as store:
        digest = Digest.of(LARGE)
        await store.put_stream(digest, source_of(LARGE))
        flip(Path(store.files.path(digest)), len(LARGE) - 5)
        async with served(store_door(store, allow_all)) as url, open_remote_store(url) as remote:
            with pytest.raises(StoreError):
                async for _ in remote.open_stream(digest):
                    pass
            assert told == [digest]
            assert await remote.find_missing([digest]) == {digest}
            await remote.put_stream(digest, source_of(LARGE))
            assert b"".join([piece async for piece in remote.open_stream(digest)]) == LARGE
