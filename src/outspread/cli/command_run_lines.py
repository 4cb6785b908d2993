"""Lines about runs of command jobs, for people. Pure.

Names and reasons come from whoever submitted and from workers: all of them are shown without what could harm a terminal.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from outspread.cli.columns import moment, table
from outspread.cli.job_counts import job_count
from outspread.cli.job_lines import OUTCOME_WORDS, one_line
from outspread.cli.spans import span
from outspread.cli.troubles import trace_of
from outspread.controller.command_values import CommandAttempt, CommandJobStatus, CommandRunStatus, JobCounts, SlotsNeeded
from outspread.controller.values import JobState, Outcome

PASSED: Final = 0
JOBS_FAILED: Final = 88
_LOG_LINES: Final = 20
_WIDTH: Final = max(map(len, OUTCOME_WORDS.values()))


def exit_code(status: CommandRunStatus) -> int:
    """Return 0 when every job passed, else 88."""
    return PASSED if status.counts.passed == status.counts.total else JOBS_FAILED


def progress_line(counts: JobCounts, *, since_s: float) -> str:
    """Return how a run stands, in one line: ``12.3s 40/250 jobs complete (2 failed) (3 retries)``."""
    done = counts.total - counts.queued - counts.running
    remarks = [
        f"({number} {what})"
        for number, what in (
            (counts.failed, "failed"),
            (counts.infra, "lost"),
            (counts.cancelled, "cancelled"),
            (counts.retried, "retry" if counts.retried == 1 else "retries"),
        )
        if number
    ]
    return " ".join([f"{max(0.0, since_s):.1f}s", f"{done}/{counts.total} jobs complete", *remarks])


def attempt_line(attempt: CommandAttempt) -> str:
    """Return how an attempt ended: the outcome first, so that the eye finds it in a column."""
    word = OUTCOME_WORDS[attempt.outcome] if attempt.outcome is not None else "running"
    took = "" if attempt.run_s is None else f"  {span(attempt.run_s)}"
    worker = f" on {one_line(attempt.worker)}" if attempt.worker else ""
    reason = f"  {one_line(attempt.reason)}" if attempt.reason and attempt.outcome is not Outcome.PASSED else ""
    again = "" if attempt.decides or attempt.outcome is Outcome.CANCELLED else f"  (attempt {attempt.attempt}, tried again)"
    return f"{word:{_WIDTH}}  {one_line(attempt.job)}{took}{worker}{reason}{again}"


def failure_lines(attempt: CommandAttempt, log: bytes) -> Iterator[str]:
    """Yield what people want to know first of an attempt that did not pass, with the last lines of ``log``, its end."""
    yield attempt_line(attempt)
    trace = trace_of(log.decode("utf-8", "replace"), _LOG_LINES)
    if trace.left_out or attempt.log_bytes > len(log) > 0:
        above = "more" if attempt.log_bytes > len(log) else f"{trace.left_out} lines"
        yield f"  ({above} above; all: outspread logs {attempt.attempt_id})"
    yield from (f"  | {line}".rstrip() for line in trace.lines)


def summary_lines(status: CommandRunStatus, failed: Sequence[str]) -> Iterator[str]:
    """Yield what a run came to; ``failed`` are jobs that did, of which as many are named as is helpful."""
    bad = status.counts.failed + status.counts.infra
    if failed and bad > 1:
        yield ""
        yield f"{bad} jobs did not pass:"
        yield from (f"  {one_line(name)}" for name in failed)
        if bad > len(failed):
            yield f"  ... and {bad - len(failed)} more (all: outspread status --failed {status.run_id})"
    yield ""
    took = f" after {span(status.finished_at - status.submitted_at)}" if status.finished_at is not None else ""
    why = f" ({one_line(status.cancel_reason)})" if status.cancel_reason else ""
    yield f"run {status.run_id} {status.state}{why}{took}: {_counted(status.counts) or 'no jobs'}"
    if bad:
        yield f"again: outspread rerun --failed {status.run_id}"


def run_rows(runs: Sequence[CommandRunStatus]) -> Iterator[str]:
    """Yield a table of runs, in the given order."""
    rows = [("run", "submitted", "took", "state", "jobs", "passed", "failed", "owner", "project", "name")]
    for run in runs:
        counts = run.counts
        took = "" if run.finished_at is None else span(run.finished_at - run.submitted_at)
        failed = counts.failed + counts.infra + counts.cancelled
        numbers = (str(counts.total), str(counts.passed), str(failed))
        texts = (one_line(run.owner), one_line(run.project), one_line(run.name))
        rows.append((run.run_id, moment(run.submitted_at), took, run.state, *numbers, *texts))
    return table(rows)


def status_lines(status: CommandRunStatus) -> Iterator[str]:
    """Yield how a run stands."""
    named = "".join(f", {one_line(text)}" for text in (status.project, status.name) if text)
    yield f"run {status.run_id}{named}, by {one_line(status.owner)}, {moment(status.submitted_at)}, {status.state}"
    if status.cancel_reason:
        yield f"cancelled: {one_line(status.cancel_reason)}"
    counts = status.counts
    going = [f"{number} {what}" for number, what in ((counts.queued, "queued"), (counts.running, "running")) if number]
    yield f"{job_count(counts.total)}: {', '.join([*going, _counted(counts)] if _counted(counts) else going)}"
    if status.state == "running" and status.work_left_s:
        yield f"about {span(status.work_left_s)} of work has not begun"


def slots_lines(needed: SlotsNeeded, *, within_s: float) -> Iterator[str]:
    """Yield what it takes to finish a run within a time."""
    if not needed.jobs:
        yield "nothing of it is left to do"
        return
    if needed.slots is None:
        yield f"it cannot be done in {span(within_s)}: one job alone takes about {span(needed.longest_s)}"
    else:
        yield f"to be done in {span(within_s)} it takes {needed.slots} {'slot' if needed.slots == 1 else 'slots'}"
    if needed.takes_s is not None:
        yield f"the {needed.connected_slots} slots that are there take about {span(needed.takes_s)}, if they do nothing else"
    if needed.unknown:
        yield f"nothing is known of {needed.unknown} of {job_count(needed.jobs)}: a guess"


def job_rows(jobs: Sequence[CommandJobStatus]) -> Iterator[str]:
    """Yield a table of jobs, each with its newest attempt."""
    rows = [("attempt", "result", "took", "worker", "job", "why")]
    for job in jobs:
        last = job.attempts[-1] if job.attempts else None
        result = str(job.outcome or job.state) + (" (flaky)" if job.flaky else "")
        took = span(last.run_s) if last is not None and last.run_s is not None else ""
        name = last.attempt_id if last is not None else f"{job.run_id}.{job.number}"
        reason = job.reason or (last.reason if last is not None else "") or job.waiting
        worker = last.worker if last is not None else ""
        rows.append((name, result, took, one_line(worker), one_line(job.name), one_line(reason)))
    return table(rows)


def attempt_rows(attempts: Sequence[CommandAttempt]) -> Iterator[str]:
    """Yield a table of attempts."""
    rows = [("attempt", "began", "result", "took", "worker", "why")]
    for attempt in attempts:
        took = span(attempt.run_s) if attempt.run_s is not None else ""
        began = moment(attempt.started_at)
        result = str(attempt.outcome or "running")
        rows.append((attempt.attempt_id, began, result, took, one_line(attempt.worker), one_line(attempt.reason)))
    return table(rows)


def why_lines(job: CommandJobStatus) -> Iterator[str]:
    """Yield why a job is where it is."""
    name, reason = one_line(job.name), f": {one_line(job.reason)}" if job.reason else ""
    if job.state is JobState.QUEUED:
        yield f"{name} waits: {one_line(job.waiting) or 'it is about to begin'}"
        yield from _expectation(job)
    elif job.state is JobState.CANCELLED:
        yield f"{name} is cancelled{reason}"
    elif job.state is JobState.DONE:
        flaky = ", after an attempt that failed" if job.flaky else ""
        yield f"{name} is done: {job.outcome}{flaky}{reason}"
    else:
        last = job.attempts[-1] if job.attempts else None
        yield f"{name} runs{f' on {one_line(last.worker)} since {moment(last.started_at)}' if last is not None else ''}"
    yield from (f"  {attempt_line(attempt)}" for attempt in job.attempts if attempt.outcome is not None)


def _expectation(job: CommandJobStatus) -> Iterator[str]:
    ahead = f"{job.ahead} {'job goes' if job.ahead == 1 else 'jobs go'} first" if job.ahead else ""
    begins = f"it should begin in {span(job.starts_in_s)}" if job.starts_in_s is not None else ""
    if ahead or begins:
        yield "; ".join(filter(None, (ahead, begins)))


def _counted(counts: JobCounts) -> str:
    return ", ".join(
        f"{number} {what}"
        for number, what in (
            (counts.passed, "passed"),
            (counts.failed, "failed"),
            (counts.infra, "lost"),
            (counts.cancelled, "cancelled"),
            (counts.flaky, "of them flaky" if counts.passed else "flaky"),
        )
        if number
    )
