"""Read a directory of this host as a tree: its Directory messages, and where the content of each blob is. Calls block.

The directory may be that of a test which still runs: everything is opened relative to a handle of its directory, and no link is
followed. What is read a second time, to be sent, has to have the digest that it had here.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from outspread.store.contract import CHUNK_BYTES
from outspread.store.digest import Digest
from outspread.store.directory_form import canonical_directory
from outspread.store.errors import UnstorableError
from outspread.store.stat_cache import StatCache
from outspread.store.tree_values import DirectoryNode, FileNode, LinkNode

_DEEPEST: Final = 200
_NAMED: Final = 5
_KINDS: Final = {stat.S_IFSOCK: "a socket", stat.S_IFIFO: "a pipe", stat.S_IFBLK: "a device", stat.S_IFCHR: "a device"}
_FOR_OTHERS: Final = 0o077

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

Ignore = Callable[[str], bool]


class ScannedTree(Struct, frozen=True):
    """``directories`` are Directory messages, ``files`` say where the content of a blob is (any one of the places)."""

    root: Digest
    directories: dict[Digest, bytes]
    files: dict[Digest, str]
    file_count: int
    size_bytes: int


def scan_tree(path: Path, cache: StatCache | None, ignore: Ignore | None = None) -> ScannedTree:
    """Return the tree at ``path``, without what ``ignore`` says yes to, asked about each path from there.

    Raises ``UnstorableError``, naming what cannot be in a tree.
    """
    return _Scan(path, cache, ignore).run()


def open_file(path: str, *, directory: int | None = None) -> int:
    """Return a descriptor of a regular file. Links are not followed, and nothing is waited for, whatever it is by now."""
    file = os.open(path, _FILE, dir_fd=directory)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return file


def hash_open_file(file: int) -> Digest:
    """Return the digest of the file, as much of it as there is when it is read."""
    wanted = min(os.fstat(file).st_size + 1, CHUNK_BYTES)
    content = os.pread(file, wanted, 0)
    if len(content) < wanted:
        return Digest.of(content)
    hash_ = hashlib.sha256()
    size_bytes = 0
    while content:
        hash_.update(content)
        size_bytes += len(content)
        content = os.pread(file, CHUNK_BYTES, size_bytes)
    return Digest(hash_.hexdigest(), size_bytes)


class _Scan:
    def __init__(self, path: Path, cache: StatCache | None, ignore: Ignore | None) -> None:
        self._root = path
        self._path = f"{path}/"
        self._cache = cache
        self._ignore = ignore
        self._directories: dict[Digest, bytes] = {}
        self._files: dict[Digest, str] = {}
        self._refused: list[str] = []
        self._file_count = 0
        self._size_bytes = 0

    def run(self) -> ScannedTree:
        try:
            root = self._directory(os.open(self._root, _DIRECTORY), "", 0)
        except OSError as error:
            raise UnstorableError(f"cannot read {error.filename or self._root}: {error.strerror}") from error
        if self._refused:
            more = f" and {len(self._refused) - _NAMED} more" if len(self._refused) > _NAMED else ""
            raise UnstorableError(
                f"cannot put {self._root} into the store: {'; '.join(self._refused[:_NAMED])}{more}",
                hint="leave them out, or remove them",
            )
        if self._cache is not None:
            self._cache.save()
        return ScannedTree(root, self._directories, self._files, self._file_count, self._size_bytes)

    def _directory(self, handle: int, prefix: str, depth: int) -> Digest:
        """Return the digest of a directory, and close ``handle``. ``prefix``: its path from the root, with a slash at its end."""
        files: list[FileNode] = []
        directories: list[DirectoryNode] = []
        links: list[LinkNode] = []
        try:
            if depth > _DEEPEST:
                raise UnstorableError(f"cannot put {self._root} into the store: {prefix} is more than {_DEEPEST} levels deep")
            with os.scandir(handle) as entries:
                for entry in entries:
                    name = entry.name
                    below = prefix + name
                    if not _encodable(name):
                        self._refused.append(f"the name {below!r} is not UTF-8")
                    elif self._ignore is not None and self._ignore(below):
                        continue
                    elif entry.is_dir(follow_symlinks=False):
                        child = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
                        directories.append(DirectoryNode(name, self._directory(child, f"{below}/", depth + 1)))
                    elif entry.is_symlink():
                        self._link(name, below, handle, links)
                    else:
                        self._file(entry, below, handle, files)
        finally:
            os.close(handle)
        content = canonical_directory(files, directories, links)
        digest = Digest.of(content)
        self._directories[digest] = content
        return digest

    def _link(self, name: str, below: str, handle: int, links: list[LinkNode]) -> None:
        target = os.readlink(name, dir_fd=handle)
        if _encodable(target):
            links.append(LinkNode(name, target))
        else:
            self._refused.append(f"the target of the link {below} is not UTF-8")

    def _file(self, entry: os.DirEntry[str], below: str, handle: int, files: list[FileNode]) -> None:
        found = entry.stat(follow_symlinks=False)
        mode = found.st_mode
        if not stat.S_ISREG(mode):
            self._refused.append(f"{below} is {_KINDS.get(stat.S_IFMT(mode), 'no file')}")
            return
        digest = self._cache.look_up(below, found) if self._cache is not None else None
        if digest is None:
            digest = hash_file(entry.name, directory=handle)
            if self._cache is not None and digest.size_bytes == found.st_size:
                self._cache.note(below, found, digest)
        self._files[digest] = self._path + below
        self._file_count += 1
        self._size_bytes += digest.size_bytes
        files.append(FileNode(entry.name, digest, bool(mode & stat.S_IXUSR), not mode & _FOR_OTHERS))


def hash_file(path: str, *, directory: int | None = None) -> Digest:
    """Return the digest of the regular file at ``path``, which is relative to ``directory``."""
    file = open_file(path, directory=directory)
    try:
        return hash_open_file(file)
    finally:
        os.close(file)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
