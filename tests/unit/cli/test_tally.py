from typing import Any

import pytest

from outspread.cli.tally import Skipped, Tally, TallySection
from outspread.controller.values import (
    AttemptFinished,
    Level,
    Outcome,
    Report,
    RunFinished,
    RunOptions,
    RunStarted,
    StepFinished,
    Verb,
)

JOB = "lxd:ubuntu-24.04:main/one:v1#2"


def started(total: int) -> RunStarted:
    return RunStarted(0.0, "r", 1, True, total, "p")


def ended() -> RunFinished:
    return RunFinished(9.0, "r", True, 9.0)


def step(outcome: Outcome = Outcome.PASSED, verb: Verb = Verb.EXECUTE, level: Level = Level.TASK, job: str = JOB) -> StepFinished:
    return StepFinished(1.0, verb, level, "", "", "", "lxd", "ubuntu-24.04", suite="main/", job=job, outcome=outcome)


def attempt(outcome: Outcome, *, job: str = JOB, number: int = 1, **fields: Any) -> AttemptFinished:
    return AttemptFinished(2.0, "seat", 1, job, number, outcome, 1.0, **fields)


def tallied(*events: Report, options: RunOptions | None = None, total: int = 1) -> Tally:
    tally = Tally(options or RunOptions())
    for event in (started(total), *events, ended()):
        tally.add(event)
    return tally


@pytest.mark.parametrize(
    ("events", "successful", "aborted", "failures"),
    [
        pytest.param([step(), attempt(Outcome.PASSED)], 1, 0, [], id="passed"),
        pytest.param([attempt(Outcome.PASSED)], 1, 0, [], id="without an execute script"),
        pytest.param([step(), step(), step(), attempt(Outcome.PASSED)], 3, 0, [], id="each pass of repeat counts"),
        pytest.param([step(), step(Outcome.FAILED), attempt(Outcome.FAILED)], 1, 0, ["Failed tasks"], id="second pass failed"),
        pytest.param([step(Outcome.TIMEOUT), attempt(Outcome.TIMEOUT)], 0, 0, ["Failed tasks"], id="timeout"),
        pytest.param(
            [step(), step(Outcome.FAILED, Verb.RESTORE), attempt(Outcome.FAILED, verb=Verb.RESTORE)],
            1,
            0,
            ["Failed task restore"],
            id="restore failed after a pass",
        ),
        pytest.param(
            [step(Outcome.FAILED, Verb.RESTORE), attempt(Outcome.FAILED, verb=Verb.RESTORE)],
            1,
            0,
            ["Failed task restore"],
            id="restore failed, without an execute script",
        ),
        pytest.param(
            [step(), step(Outcome.FAILED, Verb.RESTORE), attempt(Outcome.PASSED)],
            1,
            0,
            ["Failed task restore"],
            id="restore failed, the attempt passed all the same",
        ),
        pytest.param(
            [step(Outcome.FAILED, Verb.PREPARE), attempt(Outcome.ABORTED, verb=Verb.PREPARE)],
            0,
            1,
            ["Failed task prepare"],
            id="prepare failed: aborted",
        ),
        pytest.param(
            [step(Outcome.FAILED, Verb.PREPARE), attempt(Outcome.FAILED, verb=Verb.PREPARE)],
            0,
            1,
            ["Failed task prepare"],
            id="prepare failed: said to have failed",
        ),
        pytest.param([attempt(Outcome.CANCELLED)], 0, 1, [], id="cancelled"),
        pytest.param([], 0, 1, [], id="never tried"),
        pytest.param([step(Outcome.FAILED, Verb.CHECK), step(), attempt(Outcome.PASSED)], 1, 0, [], id="not skipped"),
    ],
)
def test_spreads_counters(events: list[Report], successful: int, aborted: int, failures: list[str]) -> None:
    tally = tallied(*events)
    assert (tally.successful, tally.aborted) == (successful, aborted)
    assert [section.title for section in tally.failures] == failures


def test_what_failed_is_named_without_samples_and_sorted() -> None:
    tally = tallied(
        step(Outcome.FAILED, job="lxd:ubuntu-24.04:main/two"),
        step(Outcome.FAILED),
        step(Outcome.FAILED, Verb.RESTORE, Level.PROJECT),
        step(Outcome.FAILED, Verb.PREPARE, Level.SUITE),
        step(Outcome.FAILED, Verb.PREPARE, Level.BACKEND),
    )
    assert tally.failures == (
        TallySection("Failed tasks", ("lxd:ubuntu-24.04:main/one:v1", "lxd:ubuntu-24.04:main/two")),
        TallySection("Failed suite prepare", ("lxd:ubuntu-24.04:main/",)),
        TallySection("Failed backend prepare", ("lxd:ubuntu-24.04:lxd",)),
        TallySection("Failed project restore", ("lxd:ubuntu-24.04:project",)),
    )


def test_a_task_without_execute_counts_once_for_each_pass() -> None:
    assert tallied(attempt(Outcome.PASSED), options=RunOptions(repeat=2)).successful == 3


def test_an_attempt_without_verdict_counts_for_nothing_when_the_job_is_done_again() -> None:
    tally = tallied(step(), attempt(Outcome.INFRA), step(), attempt(Outcome.PASSED, number=2))
    assert (tally.successful, tally.aborted, tally.without_verdict) == (1, 0, ())


def test_a_job_that_never_got_a_verdict_is_named() -> None:
    tally = tallied(*(attempt(Outcome.INFRA, number=number) for number in (1, 2, 3)))
    assert (tally.successful, tally.aborted, tally.without_verdict) == (0, 0, (JOB,))


def test_skipped_jobs_are_listed_with_their_reasons() -> None:
    tally = tallied(
        attempt(Outcome.SKIPPED, job="b:s:x/2", reason="no kvm"), attempt(Outcome.SKIPPED, job="b:s:x/1", reason="slow"), total=2
    )
    assert tally.skipped == (Skipped("b:s:x/1", "slow"), Skipped("b:s:x/2", "no kvm"))
    assert (tally.successful, tally.aborted) == (0, 0)


def test_a_skipped_suite_counts_once_however_many_sessions_and_jobs_it_has() -> None:
    def skipped(number: int) -> AttemptFinished:
        return attempt(Outcome.SKIPPED, job=f"b:s:x/{number}#2", verb=Verb.CHECK, level=Level.SUITE, reason="slow")

    checks = [step(verb=Verb.CHECK, level=Level.SUITE, job=f"b:s:x/{number}#2") for number in (1, 2)]
    tally = tallied(checks[0], skipped(1), checks[1], skipped(2), skipped(3), total=3)
    assert tally.skipped_suites == (Skipped("lxd:ubuntu-24.04:main/", "slow"),)
    assert [one.name for one in tally.skipped] == ["b:s:x/1", "b:s:x/2", "b:s:x/3"]  # without samples, as all names there


def test_a_task_that_is_skipped_in_a_suite_that_is_not() -> None:
    check = step(verb=Verb.CHECK, level=Level.SUITE)
    tally = tallied(check, step(verb=Verb.CHECK), attempt(Outcome.SKIPPED, verb=Verb.CHECK, reason="slow"))
    assert tally.skipped_suites == ()
    assert len(tally.skipped) == 1


def test_restoring_only_counts_no_task() -> None:
    tally = tallied(attempt(Outcome.PASSED), step(Outcome.FAILED, Verb.RESTORE), options=RunOptions(restore_only=True), total=3)
    assert (tally.successful, tally.aborted) == (0, 0)
    assert [section.title for section in tally.failures] == ["Failed task restore"]
