"""The ready jobs of one run: which job a seat gets next. Pure; who may have a seat is ``lane_seats``.

Jobs of one backend and system share a *lane*. The rule is Spread's (specs/spread.md, section 10):

a. samples of the task in hand first, the lowest one, whatever its priority;
b. else, among the jobs with the lane's top priority, in the seat's own order: the first of the suite in hand; failing that, of
   the suite that the fewest seats are in;
c. of a task with samples, the lowest sample that is left.

``Order.RANDOM`` gives each seat a permutation of its own, ``Order.LONGEST`` all seats the same order. ``Order.GIVEN`` is the
order of submission and nothing else: no priority, no suite, no sample. A job that was given back goes before the others of
its suite and priority.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from outspread.controller.lane_jobs import WAITING, LaneJobs
from outspread.controller.values import Order
from outspread.project.model import Job


class Lane(Struct, frozen=True, order=True):
    """A backend and a system of it: what a session is for."""

    backend: str
    system: str


class ReadyJobs:
    """The waiting jobs of a run, by lane. Jobs are known by their number: their place in the submission."""

    def __init__(
        self,
        jobs: Sequence[Job],
        *,
        order: Order,
        seed: int,
        expected_s: Sequence[float] = (),
        lanes_without_jobs: Iterable[Lane] = (),
    ) -> None:
        self._lane_of: list[LaneJobs] = []
        self._lanes: dict[Lane, LaneJobs] = {}
        status = bytearray([WAITING]) * len(jobs)
        by_key: dict[tuple[str, str], LaneJobs] = {}
        for lane in lanes_without_jobs:
            self._lanes[lane] = LaneJobs(jobs, status, order, seed, expected_s)
        for number, job in enumerate(jobs):
            lane_jobs = by_key.get((job.backend, job.system))
            if lane_jobs is None:
                lane_jobs = by_key[job.backend, job.system] = LaneJobs(jobs, status, order, seed, expected_s)
                self._lanes[Lane(job.backend, job.system)] = lane_jobs
            lane_jobs.add(number)
            self._lane_of.append(lane_jobs)

    def waiting(self, lane: Lane) -> int:
        """Return how many jobs of ``lane`` wait."""
        return self._lanes[lane].waiting

    def take(self, lane: Lane, seat: int, *, suite: str = "", task: str = "") -> int | None:
        """Hand out the next job for a seat that last did ``task`` of ``suite``; None when none waits."""
        return self._lanes[lane].take(seat, suite, task)

    def give_back(self, number: int) -> None:
        """Let a job that was handed out wait again, before others of its suite and priority."""
        self._lane_of[number].give_back(number)

    def leave(self, lane: Lane, seat: int) -> None:
        """Note that a seat is in no suite any more. Idempotent."""
        self._lanes[lane].enter(seat, "")

    def take_all(self, lane: Lane) -> list[int]:
        """Hand out all jobs of ``lane`` that wait, in the order of submission."""
        return self._lanes[lane].take_all()
