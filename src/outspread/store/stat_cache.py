"""Remember the digests of files by what the system says about them, so that only what may have changed is hashed again.

One file for each directory that is uploaded, read and replaced as a whole: of two processes that write it, the later one wins,
and nothing is lost but time. Whatever cannot be read counts as empty.
"""

import contextlib
import hashlib
import os
import secrets
import time
from pathlib import Path
from typing import Final

import msgspec

from outspread.store.digest import Digest

#: A file that changed so shortly before it was looked at may change again without the system's clock showing it.
_CLOCK_TICK_NS: Final = 2 * 10**9
_FORM: Final = 1
_FILES_KEPT: Final = 64

#: Device, inode, size, time of modification, time of change.
Identity = tuple[int, int, int, int, int]


class _Remembered(msgspec.Struct, frozen=True, array_like=True):
    form: int
    files: dict[str, tuple[Identity, str]]


class StatCache:
    """What is known of the files below ``tree``, by their paths from there; kept in a file of ``directory``."""

    def __init__(self, directory: Path, tree: Path) -> None:
        self._path = directory / hashlib.sha256(os.fsencode(tree.resolve())).hexdigest()[:32]
        self._known = _read(self._path)
        self._current: dict[str, tuple[Identity, str]] = {}
        self._settled_before = time.time_ns() - _CLOCK_TICK_NS
        self._news = False

    def look_up(self, path: str, found: os.stat_result) -> Digest | None:
        """Return the digest of the file at ``path``, if it is what it was."""
        known = self._known.get(path)
        if known is None or known[0] != _identity(found):
            return None
        self._current[path] = known
        return Digest(known[1], found.st_size)

    def note(self, path: str, found: os.stat_result, digest: Digest) -> None:
        """Remember the digest of a file which was looked at before it was read.

        Nothing is remembered of a file that may yet change in the tick of the clock in which it was read: git calls that racy.
        """
        self._news = True
        if max(found.st_mtime_ns, found.st_ctime_ns) < self._settled_before:
            self._current[path] = (_identity(found), digest.hash)

    def save(self) -> None:
        """Keep what has been looked up and noted, instead of what was known before. Failing to keep it costs time only."""
        if not self._news and len(self._current) == len(self._known):
            with contextlib.suppress(OSError):
                os.utime(self._path)  # in use: see _forget_oldest
            return
        temporary = f"{self._path}.{secrets.token_hex(4)}"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _forget_oldest(self._path.parent)
            Path(temporary).write_bytes(msgspec.msgpack.encode(_Remembered(_FORM, self._current)))
            os.rename(temporary, self._path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _identity(found: os.stat_result) -> Identity:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _read(path: Path) -> dict[str, tuple[Identity, str]]:
    try:
        read = msgspec.msgpack.decode(path.read_bytes(), type=_Remembered)
    except (OSError, msgspec.MsgspecError):
        return {}
    return read.files if read.form == _FORM else {}


def _forget_oldest(directory: Path) -> None:
    files = sorted(directory.iterdir(), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files[_FILES_KEPT:]:
        file.unlink(missing_ok=True)
