"""What people read about runs of command jobs."""

import pytest
from msgspec.structs import replace

from outspread.cli.command_run_lines import (
    attempt_rows,
    exit_code,
    failure_lines,
    job_rows,
    progress_line,
    run_rows,
    status_lines,
    summary_lines,
    why_lines,
)
from outspread.controller.command_values import CommandAttempt, CommandJobStatus, CommandRunStatus, JobCounts
from outspread.controller.values import JobState, Outcome

FAILED = CommandAttempt("r1.0.1", "a", 0, 1, "ann", Outcome.FAILED, run_s=2.0, reason="exit code 1", decides=True)
BOMB = "\x1b]0;owned\x07\x9b2J\nname"


def run(**counts: int) -> CommandRunStatus:
    return CommandRunStatus("r1", "nightly", "me", "p", "done", JobCounts(**counts), submitted_at=0.0, finished_at=3.0)


def job(state: JobState = JobState.DONE, outcome: Outcome | None = Outcome.FAILED, **more: object) -> CommandJobStatus:
    attempts = (FAILED,) if outcome is not None else ()
    return CommandJobStatus("r1", 0, "a", state, outcome, flaky=False, reason="", priority=0, attempts=attempts, **more)  # type: ignore[arg-type] # those of the struct


@pytest.mark.parametrize(
    ("counts", "since_s", "line"),
    [
        (
            JobCounts(total=250, queued=200, running=10, passed=38, failed=2, retried=3),
            12.34,
            "12.3s 40/250 jobs complete (2 failed) (3 retries)",
        ),
        (JobCounts(total=1, passed=1, retried=1), 0, "0.0s 1/1 jobs complete (1 retry)"),
        (JobCounts(total=3, infra=1, cancelled=2), -5, "0.0s 3/3 jobs complete (1 lost) (2 cancelled)"),
    ],
)
def test_how_a_run_stands_is_one_line(counts: JobCounts, since_s: float, line: str) -> None:
    assert progress_line(counts, since_s=since_s) == line


@pytest.mark.parametrize(
    ("counts", "code"),
    [({"passed": 2}, 0), ({"passed": 1, "failed": 1}, 88), ({"passed": 1, "cancelled": 1}, 88), ({"passed": 1, "infra": 1}, 88)],
)
def test_only_a_run_whose_jobs_all_passed_ends_well(counts: dict[str, int], code: int) -> None:
    assert exit_code(run(total=2, **counts)) == code


def test_a_failure_shows_the_end_of_its_log() -> None:
    log = "".join(f"line {number}\n" for number in range(30)).encode() + b"\x1b[31mred\xff"
    timeout = replace(FAILED, outcome=Outcome.TIMEOUT, reason="timeout of 5 s", log_bytes=len(log))
    first, above, *rest = failure_lines(timeout, log)
    assert first == "TIMEOUT    a  2.0s on ann  timeout of 5 s"
    assert above == "  (11 lines above; all: outspread logs r1.0.1)"
    assert rest[0] == "  | line 11"
    assert rest[-1] == "  | red\N{REPLACEMENT CHARACTER}"
    assert list(failure_lines(replace(timeout, log_bytes=10**6), log))[1] == "  (more above; all: outspread logs r1.0.1)"


def test_a_failure_that_is_tried_again_says_so() -> None:
    (line,) = failure_lines(replace(FAILED, decides=False), b"")
    assert line == "FAILED     a  2.0s on ann  exit code 1  (attempt 1, tried again)"


def test_the_summary_names_what_did_not_pass_and_what_to_do() -> None:
    assert list(summary_lines(run(total=1, passed=1), [])) == ["", "run r1 done after 3.0s: 1 passed"]
    assert list(summary_lines(run(total=4, passed=1, failed=2, infra=1, flaky=1), ["a", "b"])) == [
        "",
        "3 jobs did not pass:",
        "  a",
        "  b",
        "  ... and 1 more (all: outspread status --failed r1)",
        "",
        "run r1 done after 3.0s: 1 passed, 2 failed, 1 lost, 1 of them flaky",
        "again: outspread rerun --failed r1",
    ]
    cancelled = replace(run(total=1, cancelled=1), state="cancelled", cancel_reason="by me")
    assert list(summary_lines(cancelled, [])) == ["", "run r1 cancelled (by me) after 3.0s: 1 cancelled"]


def test_how_a_run_stands_in_full() -> None:
    going = replace(run(total=5, queued=2, running=1, passed=2), state="running", work_left_s=90.0)
    assert list(status_lines(going)) == [
        "run r1, p, nightly, by me, 1970-01-01 00:00, running",
        "5 jobs: 2 queued, 1 running, 2 passed",
        "about 1m30s of work has not begun",
    ]


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        (
            job(JobState.QUEUED, None, waiting="behind 3 jobs", ahead=3, starts_in_s=2.0),
            ["a waits: behind 3 jobs", "3 jobs go first; it should begin in 2.0s"],
        ),
        (job(JobState.QUEUED, None), ["a waits: it is about to begin"]),
        (job(JobState.RUNNING, None), ["a runs"]),
        (job(), ["a is done: failed", "  FAILED     a  2.0s on ann  exit code 1"]),
        (job(JobState.CANCELLED, None), ["a is cancelled"]),
    ],
)
def test_why_a_job_is_where_it_is(status: CommandJobStatus, lines: list[str]) -> None:
    assert list(why_lines(status)) == lines


def test_tables_have_a_line_for_each() -> None:
    assert len(list(job_rows([job(), job(JobState.QUEUED, None)]))) == 3
    assert [line.split() for line in attempt_rows([FAILED])][1][:4] == ["r1.0.1", "1970-01-01", "00:00", "failed"]
    assert [line.split()[0] for line in run_rows([run(total=1)])] == ["run", "r1"]


def test_nothing_that_strangers_wrote_can_harm_a_terminal() -> None:
    attempt = replace(FAILED, job=BOMB, worker=BOMB, reason=BOMB)
    status = replace(run(total=2, failed=2), name=BOMB, owner=BOMB, project=BOMB, cancel_reason=BOMB)
    waiting = replace(job(), name=BOMB, reason=BOMB, waiting=BOMB, attempts=(attempt,))
    lines = [
        *failure_lines(attempt, BOMB.encode()),
        *summary_lines(status, [BOMB]),
        *run_rows([status]),
        *status_lines(status),
        *job_rows([waiting]),
        *attempt_rows([attempt]),
        *why_lines(waiting),
        *why_lines(replace(waiting, state=JobState.QUEUED)),
    ]
    assert [line for line in lines if not line.isprintable()] == []
