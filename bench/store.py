"""Blobs and trees: into a store and out of it, on disk and over HTTP on loopback, beside what the system's own tools take."""

import asyncio
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

from bench.report import Figure
from bench.timing import median_ms, seconds_of
from outspread.store.blob_cache import BlobCache
from outspread.store.contract import Store, source_of
from outspread.store.digest import Digest
from outspread.store.disk_store import DiskStore
from outspread.store.materialise import WorkTree, materialise
from outspread.store.remote_store import open_remote_store
from outspread.store.stat_cache import StatCache
from outspread.store.tree_removal import remove_tree
from outspread.store.tree_scan import scan_tree
from outspread.store.upload import upload_tree
from outspread.store.wire import packs

_DIRECTORIES = 100
_FILES_EACH = 100
_FILE_BYTES = 5500
_RUNS = 5
_LARGE_MIB = 200
_SETTLED_S = 2.2  # a file that changed just now is hashed again anyway


def store() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as scratch:
        tree = _make_tree(Path(scratch) / "tree")
        yield from _scanning(tree, Path(scratch))
        with _served(Path(scratch) / "served") as url:
            yield from asyncio.run(_over_http(url, tree, Path(scratch)))
        # Last, as ext4 makes new files slowly for some seconds after many have been removed.
        yield from asyncio.run(_on_disk(tree, Path(scratch)))


def _make_tree(root: Path) -> Path:
    for directory in range(_DIRECTORIES):
        (root / f"d{directory}").mkdir(parents=True)
        for file in range(_FILES_EACH):
            (root / f"d{directory}/f{file}.py").write_bytes(os.urandom(_FILE_BYTES))
    time.sleep(_SETTLED_S)
    return root


def _hash_all(tree: Path) -> None:
    for directory, _, files in os.walk(tree):
        for name in files:
            with open(f"{directory}/{name}", "rb", buffering=0) as file:  # noqa: PTH123 - as fast as it gets
                hashlib.sha256(file.read()).digest()


def _scanning(tree: Path, scratch: Path) -> Iterator[Figure]:
    hashing = median_ms(lambda: seconds_of(lambda: _hash_all(tree)), runs=_RUNS)
    yield Figure("10,000 files of 5.5 kB, read and hashed", hashing, "ms")

    def cold() -> float:
        remove_tree(scratch / "cold")
        return seconds_of(lambda: scan_tree(tree, StatCache(scratch / "cold", tree)))

    yield Figure("their tree without a stat cache, by hashing them", median_ms(cold, runs=_RUNS) / hashing, "times", 2.0)
    scan_tree(tree, StatCache(scratch / "warm", tree))
    warm = median_ms(lambda: seconds_of(lambda: scan_tree(tree, StatCache(scratch / "warm", tree))), runs=_RUNS)
    yield Figure("their tree with a stat cache", warm, "ms", 100, "a prototype: 41 ms")


async def _on_disk(tree: Path, scratch: Path) -> list[Figure]:
    figures = []
    with DiskStore(scratch / "store") as disk:
        figures.append(Figure("a small blob into a store on disk, durable", await _put_small(disk) * 1e6, "us", 125))
        uploaded = await upload_tree(disk, tree)
        with BlobCache(scratch / "cache", disk, limit_bytes=10**9) as cache:
            await (await materialise(cache, uploaded.root, scratch / "work")).remove()
            figures += await _work_trees(cache, uploaded.root, tree, scratch)
    return figures


async def _put_small(store: Store) -> float:
    """Return the seconds that one of 10,000 small blobs takes, two packs at a time."""
    blobs = {Digest.of(content): content for _ in range(10_000) for content in [os.urandom(_FILE_BYTES)]}
    digests = list(blobs)
    began = time.perf_counter()
    await asyncio.gather(*(_put_packed(store, {digest: blobs[digest] for digest in digests[half::2]}) for half in range(2)))
    return (time.perf_counter() - began) / len(blobs)


async def _put_packed(store: Store, blobs: dict[Digest, bytes]) -> None:
    for pack in packs(blobs):
        await store.put_blobs({digest: blobs[digest] for digest in pack})


def _make_files(directory: Path) -> float:
    """Return the seconds that it takes to make one file and give it its name."""
    directory.mkdir()
    content = os.urandom(_FILE_BYTES)
    began = time.perf_counter()
    for number in range(10_000):
        with open(f"{directory}/new", "wb", buffering=0) as file:  # noqa: PTH123 - as fast as it gets
            file.write(content)
        os.rename(f"{directory}/new", f"{directory}/{number}")  # noqa: PTH104
    return (time.perf_counter() - began) / 10_000


async def _work_trees(cache: BlobCache, root: Digest, tree: Path, scratch: Path) -> list[Figure]:
    """Measure each time beside the system's own: what a file system takes depends on what it has just done."""
    copies, works, removals, own_removals = [], [], [], []
    for _ in range(_RUNS):
        copies.append(seconds_of(lambda: subprocess.run(["cp", "-al", tree, scratch / "copy"], check=True)))
        began = time.perf_counter()
        work: WorkTree = await materialise(cache, root, scratch / "work")
        works.append(time.perf_counter() - began)
        removals.append(seconds_of(lambda: subprocess.run(["rm", "-rf", scratch / "copy"], check=True)))
        began = time.perf_counter()
        await work.remove()
        own_removals.append(time.perf_counter() - began)
    copy, removal = statistics.median(copies), statistics.median(removals)
    return [
        Figure("10,000 hard links by cp -al", copy * 1000, "ms"),
        Figure("a work tree of 10,000 files from a warm cache, by cp -al", statistics.median(works) / copy, "times", 1.5),
        Figure("its removal, by rm -rf", statistics.median(own_removals) / removal, "times", 2.0),
    ]


@contextmanager
def _served(directory: Path) -> Iterator[str]:
    server = subprocess.Popen([sys.executable, "-m", "bench.serve_store", directory], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait(10)


async def _over_http(url: str, tree: Path, scratch: Path) -> list[Figure]:
    figures = [Figure("a file of 5.5 kB, written and renamed", _make_files(scratch / "files") * 1e6, "us")]
    async with open_remote_store(url) as remote:
        each = await _put_small(remote)
        figures.append(Figure("a small blob over HTTP into a store on disk, durable", each * 1e6, "us", 125, "others: 92 to 149"))
        began = time.perf_counter()
        await upload_tree(remote, tree, stat_cache=scratch / "warm")
        figures.append(Figure("10,000 files into an empty store over HTTP", time.perf_counter() - began, "s"))

        cpu_s, wall_s = await _median_of(lambda: upload_tree(remote, tree, stat_cache=scratch / "warm"))
        figures.append(Figure("unchanged tree submitted again: work of the client", cpu_s * 1000, "ms", 100))
        figures.append(Figure("unchanged tree submitted again: time", wall_s * 1000, "ms"))

        digests = list(scan_tree(tree, StatCache(scratch / "warm", tree)).files)
        _, wall_s = await _median_of(lambda: remote.find_missing(digests))
        figures.append(Figure("whether 10,000 blobs are there", wall_s * 1000, "ms", 50, "others: 26 to 117"))
        figures += await _large(remote)
    return figures


async def _large(remote: Store) -> list[Figure]:
    contents = [os.urandom(1024 * 1024) * _LARGE_MIB for _ in range(3)]
    digests = [Digest.of(content) for content in contents]
    uploads = []
    for digest, content in zip(digests, contents, strict=True):
        began = time.perf_counter()
        await remote.put_stream(digest, source_of(content))
        uploads.append((time.perf_counter() - began) * 100 / _LARGE_MIB)

    async def download() -> None:
        async with aclosing(remote.open_stream(digests[0])) as pieces:  # type: ignore[type-var]
            async for _ in pieces:
                pass

    _, wall_s = await _median_of(download)
    hashing = median_ms(lambda: seconds_of(lambda: Digest.of(contents[0])), runs=3) * 100 / _LARGE_MIB
    return [
        Figure("SHA-256 of 100 MiB, which both sides do", hashing, "ms"),
        Figure("100 MiB of a large blob up, durable", statistics.median(uploads) * 1000, "ms", 500, "200 MiB/s"),
        Figure("100 MiB of a large blob down", wall_s * 100 / _LARGE_MIB * 1000, "ms", 125, "800 MiB/s; wants two free cores"),
    ]


async def _median_of(action: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Return the seconds that this process worked, and those that went by."""
    cpu, wall = [], []
    for _ in range(_RUNS):
        began_cpu, began = time.process_time(), time.perf_counter()
        await action()
        cpu.append(time.process_time() - began_cpu)
        wall.append(time.perf_counter() - began)
    return statistics.median(cpu), statistics.median(wall)
