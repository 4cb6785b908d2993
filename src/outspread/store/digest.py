"""The name of a blob: the SHA-256 of its content together with its size, as in the Remote Execution API v2. Pure."""

import hashlib
import re
from typing import Final, Self

from msgspec import Struct

from outspread.store.errors import MalformedDigestError

#: Sizes are signed 64-bit numbers in the Remote Execution API.
MOST_BYTES: Final = 2**63 - 1
_TEXT: Final = re.compile(r"([0-9a-f]{64})/(0|[1-9][0-9]{0,18})", re.ASCII)
_PACKED_BYTES: Final = 40


class Digest(Struct, frozen=True, order=True):
    """``hash`` is 64 lower-case hexadecimal digits. ``of``, ``parse`` and ``unpack`` make well-formed ones only."""

    hash: str
    size_bytes: int

    def __str__(self) -> str:
        return f"{self.hash}/{self.size_bytes}"

    @classmethod
    def of(cls, content: bytes) -> Self:
        return cls(hashlib.sha256(content).hexdigest(), len(content))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the digest that ``text`` spells as ``HASH/SIZE``, the one spelling there is."""
        found = _TEXT.fullmatch(text)
        if found is None or int(found[2]) > MOST_BYTES:
            shown = text if len(text) <= 100 else f"{text[:100]}…"
            raise MalformedDigestError(
                f"cannot read {shown!r} as a digest: it is not 64 lower-case hexadecimal digits, a slash and a size in bytes"
            )
        return cls(found[1], int(found[2]))

    def pack(self) -> bytes:
        """Return 40 bytes: the hash, then the size, the higher bytes first."""
        return bytes.fromhex(self.hash) + self.size_bytes.to_bytes(8, "big")

    @classmethod
    def unpack(cls, packed: bytes) -> list[Self]:
        """Return the digests of which ``packed`` is made by ``pack``, one after another."""
        if len(packed) % _PACKED_BYTES:
            raise MalformedDigestError(f"cannot read packed digests: {len(packed)} bytes are no multiple of {_PACKED_BYTES}")
        found = []
        for start in range(0, len(packed), _PACKED_BYTES):
            size_bytes = int.from_bytes(packed[start + 32 : start + _PACKED_BYTES], "big")
            if size_bytes > MOST_BYTES:
                raise MalformedDigestError(f"cannot read packed digests: no blob has {size_bytes} bytes")
            found.append(cls(packed[start : start + 32].hex(), size_bytes))
        return found


#: This blob is in every store, without having been put there.
EMPTY: Final = Digest.of(b"")
