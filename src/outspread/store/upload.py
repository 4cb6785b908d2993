"""Put files and directories of this host into a store: ask what is missing, pack what is small, stream what is large."""

import asyncio
import os
from asyncio import to_thread
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from outspread.store.contract import CHUNK_BYTES, SMALL_BLOB_BYTES, Source, Store, source_of
from outspread.store.digest import Digest
from outspread.store.errors import UnstorableError
from outspread.store.stat_cache import StatCache
from outspread.store.tree_scan import Ignore, ScannedTree, hash_open_file, open_file, scan_tree
from outspread.store.whole_call import whole_call
from outspread.store.wire import packs

#: So many packs and streams are on their way at a time: one is read or written here while another is stored there.
_AT_ONCE: Final = 2


#: The path of a file, or its descriptor.
Place = str | int


class TreeUpload(Struct, frozen=True):
    """``root`` names the tree. ``files`` and ``size_bytes`` count all of it, ``uploaded_…`` only what was missing."""

    root: Digest
    files: int
    size_bytes: int
    uploaded_blobs: int
    uploaded_bytes: int


async def upload_tree(store: Store, path: Path, *, ignore: Ignore | None = None, stat_cache: Path | None = None) -> TreeUpload:
    """Store the directory at ``path`` and all below. Symbolic links are kept as they are.

    ``stat_cache`` is a directory to remember digests in. Raises ``UnstorableError`` for what cannot be in a tree, and for
    files that change meanwhile.
    """
    scanned = await to_thread(_scan, path, ignore, stat_cache)
    return await upload_scanned(store, scanned)


async def upload_scanned(store: Store, scanned: ScannedTree) -> TreeUpload:
    """Store what ``scan_tree`` has found."""
    missing = await store.find_missing([*scanned.files, *scanned.directories])
    await _send(store, {digest: path for digest, path in scanned.files.items() if digest in missing})
    # Directories last: whoever finds one finds what it refers to.
    directories = {digest: content for digest, content in scanned.directories.items() if digest in missing}
    if small := {digest: content for digest, content in directories.items() if digest.size_bytes <= SMALL_BLOB_BYTES}:
        await store.put_blobs(small)
    for digest, content in directories.items():
        if digest.size_bytes > SMALL_BLOB_BYTES:
            await store.put_stream(digest, source_of(content))
    return TreeUpload(
        root=scanned.root,
        files=scanned.file_count,
        size_bytes=scanned.size_bytes,
        uploaded_blobs=len(missing),
        uploaded_bytes=sum(digest.size_bytes for digest in missing),
    )


async def put_open_files(store: Store, files: Iterable[int]) -> dict[int, Digest]:
    """Store the content of files by their descriptors, which stay open; return their digests."""
    digests = {file: await to_thread(_hash, file) for file in files}
    missing = await store.find_missing(digests.values())
    await _send(store, {digest: file for file, digest in digests.items() if digest in missing})
    return digests


async def put_file(store: Store, path: Path) -> Digest:
    """Store the content of one file; return its digest. Raises ``UnstorableError`` if it is a link, or no file."""
    try:
        file = open_file(str(path))
    except OSError as error:
        raise UnstorableError(f"cannot read {path}: {error.strerror}") from error
    try:
        return (await put_open_files(store, [file]))[file]
    finally:
        os.close(file)


def _scan(path: Path, ignore: Ignore | None, stat_cache: Path | None) -> ScannedTree:
    return scan_tree(path, StatCache(stat_cache, path) if stat_cache is not None else None, ignore)


async def _send(store: Store, files: Mapping[Digest, Place]) -> None:
    limit = asyncio.Semaphore(_AT_ONCE)

    async def send_pack(pack: list[Digest]) -> None:
        async with limit:
            await store.put_blobs(await to_thread(_read_all, {digest: files[digest] for digest in pack}))

    async def send_large(digest: Digest) -> None:
        async with limit:
            await store.put_stream(digest, _file_source(digest, files[digest]))

    small = [digest for digest in files if digest.size_bytes <= SMALL_BLOB_BYTES]
    try:
        async with asyncio.TaskGroup() as group:
            for pack in packs(small):
                group.create_task(send_pack(pack))
            for digest in files:
                if digest.size_bytes > SMALL_BLOB_BYTES:
                    group.create_task(send_large(digest))
    except* Exception as errors:  # noqa: BLE001 # the first says it, in its own type
        raise errors.exceptions[0] from None


def _read_all(files: Mapping[Digest, Place]) -> dict[Digest, bytes]:
    return {digest: _read(digest, place) for digest, place in files.items()}


def _read(digest: Digest, place: Place) -> bytes:
    with _opened(place) as file:
        content = os.pread(file, digest.size_bytes + 1, 0)
    if Digest.of(content) != digest:
        raise UnstorableError(f"cannot store {_shown(place)}: it changes while it is read")
    return content


def _file_source(digest: Digest, place: Place) -> Source:
    async def pieces(offset: int) -> AsyncIterator[bytes]:
        with _opened(place) as file:
            while offset < digest.size_bytes:
                piece = await whole_call(os.pread, file, min(CHUNK_BYTES, digest.size_bytes - offset), offset)
                if not piece:
                    raise UnstorableError(f"cannot store {_shown(place)}: it changes while it is read")
                offset += len(piece)
                yield piece

    return pieces


@contextmanager
def _opened(place: Place) -> Iterator[int]:
    """Give a descriptor; one that was opened here is closed."""
    if isinstance(place, int):
        yield place
        return
    try:
        file = open_file(place)
    except OSError as error:
        raise UnstorableError(f"cannot read {place}: {error.strerror}") from error
    try:
        yield file
    finally:
        os.close(file)


def _shown(place: Place) -> str:
    return place if isinstance(place, str) else "an open file"


def _hash(file: int) -> Digest:
    try:
        return hash_open_file(file)
    except OSError as error:
        raise UnstorableError(f"cannot read an open file: {error.strerror}") from error
