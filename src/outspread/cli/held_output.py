"""Standard output that can be held back: while a shell has the terminal, nothing else is printed there."""

import io
from typing import IO, TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

#: Held output of this size goes to a file.
_IN_MEMORY_BYTES = 1024 * 1024
_PIECE_BYTES = 64 * 1024


class HeldOutput:
    """``text`` is a stream that writes to ``out``, or keeps what is written there until it is let go."""

    def __init__(self, out: TextIO) -> None:
        self._out = out  # its end would be that of its bytes, too
        self._gate = _Gate(out.buffer)
        self.text: TextIO = io.TextIOWrapper(self._gate, out.encoding, out.errors, newline="")

    def hold(self) -> None:
        """Keep what is written from now on. Idempotent."""
        self.text.flush()
        self._gate.shut()

    def let_go(self) -> None:
        """Write what was held, and no longer hold. Idempotent."""
        self.text.flush()
        self._gate.open()


class _Gate(io.BufferedIOBase):
    """Bytes on their way to ``out``."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._held: IO[bytes] | None = None

    def shut(self) -> None:
        from tempfile import SpooledTemporaryFile

        if self._held is None:
            self._held = SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - closed when the gate opens

    def open(self) -> None:
        held, self._held = self._held, None
        if held is None:
            return
        with held:
            held.seek(0)
            while piece := held.read(_PIECE_BYTES):
                self._out.write(piece)
        self._out.flush()

    @property
    def name(self) -> str:
        return "<held output>"

    def writable(self) -> bool:
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        return (self._held or self._out).write(data)

    def flush(self) -> None:
        if self._held is None and not self._out.closed:
            self._out.flush()

    def isatty(self) -> bool:
        return self._out.isatty()

    def fileno(self) -> int:
        return self._out.fileno()
