"""Check a stream against its digest: each piece in a thread, while it is being used and the next one comes."""

import asyncio
import hashlib

from outspread.store.digest import Digest


class StreamCheck:
    """The check of one whole stream, from its beginning on."""

    def __init__(self, digest: Digest) -> None:
        self._digest = digest
        self._hash = hashlib.sha256()
        self._left = digest.size_bytes
        self._hashing: asyncio.Future[None] | None = None

    async def is_sound(self, piece: bytes) -> bool:
        """Take the next piece; return False instead of True for the last one if the content is not what the digest says."""
        if self._hashing is not None:
            await self._hashing
        self._left -= len(piece)
        self._hashing = asyncio.ensure_future(asyncio.to_thread(self._hash.update, piece))
        if self._left > 0:
            return True
        await self._hashing
        return self._left == 0 and self._hash.hexdigest() == self._digest.hash

    def end(self) -> None:
        """Let go of what has not been taken to its end."""
        if self._hashing is not None:
            self._hashing.cancel()
