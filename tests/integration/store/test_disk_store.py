"""What only a store on disk has to do with: crashes, damage, other processes, garbage."""

import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from outspread.store.contract import CHUNK_BYTES, source_of
from outspread.store.digest import Digest
from outspread.store.disk_store import DiskStore
from outspread.store.garbage_collector import SHORTEST_GRACE_S, collect_garbage
from outspread.store.upload import upload_tree

LATER_S = SHORTEST_GRACE_S + 60


async def put(store: DiskStore, content: bytes) -> Digest:
    await store.put_blobs({Digest.of(content): content})
    return Digest.of(content)


def place(store: DiskStore, digest: Digest) -> Path:
    return Path(store.files.path(digest))


def age(store: DiskStore, digest: Digest, seconds: float) -> None:
    """Make a blob's last use so long ago."""
    then = time.time() - seconds
    os.utime(place(store, digest), (then, then))


async def test_what_a_killed_process_was_writing_is_swept(tmp_path: Path) -> None:
    script = """
import os, signal, sys
from pathlib import Path
from outspread.store.blob_files import BlobFiles
files = BlobFiles(Path(sys.argv[1]))
Path(files._own, "half").write_bytes(b"half")
os.kill(os.getpid(), signal.SIGKILL)
"""
    with DiskStore(tmp_path / "store") as living:  # whose files are in use
        mine = Path(living.files._own, "mine")
        mine.touch()
        subprocess.run([sys.executable, "-c", script, tmp_path / "store"])
        assert len(list((tmp_path / "store/incoming").iterdir())) == 2
        with DiskStore(tmp_path / "store"):
            assert len(list((tmp_path / "store/incoming").iterdir())) == 2
            assert mine.exists()
    assert list((tmp_path / "store/incoming").iterdir()) == []


async def test_an_upload_goes_on_in_another_process_for_a_day(tmp_path: Path) -> None:
    content = os.urandom(2 * CHUNK_BYTES)

    async def breaks(offset: int) -> AsyncIterator[bytes]:
        yield content[offset:CHUNK_BYTES]
        raise ConnectionError

    with DiskStore(tmp_path) as store, pytest.raises(ConnectionError):
        await store.put_stream(Digest.of(content), breaks)
    with DiskStore(tmp_path) as store:
        assert await store.kept_bytes(Digest.of(content)) == CHUNK_BYTES
    (left,) = (tmp_path / "unfinished").iterdir()
    os.utime(left, (time.time() - 90_000,) * 2)
    with DiskStore(tmp_path) as store:
        assert await store.kept_bytes(Digest.of(content)) == 0


@pytest.mark.parametrize("left", [b"", b"cut"])
async def test_a_blob_cut_by_a_crash_is_absent_and_comes_again(store: DiskStore, left: bytes) -> None:
    digest = await put(store, b"content")
    place(store, digest).chmod(0o600)
    place(store, digest).write_bytes(left)
    assert await store.find_missing([digest]) == {digest}
    assert await store.get_blobs([digest]) == {}
    await put(store, b"content")
    assert await store.get_blobs([digest]) == {digest: b"content"}


async def test_garbage_goes_and_what_is_referred_to_stays(store: DiskStore, tree: Path) -> None:
    uploaded = await upload_tree(store, tree)
    kept, unused, young = await put(store, b"kept"), await put(store, b"unused"), await put(store, b"young")
    for digest in [Digest(hash_, found.st_size) for hash_, found in store.files.scan()]:
        age(store, digest, LATER_S)
    age(store, young, 0)
    collected = await collect_garbage(store, trees=[uploaded.root], blobs=[kept], grace_s=SHORTEST_GRACE_S, now=time.time())
    assert (collected.removed_blobs, collected.removed_bytes, collected.broken) == (1, 6, ())
    assert await store.find_missing([kept, unused, young]) == {unused}
    assert (await upload_tree(store, tree)).uploaded_blobs == 0
    later = time.time() + LATER_S
    collected = await collect_garbage(store, trees=[], blobs=[], grace_s=SHORTEST_GRACE_S, now=later)
    assert collected.kept_blobs == 0


async def test_a_blob_that_an_upload_was_told_of_outlives_the_grace_period(store: DiskStore) -> None:
    digest = await put(store, b"content")
    age(store, digest, LATER_S)
    assert await store.find_missing([digest]) == set()
    collected = await collect_garbage(store, trees=[], blobs=[], grace_s=SHORTEST_GRACE_S, now=time.time())
    assert collected.removed_blobs == 0


async def test_a_use_in_the_last_moment_counts(store: DiskStore) -> None:
    """Between the decision that a blob is garbage and its removal."""
    digest = await put(store, b"content")
    age(store, digest, LATER_S)
    decided = time.time() - SHORTEST_GRACE_S
    assert await store.find_missing([digest]) == set()
    assert not store.files.remove_unused(digest.hash, since=decided)
    assert await store.get_blobs([digest]) == {digest: b"content"}
    age(store, digest, LATER_S)
    assert store.files.remove_unused(digest.hash, since=decided)
    assert not store.files.remove_unused(digest.hash, since=decided)


async def test_of_a_broken_tree_the_rest_is_kept(store: DiskStore, tree: Path) -> None:
    uploaded = await upload_tree(store, tree)
    missing = Digest.of((tree / "run").read_bytes())
    place(store, missing).unlink()
    no_tree = await put(store, b"no tree")
    now = time.time() + LATER_S
    collected = await collect_garbage(store, trees=[uploaded.root, no_tree, missing], blobs=[], grace_s=SHORTEST_GRACE_S, now=now)
    assert collected.removed_blobs == 0
    assert set(collected.broken) == {no_tree, missing}


async def test_a_short_grace_period_is_refused(store: DiskStore) -> None:
    with pytest.raises(ValueError, match="too short"):
        await collect_garbage(store, trees=[], blobs=[], grace_s=1, now=0)


async def test_two_processes_share_a_store(tmp_path: Path) -> None:
    with DiskStore(tmp_path) as first, DiskStore(tmp_path) as second:
        digest = Digest.of(b"x" * CHUNK_BYTES * 2)
        await first.put_stream(digest, source_of(b"x" * CHUNK_BYTES * 2))
        assert await second.find_missing([digest]) == set()
