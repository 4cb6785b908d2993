"""Write a directory as the canonical ``Directory`` message of the Remote Execution API v2. Pure.

By hand, as this is what submitting a large tree consists of: four times as fast as through the generated classes, and without
the 40 ms that importing them takes. The tests compare the two byte by byte. Reading what others wrote is left to the generated
classes: ``directory_reader``.
"""

from collections.abc import Iterable

from outspread.store.digest import Digest
from outspread.store.tree_values import DirectoryNode, FileNode, LinkNode

# A field is a byte with its number and type (number << 3 | type), then its value: 0 a number, 2 with a length in front.
_FILE, _DIRECTORY, _LINK = b"\x0a", b"\x12", b"\x1a"
_NAME, _DIGEST, _TARGET = b"\x0a", b"\x12", b"\x12"
_EXECUTABLE = b"\x20\x01"
_HASH, _SIZE = b"\x0a\x40", b"\x10"  # a hash has 64 digits
#: node_properties { unix_mode { value } }: the mode of what only its owner may read.
_PRIVATE = {False: b"\x32\x05\x1a\x03\x08\x80\x03", True: b"\x32\x05\x1a\x03\x08\xc0\x03"}
_SHORT = [bytes([number]) for number in range(128)]


def canonical_directory(files: Iterable[FileNode], directories: Iterable[DirectoryNode], links: Iterable[LinkNode]) -> bytes:
    """Return the message; the nodes may come in any order, and no two with the same name."""
    parts: list[bytes] = []
    for file in sorted(files, key=_name):  # the order of code points is that of UTF-8
        node = _named(file.name) + _digest_field(file.digest)
        if file.executable:
            node += _EXECUTABLE
        if file.private:
            node += _PRIVATE[file.executable]
        parts += (_FILE, _number(len(node)), node)
    for directory in sorted(directories, key=_name):
        node = _named(directory.name) + _digest_field(directory.digest)
        parts += (_DIRECTORY, _number(len(node)), node)
    for link in sorted(links, key=_name):
        target = link.target.encode()
        node = _named(link.name) + _TARGET + _number(len(target)) + target
        parts += (_LINK, _number(len(node)), node)
    return b"".join(parts)


def _digest_field(digest: Digest) -> bytes:
    value = _HASH + digest.hash.encode()
    if digest.size_bytes:  # a number that is 0 is not written
        value += _SIZE + _number(digest.size_bytes)
    return _DIGEST + _SHORT[len(value)] + value


def _name(node: FileNode | DirectoryNode | LinkNode) -> str:
    return node.name


def _named(name: str) -> bytes:
    encoded = name.encode()
    return _NAME + _number(len(encoded)) + encoded


def _number(value: int) -> bytes:
    """Return ``value`` seven bits a byte, the lowest first; all but the last byte are marked."""
    if value < 128:
        return _SHORT[value]
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    written.append(value)
    return bytes(written)
