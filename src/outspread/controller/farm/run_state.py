"""One run of command jobs in memory: a few bytes for each job. Pure; who moves jobs is ``scheduler``."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from outspread.controller.command_values import CommandJob, CommandRunStatus, JobCounts
from outspread.controller.expected_durations import usual
from outspread.controller.farm.attempt_in_hand import AttemptInHand
from outspread.controller.farm.command_rules import Tries
from outspread.controller.farm.ready_queue import Blocks, Lane, ReadyJob, blocks_of, lane_of
from outspread.controller.values import JobState, Outcome

#: What is expected of a job that nothing is known of, for shares and hand-outs.
UNKNOWN_S: Final = 1.0
#: Share of the newest attempt in what a run's jobs take on average.
_NEWEST: Final = 0.1
_NO_TRIES: Final = Tries()


class PlannedJob:
    """A job as the scheduler needs it: its JSON, and what decides when and where it goes."""

    __slots__ = ("expected_s", "job", "key", "lane", "name", "priority", "retries")

    def __init__(self, *, job: bytes, name: str, key: str, lane: Lane, priority: int, retries: int, expected_s: float) -> None:
        self.job = job
        self.name = name
        self.key = key
        self.lane = lane
        self.priority = priority
        self.retries = retries
        self.expected_s = expected_s  # 0: unknown


def plan(jobs: Sequence[CommandJob], documents: Sequence[bytes], known_s: Mapping[str, float]) -> list[PlannedJob]:
    """Return jobs as the scheduler needs them, with what their history lets expect: ``known_s`` by key.

    One without history is put at the 75th percentile of those with.
    """
    keys = [job.key or job.name for job in jobs]
    unknown_s = usual(sorted(known_s[key] for key in keys if key in known_s))
    return [
        PlannedJob(
            job=document,
            name=job.name,
            key=key,
            lane=lane_of(job.requires, job.limits),
            priority=job.priority,
            retries=job.retries,
            expected_s=known_s.get(key, unknown_s),
        )
        for job, key, document in zip(jobs, keys, documents, strict=True)
    ]


class RunState:
    """A run that is not over. ``sequence`` names it in this process; ``counts`` are those of its jobs."""

    def __init__(
        self, *, sequence: int, run_id: str, owner: str, name: str, project: str, jobs: Sequence[PlannedJob], at: float
    ) -> None:
        self.sequence = sequence
        self.run_id = run_id
        self.owner = owner
        self.name = name
        self.project = project
        self.submitted_at = at
        self.cancelled = False
        self.cancel_reason = ""
        self.total = len(jobs)
        shared: dict[Lane, Lane] = {}
        self.jobs: list[bytes] = [job.job for job in jobs]  # emptied when final
        self.keys: list[str] = [job.key for job in jobs]
        self.lanes = [shared.setdefault(job.lane, job.lane) for job in jobs]
        self.priorities = array("q", (job.priority for job in jobs))
        self.retries = array("H", (min(job.retries, 0xFFFF) for job in jobs))
        self.expected_s = array("d", (job.expected_s for job in jobs))
        self.attempts = array("H", bytes(2 * len(jobs)))
        self.tries: dict[int, Tries] = {}  # of jobs that were tried in vain
        self.stop_after = 0
        self.waiting = len(jobs)
        self.known_left_s = sum(self.expected_s)  # of those that wait
        self.unknown_left = sum(not expected_s for expected_s in self.expected_s)
        self.in_hand: dict[int, AttemptInHand] = {}  # by number
        self.passed = 0
        self.failed = 0
        self.stopped = 0  # cancelled
        self.infra = 0
        self.flaky = 0
        self.retried = 0
        self.places = 0  # attempts that ended
        self.unstopped_from: int | None = None  # of a cancelled run: the record still has queued jobs from this number on
        self.usual_s = 0.0  # what its attempts take lately; 0 before the first

    def planned_s(self, number: int) -> float:
        """Return how long a job will probably take: by its history, else as long as others of its run, else 1 s."""
        return self.expected_s[number] or self.usual_s or UNKNOWN_S

    def unfinished_s(self) -> list[float]:
        """Return what is expected of each job that is not final."""
        return [self.planned_s(number) for number, job in enumerate(self.jobs) if job]

    def blocks(self, numbers: Iterable[int] | None = None) -> Blocks:
        """Return these jobs (all, if not told) for the queue."""
        chosen = range(self.total) if numbers is None else numbers
        return blocks_of(self.sequence, ((n, self.lanes[n], self.priorities[n], self.expected_s[n]) for n in chosen))

    def tried(self, number: int) -> Tries:
        return self.tries.get(number, _NO_TRIES)

    def ready_job(self, number: int) -> ReadyJob:
        return ReadyJob(self.sequence, number)

    def join_queue(self, number: int) -> None:
        """Count a job as waiting."""
        self.waiting += 1
        self.known_left_s += self.expected_s[number]
        self.unknown_left += not self.expected_s[number]

    def leave_queue(self, number: int) -> None:
        """Count a job as not waiting any more."""
        self.waiting -= 1
        self.known_left_s -= self.expected_s[number]
        self.unknown_left -= not self.expected_s[number]

    def stop_waiting(self) -> None:
        """Count all that wait as cancelled."""
        self.stopped += self.waiting
        self.waiting = self.unknown_left = 0
        self.known_left_s = 0.0

    @property
    def work_left_s(self) -> float:
        """What is expected of all that waits, on one slot."""
        return max(0.0, self.known_left_s) + self.unknown_left * (self.usual_s or UNKNOWN_S)

    def took(self, seconds: float) -> None:
        """Learn from an attempt with a verdict."""
        self.usual_s = seconds if not self.usual_s else (1 - _NEWEST) * self.usual_s + _NEWEST * seconds

    def decide(self, number: int, outcome: Outcome, *, flaky: bool) -> None:
        """Count a job that was in hand as final, and let go of its content."""
        self.jobs[number] = b""
        self.tries.pop(number, None)
        self.passed += outcome is Outcome.PASSED
        self.failed += outcome in {Outcome.FAILED, Outcome.TIMEOUT}
        self.stopped += outcome is Outcome.CANCELLED
        self.infra += outcome is Outcome.INFRA
        self.flaky += flaky

    @property
    def is_over(self) -> bool:
        return not self.waiting and not self.in_hand and self.unstopped_from is None

    @property
    def counts(self) -> JobCounts:
        return JobCounts(
            total=self.total,
            queued=self.waiting,
            running=len(self.in_hand),
            passed=self.passed,
            failed=self.failed,
            cancelled=self.stopped,
            infra=self.infra,
            flaky=self.flaky,
            retried=self.retried,
        )

    @property
    def has_passed(self) -> bool:
        return self.passed == self.total

    def status(self) -> CommandRunStatus:
        return CommandRunStatus(
            run_id=self.run_id,
            name=self.name,
            owner=self.owner,
            project=self.project,
            state=JobState.CANCELLED.value if self.cancelled and self.is_over else "running",
            counts=self.counts,
            submitted_at=self.submitted_at,
            cancel_reason=self.cancel_reason,
            work_left_s=self.work_left_s,
        )
