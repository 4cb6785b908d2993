"""The output of attempts on disk: one append-only file for each run, byte-exact. Which part is whose stands in the tables."""

import os
from pathlib import Path
from typing import Final

from msgspec import Struct

#: Of a longer log, the first and last half of so many bytes are kept.
KEPT_BYTES_LIMIT: Final = 4 * 1024 * 1024


class LogPiece(Struct, frozen=True):
    """Where a log is in its run's file."""

    offset: int
    size_bytes: int


def log_bytes(text: str) -> bytes:
    """Return the bytes that were read as ``text``, in which surrogates stand for invalid UTF-8."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that no byte became: kept as it is rather than lost
        return text.encode("utf-8", "surrogatepass")


def log_text(data: bytes) -> str:
    """Return ``data`` as text, with surrogates for invalid UTF-8."""
    return data.decode("utf-8", "surrogateescape")


def shortened(data: bytes, limit: int = KEPT_BYTES_LIMIT) -> bytes:
    """Return ``data``, or its first and last part and how much lies between them when it is longer than ``limit`` bytes."""
    if len(data) <= limit:
        return data
    half = limit // 2
    return b"%b\n[... %d bytes left out ...]\n%b" % (data[:half], len(data) - 2 * half, data[-half:])


class AttemptLogs:
    """The log files under one directory. Not for use by several threads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[str, int] = {}
        self._unsynced: set[int] = set()

    def append(self, run_id: str, text: str) -> LogPiece:
        """Write a log at the end of its run's file, shortened to what is kept; raises OSError."""
        return self.append_bytes(run_id, shortened(log_bytes(text)))

    def append_bytes(self, run_id: str, data: bytes) -> LogPiece:
        """Write a log, or a part of one, at the end of its run's file; raises OSError."""
        descriptor = self._files.get(run_id)
        if descriptor is None:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            descriptor = self._files[run_id] = os.open(self._path(run_id), flags, 0o600)
        offset = os.lseek(descriptor, 0, os.SEEK_END)
        written = 0
        while written < len(data):
            written += os.write(descriptor, memoryview(data)[written:])
        self._unsynced.add(descriptor)
        return LogPiece(offset, len(data))

    def sync(self) -> None:
        """Make all that was written durable; raises OSError."""
        while self._unsynced:
            os.fdatasync(self._unsynced.pop())

    def read(self, run_id: str, piece: LogPiece) -> bytes:
        """Return a log, or a part of one; what is lost of it is missing."""
        try:
            with self._path(run_id).open("rb") as file:
                file.seek(piece.offset)
                return file.read(piece.size_bytes)
        except FileNotFoundError:
            return b""

    def finish(self, run_id: str) -> None:
        """Let go of a run's file. Idempotent."""
        descriptor = self._files.pop(run_id, None)
        if descriptor is not None:
            try:
                if descriptor in self._unsynced:
                    self._unsynced.remove(descriptor)
                    os.fdatasync(descriptor)
            finally:
                os.close(descriptor)

    def remove(self, run_id: str) -> None:
        """Delete a run's file. Idempotent."""
        self.finish(run_id)
        self._path(run_id).unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of all files. Idempotent."""
        for run_id in tuple(self._files):
            self.finish(run_id)

    def _path(self, run_id: str) -> Path:
        return self._directory / f"{run_id}.log"
