"""Make a work tree: a directory of this host with the content of a tree, for one job."""

import time
from asyncio import to_thread
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Final

from outspread.store.blob_cache import BlobCache
from outspread.store.digest import Digest
from outspread.store.errors import StoreError
from outspread.store.path_globs import path_globs
from outspread.store.tree_plan import TreePlan
from outspread.store.tree_removal import remove_tree
from outspread.store.whole_call import whole_call
from outspread.store.work_tree_writer import WorkTreeWriter

#: How often files are fetched that vanish while the tree is written, because jobs change them.
_ROUNDS: Final = 5


class WorkTree:
    """A directory that a job has to itself. Until ``release``, the cache keeps what is linked there."""

    def __init__(self, path: Path, root: Digest, cache: BlobCache, names: Collection[str]) -> None:
        self.path = path
        self.root = root
        self._cache = cache
        self._names = names

    def release(self) -> None:
        """Let the cache forget the files; the directory stays. May be called again."""
        names, self._names = self._names, ()
        self._cache.unpin(names)

    async def remove(self) -> None:
        """Remove the directory, whatever has become of it, and release."""
        try:
            await to_thread(remove_tree, self.path)
        finally:
            self.release()


async def materialise(cache: BlobCache, root: Digest, into: Path, *, writable: bool | Iterable[str] = False) -> WorkTree:
    """Make ``into``, which must not exist, with the content of the tree ``root``.

    Directories can be written to, files only where ``writable`` says so: for all, or by patterns (``path_globs``). The others are
    hard links that jobs share: who changes one nevertheless changes it for those that run then, but for none that comes later.
    When this fails, nothing is left. ``BlobMissingError``: the store does not have all of it. ``MalformedTreeError``: it is no
    tree, and nothing was written.
    """
    matches: Callable[[str], bool] | bool = writable if isinstance(writable, bool) else path_globs(writable)
    plan = await cache.plan(root)
    blobs = {file.cached: file.digest for directory in plan.directories for file in directory.files}
    cache.pin(blobs)
    try:
        await cache.fetch(blobs)
        await _write(cache, plan, into, matches)
    except BaseException:
        cache.unpin(blobs)
        raise
    return WorkTree(into, root, cache, blobs)


async def _write(cache: BlobCache, plan: TreePlan, into: Path, writable: Callable[[str], bool] | bool) -> None:
    writer = WorkTreeWriter(plan, into, cache.files, cache.is_sound, writable=writable)
    await to_thread(writer.begin)
    try:
        await _write_with(writer, cache)
    except BaseException:
        await to_thread(remove_tree, into)
        raise


async def _write_with(writer: WorkTreeWriter, cache: BlobCache) -> None:
    absent = await whole_call(writer.write, time.time())
    for _ in range(_ROUNDS):
        if not absent:
            return
        blobs = {file.cached: file.digest for _, file in absent}
        cache.note_gone(blobs)
        await cache.fetch(blobs)
        absent = await whole_call(writer.write_rest, absent, time.time())
    raise StoreError(f"cannot make a work tree: other jobs keep changing {absent[0][1].digest}")
