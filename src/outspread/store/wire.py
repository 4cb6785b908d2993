"""How blobs travel over HTTP: the bodies that hold many of them, the headers, the bounds. Pure.

A list of digests is 40 bytes for each (``Digest.pack``). A pack is digests and contents in turn: each digest says how long the
content after it is.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from outspread.store.contract import PACK_BYTES
from outspread.store.digest import Digest
from outspread.store.errors import MalformedDigestError

#: Where blobs are, on every controller.
BLOBS_PATH: Final = "/api/v1/blobs"
#: How much of an unfinished upload the store has, and where a request goes on.
OFFSET_HEADER: Final = "upload-offset"
#: So many digests are asked for at a time.
DIGESTS_A_CALL: Final = 20_000
#: A pack is refused beyond this: more than any sender packs, so that senders may change.
LARGEST_PACK_BYTES: Final = 16 * 1024 * 1024
_PACKED_DIGEST_BYTES: Final = 40


def pack_digests(digests: Iterable[Digest]) -> bytes:
    """Return the list."""
    return b"".join([digest.pack() for digest in digests])


def pack_blobs(blobs: Mapping[Digest, bytes]) -> bytes:
    """Return the pack."""
    return b"".join([part for digest, content in blobs.items() for part in (digest.pack(), content)])


def unpack_blobs(body: bytes) -> dict[Digest, bytes]:
    """Return the blobs in ``body``; whether they are what their digests say is for the store to check."""
    blobs = {}
    start = 0
    while start < len(body):
        content = start + _PACKED_DIGEST_BYTES
        (digest,) = Digest.unpack(body[start:content])
        start = content + digest.size_bytes
        if start > len(body):
            raise MalformedDigestError(f"cannot read a pack of blobs: it ends within {digest}")
        blobs[digest] = body[content:start]
    return blobs


def packs(digests: Iterable[Digest]) -> Iterator[list[Digest]]:
    """Divide ``digests`` so that their blobs make packs of a good size. A larger blob has a pack of its own."""
    pack: list[Digest] = []
    size_bytes = 0
    for digest in digests:
        size = digest.size_bytes + _PACKED_DIGEST_BYTES
        if pack and size_bytes + size > PACK_BYTES:
            yield pack
            pack, size_bytes = [], 0
        pack.append(digest)
        size_bytes += size
    if pack:
        yield pack
