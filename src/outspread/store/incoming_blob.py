"""A blob that is being written: its file, and its digest so far. No asyncio: calls block."""

import hashlib
import os
import threading
from pathlib import Path
from typing import Final

from outspread.store.contract import CHUNK_BYTES
from outspread.store.digest import Digest
from outspread.store.errors import WrongContentError
from outspread.store.file_system_sync import start_writing

_WRITTEN_AT_ONCE: Final = 8 * 1024 * 1024


class IncomingBlob:
    """A file at ``path`` that becomes the one at ``final``. ``offset``: how much there is.

    ``keeps``: what has been written is kept if the rest never comes.
    """

    def __init__(self, digest: Digest, file: int, path: str, *, final: str, keeps: bool) -> None:
        """Take over the descriptor ``file``, whose content so far counts."""
        self.digest = digest
        self._file = file
        self._path = path
        self._final = final
        self._keeps = keeps
        self._stored = False
        self._in_use = threading.Lock()
        self._hash = hashlib.sha256()
        self.offset = 0
        while read := os.read(file, CHUNK_BYTES):
            self._hash.update(read)
            self.offset += len(read)
        self._on_its_way = self.offset

    def write(self, content: bytes) -> None:
        with self._in_use:
            if self.offset + len(content) > self.digest.size_bytes:
                self._keeps = False
                raise WrongContentError(f"cannot store {self.digest}: there is more content than that", retry=False)
            unwritten = memoryview(content)
            try:
                while unwritten:
                    unwritten = unwritten[os.write(self._file, unwritten) :]
            except OSError:  # what has been written takes room that may be what is missing
                self._keeps = False
                raise
            self._hash.update(content)
            self.offset += len(content)
            if self.offset - self._on_its_way >= _WRITTEN_AT_ONCE:
                start_writing(self._file, self._on_its_way, self.offset)
                self._on_its_way = self.offset

    def store(self, *, sync: bool) -> None:
        """Give the file its final name, if its content is what the digest says."""
        with self._in_use:
            if self.offset < self.digest.size_bytes:
                raise WrongContentError(f"cannot store {self.digest}: there are {self.offset} bytes only")
            self._keeps = False
            if self._hash.hexdigest() != self.digest.hash:
                raise WrongContentError(f"cannot store {self.digest}: the content is another", retry=False)
            os.fchmod(self._file, 0o444)
            if sync:
                os.fsync(self._file)
            os.rename(self._path, self._final)
            self._stored = True

    def close(self) -> None:
        """Give the file back, once nothing is written to it any more.

        It is removed if it is neither stored nor kept, nor needed any more because somebody else stored the same.
        """
        with self._in_use:
            try:
                if not self._stored and not (self._keeps and self.offset and not os.path.exists(self._final)):
                    Path(self._path).unlink(missing_ok=True)
            finally:
                os.close(self._file)
