"""How an archive is packed for its way to or from a machine: not at all, unless that makes it arrive sooner."""

import zlib
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from io import BufferedIOBase
from typing import IO, TYPE_CHECKING, Any, cast

from outspread.machines.tar_reader import TarFormatError

if TYPE_CHECKING:
    from zstandard import ZstdCompressionObj

_SAMPLES = 4
_SAMPLE_BYTES = 64 * 1024
#: What packs worse than this (media, archives, random bytes) is sent as it is.
_WORTHWHILE_RATIO = 0.8
#: Less than this is there sooner than another program is started on the machine.
_SMALLEST_BYTES = 256 * 1024
#: zstd is faster than any cipher; gzip is slower than a local network, and pays on the way to machines further away only.
_FAR_S = 0.004
_READ_BYTES = 256 * 1024
_UNPACKED_AT_ONCE_BYTES = 1024


class Packing(StrEnum):
    """How; the value is what tar unpacks it with."""

    NONE = ""
    ZSTD = "zstd"
    GZIP = "gzip"


def choose_packing(samples: Sequence[bytes], size_bytes: int, *, has_zstd: bool, round_trip_s: float) -> Packing:
    """Return how to pack what ``samples`` were taken of."""
    offered = Packing.ZSTD if has_zstd else Packing.GZIP if round_trip_s >= _FAR_S else Packing.NONE
    if offered is Packing.NONE or size_bytes < _SMALLEST_BYTES:
        return Packing.NONE
    packed = sum(len(zlib.compress(sample, 1)) for sample in samples)
    return offered if packed < _WORTHWHILE_RATIO * sum(map(len, samples)) else Packing.NONE


def choose_fetch_packing(*, has_zstd: bool, round_trip_s: float) -> Packing:
    """Return how to pack what nobody has seen yet: a near machine's things are here before another program is started there."""
    if round_trip_s < _FAR_S:
        return Packing.NONE
    return Packing.ZSTD if has_zstd else Packing.GZIP


def unpacker(packing: Packing) -> Callable[[bytes], Iterable[bytes]]:
    """Return a function that takes what was packed piece by piece and returns what it was, in pieces of bounded size.

    It raises TarFormatError when it was not packed so.
    """
    if packing is Packing.NONE:
        return lambda piece: (piece,)
    if packing is Packing.GZIP:
        unpacking: Any = zlib.decompressobj(wbits=31)
        errors: type[Exception] = zlib.error
    else:
        import zstandard

        unpacking = zstandard.ZstdDecompressor().decompressobj()
        errors = zstandard.ZstdError

    def unpack(piece: bytes) -> Iterable[bytes]:
        for start in range(0, len(piece), _UNPACKED_AT_ONCE_BYTES):  # few bytes may stand for very many
            if unpacking.eof:
                return
            try:
                yield unpacking.decompress(piece[start : start + _UNPACKED_AT_ONCE_BYTES])
            except errors as error:
                raise TarFormatError(f"it is not packed with {packing}: {error}") from error

    return unpack


def take_samples(archive: IO[bytes]) -> tuple[list[bytes], int]:
    """Return pieces from all over ``archive``, and its size; it stands at its start then."""
    size = archive.seek(0, 2)
    samples = []
    for number in range(_SAMPLES):
        archive.seek(size * number // _SAMPLES)
        samples.append(archive.read(_SAMPLE_BYTES))
    archive.seek(0)
    return samples, size


def packed(archive: IO[bytes], packing: Packing) -> IO[bytes]:
    """Return a reader of ``archive``, from where it stands, packed on the way."""
    if packing is Packing.NONE:
        return archive
    return cast("IO[bytes]", _Packed(archive, _packer(packing)))


def _packer(packing: Packing) -> "ZstdCompressionObj | zlib._Compress":
    if packing is Packing.GZIP:
        return zlib.compressobj(1, wbits=31)
    import zstandard

    return zstandard.ZstdCompressor(level=1).compressobj()


class _Packed(BufferedIOBase):
    """Packs what it reads."""

    def __init__(self, archive: IO[bytes], packer: "ZstdCompressionObj | zlib._Compress") -> None:
        self._archive = archive
        self._pack: Callable[[bytes], bytes] = packer.compress
        self._finish: Callable[[], bytes] | None = packer.flush
        self._ready = bytearray()

    def read(self, size: int | None = -1, /) -> bytes:
        """Return ``size`` bytes; fewer, or none, only at the end."""
        wanted = -1 if size is None or size < 0 else size
        while self._finish is not None and (wanted < 0 or len(self._ready) < wanted):
            if piece := self._archive.read(_READ_BYTES):
                self._ready += self._pack(piece)
            else:
                self._ready += self._finish()
                self._finish = None
        end = len(self._ready) if wanted < 0 else wanted
        taken = bytes(self._ready[:end])
        del self._ready[:end]
        return taken
