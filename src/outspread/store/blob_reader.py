"""A blob that is being read: checked on the way, so that its last piece is not given if it is damaged. Calls block."""

import hashlib
import os
import threading
from collections.abc import Callable

from outspread.store.contract import CHUNK_BYTES
from outspread.store.digest import Digest


class DamagedError(Exception):
    """The content is not what the digest says."""


class BlobReader:
    """Reads from ``offset`` on. Checks what it reads from the beginning and calls ``checked`` when it was sound.

    Without ``checked``, nothing is checked.
    """

    def __init__(self, digest: Digest, file: int, offset: int, checked: Callable[[], None] | None) -> None:
        """Take over the descriptor ``file``."""
        self._digest = digest
        self._file = file
        self._position = offset
        self._checked = checked
        self._hash = None if offset or checked is None else hashlib.sha256()
        self._in_use = threading.Lock()

    def read(self) -> bytes:
        """Return the next piece, empty at the end. Raises ``DamagedError`` instead of returning the last one."""
        with self._in_use:
            piece = os.pread(self._file, min(CHUNK_BYTES, self._digest.size_bytes - self._position), self._position)
            self._position += len(piece)
            if not piece and self._position < self._digest.size_bytes:
                raise DamagedError  # it has become shorter
            if self._hash is not None and self._checked is not None and piece:
                self._hash.update(piece)
                if self._position == self._digest.size_bytes:
                    if self._hash.hexdigest() != self._digest.hash:
                        raise DamagedError
                    self._checked()
            return piece

    def close(self) -> None:
        """Give the file back, once nothing is read from it any more."""
        with self._in_use:
            os.close(self._file)
