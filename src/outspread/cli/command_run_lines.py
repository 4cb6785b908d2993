"""Lines about runs of command jobs, for people. Pure."""

from collections.abc import Iterator, Sequence

from outspread.cli.columns import moment, table
from outspread.cli.spans import span
from outspread.cli.terminal_text import last_lines, shown_text
from outspread.controller.command_values import (
    CommandAttempt,
    CommandJobStatus,
    CommandRunStatus,
    FlakyJob,
    JobCounts,
    WorkerStatus,
)
from outspread.controller.values import JobState, Outcome

PASSED, JOBS_FAILED = 0, 88
_LOG_LINES = 20


def progress_line(counts: JobCounts, *, since_s: float) -> str:
    """Return how a run stands, in one line."""
    done = counts.total - counts.queued - counts.running
    remarks = [
        f"({number} {what})"
        for number, what in (
            (counts.failed, "failed"),
            (counts.infra, "without a verdict"),
            (counts.cancelled, "cancelled"),
            (counts.retried, "retries"),
        )
        if number
    ]
    return " ".join([f"{since_s:.1f}s", f"{done}/{counts.total} jobs complete", *remarks])


def exit_code(status: CommandRunStatus) -> int:
    """Return 0 when every job passed, else 88."""
    return PASSED if status.counts.passed == status.counts.total else JOBS_FAILED


def failure_lines(attempt: CommandAttempt, log: bytes) -> Iterator[str]:
    """Yield what people want to know first of an attempt that did not pass."""
    yield f"{attempt.outcome}: {attempt.job} ({attempt.attempt_id}, {attempt.worker}): {attempt.reason or 'no reason'}"
    lines, left_out = last_lines(shown_text(log.decode("utf-8", "replace")), _LOG_LINES)
    if left_out:
        yield f"    [... {left_out} lines before; outspread logs {attempt.attempt_id} shows all]"
    yield from (f"    {line}" for line in lines)


def summary_line(status: CommandRunStatus, *, took_s: float) -> str:
    """Return what a run came to."""
    counts = status.counts
    parts = [
        f"{number} {what}"
        for number, what in (
            (counts.passed, "passed"),
            (counts.failed, "failed"),
            (counts.infra, "without a verdict"),
            (counts.cancelled, "cancelled"),
            (counts.flaky, "of them flaky"),
        )
        if number
    ]
    why = f" ({status.cancel_reason})" if status.cancel_reason else ""
    return f"run {status.run_id} {status.state}{why} after {span(took_s)}: {', '.join(parts)}"


def run_rows(runs: Sequence[CommandRunStatus]) -> Iterator[str]:
    """Yield a table of runs."""
    rows = [("RUN", "SUBMITTED", "OWNER", "NAME", "STATE", "JOBS", "PASSED", "FAILED")]
    for run in runs:
        counts = run.counts
        bad = counts.failed + counts.infra + counts.cancelled
        rows.append(
            (
                run.run_id,
                moment(run.submitted_at),
                run.owner,
                run.name,
                run.state,
                str(counts.total),
                str(counts.passed),
                str(bad),
            )
        )
    return table(rows)


def status_lines(status: CommandRunStatus) -> Iterator[str]:
    """Yield how a run stands."""
    counts = status.counts
    yield f"run       {status.run_id}"
    if status.name:
        yield f"name      {status.name}"
    yield f"owner     {status.owner}"
    yield f"submitted {moment(status.submitted_at)}"
    yield f"state     {status.state}{f' ({status.cancel_reason})' if status.cancel_reason else ''}"
    yield f"jobs      {counts.total}: {counts.queued} queued, {counts.running} running, {counts.passed} passed" + "".join(
        f", {number} {what}"
        for number, what in (
            (counts.failed, "failed"),
            (counts.infra, "without a verdict"),
            (counts.cancelled, "cancelled"),
            (counts.flaky, "flaky"),
        )
        if number
    )
    if status.state == "running" and status.work_left_s:
        yield f"left      about {span(status.work_left_s)} of work"


def job_rows(jobs: Sequence[CommandJobStatus]) -> Iterator[str]:
    """Yield a table of jobs, each with its newest attempt."""
    rows = [("ATTEMPT", "JOB", "RESULT", "TOOK", "WORKER", "REASON")]
    for job in jobs:
        last = job.attempts[-1] if job.attempts else None
        result = str(job.outcome or job.state) + (" (flaky)" if job.flaky else "")
        took = span(last.run_s) if last is not None and last.run_s is not None else ""
        name = last.attempt_id if last is not None else f"{job.run_id}.{job.number}"
        reason = job.reason or (last.reason if last is not None else "") or job.waiting
        rows.append((name, job.name, result, took, last.worker if last is not None else "", reason))
    return table(rows)


def why_lines(job: CommandJobStatus) -> Iterator[str]:
    """Yield why a job is where it is."""
    if job.state is JobState.QUEUED:
        yield f"{job.name} waits: {job.waiting or 'it is about to begin'}"
        if job.starts_in_s is not None:
            yield f"it will probably begin in {span(job.starts_in_s)}"
    elif job.state is JobState.CANCELLED:
        yield f"{job.name} is cancelled{f': {job.reason}' if job.reason else ''}"
    elif job.state is JobState.DONE:
        flaky = ", after an attempt that failed" if job.flaky else ""
        yield f"{job.name} is done: {job.outcome}{flaky}{f': {job.reason}' if job.reason else ''}"
    else:
        last = job.attempts[-1] if job.attempts else None
        yield f"{job.name} runs{f' on {last.worker} since {moment(last.started_at)}' if last is not None else ''}"
    for attempt in job.attempts:
        if attempt.outcome is not None:
            took = f" after {span(attempt.run_s)}" if attempt.run_s else ""
            yield f"  attempt {attempt.attempt} on {attempt.worker}: {attempt.outcome}{took}{_because(attempt)}"


def _because(attempt: CommandAttempt) -> str:
    return f": {attempt.reason}" if attempt.reason and attempt.outcome is not Outcome.PASSED else ""


def flaky_rows(jobs: Sequence[FlakyJob]) -> Iterator[str]:
    """Yield a table of flaky jobs."""
    rows = [("FLAKY", "OF", "PROJECT", "JOB", "LAST")]
    rows += [(str(job.flaky), str(job.decided), job.project, job.key, f"{job.last_run}.{job.last_number}") for job in jobs]
    return table(rows)


def worker_rows(workers: Sequence[WorkerStatus]) -> Iterator[str]:
    """Yield a table of workers."""
    rows = [("WORKER", "STATE", "SLOTS", "RUNNING", "HEARD", "DIMENSIONS")]
    for worker in workers:
        state = "gone" if not worker.connected else (worker.hold and "on hold") or ("leaving" if worker.draining else "working")
        dimensions = " ".join(f"{key}={value}" for key, value in sorted(worker.dimensions.items()))
        heard = f"{span(worker.last_heard_s)} ago"
        rows.append((worker.name, state, str(worker.slots), str(len(worker.running)), heard, dimensions))
    yield from table(rows)
    for worker in workers:
        if worker.hold:
            until = f" until {moment(worker.held_until)}" if worker.held_until else ""
            yield f"{worker.name} is on hold{until}: {worker.hold}"
