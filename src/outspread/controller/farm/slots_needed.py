"""How many slots it takes to finish jobs within a time, longest first as they are handed out. Pure."""

import heapq
import math
from collections.abc import Iterable
from typing import Final

#: So many of the longest jobs are placed one by one; the rest is small beside them, and fills what they leave.
_PLACED: Final = 10_000


class Work:
    """Jobs by how long they are expected to take, in seconds."""

    def __init__(self, expected_s: Iterable[float]) -> None:
        ordered = sorted(expected_s, reverse=True)
        self._placed = ordered[:_PLACED]
        rest = ordered[_PLACED:]
        self._rest_s = sum(rest)
        self._longest_of_rest_s = rest[0] if rest else 0.0
        self.jobs = len(ordered)
        self.total_s = sum(self._placed) + self._rest_s
        self.longest_s = ordered[0] if ordered else 0.0

    def takes_s(self, slots: int) -> float:
        """Return how long so many slots take."""
        if slots >= self.jobs:
            return self.longest_s
        ends = [0.0] * slots
        for expected_s in self._placed:
            heapq.heapreplace(ends, ends[0] + expected_s)
        return max(*ends, (sum(ends) + self._rest_s) / slots + self._longest_of_rest_s)

    def slots_for(self, within_s: float) -> int | None:
        """Return the fewest slots that finish in time; None when a single job takes longer."""
        if self.longest_s > within_s:
            return None
        too_few, enough = max(0, math.ceil(self.total_s / within_s) - 1), self.jobs
        while enough - too_few > 1:
            middle = (too_few + enough) // 2
            if self.takes_s(middle) <= within_s:
                enough = middle
            else:
                too_few = middle
        return enough
