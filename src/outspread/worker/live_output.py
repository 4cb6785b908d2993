"""What a script prints, told while it runs: in numbered pieces of whole lines, and never more than a watcher can take."""

import asyncio
from collections.abc import Callable

from outspread.worker.captured_output import CapturedOutput

#: How long lines are gathered before they are told together.
_GATHER_S = 0.05
#: Of what is printed within that time, so much is told of its beginning and of its end.
_KEEP_BYTES = 64 * 1024
#: A line that is longer is told in parts.
_LINE_BYTES = 64 * 1024


class LiveOutput:
    """Takes the output of one script; ``tell`` gets the number of each piece, from 1, and its text."""

    def __init__(self, tell: Callable[[int, str], None]) -> None:
        self._tell = tell
        self._pieces = 0
        self._gathered = CapturedOutput(_KEEP_BYTES)
        self._line = b""  # the beginning of one that is not told yet
        self._timer: asyncio.TimerHandle | None = None

    def add(self, piece: bytes) -> None:
        self._gathered.add(piece)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_GATHER_S, self._tell_lines)

    def finish(self) -> None:
        """Tell the rest, the last line even if nothing ended it."""
        if self._timer is not None:
            self._timer.cancel()
        self._tell_lines()
        if self._line:
            self._tell_piece(self._line + b"\n")

    def _tell_lines(self) -> None:
        self._timer = None
        printed = self._line + self._gathered.data()
        self._gathered = CapturedOutput(_KEEP_BYTES)
        lines, end, self._line = printed.rpartition(b"\n")
        if len(self._line) > _LINE_BYTES:
            lines, end, self._line = printed, b"\n", b""
        if end:
            self._tell_piece(lines + end)

    def _tell_piece(self, lines: bytes) -> None:
        self._pieces += 1
        self._tell(self._pieces, lines.decode(errors="surrogateescape"))
