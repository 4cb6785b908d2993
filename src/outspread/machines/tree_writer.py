"""Write what an archive from a machine holds below one directory, and never anywhere else, whatever the archive says.

Every path is walked from a handle of the directory, component by component, without following a link. Links that could lead
outside, devices and the like are not made; they are named in ``refused``.
"""

import contextlib
import errno
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from outspread.machines.tar_reader import EntryKind, TarEntry

_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LATEST_TIME_S = 2**40  # far in the future, and within what every file system can note
_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
#: What the kernel says of entries that cannot be anywhere: names that are too long, hard links to directories.
_OF_THE_ENTRY = frozenset({errno.ENAMETOOLONG, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.EINVAL, errno.EILSEQ})


class _RefusedError(Exception):
    """An entry that is not written."""


class TreeWriter:
    """Takes the events of a TarReader. ``files`` counts files and links written."""

    def __init__(self, destination: Path) -> None:
        """Write below ``destination``, which is made if missing."""
        destination.mkdir(parents=True, exist_ok=True)
        self.files = 0
        self.refused: list[str] = []
        self._root = os.open(destination, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._file = -1
        self._entry: TarEntry | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._close_file()
        os.close(self._root)

    def take(self, event: TarEntry | bytes) -> None:
        """Write an entry, or more of the content of the last one."""
        if isinstance(event, TarEntry):
            self._close_file()
            try:
                self._begin(event)
            except (_RefusedError, ValueError):  # the latter for names with a NUL
                self.refused.append(event.name)
            except OSError as error:
                if error.errno not in _OF_THE_ENTRY:
                    raise
                self.refused.append(event.name)
        elif self._file >= 0:
            unwritten = memoryview(event)
            while unwritten:
                unwritten = unwritten[os.write(self._file, unwritten) :]

    def _begin(self, entry: TarEntry) -> None:
        parts = _parts(entry.name)
        if entry.kind is EntryKind.DIRECTORY:
            os.close(self._walk(parts))
            return
        if entry.kind is EntryKind.OTHER or not parts:
            raise _RefusedError
        parent = self._walk(parts[:-1])
        try:
            self._replace(entry, parts, parent)
        finally:
            os.close(parent)
        self.files += 1

    def _replace(self, entry: TarEntry, parts: list[str], parent: int) -> None:
        """Write a file or link in place of what has its name, as when two patterns match the same file."""
        name = parts[-1]
        if entry.kind is EntryKind.HARD_LINK:
            self._link(entry, parts, parent)
            return
        if entry.kind is EntryKind.SYMLINK and not _stays_inside(entry.target, depth=len(parts) - 1):
            raise _RefusedError
        self._make_room(name, parent)
        if entry.kind is EntryKind.SYMLINK:
            os.symlink(entry.target, name, dir_fd=parent)
        else:
            self._file = os.open(name, _FILE_FLAGS, (entry.mode & 0o755) | 0o600, dir_fd=parent)
            self._entry = entry

    def _link(self, entry: TarEntry, parts: list[str], parent: int) -> None:
        source = _parts(entry.target)
        if source == parts:
            return
        if not source:
            raise _RefusedError
        source_parent = self._walk(source[:-1])
        try:
            target = _target(source[-1], source_parent)
            if target is not None and not _stays_inside(target, depth=len(parts) - 1):
                raise _RefusedError  # in that place the same link leads elsewhere
            self._make_room(parts[-1], parent)
            if target is not None:
                os.symlink(target, parts[-1], dir_fd=parent)
            else:
                os.link(source[-1], parts[-1], src_dir_fd=source_parent, dst_dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError as error:  # to something that was refused itself
            raise _RefusedError from error
        finally:
            os.close(source_parent)

    @staticmethod
    def _make_room(name: str, parent: int) -> None:
        try:
            os.unlink(name, dir_fd=parent)
        except FileNotFoundError:
            return
        except IsADirectoryError as error:
            raise _RefusedError from error

    def _walk(self, parts: list[str]) -> int:
        """Return a handle of the directory ``parts``, whose missing components are made."""
        directory = os.dup(self._root)
        for part in parts:
            try:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=directory)
                below = os.open(part, _DIRECTORY_FLAGS, dir_fd=directory)
            except NotADirectoryError as error:  # a file, or a link
                raise _RefusedError from error
            finally:
                os.close(directory)
            directory = below
        return directory

    def _close_file(self) -> None:
        file, self._file = self._file, -1
        entry, self._entry = self._entry, None
        if file < 0 or entry is None:
            return
        try:
            modified = min(entry.modified, _LATEST_TIME_S)  # the machine may say anything
            os.utime(file, (modified, modified))
        finally:
            os.close(file)


def _parts(name: str) -> list[str]:
    """Return the components of a path relative to the destination."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts:
        raise _RefusedError
    return parts


def _target(name: str, directory: int) -> str | None:
    """Return where a symbolic link leads; None for what is none."""
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return None
        raise


def _stays_inside(target: str, *, depth: int) -> bool:
    """Return whether a link in a directory ``depth`` levels down can only lead to something inside.

    ``..`` may stand at the front only: further on it would start from wherever another link has led.
    """
    parts = [part for part in target.split("/") if part not in ("", ".")]
    climbs = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    return bool(target) and not target.startswith("/") and climbs <= depth and ".." not in parts[climbs:]
