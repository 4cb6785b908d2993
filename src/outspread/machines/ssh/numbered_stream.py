"""A stream of bytes that outlives what carries it: both directions numbered, what is not acknowledged kept. Pure.

Runs on both ends (``anchor`` on the machine, ``anchored_stream`` here), so it needs the standard library only and stays
readable to Python 3.8.

Frames are ``kind (1 byte), length (4 bytes, big endian), payload``. Positions are counts of DATA bytes since the stream began.
"""

from __future__ import annotations

#: Some of the stream.
DATA = b"D"
#: So many bytes (8) have come in: they need not be kept. Also sent now and then, to be heard.
TAKEN = b"A"
#: The first frame over each carrier. Bytes (8) that have come in so far; from the machine, facts follow as ``key=value`` lines.
HELLO = b"H"
#: In place of HELLO from the machine: there is nothing to speak to. Payload: facts, with ``why``.
NONE = b"N"
#: From the machine: the stream is over, all of it has been sent.
OVER = b"E"
#: To the machine: nobody will come back.
GOODBYE = b"C"

#: How much may come in before it is acknowledged.
ACKNOWLEDGE_EVERY_BYTES = 256 * 1024
#: No frame but DATA is longer.
LARGEST_PAYLOAD_BYTES = 64 * 1024

_HEADER_BYTES = 5


class StreamBrokenError(Exception):
    """The other end does not keep to the rules."""


def mark(token: str) -> bytes:
    """Return what precedes the first frame over each carrier: login shells may have something to say before."""
    return b"\0outspread:" + token.encode() + b"\0"


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    """Return the bytes of one frame."""
    return kind + len(payload).to_bytes(4, "big") + payload


def position(count: int) -> bytes:
    """Return a count as TAKEN and HELLO have it."""
    return count.to_bytes(8, "big")


class FrameParser:
    """Takes frames out of what comes in. DATA is handed on as it comes, in any number of pieces; others when they are whole."""

    def __init__(self) -> None:
        self._header = b""
        self._left = 0
        self._payload = b""

    def feed(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """Return what can be told now: kinds and payloads. Raises StreamBrokenError for a frame that nobody sends."""
        found = []
        at = 0
        while at < len(data) or (len(self._header) == _HEADER_BYTES and not self._left):
            if len(self._header) < _HEADER_BYTES:
                more = data[at : at + _HEADER_BYTES - len(self._header)]
                self._header += more
                at += len(more)
                if len(self._header) == _HEADER_BYTES:
                    self._left = int.from_bytes(self._header[1:], "big")
                    if self._header[:1] != DATA and self._left > LARGEST_PAYLOAD_BYTES:
                        raise StreamBrokenError
                continue
            piece = data[at : at + self._left]
            at += len(piece)
            self._left -= len(piece)
            kind = self._header[:1]
            if kind == DATA:
                found.append((kind, piece))
            else:
                self._payload += piece
                if not self._left:
                    found.append((kind, self._payload))
            if not self._left:
                self._header = self._payload = b""
        return found


class Outgoing:
    """What was sent and may have to be sent again."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._taken = 0  # the position of the first byte kept

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, data: bytes) -> None:
        """Keep what is about to be sent."""
        self._kept += data

    def acknowledge(self, count: int) -> None:
        """Forget what has arrived, by the other end's count."""
        if not self._taken <= count <= self._taken + len(self._kept):
            raise StreamBrokenError
        del self._kept[: count - self._taken]
        self._taken = count

    def resume(self, count: int) -> bytes:
        """Return what has to be sent again to one that has taken ``count`` bytes."""
        self.acknowledge(count)
        return bytes(self._kept)


class Incoming:
    """How much has come in, and how much of that the other end does not know of yet."""

    def __init__(self) -> None:
        self.count = 0
        self._told = 0

    def add(self, size: int) -> None:
        """Count what came."""
        self.count += size

    def due(self) -> bool:
        """Return whether an acknowledgement is due; whoever asks sends it."""
        if self.count - self._told < ACKNOWLEDGE_EVERY_BYTES:
            return False
        self._told = self.count
        return True
