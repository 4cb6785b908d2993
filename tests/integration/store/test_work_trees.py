"""Trees become directories again: as they were, read-only, cheap, and safe from each other."""

import asyncio
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from outspread.store.blob_cache import BlobCache
from outspread.store.contract import SMALL_BLOB_BYTES
from outspread.store.digest import EMPTY, Digest
from outspread.store.directory_form import canonical_directory
from outspread.store.disk_store import DiskStore
from outspread.store.errors import BlobMissingError, MalformedTreeError, StoreError, StoreFullError
from outspread.store.materialise import materialise
from outspread.store.tree_values import DirectoryNode, FileNode, LinkNode
from outspread.store.upload import upload_tree

Contents = Callable[[Path], dict[str, object]]


async def put_directory(
    store: DiskStore,
    *,
    files: tuple[FileNode, ...] = (),
    directories: tuple[DirectoryNode, ...] = (),
    links: tuple[LinkNode, ...] = (),
) -> Digest:
    content = canonical_directory(files, directories, links)
    await store.put_blobs({Digest.of(content): content})
    return Digest.of(content)


async def put(store: DiskStore, content: bytes) -> Digest:
    await store.put_blobs({Digest.of(content): content})
    return Digest.of(content)


@pytest.mark.parametrize("writable", [False, True])
async def test_the_directory_is_what_it_was(
    store: DiskStore, cache: BlobCache, tree: Path, tmp_path: Path, contents: Contents, writable: bool
) -> None:
    root = (await upload_tree(store, tree)).root
    for number in range(2):  # cold, then warm
        work = await materialise(cache, root, tmp_path / f"work{number}", writable=writable)
        assert contents(work.path) == contents(tree)
        assert (await upload_tree(store, work.path)).root == root


async def test_a_directory_may_be_large(store: DiskStore, cache: BlobCache, tmp_path: Path) -> None:
    (tmp_path / "large").mkdir()
    for number in range(3000):
        (tmp_path / f"large/{number}-with-a-name-that-is-rather-long").touch()
    uploaded = await upload_tree(store, tmp_path / "large")
    assert uploaded.root.size_bytes > SMALL_BLOB_BYTES
    work = await materialise(cache, uploaded.root, tmp_path / "work")
    assert len(list(work.path.iterdir())) == 3000


async def test_files_are_read_only_and_directories_are_not(
    store: DiskStore, cache: BlobCache, tree: Path, tmp_path: Path
) -> None:
    work = await materialise(cache, (await upload_tree(store, tree)).root, tmp_path / "work")
    modes = {path.name: path.stat().st_mode & 0o7777 for path in (work.path / "src", work.path / "nothing", work.path / "run")}
    assert modes == {"src": 0o755, "nothing": 0o444, "run": 0o555}
    assert (work.path / "key").stat().st_mode & 0o777 == 0o400


async def test_what_is_writable_is_the_jobs_own(
    store: DiskStore, cache: BlobCache, tree: Path, tmp_path: Path, contents: Contents
) -> None:
    root = (await upload_tree(store, tree)).root
    work = await materialise(cache, root, tmp_path / "work", writable=["src/**/data", "run"])
    assert (work.path / "run").stat().st_mode & 0o777 == 0o755
    assert (work.path / "src/main.py").stat().st_mode & 0o777 == 0o444
    for name in ("run", "src/deep/er/data"):
        (work.path / name).write_text("changed")
    other = await materialise(cache, root, tmp_path / "other")
    assert contents(other.path) == contents(tree)


@pytest.mark.parametrize("how", ["content", "content, same size and time", "mode", "longer", "gone"])
async def test_a_cached_file_that_a_job_changed_is_thrown_away(
    store: DiskStore, cache: BlobCache, tree: Path, tmp_path: Path, contents: Contents, how: str
) -> None:
    root = (await upload_tree(store, tree)).root
    work = await materialise(cache, root, tmp_path / "work")
    victim = work.path / "src/main.py"
    victim.chmod(0o644)
    before = victim.stat()
    match how:
        case "longer":
            with victim.open("a") as file:
                file.write("more")
            os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
            victim.chmod(0o444)
        case "content":
            victim.write_text("print('hallo')\n")
            victim.chmod(0o444)
        case "gone":
            for cached in (tmp_path / "cache/blobs").rglob("*.444"):
                cached.unlink()
        case "content, same size and time":  # only reading it can tell
            victim.write_text("print('hallo')\n")
            os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
            victim.chmod(0o444)
            cache._verify = True
    other = await materialise(cache, root, tmp_path / "other")
    assert contents(other.path) == contents(tree)


async def test_a_file_with_too_many_links_gets_a_second_copy(
    store: DiskStore, cache: BlobCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = await put(store, b"popular")
    root = await put_directory(store, files=(FileNode("a", digest), FileNode("b", digest), FileNode("c", digest)))
    link = os.link

    def limited(source: str, target: str, src_dir_fd: int, dst_dir_fd: int) -> None:
        if os.stat(source, dir_fd=src_dir_fd).st_nlink > 2:
            raise OSError(31, "Too many links")
        link(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "link", limited)
    work = await materialise(cache, root, tmp_path / "work")
    assert [(work.path / name).read_bytes() for name in "abc"] == [b"popular"] * 3
    assert (work.path / "a").stat().st_ino == (work.path / "b").stat().st_ino != (work.path / "c").stat().st_ino


async def test_where_no_link_is_possible_files_are_copied(
    store: DiskStore, cache: BlobCache, tree: Path, tmp_path: Path, contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(*_arguments: object, **_options: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", elsewhere)
    work = await materialise(cache, (await upload_tree(store, tree)).root, tmp_path / "work")
    assert contents(work.path) == contents(tree)
    assert (work.path / "run").stat().st_mode & 0o777 == 0o555
    assert (work.path / "run").stat().st_nlink == 1


async def test_a_program_can_be_executed_at_once(store: DiskStore, cache: BlobCache, tmp_path: Path) -> None:
    """Though other threads start programs, which for an instant hold what is being written."""
    ended = threading.Event()

    def start_programs() -> None:
        while not ended.is_set():
            subprocess.run(["/bin/true"], check=True)

    starters = [threading.Thread(target=start_programs) for _ in range(2)]
    for starter in starters:
        starter.start()
    try:
        for number in range(30):
            digest = await put(store, b"#!/bin/sh\nexit 0\n#%d" % number)
            root = await put_directory(store, files=(FileNode("cached", digest, True), FileNode("copied", digest, True)))
            work = await materialise(cache, root, tmp_path / f"work{number}", writable=["copied"])
            for name in ("cached", "copied"):
                assert await asyncio.to_thread(subprocess.call, [work.path / name]) == 0
    finally:
        ended.set()
        for starter in starters:
            starter.join()


async def test_a_job_that_uses_the_same_files_does_not_wait_twice(
    store: DiskStore, tmp_path: Path, tree: Path, contents: Contents
) -> None:
    root = (await upload_tree(store, tree)).root
    asked: list[Digest] = []
    get_blobs = store.get_blobs

    async def noting(digests: list[Digest]) -> dict[Digest, bytes]:
        asked.extend(digests)
        return await get_blobs(digests)

    store.get_blobs = noting  # type: ignore[method-assign,assignment]
    with BlobCache(tmp_path / "cache", store, limit_bytes=10**8) as cache:
        works = await asyncio.gather(*(materialise(cache, root, tmp_path / f"work{number}") for number in range(4)))
    assert [contents(work.path) == contents(tree) for work in works] == [True] * 4
    assert len(asked) == len(set(asked))


async def test_the_cache_is_bounded_and_keeps_what_is_in_use(store: DiskStore, tmp_path: Path) -> None:
    roots = []
    for number in range(4):
        digest = await put(store, bytes([number]) * 100_000)
        roots.append(await put_directory(store, files=(FileNode("file", digest),)))
    with BlobCache(tmp_path / "cache", store, limit_bytes=250_000) as cache:
        first = await materialise(cache, roots[0], tmp_path / "first")
        second = await materialise(cache, roots[1], tmp_path / "second")
        with pytest.raises(StoreFullError, match="its limit is 250000"):
            await materialise(cache, roots[2], tmp_path / "third")
        assert not (tmp_path / "third").exists()
        first.release()
        await materialise(cache, roots[2], tmp_path / "third")
        assert cache.used_bytes <= 250_000
        assert not await on_disk(tmp_path, roots[0], store)
        assert await on_disk(tmp_path, roots[1], store)
        await second.remove()
        assert not second.path.exists()


async def on_disk(tmp_path: Path, root: Digest, store: DiskStore) -> bool:
    """Return whether the cache has the one file in the tree."""
    with BlobCache(tmp_path / "look", store, limit_bytes=10**9) as look:
        plan = await look.plan(root)
    return (tmp_path / "cache/blobs" / plan.directories[0].files[0].cached).exists()


async def test_a_cache_outlives_its_worker(store: DiskStore, tree: Path, tmp_path: Path) -> None:
    root = (await upload_tree(store, tree)).root
    with BlobCache(tmp_path / "cache", store, limit_bytes=10**8) as cache:
        await materialise(cache, root, tmp_path / "work")
        used = cache.used_bytes

    async def never(_digests: object) -> dict[Digest, bytes]:
        raise AssertionError("it has all that")

    store.get_blobs = never  # type: ignore[method-assign,assignment]
    with BlobCache(tmp_path / "cache", store, limit_bytes=10**8) as cache:
        assert cache.used_bytes == used
        await materialise(cache, root, tmp_path / "again")
    with BlobCache(tmp_path / "cache", store, limit_bytes=10) as small:
        assert small.used_bytes <= 10


def test_a_cache_has_one_owner(store: DiskStore, cache: BlobCache, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="another worker has it"):
        BlobCache(tmp_path / "cache", store, limit_bytes=1)


async def test_what_is_missing_is_named_and_nothing_is_left(store: DiskStore, cache: BlobCache, tmp_path: Path) -> None:
    absent = Digest.of(b"absent")
    root = await put_directory(store, files=(FileNode("file", absent),))
    with pytest.raises(BlobMissingError) as missing:
        await materialise(cache, root, tmp_path / "work")
    assert missing.value.missing == (absent,)
    large = Digest("ab" * 32, SMALL_BLOB_BYTES + 1)
    for name in (absent, large, await put_directory(store, directories=(DirectoryNode("d", absent),))):
        with pytest.raises(BlobMissingError):
            await materialise(cache, name, tmp_path / "work")
    assert not (tmp_path / "work").exists()
    assert list((tmp_path / "cache/incoming").iterdir()) == []


async def test_an_empty_tree_is_an_empty_directory(cache: BlobCache, tmp_path: Path) -> None:
    work = await materialise(cache, EMPTY, tmp_path / "work")
    assert list(work.path.iterdir()) == []
    await work.remove()
    work.release()


async def test_an_existing_directory_is_left_alone(store: DiskStore, cache: BlobCache, tree: Path, contents: Contents) -> None:
    before = contents(tree)
    with pytest.raises(StoreError, match="exists"):
        await materialise(cache, (await upload_tree(store, tree)).root, tree)
    assert contents(tree) == before


async def test_a_tree_may_not_be_without_end(store: DiskStore, cache: BlobCache, tmp_path: Path) -> None:
    """A few small messages can unfold to any number of files (a bomb)."""
    digest = await put_directory(store, files=(FileNode("file", await put(store, b"x")),))
    for _ in range(40):
        digest = await put_directory(store, directories=tuple(DirectoryNode(name, digest) for name in "abc"))
    with pytest.raises(MalformedTreeError, match="more than"):
        await materialise(cache, digest, tmp_path / "work")
    for _ in range(200):
        digest = await put_directory(store, directories=(DirectoryNode("d", digest),))
    with pytest.raises(MalformedTreeError, match="levels deep"):
        await materialise(cache, digest, tmp_path / "work")
    assert not (tmp_path / "work").exists()
