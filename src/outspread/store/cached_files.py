"""The files of a worker's cache: which blob a file is, how it must look, how it is made. Calls block.

    blobs/ab/HASH.MODE   content; MODE is the mode that its hard links have in work trees
    incoming/            what is being written; emptied when the cache is opened

Every file gets the same time of modification: a file with another one, or of another size or mode, was changed by a job, and is
thrown away. (The time of change cannot tell: each hard link that is made or removed changes it.)
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from outspread.store.cached_name import mode_of
from outspread.store.contract import CHUNK_BYTES
from outspread.store.digest import Digest
from outspread.store.file_copy import copy_file, finish_file, settled
from outspread.store.free_room import disk_errors
from outspread.store.tree_removal import remove_tree

#: The time of all files in work trees: 2001-09-09. Not 1970, which zip archives cannot hold.
FILE_TIME_NS: Final = 10**18
#: When its last use was noted longer ago than this, it is noted anew.
_USE_NOTED_EVERY_S: Final = 3600.0
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class CachedFiles:
    """The files below ``directory``, which belongs to one cache only. ``blobs`` is a handle of where they are."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        with disk_errors(directory):
            remove_tree(directory / "incoming")
            for name in ("blobs", "incoming"):
                (directory / name).mkdir(parents=True, exist_ok=True, mode=0o700)
            for number in range(256):
                (directory / f"blobs/{number:02x}").mkdir(exist_ok=True)
            self.blobs = os.open(directory / "blobs", _DIRECTORY)
            self._incoming = os.open(directory / "incoming", _DIRECTORY)
        self._numbers = iter(range(2**62))

    def close(self) -> None:
        os.close(self.blobs)
        os.close(self._incoming)

    def scan(self) -> Iterator[tuple[str, os.stat_result]]:
        """Return the name of each file with what the system knows of it."""
        for number in range(256):
            with os.scandir(self._directory / f"blobs/{number:02x}") as entries:
                for entry in entries:
                    yield f"{number:02x}/{entry.name}", entry.stat(follow_symlinks=False)

    def is_sound(self, name: str, size_bytes: int, now: float) -> bool:
        """Return whether the file is there and as it was made; note that it is used."""
        try:
            found = os.stat(name, dir_fd=self.blobs, follow_symlinks=False)
        except FileNotFoundError:
            return False
        if found.st_mtime_ns != FILE_TIME_NS or found.st_size != size_bytes or found.st_mode != stat.S_IFREG | mode_of(name):
            self.remove(name)
            return False
        if found.st_atime < now - _USE_NOTED_EVERY_S:
            os.utime(name, ns=(int(now * 1e9), FILE_TIME_NS), dir_fd=self.blobs)
        return True

    def has_content(self, name: str, digest: Digest) -> bool:
        """Return whether the file has the content of ``digest``, by reading all of it."""
        with open(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.blobs), "rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest.hash

    def read(self, name: str, digest: Digest) -> bytes | None:
        """Return the content of a small file; None if it is not there or not what ``digest`` says."""
        try:
            with open(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.blobs), "rb", buffering=0) as file:
                content = file.read(digest.size_bytes + 1)
        except FileNotFoundError:
            return None
        return content if Digest.of(content) == digest else None

    def write_all(self, blobs: Iterable[tuple[str, bytes]], now: float) -> None:
        """Make files with the given names and contents, which have been checked."""
        for name, content in blobs:
            with self.new_file(name, now) as file:
                write_all(file, content)

    @contextlib.contextmanager
    def new_file(self, name: str, now: float) -> Iterator[int]:
        """Give a descriptor to write the content of a file to; it gets its name when that went well."""
        temporary = f"{next(self._numbers)}"
        with disk_errors(self._directory):
            file = os.open(temporary, _NEW_FILE, 0o600, dir_fd=self._incoming)
            try:
                try:
                    yield file
                    finish_file(file, mode=mode_of(name), times_ns=(int(now * 1e9), FILE_TIME_NS))
                finally:
                    os.close(file)
                if mode_of(name) & 0o111:
                    settled(temporary, directory=self._incoming)
                os.rename(temporary, name, src_dir_fd=self._incoming, dst_dir_fd=self.blobs)
            except BaseException:
                os.unlink(temporary, dir_fd=self._incoming)
                raise

    def renew(self, name: str) -> None:
        """Put a copy in place of a file that has as many hard links as the file system allows."""
        temporary = f"{next(self._numbers)}"
        file = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.blobs)
        try:
            times_ns = (os.fstat(file).st_atime_ns, FILE_TIME_NS)
            copy_file(file, temporary, directory=self._incoming, mode=mode_of(name), times_ns=times_ns)
        finally:
            os.close(file)
        os.rename(temporary, name, src_dir_fd=self._incoming, dst_dir_fd=self.blobs)

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.blobs)


def write_all(file: int, content: bytes) -> None:
    """Write the whole ``content``."""
    unwritten = memoryview(content)
    while unwritten:
        unwritten = unwritten[os.write(file, unwritten[:CHUNK_BYTES]) :]
