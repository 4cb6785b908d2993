"""The seats of one lane: how many there may be, which are taken, and when one is not replaced. Pure.

A seat that ends because there was nothing left for it may be opened again when a job comes back. One that ended because a
machine was lost under a job is replaced, up to a limit in a row; one given up for any other reason is not.
"""

from typing import Final

#: So many seats of a lane may be lost one after the other with no verdict between them; then it gets no more machines.
LOSSES_IN_A_ROW_LIMIT: Final = 10


class LaneSeats:
    """The seat numbers of one lane, from 0 below the number of sessions that it may have."""

    def __init__(self, sessions: int) -> None:
        self._unused = set(range(sessions))  # may be opened
        self._open: set[int] = set()
        self._idle: set[int] = set()  # open, and never asked for a job yet
        self._losses_in_a_row = 0

    @property
    def has_open(self) -> bool:
        return bool(self._open)

    @property
    def can_open(self) -> bool:
        return bool(self._unused)

    def next_number(self, waiting_jobs: int) -> int | None:
        """Return the lowest number to open for ``waiting_jobs``, of which each seat that has yet to ask will take one."""
        if not self._unused or waiting_jobs <= len(self._idle):
            return None
        return min(self._unused)

    def open(self, number: int) -> None:
        self._unused.remove(number)
        self._open.add(number)
        self._idle.add(number)

    def asked(self, number: int) -> None:
        """Note that the seat asked for a job."""
        self._idle.discard(number)

    def concluded(self) -> None:
        """Note that an attempt in this lane ended with a verdict: its machines do work."""
        self._losses_in_a_row = 0

    def close(self, number: int, *, lost: bool, given_up: bool) -> bool:
        """End a seat: ``lost`` with a job in hand, or ``given_up`` for a reason of its own. Return whether it may be replaced."""
        self._open.remove(number)
        self._idle.discard(number)
        if lost:
            self._losses_in_a_row += 1
            given_up = self._losses_in_a_row >= LOSSES_IN_A_ROW_LIMIT
        if not given_up:
            self._unused.add(number)
        return not given_up
