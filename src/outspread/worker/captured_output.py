"""What a script printed, kept within bounds: the first and the last part of a flood, and how much lies between."""

KEEP_BYTES = 4 * 1024 * 1024


class CapturedOutput:
    """Collects pieces of output; ``data`` is all of it, or its two ends with a note between them."""

    def __init__(self, keep_bytes: int = KEEP_BYTES) -> None:
        self._keep_bytes = keep_bytes  # at each end
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0

    @property
    def size_bytes(self) -> int:
        """How much was printed in all."""
        return len(self._head) + self._left_out + len(self._tail)

    def add(self, piece: bytes) -> None:
        room = self._keep_bytes - len(self._head)
        if room > 0:
            self._head += piece[:room]
            piece = piece[room:]
        if piece:
            self._tail += piece
            excess = len(self._tail) - self._keep_bytes
            if excess > self._keep_bytes:  # cut seldom: it moves what stays
                del self._tail[:excess]
                self._left_out += excess

    def data(self) -> bytes:
        excess = max(0, len(self._tail) - self._keep_bytes)
        left_out = self._left_out + excess
        tail = bytes(self._tail[excess:])
        if not left_out:
            return bytes(self._head) + tail
        return bytes(self._head) + f"\n(... {left_out} bytes left out ...)\n".encode() + tail

    def end(self, size: int) -> bytes:
        """Return the last ``size`` bytes, or fewer: where a marker would be."""
        tail = bytes(self._tail[-size:])
        return tail if len(tail) >= size else bytes(self._head[-(size - len(tail)) :]) + tail
