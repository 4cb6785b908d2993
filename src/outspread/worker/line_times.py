"""The time of day before each line of output: that of the line's first byte, so that a line's own length tells nothing."""

import time
from collections.abc import Callable

from outspread.machines.contract import OutputSink


class LineTimes:
    """Hands on what it takes with ``HH:MM:SS.mmm`` (local time) before each line. ``clock``: seconds since the epoch."""

    def __init__(self, sink: OutputSink, clock: Callable[[], float] = time.time) -> None:
        self._sink = sink
        self._clock = clock
        self._at_start = True

    def add(self, piece: bytes) -> None:
        if not piece:
            return
        now = self._clock()
        stamp = f"{time.strftime('%H:%M:%S', time.localtime(now))}.{int(now * 1000) % 1000:03} ".encode()
        ends_line = piece.endswith(b"\n")
        lines = piece[:-1].replace(b"\n", b"\n" + stamp) + b"\n" if ends_line else piece.replace(b"\n", b"\n" + stamp)
        self._sink(stamp + lines if self._at_start else lines)
        self._at_start = ends_line
