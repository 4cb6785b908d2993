"""Earlier runs as they are printed."""

import shlex
from collections.abc import Iterator, Sequence

from outspread.cli.columns import moment, table
from outspread.cli.job_counts import JobCounts
from outspread.cli.job_lines import OUTCOME_WORDS, one_line, short_id
from outspread.cli.spans import span
from outspread.cli.troubles import trace_of
from outspread.controller.values import AttemptRecord, MachineEntry, MachineState, Outcome, RunDetail, RunSummary
from outspread.errors import UserError
from outspread.project.job_filter import JobFilter

_FINE = (Outcome.PASSED, Outcome.SKIPPED)
_MATCHES_NAMED = 10


def history_lines(runs: Sequence[RunSummary], *, with_roots: bool) -> Iterator[str]:
    """Yield a table of runs, in the given order; with the directories of their projects if those differ."""
    head = ("run", "submitted", "took", "state", "jobs", "passed", "failed", "aborted", "skipped", "seed")
    rows = [head + (("project",) if with_roots else ())]
    for run in runs:
        counts = (run.total_jobs, run.passed, run.failed, run.aborted, run.skipped)
        took = "" if run.finished_at is None else span(run.finished_at - run.submitted_at)
        row = (short_id(run.run_id), moment(run.submitted_at), took, run.state, *map(str, counts), str(run.seed or ""))
        rows.append(row + ((run.root,) if with_roots else ()))
    yield from table(rows)


def run_lines(detail: RunDetail) -> Iterator[str]:
    """Yield what is known of one run: what went wrong first, with the end of each log, then the rest."""
    run = detail.summary
    yield f"run {short_id(run.run_id)}: {run.project} in {run.root}, by {run.owner}, {moment(run.submitted_at)}, {run.state}"
    last = {attempt.job: attempt.outcome for attempt in detail.attempts}
    cancelled = sum(outcome is Outcome.CANCELLED for outcome in last.values())  # the summary has them among the aborted
    counts = JobCounts(
        run.total_jobs,
        run.passed,
        run.failed,
        aborted=max(0, run.aborted - cancelled),
        skipped=run.skipped,
        cancelled=cancelled,
    )
    yield counts.sentence() + (f"; seed {run.seed}" if run.seed else "")
    bad = [attempt for attempt in detail.attempts if attempt.outcome not in _FINE]
    for attempt in bad:
        yield ""
        yield from _failure(attempt, run.run_id)
    rows = [_row(attempt) for attempt in detail.attempts if attempt.outcome in _FINE]
    if rows:
        yield ""
        yield from table(rows)
    if detail.unattempted:
        yield ""
        yield from (f"never begun  {job}" for job in detail.unattempted)
    left = [machine for machine in detail.machines if not machine.run_alive]
    if left:
        yield ""
        yield from (_machine(machine) for machine in left)
        yield f"to give them back: outspread discard --run {short_id(run.run_id)}"


def _machine(machine: MachineEntry) -> str:
    what = "kept" if machine.state is MachineState.KEPT else "left behind"
    return f"{what}  {machine.name or f'{machine.backend}:{machine.system}, which was asked for'}"


def log_of(detail: RunDetail, job: str, attempt: int | None) -> AttemptRecord | None:
    """Return the attempt whose log is wanted: the numbered one, else the last one of ``job``.

    ``job`` may be a filter that a single job passes. Raises UserError when several do.
    """
    name = _only_match(detail, job)
    attempts = [one for one in detail.attempts if one.job == name and attempt in (None, one.attempt)]
    return attempts[-1] if attempts else None


def _only_match(detail: RunDetail, job: str) -> str:
    """Return the name of the job that is meant, or ``job`` itself when none is."""
    names = list(dict.fromkeys([*(one.job for one in detail.attempts), *detail.unattempted]))
    if job in names:
        return job
    wanted = JobFilter([job])
    matches = [name for name in names if wanted.passes(name, _sample(name))]
    if len(matches) > 1:
        several = ", ".join(matches[:_MATCHES_NAMED]) + (", ..." if len(matches) > _MATCHES_NAMED else "")
        raise UserError(f"cannot show the log of {job}: {len(matches)} jobs match: {several}", hint="name one of them")
    return matches[0] if matches else job


def _sample(name: str) -> int:
    number = name.rpartition("#")[2]
    return int(number) if "#" in name and number.isdecimal() else 1


def _failure(attempt: AttemptRecord, run_id: str) -> Iterator[str]:
    word = OUTCOME_WORDS[attempt.outcome] if attempt.outcome else "unfinished"
    took = "" if attempt.duration_s is None else f" after {span(attempt.duration_s)}"
    again = f" (attempt {attempt.attempt})" if attempt.attempt > 1 else ""
    yield f"{word} {attempt.job}{again} on {attempt.machine}{took}"
    if attempt.reason:
        yield (
            f"  {attempt.level} {attempt.verb}: {one_line(attempt.reason)}" if attempt.level else f"  {one_line(attempt.reason)}"
        )
    trace = trace_of(attempt.log)
    if trace.left_out:
        yield f"  ({trace.left_out} lines above; all: outspread history {short_id(run_id)} --log {shlex.quote(attempt.job)})"
    yield from (f"  | {line}".rstrip() for line in trace.lines)


def _row(attempt: AttemptRecord) -> tuple[str, ...]:
    word = OUTCOME_WORDS[attempt.outcome] if attempt.outcome else ""
    took = "" if attempt.duration_s is None else span(attempt.duration_s)
    return (word, took, attempt.job, one_line(attempt.reason))
