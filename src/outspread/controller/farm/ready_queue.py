"""The jobs that are ready, in the order in which they are handed out. Pure.

Jobs with equal requirements share a lane. A worker is offered the lanes it can serve; among them goes first: the highest
priority, the owner that was served least, a retry before a first attempt, the longest expected, the first submitted. A retry
prefers another worker than its last one, and takes what it gets when there is nothing else to hand out.

Made for a million jobs: those of one run, lane and priority are one sorted array with a pointer; only retries are kept singly.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from typing import Final, NamedTuple

from outspread.controller.farm.owner_shares import OwnerShares


class Lane(NamedTuple):
    """What jobs have in common that decides where and when they may run; each part sorted."""

    requires: tuple[tuple[str, str], ...] = ()
    limits: tuple[str, ...] = ()


#: So many retries are looked at for one whose last worker was another.
_RETRIES_LOOKED_AT: Final = 8


_ANY_WORKER: Final = Lane()


def lane_of(requires: Mapping[str, str], limits: Iterable[str] = ()) -> Lane:
    """Return the lane of a job."""
    if not requires and not limits:
        return _ANY_WORKER
    return Lane(tuple(sorted(requires.items())), tuple(sorted(set(limits))))


def serves(dimensions: Mapping[str, str], lane: Lane) -> bool:
    """Tell whether a worker of these dimensions may take jobs of this lane."""
    return all(dimensions.get(key) == value for key, value in lane.requires)


class ReadyJob(NamedTuple):
    """A job by its run's number in this process and its own in the run."""

    run: int
    number: int


class Block:
    """The first attempts of one run in a bucket, longest expected first."""

    __slots__ = ("expected_s", "numbers", "position", "run")

    def __init__(self, run: int, jobs: Sequence[tuple[float, int]]) -> None:
        self.run = run
        self.expected_s = array("d", (-negative_s for negative_s, _ in jobs))
        self.numbers = array("I", (number for _, number in jobs))
        self.position = 0

    def left(self, before: tuple[float, int, int] | None) -> tuple[int, float]:
        """Return how many wait, and their expected seconds; with ``before`` (-expected, run, number), those that go first."""
        end = len(self.numbers)
        if before is not None:
            end = bisect_left(
                range(end),
                before,
                lo=self.position,
                key=lambda place: (-self.expected_s[place], self.run, self.numbers[place]),
            )
        return end - self.position, sum(self.expected_s[self.position : end])


Blocks = Mapping[tuple[Lane, int], Block]


def blocks_of(run: int, jobs: Iterable[tuple[int, Lane, int, float]]) -> Blocks:
    """Return the jobs of a run (number, lane, priority, expected seconds of each) as a queue takes them, by lane and priority."""
    members: dict[tuple[Lane, int], list[tuple[float, int]]] = {}
    for number, lane, priority, expected_s in jobs:
        members.setdefault((lane, priority), []).append((-expected_s, number))
    for block in members.values():
        block.sort()
    return {place: Block(run, block) for place, block in members.items()}


class _Bucket:
    """What one owner has in one lane at one priority."""

    __slots__ = ("blocks", "count", "retries")

    def __init__(self) -> None:
        self.count = 0
        self.blocks: list[tuple[float, int, Block]] = []  # a heap: (-expected of its next job, run, block)
        self.retries: list[tuple[float, int, int, str]] = []  # a heap: (-expected, run, number, last worker)


class _Place(NamedTuple):
    """Where a job would come from, and how good it is; the smallest goes first."""

    priority: int  # negative
    served_s: float
    owner: str
    first_attempt: bool
    expected_s: float  # negative
    run: int
    number: int
    lane: Lane
    retry: tuple[float, int, int, str] | None


class ReadyQueue:
    """All that is ready in one cell. Runs are named by numbers that grow in the order of submission."""

    def __init__(self, shares: OwnerShares) -> None:
        self.shares = shares
        self._lanes: dict[Lane, dict[int, dict[str, _Bucket]]] = {}  # lane -> priority -> owner
        self._waiting: dict[Lane, int] = {}
        self._in_run: dict[int, dict[tuple[Lane, int], int]] = {}
        self._owner_of: dict[int, str] = {}

    def add_run(self, run: int, owner: str, blocks: Blocks) -> None:
        """Take the jobs of a run."""
        self._owner_of[run] = owner
        self._in_run[run] = {}
        for (lane, priority), block in blocks.items():
            bucket = self._count_in(run, lane, priority, len(block.numbers))
            heappush(bucket.blocks, (-block.expected_s[0], run, block))

    def put_back(self, job: ReadyJob, lane: Lane, priority: int, expected_s: float, last_worker: str) -> None:
        """Take a job that was handed out before; ``last_worker`` is avoided ("": none is)."""
        bucket = self._count_in(job.run, lane, priority, 1)
        heappush(bucket.retries, (-expected_s, job.run, job.number, last_worker))

    def remove_run(self, run: int) -> None:
        """Forget what waits of a run. Idempotent."""
        owner = self._owner_of.pop(run, "")
        for (lane, priority), count in self._in_run.pop(run, {}).items():
            if count:
                self._count_out(lane, priority, owner, count)

    def waiting(self, lane: Lane) -> int:
        """Return how many jobs wait in a lane."""
        return self._waiting.get(lane, 0)

    @property
    def has_any(self) -> bool:
        """Whether anything waits."""
        return bool(self._waiting)

    def lanes(self) -> list[Lane]:
        """Return the lanes in which something waits."""
        return list(self._waiting)

    def oldest(self) -> dict[Lane, int]:
        """Return the first run that waits in each lane."""
        found: dict[Lane, int] = {}
        for run, places in sorted(self._in_run.items()):
            for (lane, _), count in places.items():
                if count:
                    found.setdefault(lane, run)
        return found

    def take(
        self,
        lanes: Iterable[Lane],
        worker: str,
        *,
        reluctantly: bool = True,
        wanted: Callable[[ReadyJob], bool] | None = None,
        is_barred: Callable[[str], bool] | None = None,
    ) -> ReadyJob | None:
        """Return the next job of these lanes for this worker, which is not ready any more; None when there is none.

        ``reluctantly``: also a retry of what it tried itself. With ``wanted``, a next job that is not wanted stays where it is.
        Jobs of owners that are barred are passed over.
        """
        best: _Place | None = None
        avoided: _Place | None = None
        for lane in lanes:
            priorities = self._lanes.get(lane)
            if not priorities:
                continue
            for priority in sorted(priorities, reverse=True):
                owners = priorities[priority]
                if is_barred is not None:
                    owners = {owner: bucket for owner, bucket in owners.items() if not is_barred(owner)}
                found, reluctant = self._best_of(lane, priority, owners, worker)
                if found is not None and (best is None or found < best):
                    best = found
                if reluctant is not None and (avoided is None or reluctant < avoided):
                    avoided = reluctant
                if found is not None:
                    break
        place = best or (avoided if reluctantly else None)
        if place is None or (wanted is not None and not wanted(ReadyJob(place.run, place.number))):
            return None
        return self._remove(place)

    def ahead(self, job: ReadyJob, lane: Lane, priority: int, expected_s: float) -> tuple[int, float]:
        """Return how many jobs of its lane will be handed out before this one, and their expected seconds.

        Of other owners, as many as fair shares let pass.
        """
        priorities = self._lanes.get(lane, {})
        higher = [bucket for level, owners in priorities.items() if level > priority for bucket in owners.values()]
        owners = priorities.get(priority, {})
        owner = self._owner_of[job.run]
        before = (-expected_s, job.run, job.number)
        own_count, seconds = self._left(owners[owner], before) if owner in owners else (0, 0.0)
        count = own_count + sum(min(own_count, bucket.count) for other, bucket in owners.items() if other != owner)
        for bucket in higher:
            more, more_s = self._left(bucket, None)
            count += more
            seconds += more_s
        return count, seconds

    # --- inside ---

    def _count_in(self, run: int, lane: Lane, priority: int, count: int) -> _Bucket:
        owner = self._owner_of[run]
        self.shares.wait(owner, count)
        bucket = self._lanes.setdefault(lane, {}).setdefault(priority, {}).setdefault(owner, _Bucket())
        bucket.count += count
        self._waiting[lane] = self._waiting.get(lane, 0) + count
        in_run = self._in_run[run]
        in_run[lane, priority] = in_run.get((lane, priority), 0) + count
        return bucket

    def _count_out(self, lane: Lane, priority: int, owner: str, count: int) -> None:
        self.shares.leave(owner, count)
        self._waiting[lane] -= count
        owners = self._lanes[lane][priority]
        owners[owner].count -= count
        if owners[owner].count:
            return
        # With the last job goes what is left in there of runs that were removed.
        del owners[owner]
        if not owners:
            del self._lanes[lane][priority]
        if not self._lanes[lane]:
            del self._lanes[lane], self._waiting[lane]

    def _best_of(
        self, lane: Lane, priority: int, owners: Mapping[str, _Bucket], worker: str
    ) -> tuple[_Place | None, _Place | None]:
        """Return what goes first at one priority of a lane, and what this worker would have only if there is nothing else."""
        reluctant: _Place | None = None
        for owner in self._least_served_first(owners):
            bucket = owners[owner]
            self._drop_removed(bucket)
            served_s = self.shares.served_s(owner)
            retry = self._retry_for(bucket, worker)
            if retry is not None and retry[3] != worker:
                return _Place(-priority, served_s, owner, False, *retry[:3], lane, retry), reluctant
            if bucket.blocks:
                expected_s, run, block = bucket.blocks[0]
                number = block.numbers[block.position]
                return _Place(-priority, served_s, owner, True, expected_s, run, number, lane, None), reluctant
            if retry is not None and reluctant is None:
                reluctant = _Place(-priority, served_s, owner, False, *retry[:3], lane, retry)
        return None, reluctant

    def _least_served_first(self, owners: Mapping[str, _Bucket]) -> Iterator[str]:
        """Yield owners in the order of their shares; mostly the first one is all that is wanted."""

        def rank(owner: str) -> tuple[float, str]:
            return self.shares.served_s(owner), owner

        first = min(owners, key=rank, default=None)
        if first is not None:
            yield first
            yield from sorted((owner for owner in owners if owner != first), key=rank)

    def _retry_for(self, bucket: _Bucket, worker: str) -> tuple[float, int, int, str] | None:
        """Return the first retry whose last worker was another, of those that come first; else the very first."""
        looked_at = sorted(bucket.retries[:_RETRIES_LOOKED_AT])
        return next((retry for retry in looked_at if retry[3] != worker), looked_at[0] if looked_at else None)

    def _drop_removed(self, bucket: _Bucket) -> None:
        while bucket.blocks and bucket.blocks[0][1] not in self._in_run:
            heappop(bucket.blocks)
        while bucket.retries and bucket.retries[0][1] not in self._in_run:
            heappop(bucket.retries)
        if any(retry[1] not in self._in_run for retry in bucket.retries[:_RETRIES_LOOKED_AT]):
            bucket.retries = sorted(retry for retry in bucket.retries if retry[1] in self._in_run)

    def _remove(self, place: _Place) -> ReadyJob:
        priority = -place.priority
        bucket = self._lanes[place.lane][priority][place.owner]
        if place.retry is not None:
            bucket.retries.remove(place.retry)
            bucket.retries.sort()  # a sorted list is a heap
        else:
            _, run, block = heappop(bucket.blocks)
            block.position += 1
            if block.position < len(block.numbers):
                heappush(bucket.blocks, (-block.expected_s[block.position], run, block))
        self._in_run[place.run][place.lane, priority] -= 1
        self._count_out(place.lane, priority, place.owner, 1)
        return ReadyJob(place.run, place.number)

    def _left(self, bucket: _Bucket, before: tuple[float, int, int] | None) -> tuple[int, float]:
        """Return how many wait in a bucket, and their expected seconds; with ``before``, those that go first."""
        retries = [retry for retry in bucket.retries if retry[1] in self._in_run and (before is None or retry[:3] < before)]
        count, seconds = len(retries), -sum(expected_s for expected_s, *_ in retries)
        for _, run, block in bucket.blocks:
            if run in self._in_run:
                more, more_s = block.left(before)
                count += more
                seconds += more_s
        return count, seconds
