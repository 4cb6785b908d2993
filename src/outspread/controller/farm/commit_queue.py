"""What is to be committed together, who waits for it, and what becomes of both when it fails. No I/O, no threads, no clock.

Whoever drives it takes a batch, writes it in one transaction, and says how that went; between taking and saying, more may come.
"""

from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

from msgspec import Struct

from outspread.errors import InfrastructureError

_Change = TypeVar("_Change")
_Waiter = TypeVar("_Waiter")


class RecordError(InfrastructureError):
    """The record cannot be written now; nothing is lost, and it may be possible later."""


class Batch(Struct, Generic[_Change, _Waiter], frozen=True):
    """Changes for one transaction, and those who wait until they are durable."""

    changes: tuple[_Change, ...]
    waiters: tuple[_Waiter, ...]


class CommitQueue(Generic[_Change, _Waiter]):
    """Changes in order. ``fault`` is why the last commit failed; ``over`` why there will be none any more."""

    def __init__(self) -> None:
        self.fault = ""
        self.over = ""
        self._pending: deque[_Change] = deque()
        self._waiters: list[_Waiter] = []
        self._written = False  # a batch was taken and nothing said of it yet

    def add(self, changes: Sequence[_Change]) -> None:
        """Take changes to be written."""
        self._pending.extend(changes)

    def withdraw(self, changes: Sequence[_Change]) -> bool:
        """Take changes back that were added together and are not being written; return whether they were there."""
        unwanted = {id(change) for change in changes}
        kept = [other for other in self._pending if id(other) not in unwanted]
        withdrawn = len(kept) < len(self._pending)
        self._pending = deque(kept)
        return withdrawn

    def wait(self, waiter: _Waiter) -> bool:
        """Note who waits for all that was added so far; False when there is nothing to wait for."""
        if not (self._pending or self._written or self._waiters or self.fault):
            return False
        self._waiters.append(waiter)
        return True

    @property
    def has_waiters(self) -> bool:
        return bool(self._waiters)

    @property
    def has_changes(self) -> bool:
        return bool(self._pending)

    def take(self) -> Batch[_Change, _Waiter]:
        """Return all there is."""
        batch = Batch(tuple(self._pending), tuple(self._waiters))
        self._pending.clear()
        self._waiters.clear()
        self._written = True
        return batch

    def succeeded(self) -> None:
        """Note that the batch that was taken is durable."""
        self._written = False
        self.fault = ""

    def failed(self, batch: Batch[_Change, _Waiter], fault: str, *, for_good: bool = False) -> tuple[_Waiter, ...]:
        """Note that a batch could not be written: it is the first of the next one. Return all who wait, to be told."""
        self._written = False
        self.fault = fault
        if for_good:
            self.over = fault
        else:
            self._pending.extendleft(reversed(batch.changes))
        waiters = (*batch.waiters, *self._waiters)
        self._waiters.clear()
        return waiters
