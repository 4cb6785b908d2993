"""A worker's own bounded store of blobs, as files ready to be linked into work trees; what it lacks it gets from a ``Store``.

One process has a cache at a time. Files that are in use (``pin``) stay; of the others, the longest unused go first.
"""

import asyncio
import fcntl
import os
import time
from asyncio import to_thread
from collections.abc import Collection, Iterable, Mapping
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from outspread.store.cache_index import CacheIndex
from outspread.store.cached_files import CachedFiles, write_all
from outspread.store.cached_name import cached_name
from outspread.store.contract import SMALL_BLOB_BYTES, Store
from outspread.store.digest import EMPTY, Digest
from outspread.store.errors import BlobMissingError, StoreError, StoreFullError
from outspread.store.tree_plan import TreePlan, read_tree
from outspread.store.whole_call import whole_call
from outspread.store.wire import packs

#: So many calls to the store at a time.
_AT_ONCE: Final = 4
_PLANS_KEPT: Final = 16
_PLANNED_ENTRIES_KEPT: Final = 400_000


class BlobCache:
    """The cache in ``directory``, of at most ``limit_bytes``. Use as a context manager.

    ``verify``: read each file anew before each use, for those who trust neither their disk nor their jobs.
    """

    def __init__(self, directory: Path, store: Store, *, limit_bytes: int, verify: bool = False) -> None:
        self.store = store
        self._directory = directory
        self._verify = verify
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise StoreError(
                f"cannot use the cache in {directory}: another worker has it", hint="give each worker a directory of its own"
            ) from error
        self._limit_bytes = limit_bytes
        self._index = CacheIndex(limit_bytes)
        self.files = CachedFiles(directory)
        for name, found in self.files.scan():
            self._index.add(name, found.st_size, found.st_atime)
        for name in self._index.to_evict(0) or ():
            self._remove(name)
        #: What is on its way, with its size.
        self._coming: dict[str, tuple[asyncio.Future[None], int]] = {}
        self._calls = asyncio.Semaphore(_AT_ONCE)
        self._plans: dict[Digest, TreePlan] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self.files.close()
        os.close(self._lock)

    @property
    def used_bytes(self) -> int:
        return self._index.used_bytes

    async def plan(self, root: Digest) -> TreePlan:
        """Return what the tree consists of, checked as a whole."""
        plan = self._plans.pop(root, None)
        if plan is None:
            plan = await read_tree(self._read_messages, root)
        self._plans[root] = plan  # the latest used is the last
        while len(self._plans) > 1 and (
            len(self._plans) > _PLANS_KEPT or sum(kept.entries for kept in self._plans.values()) > _PLANNED_ENTRIES_KEPT
        ):
            del self._plans[next(iter(self._plans))]
        return plan

    def pin(self, names: Collection[str]) -> None:
        """Keep the files with these names, also those that are yet to come, until ``unpin``."""
        self._index.pin(names, time.time())

    def unpin(self, names: Collection[str]) -> None:
        self._index.unpin(names, time.time())

    def is_sound(self, name: str, digest: Digest, now: float) -> bool:
        """Return whether the file is there and as it was made; one that was changed is removed. Blocks."""
        if not self.files.is_sound(name, digest.size_bytes, now):
            return False
        if self._verify and not self.files.has_content(name, digest):
            self.files.remove(name)
            return False
        return True

    def note_gone(self, names: Iterable[str]) -> None:
        """Note files that turned out to be gone or were removed."""
        for name in names:
            self._index.forget(name)

    async def fetch(self, blobs: Mapping[str, Digest]) -> None:
        """Get files that are not there. What somebody else is getting is waited for. ``BlobMissingError``, ``StoreFullError``."""
        while wanted := [name for name in blobs if name not in self._index]:
            others = [self._coming[name][0] for name in wanted if name in self._coming]
            own = {name: blobs[name] for name in wanted if name not in self._coming}
            if own:
                await self._fetch_own(own)
            if others:
                await asyncio.wait(others)  # if they fail, we try for ourselves

    async def _fetch_own(self, blobs: Mapping[str, Digest]) -> None:
        loop = asyncio.get_running_loop()
        self._make_room(sum(digest.size_bytes for digest in blobs.values()))
        coming = {name: (loop.create_future(), digest.size_bytes) for name, digest in blobs.items()}
        self._index.reserved_bytes += sum(size_bytes for _, size_bytes in coming.values())
        self._coming.update(coming)
        try:
            await self._get_all(blobs)
        finally:
            for name in coming:
                self._come(name)

    def _come(self, name: str) -> None:
        """Note that a file is not on its way any more, because it is there or because it will not come."""
        if (coming := self._coming.pop(name, None)) is not None:
            future, size_bytes = coming
            self._index.reserved_bytes -= size_bytes
            future.set_result(None)

    async def _get_all(self, blobs: Mapping[str, Digest]) -> None:
        by_digest: dict[Digest, list[str]] = {}
        for name, digest in blobs.items():
            by_digest.setdefault(digest, []).append(name)
        small = [digest for digest in by_digest if digest.size_bytes <= SMALL_BLOB_BYTES]
        try:
            async with asyncio.TaskGroup() as group:
                for pack in packs(small):
                    group.create_task(self._get_pack(pack, by_digest))
                for digest, names in by_digest.items():
                    if digest.size_bytes > SMALL_BLOB_BYTES:
                        group.create_task(self._get_large(digest, names))
        except* Exception as errors:  # noqa: BLE001 # the first says it, in its own type
            raise errors.exceptions[0] from None

    async def _get_pack(self, pack: list[Digest], names: Mapping[Digest, list[str]]) -> None:
        async with self._calls:
            found = await self.store.get_blobs(pack)
            if missing := [digest for digest in pack if digest not in found]:
                raise BlobMissingError(missing)
            blobs = [(name, found[digest]) for digest in pack for name in names[digest]]
            now = time.time()
            await whole_call(self.files.write_all, blobs, now)
        for name, content in blobs:
            self._index.add(name, len(content), now)
            self._come(name)

    async def _get_large(self, digest: Digest, names: list[str]) -> None:
        async with self._calls:
            for name in names:
                now = time.time()
                with self.files.new_file(name, now) as file:
                    async with aclosing(self.store.open_stream(digest)) as pieces:  # type: ignore[type-var]
                        async for piece in pieces:
                            await whole_call(write_all, file, piece)
                self._index.add(name, digest.size_bytes, now)
                self._come(name)

    async def _read_messages(self, digests: set[Digest]) -> dict[Digest, bytes]:
        """Return directory messages, from here or from the store, and keep them here."""
        names = {cached_name(digest): digest for digest in digests - {EMPTY}}
        found = await to_thread(self._read_here, names)
        absent = {name: digest for name, digest in names.items() if digest not in found}
        self.note_gone(absent)
        if absent:
            self.pin(absent)
            try:
                await self.fetch(absent)
                found |= await to_thread(self._read_here, absent)
            finally:
                self.unpin(absent)
        if EMPTY in digests:
            found[EMPTY] = b""
        return found

    def _read_here(self, blobs: Mapping[str, Digest]) -> dict[Digest, bytes]:
        return {digest: content for name, digest in blobs.items() if (content := self.files.read(name, digest)) is not None}

    def _make_room(self, needed_bytes: int) -> None:
        evicted = self._index.to_evict(needed_bytes)
        if evicted is None:
            raise StoreFullError(
                f"cannot fetch {needed_bytes} bytes into the cache in {self._directory}: its limit is {self._limit_bytes}, "
                f"and running jobs use what is in it",
                hint="give the worker a larger cache or fewer slots",
            )
        for name in evicted:
            self._remove(name)

    def _remove(self, name: str) -> None:
        self.files.remove(name)
        self._index.forget(name)
