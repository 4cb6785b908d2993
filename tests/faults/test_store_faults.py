"""A store keeps its promise when its disk is full or lies, and when its process is killed: a blob is whole and right, or absent.

Each test takes its accidents from a seed, which is in the test's name.
"""

import asyncio
import hashlib
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from tests.servers.served import served

from outspread.server.asgi import Scope
from outspread.server.gate import Right
from outspread.server.store_door import store_door
from outspread.store.blob_cache import BlobCache
from outspread.store.contract import CHUNK_BYTES, Store, source_of
from outspread.store.digest import Digest
from outspread.store.disk_store import DiskStore
from outspread.store.errors import StoreError, StoreFullError
from outspread.store.materialise import materialise
from outspread.store.remote_store import open_remote_store
from outspread.store.upload import upload_tree

SEED = int(os.environ.get("OUTSPREAD_FAULT_SEED", "0"))
SEEDS = range(SEED, SEED + 3)


def allow_all(_scope: Scope, _right: Right) -> None:
    pass


def check_invariants(root: Path) -> dict[str, int]:
    """Fail unless every blob has the content of its name; return their sizes by hash."""
    found = {}
    for path in (root / "blobs").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert hashlib.sha256(content).hexdigest() == path.name, f"{path} is not what it says"
            found[path.name] = len(content)
    return found


async def read(store: Store, digest: Digest) -> bytes:
    async with aclosing(store.open_stream(digest)) as pieces:  # type: ignore[type-var]
        return b"".join([piece async for piece in pieces])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system to fill")
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "outspread-test", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_full_disk_stores_nothing_by_half(small_disk: Path, seed: int) -> None:
    """F19: writes are refused with the reason, and go on by themselves once there is room."""
    chance = random.Random(seed)
    with DiskStore(small_disk / "store") as disk:
        async with served(store_door(disk, allow_all)) as url, open_remote_store(url) as store:
            stored: dict[Digest, bytes] = {}
            reasons: list[str] = []
            while len(reasons) < 5:
                content = chance.randbytes(chance.choice([100, 5_000, 300_000, 2_000_000]))
                try:
                    if len(content) > 100_000:
                        await store.put_stream(Digest.of(content), source_of(content))
                    else:
                        await store.put_blobs({Digest.of(content): content})
                    stored[Digest.of(content)] = content
                except StoreFullError as error:
                    reasons.append(error.message)
                    assert Digest.of(content) in await store.find_missing([Digest.of(content)])
            assert all("No space left" in reason for reason in reasons)
            assert check_invariants(small_disk / "store").keys() >= {digest.hash for digest in stored}
            assert [path for path in (small_disk / "store/incoming").rglob("*") if path.is_file()] == []
            assert list((small_disk / "store/unfinished").iterdir()) == []
            assert await store.find_missing(stored) == set()
            for digest in stored:
                Path(disk.files.path(digest)).unlink()
            last = chance.randbytes(1_000_000)
            await store.put_stream(Digest.of(last), source_of(last))
            assert await read(store, Digest.of(last)) == last


async def test_a_full_worker_leaves_no_half_work_tree(small_disk: Path, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    for number in range(8):
        (tmp_path / f"tree/file{number}").write_bytes(os.urandom(600_000))
    with DiskStore(tmp_path / "store") as store, BlobCache(small_disk / "cache", store, limit_bytes=10**9) as cache:
        uploaded = await upload_tree(store, tmp_path / "tree")
        with pytest.raises(StoreFullError, match="No space left"):
            await materialise(cache, uploaded.root, small_disk / "work")
        assert not (small_disk / "work").exists()
        assert list((small_disk / "cache/incoming").iterdir()) == []


@pytest.mark.parametrize("seed", SEEDS)
async def test_flipped_bits_are_missing_blobs(tmp_path: Path, seed: int) -> None:
    """F24: damage is found when it is read, told, and mended by the next upload; it is never served as content."""
    chance = random.Random(seed)
    told: list[Digest] = []
    blobs = {Digest.of(content): content for _ in range(40) for content in [chance.randbytes(chance.randrange(1, 9000))]}
    large = chance.randbytes(2 * CHUNK_BYTES + 17)
    with DiskStore(tmp_path, on_damage=lambda digest, _aside: told.append(digest)) as disk:
        async with served(store_door(disk, allow_all)) as url, open_remote_store(url) as remote:
            await disk.put_blobs(blobs)
            await disk.put_stream(Digest.of(large), source_of(large))
            damaged = [*chance.sample(list(blobs), 10), Digest.of(large)]
            for digest in damaged:
                path = Path(disk.files.path(digest))
                content = bytearray(path.read_bytes())
                content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
                path.chmod(0o644)
                path.write_bytes(content)
            stores: list[Store] = [disk, remote]
            reader = chance.choice(stores)
            assert await reader.get_blobs(blobs) == {digest: blobs[digest] for digest in blobs if digest not in damaged}
            with pytest.raises(StoreError):
                await read(reader, Digest.of(large))
            assert sorted(told) == sorted(damaged)
            check_invariants(tmp_path)
            assert await remote.find_missing([*blobs, Digest.of(large)]) == set(damaged)
            await remote.put_blobs(blobs)
            await remote.put_stream(Digest.of(large), source_of(large))
            assert await remote.get_blobs(blobs) == blobs
            assert await read(remote, Digest.of(large)) == large


_WRITER = """
import asyncio, random, sys
from pathlib import Path
from outspread.store.contract import source_of
from outspread.store.digest import Digest
from outspread.store.disk_store import DiskStore

async def main():
    chance = random.Random(int(sys.argv[2]))
    with DiskStore(Path(sys.argv[1])) as store:
        while True:
            large = chance.randbytes(3_000_000)
            small = [chance.randbytes(chance.randrange(1, 9000)) for _ in range(50)]
            await asyncio.gather(
                store.put_stream(Digest.of(large), source_of(large)),
                store.put_blobs({Digest.of(content): content for content in small}),
            )
            print(Digest.of(large), *(Digest.of(content) for content in small), flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_killed_store_has_all_that_it_said_it_has(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for round_number in range(3):
        command = [sys.executable, "-c", _WRITER, str(tmp_path), str(seed * 10 + round_number)]
        writer = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        said = [await writer.stdout.readline()]
        at = time.monotonic() + chance.random() * 0.05  # somewhere within a batch
        while time.monotonic() < at:
            await asyncio.sleep(0)
        writer.kill()
        said += (await writer.stdout.read()).splitlines()
        await writer.wait()
        promised = [Digest.parse(word.decode()) for line in said for word in line.split()]
        with DiskStore(tmp_path) as store:
            check_invariants(tmp_path)
            assert await store.find_missing(promised) == set()
            left = [path for path in (tmp_path / "incoming").rglob("*") if path.is_file()]
            assert left == []


@pytest.mark.parametrize("seed", SEEDS)
async def test_uploads_that_break_off_anywhere_end_up_whole(tmp_path: Path, seed: int) -> None:
    """F34: from many sides at once, some with content that is wrong."""
    chance = random.Random(seed)
    content = chance.randbytes(4 * CHUNK_BYTES)
    digest = Digest.of(content)

    def source(*, breaks: int, wrong: bool) -> object:
        async def pieces(offset: int) -> AsyncIterator[bytes]:
            for start in range(offset, len(content), 200_000):
                if start > breaks:
                    raise ConnectionError("broken")
                piece = content[start : start + 200_000]
                yield bytes(len(piece)) if wrong else piece
                await asyncio.sleep(0)

        return pieces

    with DiskStore(tmp_path) as store:
        uploads = [
            store.put_stream(digest, source(breaks=chance.randrange(2 * len(content)), wrong=chance.random() < 0.3))  # type: ignore[arg-type]
            for _ in range(12)
        ]
        results = await asyncio.gather(*uploads, return_exceptions=True)
        assert all(result is None or isinstance(result, StoreError | ConnectionError) for result in results)
        check_invariants(tmp_path)
        for _ in range(2):  # what was kept may be wrong: then it is gone after the first
            try:
                await store.put_stream(digest, source_of(content))
                break
            except StoreError:
                continue
        assert await read(store, digest) == content
        assert list((tmp_path / "unfinished").iterdir()) == []
