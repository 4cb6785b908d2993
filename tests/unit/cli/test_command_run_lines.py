"""What people read about runs of command jobs."""

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from outspread.cli.command_junit import case
from outspread.cli.command_run_lines import (
    exit_code,
    failure_lines,
    job_rows,
    progress_line,
    status_lines,
    summary_line,
    why_lines,
    worker_rows,
)
from outspread.controller.command_values import CommandAttempt, CommandJobStatus, CommandRunStatus, JobCounts, WorkerStatus
from outspread.controller.values import JobState, Outcome


def run(**counts: int) -> CommandRunStatus:
    return CommandRunStatus("r1", "nightly", "me", "p", "done", JobCounts(**counts), submitted_at=0.0)


def job(state: JobState = JobState.DONE, outcome: Outcome | None = Outcome.FAILED, **more: object) -> CommandJobStatus:
    attempt = CommandAttempt("r1.0.1", "a", 0, 1, "ann", Outcome.FAILED, run_s=2.0, reason="exit code 1")
    return CommandJobStatus("r1", 0, "a", state, outcome, flaky=False, reason="", priority=0, attempts=(attempt,), **more)  # type: ignore[arg-type]


def test_how_a_run_stands_is_one_line() -> None:
    counts = JobCounts(total=250, queued=200, running=10, passed=38, failed=2, retried=3)
    assert progress_line(counts, since_s=12.34) == "12.3s 40/250 jobs complete (2 failed) (3 retries)"
    assert progress_line(JobCounts(total=1, passed=1), since_s=0) == "0.0s 1/1 jobs complete"


def test_only_a_run_whose_jobs_all_passed_ends_well() -> None:
    assert exit_code(run(total=2, passed=2)) == 0
    assert exit_code(run(total=2, passed=1, failed=1)) == 88
    assert exit_code(run(total=2, passed=1, cancelled=1)) == 88
    assert summary_line(run(total=3, passed=2, infra=1, flaky=1), took_s=3) == (
        "run r1 done after 3.0s: 2 passed, 1 without a verdict, 1 of them flaky"
    )


def test_a_failure_shows_the_end_of_its_log() -> None:
    attempt = CommandAttempt("r1.0.1", "a", 0, 1, "ann", Outcome.TIMEOUT, reason="timeout of 5 s")
    log = "".join(f"line {number}\n" for number in range(30)).encode() + b"\x1b[31mred\xff"
    lines = list(failure_lines(attempt, log))
    assert lines[0] == "timeout: a (r1.0.1, ann): timeout of 5 s"
    assert lines[1] == "    [... 11 lines before; outspread logs r1.0.1 shows all]"
    assert lines[-1] == "    red\N{REPLACEMENT CHARACTER}"


def test_why_a_job_is_where_it_is() -> None:
    waiting = job(JobState.QUEUED, None, waiting="behind 3 jobs, about 2 s", starts_in_s=2.0)
    assert list(why_lines(waiting))[:2] == ["a waits: behind 3 jobs, about 2 s", "it will probably begin in 2.0s"]
    assert list(why_lines(job())) == ["a is done: failed", "  attempt 1 on ann: failed after 2.0s: exit code 1"]
    assert next(iter(why_lines(job(JobState.CANCELLED, None)))) == "a is cancelled"


def test_tables_have_a_line_for_each() -> None:
    assert len(list(job_rows([job(), job()]))) == 3
    worker = WorkerStatus("ann", {"os": "debian"}, 2, ("r1.0.1",), connected=True, last_heard_s=1.0, hold="disk full")
    assert [line.split()[:2] for line in worker_rows([worker])] == [["WORKER", "STATE"], ["ann", "on"], ["ann", "is"]]
    assert list(status_lines(run(total=1, passed=1)))[-1] == "jobs      1: 0 queued, 0 running, 1 passed"


@given(st.text(), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_case_is_valid_xml_whatever_was_printed(log: str, name: str) -> None:
    attempt = CommandAttempt("r1.0.1", name, 0, 1, "ann", Outcome.FAILED, run_s=2.0, reason=name)
    failed = CommandJobStatus("r1", 0, name, JobState.DONE, Outcome.FAILED, False, "", 0, (attempt,))
    element = ET.fromstring(case(failed, log))
    assert element.find("failure") is not None
    assert float(element.attrib["time"]) == 2.0
