"""Reading the unfinished runs of a farm back from the tables, when a controller begins."""

import sqlite3

import msgspec
from msgspec import Struct

from outspread.controller.command_values import CommandJob
from outspread.controller.farm.command_rules import Tries
from outspread.controller.farm.farm_reader import read_expected
from outspread.controller.farm.ready_queue import Blocks
from outspread.controller.farm.run_state import RunState, plan
from outspread.controller.farm.scheduler import Scheduler
from outspread.controller.record_changes import MICROSECONDS
from outspread.controller.values import JobState, Outcome

_FAILED = (Outcome.FAILED.value, Outcome.TIMEOUT.value)


class SavedAttempt(Struct, frozen=True):
    """An attempt that goes on, for all that the tables know; not begun: only claimed."""

    number: int
    attempt: int
    fence: int
    begun_at: float | None
    pieces: int


class SavedRun(Struct, frozen=True):
    """An unfinished run as it was left, and what of it waits."""

    run_key: int
    state: RunState
    ready: Blocks
    attempts: tuple[SavedAttempt, ...]


class SavedHold(Struct, frozen=True):
    worker: str
    reason: str
    until: float


def restore(scheduler: Scheduler, saved: SavedRun, *, now: float) -> None:
    """Give a run back to a scheduler."""
    scheduler.add_run(saved.state, saved.ready)
    for each in saved.attempts:
        scheduler.restore_attempt(
            saved.state,
            each.number,
            fence=each.fence,
            attempt=each.attempt,
            begun_at=each.begun_at,
            pieces=each.pieces,
            now=now,
        )


def read_unfinished(connection: sqlite3.Connection, next_sequence: int) -> list[SavedRun]:
    """Return the runs that are not over, oldest first, numbered from ``next_sequence``."""
    rows = connection.execute(
        "SELECT run_key, run_id, owner, name, project, submitted_us, cancelled_us, cancel_reason,"
        " coalesce(json_extract(options, '$.stop_after'), 0) FROM runs"
        " WHERE kind = 'commands' AND state = 'running' ORDER BY run_key"
    ).fetchall()
    return [_read_run(connection, next_sequence + place, *row) for place, row in enumerate(rows)]


def read_holds(connection: sqlite3.Connection) -> list[SavedHold]:
    """Return the holds of workers."""
    rows = connection.execute("SELECT worker, reason, until_us FROM worker_holds")
    return [SavedHold(worker, reason, until_us / MICROSECONDS) for worker, reason, until_us in rows]


def _read_run(
    connection: sqlite3.Connection,
    sequence: int,
    run_key: int,
    run_id: str,
    owner: str,
    name: str,
    project: str,
    submitted_us: int,
    cancelled_us: int | None,
    cancel_reason: str | None,
    stop_after: int,
) -> SavedRun:
    decoder = msgspec.json.Decoder(CommandJob)
    documents = [
        document.encode("utf-8")
        for (document,) in connection.execute("SELECT job FROM commands WHERE run_key = ? ORDER BY number", (run_key,))
    ]
    commands = [decoder.decode(document) for document in documents]
    jobs = plan(commands, documents, read_expected(connection, project, {job.key or job.name for job in commands}))
    state = RunState(
        sequence=sequence, run_id=run_id, owner=owner, name=name, project=project, jobs=jobs, at=submitted_us / MICROSECONDS
    )
    state.stop_after = stop_after
    state.cancelled = cancelled_us is not None
    state.cancel_reason = cancel_reason or ""
    state.stop_waiting()
    state.stopped = 0
    state.unstopped_from = 0 if state.cancelled else None
    (state.places,) = connection.execute("SELECT coalesce(max(place), 0) FROM attempts WHERE run_key = ?", (run_key,)).fetchone()
    (state.retried,) = connection.execute(
        "SELECT count(*) FROM attempts WHERE run_key = ? AND outcome IN (?, ?) AND NOT decides", (run_key, *_FAILED)
    ).fetchone()
    ready = _read_jobs(connection, run_key, state)
    attempts = _read_attempts(connection, run_key, state)
    begun = {attempt.number for attempt in attempts}
    return SavedRun(run_key, state, state.blocks(number for number in ready if number not in begun), tuple(attempts))


def _read_jobs(connection: sqlite3.Connection, run_key: int, state: RunState) -> list[int]:
    """Fill in where each job is; return those that are queued."""
    failures: dict[int, int] = dict(
        connection.execute(
            "SELECT job_number, count(*) FROM attempts WHERE run_key = ? AND outcome IN (?, ?) GROUP BY 1", (run_key, *_FAILED)
        ).fetchall()
    )
    ready: list[int] = []
    rows = connection.execute(
        "SELECT number, state, outcome, flaky, attempts, infra_failures FROM jobs WHERE run_key = ?", (run_key,)
    )
    for number, job_state, outcome, flaky, attempts, infra_failures in rows:
        state.attempts[number] = attempts
        if failures.get(number) or infra_failures:
            state.tries[number] = Tries(failures.get(number, 0), infra_failures)
        if job_state == JobState.QUEUED and state.cancelled:
            state.stopped += 1
        elif job_state == JobState.QUEUED:
            ready.append(number)
            state.join_queue(number)
        elif job_state in {JobState.DONE, JobState.CANCELLED}:
            state.decide(number, Outcome(outcome) if outcome else Outcome.CANCELLED, flaky=bool(flaky))
    return ready


def _read_attempts(connection: sqlite3.Connection, run_key: int, state: RunState) -> list[SavedAttempt]:
    rows = connection.execute(
        "SELECT jobs.number, jobs.attempts, jobs.fence, started_us, (SELECT count(*) FROM log_pieces WHERE log_pieces.run_key ="
        " jobs.run_key AND log_pieces.job_number = jobs.number AND log_pieces.attempt = jobs.attempts) FROM jobs"
        " LEFT JOIN attempts ON attempts.run_key = jobs.run_key AND attempts.job_number = jobs.number"
        " AND attempts.attempt = jobs.attempts WHERE jobs.run_key = ? AND jobs.state IN ('claimed', 'running', 'collecting')",
        (run_key,),
    )
    return [
        SavedAttempt(number, attempt, fence, None if started_us is None else started_us / MICROSECONDS, pieces)
        for number, attempt, fence, started_us, pieces in rows
    ]
