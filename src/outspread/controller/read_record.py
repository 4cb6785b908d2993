"""Reading the tables: history, one run, the machines. Plain SQL; one query for each question."""

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from outspread.controller.attempt_logs import AttemptLogs, LogPiece
from outspread.controller.ledger import MachineEntry
from outspread.controller.process_mark import is_alive
from outspread.controller.record_changes import MICROSECONDS, storable
from outspread.controller.values import AttemptRecord, MachineState, Outcome, RunDetail, RunSummary
from outspread.errors import UserError

#: So much output of one run is read at most; of the logs beyond, only the size is told.
_DETAIL_BYTES_LIMIT: Final = 64 * 1024 * 1024

_SUMMARY: Final = (
    "SELECT run_key, run_id, project, root, owner, state, process, submitted_us, finished_us, seed, total_jobs FROM runs"
)


def read_durations(connection: sqlite3.Connection, project: str) -> dict[str, float]:
    """Return the expected seconds of the project's jobs, by key."""
    rows = connection.execute("SELECT job_key, duration_us FROM durations WHERE project = ?", (storable(project),))
    return {key: duration_us / MICROSECONDS for key, duration_us in rows}


def read_history(connection: sqlite3.Connection, *, limit: int, project_root: str) -> list[RunSummary]:
    """Return the latest runs, newest first; of one project directory if named."""
    where, values = (" WHERE root = ?", [storable(project_root)]) if project_root else ("", [])
    rows = connection.execute(f"{_SUMMARY}{where} ORDER BY submitted_us DESC, run_key DESC LIMIT ?", (*values, limit)).fetchall()
    return [_summary(connection, row) for row in rows]


def read_run(connection: sqlite3.Connection, logs: AttemptLogs, beginning: str) -> RunDetail:
    """Return the run whose id is, or alone begins with, ``beginning``."""
    rows = connection.execute(
        f"{_SUMMARY} WHERE substr(run_id, 1, length(?1)) = ?1 ORDER BY run_id <> ?1, submitted_us DESC LIMIT 11",
        (storable(beginning),),
    ).fetchall()
    if not rows or not beginning:
        raise UserError(f"cannot show run {beginning}: there is no such run", hint="see outspread history")
    if len(rows) > 1 and rows[0][1] != beginning:
        several = ", ".join(row[1] for row in rows[:10]) + (", ..." if len(rows) > 10 else "")
        raise UserError(f"cannot show run {beginning}: several begin with this: {several}")
    key = rows[0][0]
    unattempted = connection.execute(
        "SELECT name FROM jobs WHERE run_key = ?1 AND number NOT IN (SELECT job_number FROM attempts WHERE run_key = ?1)"
        " ORDER BY number",
        (key,),
    )
    return RunDetail(
        summary=_summary(connection, rows[0]),
        attempts=tuple(_attempts(connection, logs, key, rows[0][1])),
        unattempted=tuple(name for (name,) in unattempted),
    )


def read_machines(connection: sqlite3.Connection) -> list[MachineEntry]:
    """Return the machines not known to be gone, oldest first."""
    rows = connection.execute(
        "SELECT machine_id, machines.run_id, backend, backend_type, system, machines.state, server, address, record,"
        " requested_us, runs.state, runs.process FROM machines LEFT JOIN runs ON runs.run_id = machines.run_id"
        " WHERE machines.state <> 'gone' ORDER BY requested_us, machine_id"
    )
    return [
        MachineEntry(
            machine_id=row[0],
            run_id=row[1],
            backend=row[2],
            backend_type=row[3],
            system=row[4],
            state=MachineState(row[5]),
            server=row[6],
            address=row[7],
            record=row[8],
            requested_at=row[9] / MICROSECONDS,
            run_alive=row[10] == "running" and is_alive(row[11]),
        )
        for row in rows
    ]


# A row of the database has a column of any type at each place.
def _summary(connection: sqlite3.Connection, row: tuple[Any, ...]) -> RunSummary:
    key, run_id, project, root, owner, state, process, submitted_us, finished_us, seed, total_jobs = row
    count: dict[str, int] = dict(
        connection.execute("SELECT coalesce(outcome, state), count(*) FROM jobs WHERE run_key = ? GROUP BY 1", (key,)).fetchall()
    )
    return RunSummary(
        run_id=run_id,
        project=project,
        root=root,
        owner=owner,
        state="lost" if state == "running" and not is_alive(process) else state,
        submitted_at=submitted_us / MICROSECONDS,
        finished_at=None if finished_us is None else finished_us / MICROSECONDS,
        seed=seed,
        total_jobs=total_jobs,
        passed=count.get(Outcome.PASSED, 0),
        failed=sum(count.get(outcome, 0) for outcome in (Outcome.FAILED, Outcome.TIMEOUT, Outcome.INFRA)),
        aborted=sum(count.get(outcome, 0) for outcome in (Outcome.ABORTED, Outcome.CANCELLED)),
        skipped=count.get(Outcome.SKIPPED, 0),
    )


def _attempts(connection: sqlite3.Connection, logs: AttemptLogs, run_key: int, run_id: str) -> Iterator[AttemptRecord]:
    rows = connection.execute(
        "SELECT jobs.name, attempt, attempts.outcome, started_us, duration_us, server, verb, level, exit_code, signal,"
        " attempts.reason, log_offset, log_bytes FROM attempts JOIN jobs ON jobs.run_key = attempts.run_key"
        " AND jobs.number = attempts.job_number WHERE attempts.run_key = ? ORDER BY started_us, job_number, attempt",
        (run_key,),
    )
    left_bytes = _DETAIL_BYTES_LIMIT
    for job, attempt, outcome, started_us, duration_us, server, verb, level, exit_code, signal, reason, offset, size in rows:
        log = ""
        if size is not None and size <= left_bytes:
            log = logs.read(run_id, LogPiece(offset, size))
            left_bytes -= size
        elif size is not None:
            log = f"[... {size} bytes left out ...]\n"
        yield AttemptRecord(
            job=job,
            attempt=attempt,
            outcome=None if outcome is None else Outcome(outcome),
            started_at=started_us / MICROSECONDS,
            duration_s=None if duration_us is None else duration_us / MICROSECONDS,
            server=server,
            verb=verb or "",
            level=level or "",
            exit_code=exit_code,
            signal=signal,
            reason=reason or "",
            log=log,
        )
