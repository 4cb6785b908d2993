"""How many answers go on without an end at a time: each costs a connection, and is asked for without a token."""

import contextlib
from collections.abc import Iterator

from outspread.server.api_limits import STREAMS
from outspread.server.problem import Code, ProblemError


class OpenStreams:
    """Those that are open, a limited number."""

    def __init__(self) -> None:
        self._open = 0

    def check(self) -> None:
        """Raise ProblemError when there may be no more."""
        if self._open >= STREAMS:
            raise ProblemError(Code.UNAVAILABLE, f"cannot serve more than {STREAMS} streams", headers=(("retry-after", "5"),))

    @contextlib.contextmanager
    def one_more(self) -> Iterator[None]:
        """Count one meanwhile; ProblemError when there may be no more."""
        self.check()
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
