"""How many jobs of a run came to what, each counted once however often it was tried."""

from collections import Counter

from msgspec import Struct

from outspread.controller.values import AttemptFinished, Outcome, Report, RunStarted


def job_count(number: int) -> str:
    """Return ``number`` of jobs in words."""
    return "1 job" if number == 1 else f"{number} jobs"


class JobCounts(Struct, frozen=True):
    """The jobs of a run by what they came to. What has no other place, having never begun, is ``aborted``."""

    total: int = 0
    passed: int = 0
    failed: int = 0
    timed_out: int = 0
    aborted: int = 0
    skipped: int = 0
    cancelled: int = 0
    lost: int = 0  # no verdict: the machine, or the way to it, failed

    def sentence(self, passed: str = "passed") -> str:
        """Return the counts that are not zero, those of jobs that passed first, in the word given for that."""
        parts = [
            f"{count} {word}"
            for count, word in (
                (self.passed, passed),
                (self.failed, "failed"),
                (self.timed_out, "timed out"),
                (self.lost, "lost with their machine"),
                (self.aborted, "aborted"),
                (self.cancelled, "cancelled"),
                (self.skipped, "skipped"),
            )
            if count
        ]
        jobs = job_count(self.total)
        return f"{jobs}: {', '.join(parts)}" if parts else jobs


class JobOutcomes:
    """Folds events into what each job came to: of several attempts the last one counts, unless one passed."""

    def __init__(self) -> None:
        self._total = 0
        self._outcomes: dict[str, Outcome] = {}
        self._by: Counter[Outcome] = Counter()

    def feed(self, event: Report) -> None:
        match event:
            case RunStarted(total_jobs=total):
                self._total = total
            case AttemptFinished(job=job, outcome=outcome) if self._outcomes.get(job) is not Outcome.PASSED:
                if (before := self._outcomes.get(job)) is not None:
                    self._by[before] -= 1
                self._outcomes[job] = outcome
                self._by[outcome] += 1
            case _:
                pass

    @property
    def tried(self) -> int:
        """How many jobs had an attempt that ended."""
        return len(self._outcomes)

    def counts(self) -> JobCounts:
        """Return what jobs have come to so far; those that had no attempt are aborted."""
        by = self._by
        return JobCounts(
            total=self._total,
            passed=by[Outcome.PASSED],
            failed=by[Outcome.FAILED],
            timed_out=by[Outcome.TIMEOUT],
            aborted=by[Outcome.ABORTED] + max(0, self._total - len(self._outcomes)),
            skipped=by[Outcome.SKIPPED],
            cancelled=by[Outcome.CANCELLED],
            lost=by[Outcome.INFRA],
        )
