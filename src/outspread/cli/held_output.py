"""Standard output that can be held back: while a shell has the terminal, nothing else is printed there."""

import io
from typing import IO, TextIO

#: Held text of this size goes to a file.
_IN_MEMORY_BYTES = 1024 * 1024


class HeldOutput(io.TextIOBase):
    """Writes to ``out``, or keeps what is written until it is let go."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._held: IO[str] | None = None

    def hold(self) -> None:
        """Keep what is written from now on. Idempotent."""
        from tempfile import SpooledTemporaryFile

        self._out.flush()
        if self._held is None:
            self._held = SpooledTemporaryFile(  # noqa: SIM115 - closed when it is let go
                _IN_MEMORY_BYTES, "w+", encoding="utf-8", errors="surrogatepass", newline=""
            )

    def let_go(self) -> None:
        """Write what was held, and no longer hold. Idempotent."""
        held, self._held = self._held, None
        if held is None:
            return
        with held:
            held.seek(0)
            while piece := held.read(_IN_MEMORY_BYTES):
                self._out.write(piece)
        self._out.flush()

    def write(self, text: str, /) -> int:
        return (self._held or self._out).write(text)

    def flush(self) -> None:
        if self._held is None:
            self._out.flush()

    def isatty(self) -> bool:
        return self._out.isatty()

    def fileno(self) -> int:
        return self._out.fileno()

    @property
    def encoding(self) -> str:
        return self._out.encoding
