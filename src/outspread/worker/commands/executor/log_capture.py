"""What a command prints, in constant memory: its beginning as it comes, then its end with how much was left out. Pure."""

HEAD_BYTES = 2 * 1024 * 1024
TAIL_BYTES = 2 * 1024 * 1024


class LogCapture:
    """Takes output as it comes, byte for byte."""

    __slots__ = ("_head_room", "_left_out", "_pending", "_tail", "_tail_bytes")

    def __init__(self, head_bytes: int = HEAD_BYTES, tail_bytes: int = TAIL_BYTES) -> None:
        self._head_room = head_bytes
        self._tail_bytes = tail_bytes
        self._pending = bytearray()
        self._tail = bytearray()
        self._left_out = 0

    @property
    def pending_bytes(self) -> int:
        """How much of the beginning is still to be taken."""
        return len(self._pending)

    def add(self, data: bytes) -> None:
        """Note what was printed next."""
        if self._head_room:
            self._pending += data[: self._head_room]
            taken = min(len(data), self._head_room)
            self._head_room -= taken
            data = data[taken:]
        if data:
            self._tail += data
            if len(self._tail) > 2 * self._tail_bytes:
                self._trim()

    def take(self) -> bytes:
        """Return what is to be passed on now: each byte of the beginning once."""
        data = bytes(self._pending)
        self._pending.clear()
        return data

    def finish(self) -> "list[tuple[int, bytes]]":
        """Return what is left: pieces, each with how many bytes are left out before it."""
        self._trim()
        pieces = []
        if self._pending:
            pieces.append((0, self.take()))
        if self._tail or self._left_out:
            pieces.append((self._left_out, bytes(self._tail)))
        return pieces

    def _trim(self) -> None:
        too_much = len(self._tail) - self._tail_bytes
        if too_much > 0:
            self._left_out += too_much
            del self._tail[:too_much]
