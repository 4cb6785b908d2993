"""Free a store on disk from what is not needed any more, while it is used.

What is needed is what the roots refer to, and what was used within the grace period: an upload that was told that a blob is
there has that long to become part of a root. A blob that is used while this goes on stays.
"""

import logging
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from outspread.store.blob_files import USE_NOTED_EVERY_S
from outspread.store.digest import EMPTY, Digest
from outspread.store.disk_store import DiskStore
from outspread.store.errors import MalformedTreeError
from outspread.store.garbage import StoredBlob, garbage
from outspread.store.whole_call import whole_call

_log = logging.getLogger(__name__)

#: A last use is noted with this precision only.
SHORTEST_GRACE_S: Final = 2 * USE_NOTED_EVERY_S


class Collected(Struct, frozen=True):
    """``broken``: directories that roots refer to and that are not there, or are none."""

    removed_blobs: int
    removed_bytes: int
    kept_blobs: int
    kept_bytes: int
    broken: tuple[Digest, ...]


async def collect_garbage(
    store: DiskStore, *, trees: Iterable[Digest], blobs: Iterable[Digest], grace_s: float, now: float
) -> Collected:
    """Remove what neither ``trees`` nor ``blobs`` refer to and nobody used for ``grace_s``, at least ``SHORTEST_GRACE_S``.

    ``now`` is in seconds since the epoch. All that can be found of a broken tree is kept.
    """
    if grace_s < SHORTEST_GRACE_S:
        raise ValueError(f"a grace period of {grace_s} s is too short: uploads that go on could lose blobs")
    return await whole_call(_collect, store, list(trees), list(blobs), now - grace_s)


def _collect(store: DiskStore, trees: list[Digest], blobs: list[Digest], used_before: float) -> Collected:
    store.files.sweep()
    kept, broken = _mark(store, trees)
    kept.update(digest.hash for digest in blobs)
    removed_blobs = removed_bytes = all_blobs = all_bytes = 0

    def stored() -> Iterator[StoredBlob]:
        nonlocal all_blobs, all_bytes
        for hash_, found in store.files.scan():
            all_blobs += 1
            all_bytes += found.st_size
            yield StoredBlob(hash_, found.st_size, found.st_mtime)

    for blob in garbage(stored(), kept=kept, used_before=used_before):
        if store.files.remove_unused(blob.hash, since=used_before):
            removed_blobs += 1
            removed_bytes += blob.size_bytes
    return Collected(removed_blobs, removed_bytes, all_blobs - removed_blobs, all_bytes - removed_bytes, tuple(broken))


def _mark(store: DiskStore, trees: list[Digest]) -> tuple[set[str], list[Digest]]:
    """Return the hashes of all that is in ``trees``, and the directories that cannot be read."""
    from outspread.store.directory_reader import read_directory  # late: it takes 40 ms

    kept: set[str] = set()
    broken = []
    seen = set(trees)
    waiting = list(seen)
    while waiting:
        digest = waiting.pop()
        kept.add(digest.hash)
        content = store.files.read(digest)
        try:
            listing = read_directory(content) if content is not None else None
        except MalformedTreeError:
            listing = None
        if listing is None:
            broken.append(digest)
            _log.error("tree is broken", extra={"digest": str(digest)})
            continue
        kept.update(node.digest.hash for node in listing.files)
        below = {node.digest for node in listing.directories} - seen - {EMPTY}
        seen |= below
        waiting += below
    return kept, broken
