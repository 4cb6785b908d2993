import pytest

from outspread.cli.job_counts import JobCounts, JobOutcomes
from outspread.controller.values import AttemptFinished, Outcome, RunStarted


def counted(total: int, *attempts: tuple[str, Outcome]) -> JobCounts:
    outcomes = JobOutcomes()
    outcomes.feed(RunStarted(0.0, "r", 0, False, total, "demo"))
    for number, (job, outcome) in enumerate(attempts):
        outcomes.feed(AttemptFinished(0.0, "s", 1, job, number, outcome, 1.0))
    return outcomes.counts()


def test_each_job_counts_once() -> None:
    counts = counted(3, ("a", Outcome.INFRA), ("a", Outcome.PASSED), ("b", Outcome.PASSED), ("b", Outcome.INFRA))
    assert counts == JobCounts(total=3, passed=2, aborted=1)


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        (JobCounts(total=1, passed=1), "1 job: 1 passed"),
        (
            JobCounts(total=9, passed=3, failed=1, timed_out=1, lost=1, aborted=1, cancelled=1, skipped=1),
            "9 jobs: 3 passed, 1 failed, 1 timed out, 1 lost with their machine, 1 aborted, 1 cancelled, 1 skipped",
        ),
        (JobCounts(), "0 jobs"),
    ],
)
def test_the_sentence(counts: JobCounts, sentence: str) -> None:
    assert counts.sentence() == sentence
