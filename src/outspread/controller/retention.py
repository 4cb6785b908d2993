"""What of the record is kept: the newest runs, and those of the last weeks. The rest is deleted a little at the end of a run."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from outspread.controller.attempt_logs import AttemptLogs

RUNS_KEPT: Final = 200
DAYS_KEPT: Final = 30
#: How many runs one pruning deletes at most: a backlog goes over several runs, none of which pays for all.
_RUNS_AT_ONCE: Final = 10
_DAY_US: Final = 24 * 3600 * 1_000_000
#: Durations of jobs that nobody ran for so long are forgotten.
_DURATION_DAYS_KEPT: Final = 400


class KeptRun(Struct, frozen=True):
    """What decides whether a run stays."""

    run_key: int
    run_id: str
    submitted_us: int


def outdated(runs: Sequence[KeptRun], *, now_us: int) -> list[KeptRun]:
    """Return the runs to delete, oldest first: older than the days kept and not among the newest. ``runs`` is newest first."""
    return [run for run in reversed(runs[RUNS_KEPT:]) if run.submitted_us < now_us - DAYS_KEPT * _DAY_US][:_RUNS_AT_ONCE]


def prune(connection: sqlite3.Connection, logs: AttemptLogs, *, now_us: int) -> None:
    """Delete what is outdated, each run in a transaction of its own."""
    rows = connection.execute("SELECT run_key, run_id, submitted_us FROM runs ORDER BY submitted_us DESC, run_key DESC")
    for run in outdated([KeptRun(*row) for row in rows], now_us=now_us):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM events WHERE run_id = ?", (run.run_id,))
        connection.execute("DELETE FROM machines WHERE run_id = ? AND state = 'gone'", (run.run_id,))
        connection.execute("DELETE FROM attempts WHERE run_key = ?", (run.run_key,))
        connection.execute("DELETE FROM jobs WHERE run_key = ?", (run.run_key,))
        connection.execute("DELETE FROM runs WHERE run_key = ?", (run.run_key,))
        connection.execute("COMMIT")
        logs.remove(run.run_id)
    connection.execute("DELETE FROM durations WHERE updated_us < ?", (now_us - _DURATION_DAYS_KEPT * _DAY_US,))
