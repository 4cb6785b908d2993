"""Read a directory of this host as a tree: its Directory messages, and where the content of each blob is. Calls block."""

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


def hash_file(path: str) -> Digest:
    """Return the digest of the file, as much of it as there is when it is read."""
    with open(path, "rb", buffering=0) as file:
        first = file.read(CHUNK_BYTES)
        if len(first) < CHUNK_BYTES and not (second := file.read(CHUNK_BYTES)):
            return Digest.of(first)
        if len(first) < CHUNK_BYTES:
            first += second
        hash_ = hashlib.sha256(first)
        size_bytes = len(first)
        while piece := file.read(CHUNK_BYTES):
            hash_.update(piece)
            size_bytes += len(piece)
        return Digest(hash_.hexdigest(), size_bytes)


class _Scan:
    def __init__(self, path: Path, cache: StatCache | None, ignore: Ignore | None) -> None:
        self._root = path
        self._cache = cache
        self._ignore = ignore
        self._directories: dict[Digest, bytes] = {}
        self._files: dict[Digest, str] = {}
        self._refused: list[str] = []
        self._file_count = 0
        self._size_bytes = 0

    def run(self) -> ScannedTree:
        try:
            root = self._directory(os.fspath(self._root), "", 0)
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

    def _directory(self, path: str, prefix: str, depth: int) -> Digest:
        """Return the digest of the directory at ``path``; ``prefix`` is its path from the root, with a slash at its end."""
        if depth > _DEEPEST:
            raise UnstorableError(f"cannot put {self._root} into the store: {prefix} is more than {_DEEPEST} levels deep")
        files: list[FileNode] = []
        directories: list[DirectoryNode] = []
        links: list[LinkNode] = []
        with os.scandir(path) as entries:
            for entry in entries:
                name = entry.name
                below = prefix + name
                if not _encodable(name):
                    self._refused.append(f"the name {below!r} is not UTF-8")
                elif self._ignore is not None and self._ignore(below):
                    continue
                elif entry.is_symlink():
                    target = os.readlink(entry.path)
                    if _encodable(target):
                        links.append(LinkNode(name, target))
                    else:
                        self._refused.append(f"the target of the link {below} is not UTF-8")
                elif entry.is_dir(follow_symlinks=False):
                    directories.append(DirectoryNode(name, self._directory(entry.path, f"{below}/", depth + 1)))
                else:
                    found = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(found.st_mode):
                        files.append(self._file(entry, below, found))
                    else:
                        self._refused.append(f"{below} is {_KINDS.get(stat.S_IFMT(found.st_mode), 'no file')}")
        content = canonical_directory(files, directories, links)
        digest = Digest.of(content)
        self._directories[digest] = content
        return digest

    def _file(self, entry: os.DirEntry[str], below: str, found: os.stat_result) -> FileNode:
        digest = self._cache.look_up(below, found) if self._cache is not None else None
        if digest is None:
            digest = hash_file(entry.path)
            if self._cache is not None and digest.size_bytes == found.st_size:
                self._cache.note(below, found, digest)
        self._files[digest] = entry.path
        self._file_count += 1
        self._size_bytes += digest.size_bytes
        mode = found.st_mode
        return FileNode(entry.name, digest, bool(mode & stat.S_IXUSR), not mode & _FOR_OTHERS)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
