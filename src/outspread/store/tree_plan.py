"""Read a whole tree from a store: every directory of it, checked, before anything is written."""

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from outspread.store.cached_name import cached_name
from outspread.store.digest import EMPTY, Digest
from outspread.store.errors import BlobMissingError, MalformedTreeError
from outspread.store.tree_values import FileNode, LinkNode, Listing

#: A tree of a few directories that refer to each other can have any number of files: this bounds what one costs.
MOST_ENTRIES: Final = 2_000_000
_DEEPEST: Final = 200
_LARGEST_DIRECTORY_BYTES: Final = 64 * 1024 * 1024

ReadBlobs = Callable[[set[Digest]], Awaitable[dict[Digest, bytes]]]


class PlannedFile(Struct, frozen=True):
    """``cached``: the name of the file to link to in a worker's cache."""

    name: str
    cached: str
    digest: Digest
    executable: bool
    private: bool


class PlannedDirectory(Struct, frozen=True):
    """``path`` is from the root, which has ``""``."""

    path: str
    files: tuple[PlannedFile, ...]
    links: tuple[LinkNode, ...]


class TreePlan(Struct, frozen=True):
    """What to make, parents before what they hold. ``messages`` are the digests of all directories in the tree."""

    root: Digest
    directories: tuple[PlannedDirectory, ...]
    messages: frozenset[Digest]
    entries: int


async def read_tree(read_blobs: ReadBlobs, root: Digest) -> TreePlan:
    """Return what the tree consists of. Raises ``MalformedTreeError``, ``BlobMissingError``."""
    from outspread.store.directory_reader import read_directory  # late: it takes 40 ms

    known: dict[Digest, Listing] = {EMPTY: Listing()}
    wanted = {root}
    for _ in range(_DEEPEST + 1):
        for digest in wanted:
            if digest.size_bytes > _LARGEST_DIRECTORY_BYTES:
                raise MalformedTreeError(
                    f"cannot take the tree {root}: a directory message of {digest.size_bytes} bytes is too large"
                )
        found = await read_blobs(wanted)
        if missing := wanted - found.keys():
            raise BlobMissingError(sorted(missing))
        known.update({digest: read_directory(content) for digest, content in found.items()})
        wanted = {node.digest for digest in wanted for node in known[digest].directories} - known.keys()
        if not wanted:
            break
    else:
        raise MalformedTreeError(f"cannot take the tree {root}: it is more than {_DEEPEST} levels deep")
    directories, entries = _unfold(root, known)
    return TreePlan(root, tuple(directories), frozenset(known), entries)


def _unfold(root: Digest, known: dict[Digest, Listing]) -> tuple[list[PlannedDirectory], int]:
    files = {digest: tuple(_planned(node) for node in listing.files) for digest, listing in known.items()}
    unfolded = [("", root)]
    entries = 0
    for path, digest in unfolded:  # it grows meanwhile
        listing = known[digest]
        entries += len(listing.files) + len(listing.directories) + len(listing.links)
        if entries > MOST_ENTRIES:
            raise MalformedTreeError(f"cannot take the tree {root}: it has more than {MOST_ENTRIES} entries")
        prefix = f"{path}/" if path else ""
        unfolded += [(prefix + node.name, node.digest) for node in listing.directories]
    return [PlannedDirectory(path, files[digest], known[digest].links) for path, digest in unfolded], entries


def _planned(node: FileNode) -> PlannedFile:
    cached = cached_name(node.digest, executable=node.executable, private=node.private)
    return PlannedFile(node.name, cached, node.digest, node.executable, node.private)
