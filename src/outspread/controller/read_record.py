"""Reading the tables: history, one run, the machines. Plain SQL; one query for each question."""

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from outspread.controller.attempt_logs import AttemptLogs, LogPiece, log_text
from outspread.controller.process_mark import is_alive
from outspread.controller.record_changes import MICROSECONDS, storable
from outspread.controller.values import AttemptRecord, MachineEntry, MachineState, Outcome, RunDetail, RunSummary
from outspread.errors import UserError

#: Of each log, so much of its end is part of a run's detail, and so much of all of them; what went wrong has the first call.
_END_BYTES_LIMIT: Final = 64 * 1024
_DETAIL_BYTES_LIMIT: Final = 64 * 1024 * 1024
_FINE: Final = (Outcome.PASSED, Outcome.SKIPPED)

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
    row = _run_row(connection, beginning)
    key, run_id = row[:2]
    unattempted = connection.execute(
        "SELECT name FROM jobs WHERE run_key = ?1 AND number NOT IN (SELECT job_number FROM attempts WHERE run_key = ?1)"
        " ORDER BY number",
        (key,),
    )
    return RunDetail(
        summary=_summary(connection, row),
        attempts=tuple(_attempts(connection, logs, key, run_id)),
        unattempted=tuple(name for (name,) in unattempted),
        machines=tuple(machine for machine in read_machines(connection) if machine.run_id == run_id),
    )


def read_log(connection: sqlite3.Connection, logs: AttemptLogs, beginning: str, job: str, attempt: int | None) -> str:
    """Return the log of an attempt, or of the last one of ``job``, in the run that ``read_run`` would return."""
    key, run_id = _run_row(connection, beginning)[:2]
    row = connection.execute(
        "SELECT log_offset, log_bytes FROM attempts JOIN jobs ON jobs.run_key = attempts.run_key"
        " AND jobs.number = attempts.job_number WHERE attempts.run_key = ?1 AND jobs.name = ?2 AND (?3 IS NULL OR attempt = ?3)"
        " ORDER BY attempt DESC LIMIT 1",
        (key, storable(job), attempt),
    ).fetchone()
    if row is None:
        which = f"attempt {attempt} of {job}" if attempt else job
        raise UserError(f"cannot show the log of {which}: run {run_id} has no such attempt")
    return "" if row[1] is None else log_text(logs.read(run_id, LogPiece(*row)))


def _run_row(connection: sqlite3.Connection, beginning: str) -> tuple[Any, ...]:
    """Return the columns of ``_SUMMARY`` for the run whose id is, or alone begins with, ``beginning``."""
    rows: list[tuple[Any, ...]] = connection.execute(
        f"{_SUMMARY} WHERE substr(run_id, 1, length(?1)) = ?1 ORDER BY run_id <> ?1, submitted_us DESC LIMIT 11",
        (storable(beginning),),
    ).fetchall()
    if not rows or not beginning:
        raise UserError(f"cannot show run {beginning}: there is no such run", hint="see outspread history")
    if len(rows) > 1 and rows[0][1] != beginning:
        several = ", ".join(row[1] for row in rows[:10]) + (", ..." if len(rows) > 10 else "")
        raise UserError(f"cannot show run {beginning}: several begin with this: {several}")
    return rows[0]


def read_machines(connection: sqlite3.Connection) -> list[MachineEntry]:
    """Return the machines not known to be gone, oldest first."""
    rows = connection.execute(
        "SELECT machine_id, machines.run_id, backend, backend_type, system, machines.state, machines.name, address, record,"
        " requested_us, runs.state, runs.process, runs.root, runs.owner, held_until_us, hold_reason"
        " FROM machines LEFT JOIN runs ON runs.run_id = machines.run_id"
        " WHERE machines.state <> 'gone' ORDER BY requested_us, machine_id"
    )
    return [
        MachineEntry(
            machine_id=row[0],
            run_id=row[1],
            root=row[12] or "",
            backend=row[2],
            backend_type=row[3],
            system=row[4],
            state=MachineState(row[5]),
            name=row[6],
            address=row[7],
            record=row[8],
            requested_at=row[9] / MICROSECONDS,
            run_alive=row[10] == "running" and is_alive(row[11]),
            owner=row[13] or "",
            held_until=(row[14] or 0) / MICROSECONDS,
            hold_reason=row[15] or "",
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
        "SELECT jobs.name, attempt, attempts.outcome, started_us, duration_us, machine, verb, level, exit_code, signal,"
        " attempts.reason, log_offset, log_bytes FROM attempts JOIN jobs ON jobs.run_key = attempts.run_key"
        " AND jobs.number = attempts.job_number WHERE attempts.run_key = ? ORDER BY started_us, job_number, attempt",
        (run_key,),
    ).fetchall()
    left_bytes = _DETAIL_BYTES_LIMIT
    shown: dict[int, str] = {}
    for place in sorted(range(len(rows)), key=lambda place: rows[place][2] in _FINE):
        offset, size = rows[place][-2:]
        if size is not None:
            shown[place] = _end_of_log(logs, run_id, LogPiece(offset, size), min(left_bytes, _END_BYTES_LIMIT))
            left_bytes -= min(left_bytes, _END_BYTES_LIMIT, size)
    for place, row in enumerate(rows):
        job, attempt, outcome, started_us, duration_us, machine, verb, level, exit_code, signal, reason = row[:-2]
        yield AttemptRecord(
            job=job,
            attempt=attempt,
            outcome=None if outcome is None else Outcome(outcome),
            started_at=started_us / MICROSECONDS,
            duration_s=None if duration_us is None else duration_us / MICROSECONDS,
            machine=machine,
            verb=verb or "",
            level=level or "",
            exit_code=exit_code,
            signal=signal,
            reason=reason or "",
            log=shown.get(place, ""),
        )


def _end_of_log(logs: AttemptLogs, run_id: str, piece: LogPiece, limit_bytes: int) -> str:
    """Return a log, or how much of it is left out and the whole lines at its end."""
    if piece.size_bytes <= limit_bytes:
        return log_text(logs.read(run_id, piece))
    end = b""
    if limit_bytes:
        end = logs.read(run_id, LogPiece(piece.offset + piece.size_bytes - limit_bytes, limit_bytes))
        end = end.partition(b"\n")[2] or end
    return f"[... {piece.size_bytes - len(end)} bytes left out ...]\n{log_text(end)}"
