"""Blobs as files of a directory: each whole and checked under its final name, or not there. No asyncio: calls block.

    blobs/ab/HASH      content; a file of another size than the digest says counts as absent
    incoming/ID/       what one process is writing; locked by it, and swept by the next one after a crash
    unfinished/        large uploads that broke off: HASH-SIZE, locked by whoever goes on with one
    damaged/           what turned out not to be what its name says

A crash of the machine between the renaming of a file and the end of the sync may leave one that has its name but not all its
content. Nobody was told that it is stored; its size gives it away, or else the check of its content when it is read.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from outspread.store.blob_reader import BlobReader
from outspread.store.checked_files import CheckedFiles
from outspread.store.digest import EMPTY, Digest
from outspread.store.errors import BlobMissingError, WrongContentError
from outspread.store.file_system_sync import FileSystemSync
from outspread.store.free_room import disk_errors
from outspread.store.incoming_blob import IncomingBlob

_log = logging.getLogger(__name__)

#: An unfinished upload is given up after this time.
UNFINISHED_KEPT_S: Final = 24 * 3600.0
#: A blob whose last use was noted longer ago than this is noted anew when somebody is told that it is there.
USE_NOTED_EVERY_S: Final = 600.0
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def _log_damage(digest: Digest, moved_to: Path) -> None:
    _log.error("blob damaged", extra={"digest": str(digest), "moved_to": str(moved_to)})


class BlobFiles:
    """The blobs below ``root``, which is made if missing; other processes may use the same. To be closed.

    ``sync``: what is stored outlives a crash of the machine. ``on_damage`` is told of each damaged blob and where it is now.
    """

    def __init__(self, root: Path, *, sync: bool = True, on_damage: Callable[[Digest, Path], None] = _log_damage) -> None:
        self.root = root
        self._sync_wanted = sync
        self._on_damage = on_damage
        self._blobs = f"{root}/blobs/"
        with disk_errors(root):
            for name in ("blobs", "incoming", "unfinished", "damaged"):
                (root / name).mkdir(parents=True, exist_ok=True, mode=0o700)
            if not (root / "blobs/ff").is_dir():  # the last to be made
                for number in range(256):
                    (root / f"blobs/{number:02x}").mkdir(exist_ok=True)
            self._root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self.sweep()
            self._own, self._own_lock = self._make_own_directory()
        self._checked = CheckedFiles()
        self._numbers = iter(range(2**62))
        self._file_system = FileSystemSync(self._root_fd)

    def close(self) -> None:
        shutil.rmtree(self._own, ignore_errors=True)
        os.close(self._own_lock)
        os.close(self._root_fd)

    def path(self, digest: Digest) -> str:
        return f"{self._blobs}{digest.hash[:2]}/{digest.hash}"

    def missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Return those that are not there; those that are count as used now."""
        noted_since = time.time() - USE_NOTED_EVERY_S
        return {digest for digest in digests if not self._has(digest, noted_since)}

    def put_many(self, blobs: Mapping[Digest, bytes]) -> None:
        """Store ``blobs``: all are checked before the first is written."""
        for digest, content in blobs.items():
            if len(content) != digest.size_bytes or hashlib.sha256(content).hexdigest() != digest.hash:
                raise WrongContentError(f"cannot store {digest}: the content is another", retry=False)
        with disk_errors(self.root):
            wanted = self.missing(blobs)
            for digest in wanted:
                temporary = f"{self._own}/{next(self._numbers)}"
                try:
                    file = os.open(temporary, _NEW_FILE, 0o444)
                    try:
                        _write_all(file, blobs[digest])
                    finally:
                        os.close(file)
                    os.rename(temporary, self.path(digest))
                except OSError:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(temporary)
                    raise
            if wanted and self._sync_wanted:
                self._file_system.sync()

    def begin(self, digest: Digest) -> IncomingBlob | None:
        """Return where to write a blob that is not there, at its end so far; None if it is there."""
        with disk_errors(self.root):
            while digest in self.missing([digest]):
                path = self._unfinished(digest)
                file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:  # somebody else sends the same: both may, who is done first wins
                    os.close(file)
                    path = f"{self._own}/{next(self._numbers)}"
                    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                    return IncomingBlob(digest, file, path, final=self.path(digest), keeps=False)
                if _is_at(file, path):
                    return IncomingBlob(digest, file, path, final=self.path(digest), keeps=True)
                os.close(file)  # it was finished or given up between the opening and the lock
        return None

    def write(self, incoming: IncomingBlob, content: bytes) -> None:
        with disk_errors(self.root):
            incoming.write(content)

    def finish(self, incoming: IncomingBlob) -> None:
        """Store what has been written, if it is what the digest says."""
        with disk_errors(self.root):
            incoming.store(sync=self._sync_wanted)
            if self._sync_wanted:
                _sync_directory(f"{self._blobs}{incoming.digest.hash[:2]}")
            self._forget_unfinished(incoming.digest)

    def kept_bytes(self, digest: Digest) -> int:
        with disk_errors(self.root), contextlib.suppress(FileNotFoundError):
            return min(os.stat(self._unfinished(digest)).st_size, digest.size_bytes)
        return 0

    def read(self, digest: Digest) -> bytes | None:
        """Return the content, checked; None if it is not there, or damaged: then it is not there any more."""
        if digest == EMPTY:
            return b""
        with disk_errors(self.root):
            try:
                with open(self.path(digest), "rb", buffering=0) as file:
                    content = file.read(digest.size_bytes + 1)
            except FileNotFoundError:
                return None
        if len(content) != digest.size_bytes:  # cut by a crash, or the digest of another size: absent, and in nobody's way
            return None
        if hashlib.sha256(content).hexdigest() == digest.hash:
            return content
        self.set_aside(digest)
        return None

    def open(self, digest: Digest, offset: int) -> BlobReader:
        """Return a reader, which the caller closes. ``BlobMissingError``."""
        with disk_errors(self.root):
            try:
                file = os.open(self.path(digest), os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError as error:
                raise BlobMissingError([digest]) from error
            found = os.fstat(file)
            if found.st_size != digest.size_bytes:
                os.close(file)
                raise BlobMissingError([digest])
            if self._checked.is_known(digest.hash, found):
                return BlobReader(digest, file, offset, None)
            return BlobReader(digest, file, offset, lambda: self._checked.note(digest.hash, found))

    def set_aside(self, digest: Digest) -> None:
        """Take a damaged blob out of the store, and tell."""
        aside = self.root / "damaged" / f"{digest.hash}-{secrets.token_hex(4)}"
        try:
            os.rename(self.path(digest), aside)
        except FileNotFoundError:  # somebody else has done it
            return
        self._on_damage(digest, aside)

    def scan(self) -> Iterator[tuple[str, os.stat_result]]:
        """Return the hash of each blob with what the system knows of its file."""
        for number in range(256):
            with os.scandir(f"{self._blobs}{number:02x}") as entries:
                for entry in entries:
                    with contextlib.suppress(FileNotFoundError):
                        yield entry.name, entry.stat(follow_symlinks=False)

    def remove_unused(self, hash_: str, *, since: float) -> bool:
        """Remove a blob if it has not been used ``since``; return whether it was removed.

        It is taken out of sight first: a use that is noted after that finds it missing, and one before that is seen here.
        """
        path = f"{self._blobs}{hash_[:2]}/{hash_}"
        doomed = f"{self._own}/{next(self._numbers)}"
        try:
            os.rename(path, doomed)
        except FileNotFoundError:
            return False
        if os.stat(doomed).st_mtime >= since:
            with contextlib.suppress(FileExistsError):  # put there anew: just as well
                os.link(doomed, path)
            os.unlink(doomed)
            return False
        os.unlink(doomed)
        return True

    def sweep(self) -> None:
        """Remove what crashed processes were writing, and unfinished uploads that nobody went on with."""
        for left in (self.root / "incoming").iterdir():
            with contextlib.suppress(FileNotFoundError), _locked(left) as free:
                if free:
                    shutil.rmtree(left, ignore_errors=True)
        given_up = time.time() - UNFINISHED_KEPT_S
        for left in (self.root / "unfinished").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if left.stat().st_mtime < given_up:
                    with _locked(left) as free:
                        if free:
                            left.unlink()

    def _unfinished(self, digest: Digest) -> str:
        return f"{self.root}/unfinished/{digest.hash}-{digest.size_bytes}"

    def _forget_unfinished(self, digest: Digest) -> None:
        """Remove what has been kept of an upload that is not needed any more; who is at it does so himself at the end."""
        left = Path(self._unfinished(digest))
        with contextlib.suppress(FileNotFoundError), _locked(left) as free:
            if free:
                left.unlink()

    def _has(self, digest: Digest, noted_since: float) -> bool:
        path = f"{self._blobs}{digest.hash[:2]}/{digest.hash}"
        try:
            found = os.stat(path)
            if found.st_size != digest.size_bytes:
                return False
            if found.st_mtime < noted_since:
                os.utime(path)
        except FileNotFoundError:
            return digest == EMPTY
        return True

    def _make_own_directory(self) -> tuple[str, int]:
        """Return a new directory for files that are being written, with the lock that says that it has an owner."""
        while True:
            own = f"{self.root}/incoming/{secrets.token_hex(8)}"
            os.mkdir(own, 0o700)
            lock = os.open(own, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_at(lock, own):  # else it was swept before it was locked
                return own, lock
            os.close(lock)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[bool]:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(file)


def _is_at(file: int, path: str) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    opened = os.fstat(file)
    return (there.st_dev, there.st_ino) == (opened.st_dev, opened.st_ino)


def _sync_directory(path: str) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _write_all(file: int, content: bytes) -> None:
    unwritten = memoryview(content)
    while unwritten:
        unwritten = unwritten[os.write(file, unwritten) :]
