"""Until when attempts may be worked on, by the worker's own monotonic clock. Pure.

A lease is counted from when the call that renewed it was *sent*: the controller, which counts from when it came, always thinks
that the worker has it for at least as long.
"""

from collections.abc import Iterable
from typing import Final

from outspread.controller.command_values import LEASE_S

#: A deadline moves when it moves by this part of a lease: each move is told to a slot.
_STEP: Final = 1 / 30


class LeaseClock:
    """The deadlines of the attempts in hand, by fence."""

    def __init__(self, lease_s: float = LEASE_S) -> None:
        self._lease_s = lease_s
        self._deadlines: dict[int, float] = {}

    def take(self, fence: int, *, sent: float) -> float:
        """Take an attempt that came with the answer to a call; return its deadline."""
        return self._deadlines.setdefault(fence, sent + self._lease_s)

    def fences(self) -> tuple[int, ...]:
        """Return the attempts that are held: until their end is acknowledged, or nothing is said of them any more."""
        return tuple(self._deadlines)

    def renew(self, fences: Iterable[int], *, sent: float) -> dict[int, float]:
        """Note that a call that named these was answered; return the deadlines that are notably later now."""
        deadline = sent + self._lease_s
        notably = deadline - self._lease_s * _STEP
        later = {fence: deadline for fence in fences if self._deadlines.get(fence, deadline) < notably}
        self._deadlines.update(later)
        return later

    def drop(self, fence: int) -> None:
        """Forget an attempt."""
        self._deadlines.pop(fence, None)

    def lapsed(self, now: float) -> list[int]:
        """Return the attempts whose deadline has come."""
        return [fence for fence, deadline in self._deadlines.items() if deadline <= now]
