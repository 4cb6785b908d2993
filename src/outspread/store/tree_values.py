"""The values that trees are made of, and the rule for names in them. Pure."""

from typing import Final

from msgspec import Struct

from outspread.store.digest import Digest
from outspread.store.errors import MalformedTreeError

#: What every file system here can hold as one name.
_LONGEST_NAME_BYTES: Final = 255


class FileNode(Struct, frozen=True):
    """``private``: nobody but its owner may read it, as some programs want of keys."""

    name: str
    digest: Digest
    executable: bool = False
    private: bool = False


class DirectoryNode(Struct, frozen=True):
    name: str
    digest: Digest


class LinkNode(Struct, frozen=True):
    name: str
    target: str


class Listing(Struct, frozen=True):
    """What one directory holds, each kind sorted by name."""

    files: tuple[FileNode, ...] = ()
    directories: tuple[DirectoryNode, ...] = ()
    links: tuple[LinkNode, ...] = ()


def check_name(name: str) -> None:
    """Raise ``MalformedTreeError`` unless ``name`` names something in a directory, and nothing elsewhere."""
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise MalformedTreeError(f"cannot take the tree: {name!r} is no name of a file")
    if len(name.encode()) > _LONGEST_NAME_BYTES:
        raise MalformedTreeError(f"cannot take the tree: the name {name[:40]!r}… is longer than {_LONGEST_NAME_BYTES} bytes")
