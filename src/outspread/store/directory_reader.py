"""Read a ``Directory`` message from anywhere: what is not canonical, or would lead out of its place, is refused. Pure.

Its ``protobuf`` classes take 40 ms to import: only what reads trees imports this.
"""

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Final

from google.protobuf.message import DecodeError

from outspread.store.digest import Digest
from outspread.store.errors import MalformedDigestError, MalformedTreeError
from outspread.store.protocol import remote_execution_pb2 as reapi
from outspread.store.tree_values import DirectoryNode, FileNode, LinkNode, Listing, check_name

#: What the system takes as the target of a link.
_LONGEST_TARGET_BYTES: Final = 4095
_FOR_OTHERS: Final = 0o077


def read_directory(content: bytes) -> Listing:
    """Return what the directory holds. Raises ``MalformedTreeError``."""
    message = reapi.Directory()
    try:
        message.ParseFromString(content)
    except DecodeError as error:
        raise MalformedTreeError("cannot take the tree: a directory in it cannot be decoded") from error
    files = tuple(_file(node) for node in message.files)
    directories = tuple(DirectoryNode(node.name, _digest(node.digest)) for node in message.directories)
    links = tuple(_link(node) for node in message.symlinks)
    for nodes in (files, directories, links):
        _check_order([node.name for node in nodes])
    names = [node.name for node in chain[FileNode | DirectoryNode | LinkNode](files, directories, links)]
    for name in names:
        check_name(name)
    if len(set(names)) < len(names):
        raise MalformedTreeError("cannot take the tree: two things in a directory have the same name")
    return Listing(files, directories, links)


def _file(node: reapi.FileNode) -> FileNode:
    private = False
    if node.HasField("node_properties") and node.node_properties.HasField("unix_mode"):
        private = not node.node_properties.unix_mode.value & _FOR_OTHERS
    return FileNode(node.name, _digest(node.digest), node.is_executable, private)


def _link(node: reapi.SymlinkNode) -> LinkNode:
    if not node.target or "\0" in node.target or len(node.target.encode()) > _LONGEST_TARGET_BYTES:
        raise MalformedTreeError(f"cannot take the tree: the link {node.name!r} has no usable target")
    return LinkNode(node.name, node.target)


def _digest(message: reapi.Digest) -> Digest:
    try:
        return Digest.parse(f"{message.hash}/{message.size_bytes}")
    except MalformedDigestError as error:
        raise MalformedTreeError(f"cannot take the tree: {error.message}") from error


def _check_order(names: Sequence[str]) -> None:
    """The order makes digests of equal directories equal: without it, nobody would find what is there."""
    if any(first >= second for first, second in pairwise(names)):
        raise MalformedTreeError("cannot take the tree: the names in a directory are not sorted, or not unique")
