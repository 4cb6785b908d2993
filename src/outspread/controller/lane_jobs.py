"""The ready jobs of one lane: the rule that ``ready_jobs`` states, and what makes it fast. Pure.

A pick costs amortised O(log n): a seat walks its order once, each suite by a pointer that only moves forward. Suites wait in a
heap by their first waiting job; all that a pick looks at there are suites that some seat is in, and the one it takes.
"""

from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from typing import Final

from outspread.controller.permutation import permutation
from outspread.controller.values import Order
from outspread.project.model import Job

AWAY: Final = 0
WAITING: Final = 1
RETURNED: Final = 2

#: Before every position in a seat's order: where given-back jobs stand.
_FIRST: Final = -1


class _Bucket:
    """Jobs of one priority and suite."""

    __slots__ = ("returned", "waiting")

    def __init__(self) -> None:
        self.waiting = 0
        self.returned: deque[int] = deque()  # those among them that were given back, the first one first


class _Walk:
    """One order's way through one bucket: positions in the order, rising; those before ``reached`` are not waiting."""

    __slots__ = ("positions", "reached")

    def __init__(self) -> None:
        self.positions = array("I")
        self.reached = 0


class _SeatOrder:
    """The jobs of a lane in one order, split into buckets."""

    __slots__ = ("heaps", "numbers", "walks")

    def __init__(self, numbers: Iterable[int], bucket_of: Sequence[tuple[int, str]], places: dict[int, int]) -> None:
        self.numbers = array("I", numbers)
        self.walks: dict[tuple[int, str], _Walk] = {}
        self.heaps: dict[int, list[tuple[int, str]]] = {}  # priority -> (a lower bound of the first position, suite)
        for position, number in enumerate(self.numbers):
            key = bucket_of[places[number]]
            walk = self.walks.get(key)
            if walk is None:
                walk = self.walks[key] = _Walk()
                heappush(self.heaps.setdefault(key[0], []), (position, key[1]))
            walk.positions.append(position)


class LaneJobs:
    """The jobs of one lane, known by their numbers; ``status`` and ``jobs`` are shared by all lanes of a run."""

    def __init__(self, jobs: Sequence[Job], status: bytearray, order: Order, seed: int, expected_s: Sequence[float]) -> None:
        self.waiting = 0
        self._jobs = jobs
        self._status = status  # of all jobs of the run, by number
        self._order = order
        self._seed = seed
        self._expected_s = expected_s
        self._numbers = array("I")
        self._places: dict[int, int] = {}
        self._bucket_of: list[tuple[int, str]] = []
        self._buckets: dict[tuple[int, str], _Bucket] = {}
        self._waiting_at: dict[int, int] = {}  # by priority
        self._priorities: list[int] = []  # a heap of negated priorities; those with nothing waiting are dropped when met
        self._samples: dict[str, list[tuple[int, int]]] = {}  # task -> a heap of (sample, number), with stale entries
        self._orders: dict[int, _SeatOrder] = {}
        self._suite_of: dict[int, str] = {}
        self._seats_in: dict[str, int] = {}

    def add(self, number: int) -> None:
        job = self._jobs[number]
        given = self._order is Order.GIVEN
        key = (0, "") if given else (job.priority, job.suite)
        self._places[number] = len(self._numbers)
        self._numbers.append(number)
        self._bucket_of.append(key)
        if key not in self._buckets:
            self._buckets[key] = _Bucket()
        if job.samples > 1 and not given:
            heappush(self._samples.setdefault(job.task, []), (job.sample, number))
        self._count_in(key)

    def take(self, seat: int, suite: str, task: str) -> int | None:
        if not self.waiting:
            return None
        number = self._lowest_sample(task)
        if number is None:
            first = self._first(self._order_of(seat), suite)
            number = self._lowest_sample(self._jobs[first].task)
            if number is None:
                number = first
        self._remove(number)
        self.enter(seat, self._jobs[number].suite)
        return number

    def give_back(self, number: int) -> None:
        assert self._status[number] == AWAY, f"job {number} is given back though it waits"
        job = self._jobs[number]
        key = self._bucket_of[self._places[number]]
        self._status[number] = RETURNED
        self._buckets[key].returned.append(number)
        for order in self._orders.values():
            heappush(order.heaps[key[0]], (_FIRST, key[1]))
        if job.task in self._samples:
            heappush(self._samples[job.task], (job.sample, number))
        self._count_in(key)

    def take_all(self) -> list[int]:
        left = [number for number in self._numbers if self._status[number] != AWAY]
        for number in left:
            self._remove(number)
        return left

    def enter(self, seat: int, suite: str) -> None:
        before = self._suite_of.get(seat, "")
        if before == suite:
            return
        if before:
            self._seats_in[before] -= 1
        if suite:
            self._seats_in[suite] = self._seats_in.get(suite, 0) + 1
        self._suite_of[seat] = suite

    def _order_of(self, seat: int) -> _SeatOrder:
        """Return the seat's order, made when first needed; only a permutation is each seat's own."""
        owner = seat if self._order is Order.RANDOM else 0
        order = self._orders.get(owner)
        if order is None:
            order = self._orders[owner] = _SeatOrder(self._arranged(owner), self._bucket_of, self._places)
            for (priority, suite), bucket in self._buckets.items():
                if bucket.returned:
                    heappush(order.heaps[priority], (_FIRST, suite))
        return order

    def _arranged(self, seat: int) -> Iterable[int]:
        if self._order is Order.RANDOM:
            return (self._numbers[place] for place in permutation(len(self._numbers), self._seed + seat))
        if self._order is Order.LONGEST and self._expected_s:
            return sorted(self._numbers, key=lambda number: -self._expected_s[number])
        return self._numbers

    def _first(self, order: _SeatOrder, suite: str) -> int:
        priority = self._top_priority()
        if not (same := self._buckets.get((priority, suite))) or not same.waiting:
            suite = self._least_crowded(order, priority)
        return self._head(order, (priority, suite))[1]

    def _top_priority(self) -> int:
        while not self._waiting_at[-self._priorities[0]]:
            heappop(self._priorities)
        return -self._priorities[0]

    def _least_crowded(self, order: _SeatOrder, priority: int) -> str:
        """Return the suite with the fewest seats in it; of equal ones, that of the first job in ``order``."""
        heap = order.heaps[priority]
        seen: dict[str, int] = {}  # suite -> true position of its first job, in rising order of positions
        best, best_seats = "", -1
        while heap and best_seats != 0:
            bound, suite = heappop(heap)
            if suite in seen or not self._buckets[priority, suite].waiting:
                continue
            position = self._head(order, (priority, suite))[0]
            if position > bound:
                heappush(heap, (position, suite))
                continue
            seen[suite] = position
            seats = self._seats_in.get(suite, 0)
            if best_seats < 0 or seats < best_seats:
                best, best_seats = suite, seats
        for suite, position in seen.items():
            heappush(heap, (position, suite))
        return best

    def _head(self, order: _SeatOrder, key: tuple[int, str]) -> tuple[int, int]:
        """Return position and number of the first waiting job of a bucket that has one."""
        returned = self._buckets[key].returned
        if returned:
            return _FIRST, returned[0]
        walk = order.walks[key]
        positions, reached = walk.positions, walk.reached
        while self._status[order.numbers[positions[reached]]] != WAITING:
            reached += 1
        walk.reached = reached
        return positions[reached], order.numbers[positions[reached]]

    def _lowest_sample(self, task: str) -> int | None:
        heap = self._samples.get(task)
        while heap:
            number = heap[0][1]
            if self._status[number] != AWAY:
                return number
            heappop(heap)
        return None

    def _count_in(self, key: tuple[int, str]) -> None:
        at_priority = self._waiting_at.get(key[0], 0)
        if not at_priority:
            heappush(self._priorities, -key[0])
        self._waiting_at[key[0]] = at_priority + 1
        self._buckets[key].waiting += 1
        self.waiting += 1

    def _remove(self, number: int) -> None:
        key = self._bucket_of[self._places[number]]
        if self._status[number] == RETURNED:
            self._buckets[key].returned.remove(number)  # mostly the first; few ever come back
        self._status[number] = AWAY
        self._waiting_at[key[0]] -= 1
        self._buckets[key].waiting -= 1
        self.waiting -= 1
