"""What every store promises: blobs by digest, each of them there whole and checked, or not there.

All methods may be called at the same time, from one event loop, by as many callers as there are, also for the same blob.
Failures of the store itself are ``StoreError``; calling again is always safe. The empty blob is there without having been put.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Final, Protocol

from outspread.store.digest import Digest
from outspread.store.errors import BlobMissingError

#: Content in one piece, from an offset to its end. Called once more for each new attempt.
Source = Callable[[int], AsyncIterator[bytes]]

#: Blobs up to this size go packed, many in one call; larger ones as streams.
SMALL_BLOB_BYTES: Final = 256 * 1024
#: So much content goes into one pack, by those who make packs.
PACK_BYTES: Final = 3 * 1024 * 1024
#: Streams come in pieces of this size.
CHUNK_BYTES: Final = 1024 * 1024


class Store(Protocol):
    async def find_missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Return which of ``digests`` the store does not have. The others it keeps for its grace period at least."""
        ...

    async def put_blobs(self, blobs: Mapping[Digest, bytes]) -> None:
        """Store small blobs; when this returns, a crash of the store loses none of them.

        ``WrongContentError``: one is not what its digest says. That one was not stored, others may have been; so too with
        ``StoreFullError``.
        """
        ...

    async def put_stream(self, digest: Digest, source: Source) -> None:
        """Store a blob of any size from ``source``, which is not called at all when the blob is there.

        What has come before a failure is kept for a day: the next call begins with the offset up to which it has.
        ``WrongContentError``: nothing was stored or kept. What ``source`` raises passes through.
        """
        ...

    async def kept_bytes(self, digest: Digest) -> int:
        """Return how much is kept of an unfinished ``put_stream``: where the next one will begin."""
        ...

    async def get_blobs(self, digests: Iterable[Digest]) -> dict[Digest, bytes]:
        """Return small blobs; those that are not there are left out."""
        ...

    def open_stream(self, digest: Digest, *, offset: int = 0) -> AsyncIterator[bytes]:
        """Return the content of a blob from ``offset`` on, piece by piece.

        ``BlobMissingError``, before the first piece, if the store does not have it; before the last one, if the content turns out
        to be damaged: so nobody takes damaged content for whole. (With an offset, the check is the caller's.)
        """
        ...


async def get_blob(store: Store, digest: Digest) -> bytes:
    """Return the content of a small blob, or raise ``BlobMissingError``."""
    found = await store.get_blobs([digest])
    if digest not in found:
        raise BlobMissingError([digest])
    return found[digest]


def source_of(content: bytes) -> Source:
    """Return ``content`` as a source."""

    async def pieces(offset: int) -> AsyncIterator[bytes]:
        for start in range(offset, len(content), CHUNK_BYTES):
            yield content[start : start + CHUNK_BYTES]

    return pieces
