"""Which blobs of a store go: those that nothing refers to and nobody has used for a while. Pure."""

from collections.abc import Iterable, Iterator, Set

from msgspec import Struct


class StoredBlob(Struct, frozen=True):
    """``last_use`` is in seconds since the epoch: when the blob was stored, or somebody was last told that it is there."""

    hash: str
    size_bytes: int
    last_use: float


def garbage(blobs: Iterable[StoredBlob], *, kept: Set[str], used_before: float) -> Iterator[StoredBlob]:
    """Return the blobs whose hashes are not in ``kept``, if their last use was before ``used_before``."""
    return (blob for blob in blobs if blob.last_use < used_before and blob.hash not in kept)
