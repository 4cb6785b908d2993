"""Reading the tables of a farm: runs, jobs, attempts, logs. Plain SQL; one query for each question."""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import msgspec

from outspread.controller.attempt_logs import AttemptLogs, LogPiece
from outspread.controller.command_values import (
    CommandAttempt,
    CommandJob,
    CommandJobStatus,
    CommandRunStatus,
    FlakyJob,
    JobCounts,
    JobPage,
    LogPart,
)
from outspread.controller.farm.attempt_ids import attempt_id_of
from outspread.controller.read_record import read_durations
from outspread.controller.record_changes import MICROSECONDS, microseconds, storable
from outspread.controller.values import JobState, Outcome
from outspread.errors import NotFoundError

PROGRESS_LIMIT: Final = 1000
#: Beyond so many keys, all of a project are read at once.
_KEYS_LOOKED_UP: Final = 1000

_RUN = (
    "SELECT run_key, run_id, name, owner, project, state, counts, submitted_us, finished_us, cancel_reason, total_jobs, digest"
    " FROM runs WHERE kind = 'commands'"
)
_ATTEMPT = (
    "SELECT runs.run_id, jobs.name, job_number, attempt, worker, attempts.outcome, started_us, attempts.finished_us, duration_us,"
    " fetch_us, collect_us, exit_code, signal, attempts.reason, remark, outputs, log_bytes, decides,"
    " (SELECT sum(log_bytes) FROM log_pieces WHERE log_pieces.run_key = attempts.run_key"
    " AND log_pieces.job_number = attempts.job_number AND log_pieces.attempt = attempts.attempt)"
    " FROM attempts JOIN jobs ON jobs.run_key = attempts.run_key AND jobs.number = attempts.job_number"
    " JOIN runs ON runs.run_key = attempts.run_key"
)
_JOB = "SELECT number, name, state, outcome, flaky, reason, priority FROM jobs"
_Row = tuple[Any, ...]  # a row has a column of any type at each place


class KnownRun(msgspec.Struct, frozen=True):
    """A run as the tables have it. The counts of one that goes on are the scheduler's."""

    key: int
    digest: str
    status: CommandRunStatus


def read_run(connection: sqlite3.Connection, beginning: str) -> KnownRun:
    """Return the run whose id is, or alone begins with, ``beginning``; UserError when there is none, or several."""
    exact = connection.execute(f"{_RUN} AND run_id = ?", (storable(beginning),)).fetchone()
    if exact is not None:
        return _known_run(exact)
    rows = connection.execute(
        f"{_RUN} AND substr(run_id, 1, length(?1)) = ?1 ORDER BY run_id <> ?1, submitted_us DESC LIMIT 6", (storable(beginning),)
    ).fetchall()
    if not rows or not beginning:
        raise NotFoundError(f"cannot find run {beginning[:64]}: there is no such run")
    if len(rows) > 1 and rows[0][1] != beginning:
        several = ", ".join(row[1] for row in rows[:5]) + (", ..." if len(rows) > 5 else "")
        raise NotFoundError(f"cannot find run {beginning}: several begin with this: {several}")
    return _known_run(rows[0])


def read_expected(connection: sqlite3.Connection, project: str, keys: Collection[str]) -> dict[str, float]:
    """Return the expected seconds of those of the keys that are known."""
    if len(keys) > _KEYS_LOOKED_UP:
        return read_durations(connection, project)
    query = "SELECT duration_us FROM durations WHERE project = ? AND job_key = ?"
    found = ((key, connection.execute(query, (storable(project), storable(key))).fetchone()) for key in keys)
    return {key: row[0] / MICROSECONDS for key, row in found if row is not None}


def find_run(connection: sqlite3.Connection, run_id: str) -> KnownRun | None:
    """Return the run of exactly this id, of any kind of run; None when there is none, or it is being written."""
    row = connection.execute(f"{_RUN.partition(' WHERE')[0]} WHERE run_id = ? AND kind <> 'coming'", (run_id,)).fetchone()
    return None if row is None else _known_run(row)


def read_runs(connection: sqlite3.Connection, *, limit: int, before: float | None, owner: str) -> list[CommandRunStatus]:
    """Return runs, newest first."""
    where = ""
    values: list[int | str] = []
    if before is not None:
        where, values = " AND submitted_us < ?", [microseconds(before)]
    if owner:
        where, values = f"{where} AND owner = ?", [*values, storable(owner)]
    rows = connection.execute(f"{_RUN}{where} ORDER BY submitted_us DESC, run_key DESC LIMIT ?", (*values, limit))
    return [_known_run(row).status for row in rows]


def read_ended(connection: sqlite3.Connection, run_key: int, cursor: int) -> list[CommandAttempt]:
    """Return the attempts of a run that ended after the first ``cursor``, in that order; a limited number of them."""
    rows = connection.execute(
        f"{_ATTEMPT} WHERE attempts.run_key = ? AND place > ? ORDER BY place LIMIT ?", (run_key, cursor, PROGRESS_LIMIT)
    )
    return [_attempt(row) for row in rows]


def read_jobs(
    connection: sqlite3.Connection,
    known: KnownRun,
    *,
    after: int,
    limit: int,
    state: JobState | None,
    outcome: Outcome | None,
    flaky: bool | None,
    text: str,
) -> JobPage:
    """Return a page of jobs that are so."""
    where = "run_key = ? AND number > ?"
    values: list[int | str] = [known.key, after]
    for condition, value in (
        ("state = ?", state.value if state is not None else None),
        ("outcome = ?", outcome.value if outcome is not None else None),
        ("flaky = ?", flaky),
        ("instr(name, ?)", storable(text) or None),
    ):
        if value is not None:
            where += f" AND {condition}"
            values.append(value)
    rows = connection.execute(
        f"{_JOB} WHERE {where} ORDER BY number LIMIT ?",
        (*values, limit + 1),
    ).fetchall()
    jobs = list(_jobs(connection, known, rows[:limit]))
    return JobPage(tuple(jobs), rows[limit - 1][0] if len(rows) > limit else None)


def read_job(connection: sqlite3.Connection, known: KnownRun, name_or_number: str | int) -> CommandJobStatus:
    """Return one job; UserError when there is none."""
    by_number = isinstance(name_or_number, int)
    rows = connection.execute(
        f"{_JOB} WHERE run_key = ? AND {'number' if by_number else 'name'} = ?",
        (known.key, name_or_number if by_number else storable(str(name_or_number))),
    ).fetchall()
    if not rows:
        raise NotFoundError(f"cannot find job {name_or_number}: run {known.status.run_id} has none of this name")
    return next(_jobs(connection, known, rows))


def read_commands(connection: sqlite3.Connection, run_key: int, numbers: Sequence[int]) -> list[CommandJob]:
    """Return jobs as they were submitted, in the order of ``numbers``; those that are not there are left out."""
    decoder = msgspec.json.Decoder(CommandJob)
    found: list[CommandJob] = []
    for number in numbers:
        row = connection.execute("SELECT job FROM commands WHERE run_key = ? AND number = ?", (run_key, number)).fetchone()
        if row is not None:
            found.append(decoder.decode(row[0]))
    return found


def read_log_part(
    connection: sqlite3.Connection, logs: AttemptLogs, known: KnownRun, number: int, attempt: int, *, offset: int, limit: int
) -> LogPart:
    """Return a part of an attempt's log; UserError when the run has no such attempt."""
    row = connection.execute(
        "SELECT outcome, log_offset, log_bytes FROM attempts WHERE run_key = ? AND job_number = ? AND attempt = ?",
        (known.key, number, attempt),
    ).fetchone()
    if row is None:
        raise NotFoundError(f"cannot find attempt {attempt} of job {number}: run {known.status.run_id} has none that began")
    outcome, only_offset, only_bytes = row
    pieces = connection.execute(
        "SELECT log_offset, log_bytes FROM log_pieces WHERE run_key = ? AND job_number = ? AND attempt = ? ORDER BY piece",
        (known.key, number, attempt),
    ).fetchall()
    if only_bytes is not None:
        pieces.append((only_offset, only_bytes))
    data: list[bytes] = []
    passed, wanted = 0, limit
    for piece_offset, piece_bytes in pieces:
        skip = max(0, min(offset - passed, piece_bytes))
        take = min(piece_bytes - skip, wanted)
        if take > 0:
            data.append(logs.read(known.status.run_id, LogPiece(piece_offset + skip, take)))
            wanted -= take
        passed += piece_bytes
    part = b"".join(data)
    ended = outcome is not None and offset + len(part) >= passed
    return LogPart(offset=offset, data=part, total_bytes=passed, ended=ended)


def read_job_history(connection: sqlite3.Connection, project: str, key: str, limit: int) -> list[CommandAttempt]:
    """Return the last attempts of jobs of this project and key that ended, newest first."""
    rows = connection.execute(
        f"{_ATTEMPT} JOIN commands ON commands.run_key = attempts.run_key AND commands.number = attempts.job_number"
        " WHERE commands.job_key = ? AND runs.project = ? AND runs.kind = 'commands' AND attempts.outcome IS NOT NULL"
        " ORDER BY attempts.finished_us DESC LIMIT ?",
        (storable(key), storable(project), limit),
    )
    return [_attempt(row) for row in rows]


def read_flaky(connection: sqlite3.Connection, *, project: str | None, since: float, limit: int) -> list[FlakyJob]:
    """Return keys whose jobs passed only after a failure, the most often first."""
    rows = connection.execute(
        "SELECT runs.project, job_key, sum(flaky), count(*), max(CASE WHEN flaky THEN runs.submitted_us END), runs.run_id,"
        " jobs.number FROM jobs JOIN runs ON runs.run_key = jobs.run_key JOIN commands ON commands.run_key = jobs.run_key"
        " AND commands.number = jobs.number WHERE jobs.state = 'done' AND runs.kind = 'commands' AND runs.submitted_us >= ?1"
        " AND (?2 IS NULL OR runs.project = ?2) GROUP BY 1, 2 HAVING sum(flaky) > 0 ORDER BY 3 DESC, 1, 2 LIMIT ?3",
        (microseconds(since), project, limit),
    )
    return [FlakyJob(row[0], row[1], row[2], row[3], row[5], row[6]) for row in rows]


def read_forgettable(connection: sqlite3.Connection, *, finished_before: float, limit: int) -> list[str]:
    """Return runs that finished before a time, oldest first."""
    rows = connection.execute(
        "SELECT run_id FROM runs WHERE kind = 'commands' AND finished_us < ? ORDER BY finished_us LIMIT ?",
        (microseconds(finished_before), limit),
    )
    return [run_id for (run_id,) in rows]


def read_dropped(connection: sqlite3.Connection, *, limit: int) -> list[tuple[int, str, int]]:
    """Return the key, the former id and the number of jobs of runs that were dropped and are not forgotten yet."""
    rows = connection.execute(
        "SELECT run_key, name, total_jobs FROM runs WHERE kind = 'dropped' ORDER BY run_key LIMIT ?", (limit,)
    )
    return rows.fetchall()


def read_needed(connection: sqlite3.Connection) -> set[str]:
    """Return the digests of all trees that a run in the record takes in or has brought forth."""
    rows = connection.execute(
        "SELECT json_extract(job, '$.inputs') FROM commands WHERE json_extract(job, '$.inputs') IS NOT NULL"
        " UNION SELECT outputs FROM attempts WHERE outputs IS NOT NULL"
    )
    return {digest for (digest,) in rows}


def _known_run(row: _Row) -> KnownRun:
    key, run_id, name, owner, project, state, counts, submitted_us, finished_us, cancel_reason, total, digest = row
    return KnownRun(
        key=key,
        digest=digest,
        status=CommandRunStatus(
            run_id=run_id,
            name=name,
            owner=owner,
            project=project,
            state=state,
            counts=msgspec.json.decode(counts, type=JobCounts) if counts else JobCounts(total=total),
            submitted_at=submitted_us / MICROSECONDS,
            finished_at=_seconds(finished_us),
            cancel_reason=cancel_reason or "",
        ),
    )


def _jobs(connection: sqlite3.Connection, known: KnownRun, rows: Sequence[_Row]) -> Iterator[CommandJobStatus]:
    attempts: dict[int, list[CommandAttempt]] = {}
    if rows:
        found = connection.execute(
            f"{_ATTEMPT} WHERE attempts.run_key = ? AND job_number BETWEEN ? AND ? ORDER BY job_number, attempt",
            (known.key, rows[0][0], rows[-1][0]),
        )
        wanted = {row[0] for row in rows}
        for row in found:
            if row[2] in wanted:
                attempts.setdefault(row[2], []).append(_attempt(row))
    for number, name, state, outcome, flaky, reason, priority in rows:
        yield CommandJobStatus(
            run_id=known.status.run_id,
            number=number,
            name=name,
            state=JobState(state),
            outcome=Outcome(outcome) if outcome else None,
            flaky=bool(flaky),
            reason=reason or "",
            priority=priority,
            attempts=tuple(attempts.get(number, ())),
        )


def _attempt(row: _Row) -> CommandAttempt:
    run_id, job, number, attempt, worker, outcome, started_us, finished_us, run_us, fetch_us, collect_us = row[:11]
    exit_code, signal, reason, remark, outputs, log_bytes, decides, pieces_bytes = row[11:]
    return CommandAttempt(
        attempt_id=attempt_id_of(run_id, number, attempt),
        job=job,
        number=number,
        attempt=attempt,
        worker=worker,
        outcome=Outcome(outcome) if outcome else None,
        started_at=started_us / MICROSECONDS,
        finished_at=_seconds(finished_us),
        run_s=_seconds(run_us),
        fetch_s=_seconds(fetch_us),
        collect_s=_seconds(collect_us),
        exit_code=exit_code,
        signal=signal,
        reason=reason or "",
        remark=remark or "",
        outputs=outputs or "",
        log_bytes=(log_bytes or 0) + (pieces_bytes or 0),
        decides=bool(decides),
    )


def _seconds(microseconds_: int | None) -> float | None:
    return None if microseconds_ is None else microseconds_ / MICROSECONDS
