"""Take a tar apart as it arrives: bytes in, entries and their content out, no file touched.

Knows ustar, GNU long names and pax records. It trusts nobody: sizes of names are bounded, and what is not a tar is an error.
"""

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

_BLOCK_BYTES = 512
#: The longest name, and the most of extended headers, that is taken.
_LONGEST_NAME_BYTES = 4096
_LARGEST_EXTENSION_BYTES = 64 * 1024


class TarFormatError(Exception):
    """What arrived is not a whole and sane tar."""


class EntryKind(StrEnum):
    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARD_LINK = "hard link"
    OTHER = "special file"


class TarEntry(Struct, frozen=True):
    """What an archive holds. The content of a file follows as bytes, ``size`` of them in all."""

    name: str
    kind: EntryKind
    mode: int = 0o644
    size: int = 0
    modified: float = 0.0  # seconds since the epoch
    target: str = ""  # of a link


_KINDS = {
    b"0": EntryKind.FILE,
    b"\0": EntryKind.FILE,
    b"7": EntryKind.FILE,
    b"1": EntryKind.HARD_LINK,
    b"2": EntryKind.SYMLINK,
    b"5": EntryKind.DIRECTORY,
}
_EXTENSIONS = (b"L", b"K", b"x", b"g")


class TarReader:
    """Feed it pieces of any size; call ``finish`` after the last."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._content_left = 0  # bytes of a file that are still to come
        self._padding_left = 0
        self._extension: tuple[bytes, int] | None = None  # its type and size, while it is awaited
        self._overrides: dict[str, str] = {}
        self._ended = False
        self.is_fresh = True  # nothing was fed yet

    def feed(self, piece: bytes) -> Iterator[TarEntry | bytes]:
        """Yield the entries, and the content of files, that are complete with ``piece``."""
        self.is_fresh = self.is_fresh and not piece
        if self._ended:
            return
        self._buffer += piece
        while True:
            if self._content_left or self._padding_left:
                if not self._buffer:
                    return
                yield from self._take_content()
            elif self._extension is not None:
                kind, size = self._extension
                padded = size + -size % _BLOCK_BYTES
                if len(self._buffer) < padded:
                    return
                self._extend(kind, bytes(self._buffer[:size]))
                del self._buffer[:padded]
                self._extension = None
            else:
                if len(self._buffer) < _BLOCK_BYTES:
                    return
                header = bytes(self._buffer[:_BLOCK_BYTES])
                del self._buffer[:_BLOCK_BYTES]
                if not any(header):
                    self._ended = True
                    return
                yield from self._take_header(header)

    def finish(self) -> None:
        """Raise TarFormatError unless the archive came to its end."""
        if not self._ended:
            raise TarFormatError("the archive is cut short")

    def _take_content(self) -> Iterator[bytes]:
        if self._content_left:
            content = bytes(self._buffer[: self._content_left])
            del self._buffer[: len(content)]
            self._content_left -= len(content)
            yield content
        skipped = min(self._padding_left, len(self._buffer)) if not self._content_left else 0
        del self._buffer[:skipped]
        self._padding_left -= skipped

    def _take_header(self, header: bytes) -> Iterator[TarEntry]:
        checked = sum(header[:148]) + 8 * 0x20 + sum(header[156:])
        if _number(header[148:156]) != checked:
            raise TarFormatError("the archive is damaged: a header's checksum is wrong")
        kind, size = header[156:157], _number(header[124:136])
        if kind in _EXTENSIONS:
            if size > _LARGEST_EXTENSION_BYTES:
                raise TarFormatError(f"the archive names a file with {size} bytes")
            self._extension = (kind, size)
            return
        overrides, self._overrides = self._overrides, {}
        if "size" in overrides:
            size = _decimal(overrides["size"])
        entry = TarEntry(
            name=overrides.get("path") or _name(header),
            kind=_KINDS.get(kind, EntryKind.OTHER),
            mode=_number(header[100:108]),
            size=size if kind in (b"0", b"\0", b"7") else 0,
            modified=float(_number(header[136:148])),
            target=overrides.get("linkpath") or _text(header[157:257]),
        )
        if max(len(entry.name), len(entry.target)) > _LONGEST_NAME_BYTES:
            raise TarFormatError(f"the archive names a file with {len(entry.name)} characters")
        # links and special files may claim a size too; only files, and kinds that nobody knows, have content
        self._content_left = size if entry.kind in (EntryKind.FILE, EntryKind.OTHER) and kind not in (b"3", b"4", b"6") else 0
        self._padding_left = -self._content_left % _BLOCK_BYTES
        yield entry

    def _extend(self, kind: bytes, payload: bytes) -> None:
        if kind == b"L":
            self._overrides["path"] = _text(payload)
        elif kind == b"K":
            self._overrides["linkpath"] = _text(payload)
        elif kind == b"x":  # "g", for all entries, carries nothing that matters here
            self._overrides.update(_pax_records(payload))


def _pax_records(payload: bytes) -> Iterator[tuple[str, str]]:
    """Yield the ``LENGTH KEY=VALUE`` lines of an extended header."""
    while payload:
        digits, space, _ = payload.partition(b" ")
        length = _decimal(digits.decode("ascii", "replace"))
        record = payload[len(digits) + 1 : length - 1]
        key, equals, value = record.partition(b"=")
        if not space or not equals or length > len(payload):
            raise TarFormatError("the archive is damaged: an extended header makes no sense")
        yield _text(key), _text(value)
        payload = payload[length:]


def _name(header: bytes) -> str:
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    name = _text(header[:100])
    return f"{prefix}/{name}" if prefix else name


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _decimal(digits: str) -> int:
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):  # 2**64 has 20 digits
        raise TarFormatError(f"the archive is damaged: {digits[:30]!r} is not a number")
    return int(digits)


def _number(field: bytes) -> int:
    """Return a number of a header: octal digits, or GNU's binary form for large ones."""
    if field[0] == 0x80:  # the mark of the binary form
        return int.from_bytes(field[1:], "big")
    if field[0] == 0xFF:  # a negative one: a time before 1970
        return 0
    digits = field.strip(b" \0")
    try:
        return int(digits or b"0", 8)
    except ValueError as error:
        raise TarFormatError(f"the archive is damaged: {digits!r} is not a number") from error
