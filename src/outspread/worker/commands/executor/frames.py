"""Messages between a worker and its executor: tuples, many in one frame, a frame being its length and its content. Pure.

``marshal`` is the fastest there is and in the interpreter already. It is fit for this: both sides are the same Python, and the
worker trusts its executor, with which it shares its user.
"""

import marshal
from typing import Any

#: Nobody has checked their types: whoever takes one apart knows what its word stands for.
Message = tuple[Any, ...]

_LENGTH_BYTES = 4


def encode_frame(messages: list[Message]) -> bytes:
    """Return a frame with these messages."""
    content = marshal.dumps(messages)
    return len(content).to_bytes(_LENGTH_BYTES, "big") + content


class FrameReader:
    """Makes messages of bytes, in whatever pieces they come."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages of the frames that ``data`` completes."""
        kept = self._kept
        kept += data
        messages: list[Message] = []
        start = 0
        while len(kept) - start >= _LENGTH_BYTES:
            end = start + _LENGTH_BYTES + int.from_bytes(kept[start : start + _LENGTH_BYTES], "big")
            if len(kept) < end:
                break
            messages += marshal.loads(memoryview(kept)[start + _LENGTH_BYTES : end])  # noqa: S302 - see above
            start = end
        if start:
            del kept[:start]
        return messages
