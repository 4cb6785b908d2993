"""How long to wait before the next attempt at something that a network fault stopped. Pure."""

from collections.abc import Callable, Iterator
from typing import Final

_ATTEMPTS: Final = 7
_FIRST_S: Final = 0.1
_LONGEST_S: Final = 5.0


def retry_delays(random: Callable[[], float]) -> Iterator[float]:
    """Return a delay in seconds for each attempt but the first: about ten seconds in all.

    ``random`` returns numbers from 0 to 1: callers that failed together should not come back together.
    """
    for attempt in range(_ATTEMPTS - 1):
        yield min(_LONGEST_S, _FIRST_S * 2**attempt) * (0.5 + random())
