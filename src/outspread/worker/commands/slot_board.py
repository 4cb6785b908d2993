"""Which slot begins which attempt. Pure.

One attempt a slot; behind it one more, or as many as are done in a moment, so that a slot need not wait for the worker between
them.
When a slot has nothing to do, it gets what waits behind others.
"""

from collections import deque
from collections.abc import Iterator
from math import inf
from typing import Final

#: What waits in a slot is expected to be done within so much time; so many attempts at most.
_AHEAD_S: Final = 0.03
_MOST: Final = 32


class SlotBoard:
    """What waits for a slot, and what the slots have. Attempts are named by their fences, slots by numbers from 0."""

    def __init__(self, slots: int) -> None:
        self._ready: deque[tuple[int, float]] = deque()
        self._given: list[dict[int, float]] = [{} for _ in range(slots)]
        self._unusable: set[int] = set()
        self._recalled: set[int] = set()

    def add(self, fence: int, *, expected_s: float) -> None:
        """Have an attempt begun."""
        self._ready.append((fence, expected_s))

    def place_of(self, fence: int) -> int | None:
        """Return the slot that has an attempt."""
        return next((slot for slot, given in enumerate(self._given) if fence in given), None)

    def given(self, slot: int) -> list[int]:
        """Return what a slot has, in the order in which it will do it."""
        return list(self._given[slot])

    def remove(self, fence: int) -> None:
        """Forget an attempt."""
        self._recalled.discard(fence)
        for given in self._given:
            if given.pop(fence, None) is not None:
                return
        self._ready = deque(item for item in self._ready if item[0] != fence)

    def put_back(self, fence: int) -> None:
        """Take an attempt from its slot, to be the first that is begun."""
        self._recalled.discard(fence)
        for given in self._given:
            if (expected_s := given.pop(fence, None)) is not None:
                self._ready.appendleft((fence, expected_s))
                return

    def takes_long(self, slot: int, fence: int) -> None:
        """Note that what a slot does is not done in a moment: nothing more is to wait behind it."""
        self._given[slot][fence] = inf

    def set_usable(self, slot: int, *, usable: bool) -> None:
        """Say whether a slot can begin anything."""
        (self._unusable.discard if usable else self._unusable.add)(slot)

    def hand_out(self) -> Iterator[tuple[int, int]]:
        """Give what is ready to slots that have room: yield each slot with its attempt."""
        slots = [slot for slot in range(len(self._given)) if slot not in self._unusable]
        for depth in range(_MOST):
            for slot in slots:
                if not self._ready:
                    return
                given = self._given[slot]
                fence, expected_s = self._ready[0]
                if len(given) == depth and _has_room(given, expected_s):
                    self._ready.popleft()
                    given[fence] = expected_s
                    yield slot, fence

    def recall(self) -> Iterator[tuple[int, int]]:
        """Yield slots with attempts that wait there while others have nothing to do; each once, the last ones first."""
        if self._ready or all(self._given):
            return
        idle = sum(not given and slot not in self._unusable for slot, given in enumerate(self._given))
        waiting = [(slot, fence) for slot, given in enumerate(self._given) for fence in list(given)[1:]]
        on_the_way = len(self._recalled)
        for slot, fence in reversed(waiting):
            if on_the_way >= idle:
                return
            if fence not in self._recalled:
                self._recalled.add(fence)
                on_the_way += 1
                yield slot, fence


def _has_room(given: dict[int, float], expected_s: float) -> bool:
    planned_s = sum(given.values())
    return not given or planned_s + expected_s <= _AHEAD_S or (len(given) == 1 and planned_s < inf)
