"""Writing the changes of a farm into the tables: plain SQL, many rows a call. Transactions are the caller's.

Jobs are changed only while they are not decided and under a fence that is not older than the one they have, so a write that comes
late is found out instead of applied.
"""

import sqlite3
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import msgspec

from outspread.controller.attempt_logs import AttemptLogs
from outspread.controller.farm.farm_changes import (
    AttemptOver,
    FarmChange,
    JobClaimed,
    JobReleased,
    JobsComing,
    JobsForgotten,
    JobsStopped,
    JobStarted,
    LogWritten,
    RunAccepted,
    RunComing,
    RunDropped,
    RunForgotten,
    RunOver,
    RunStopped,
    WorkerHeld,
)
from outspread.controller.record_changes import microseconds, storable
from outspread.controller.values import JobState
from outspread.errors import InfrastructureError

_ATTEMPT_OVER = (
    "INSERT INTO attempts (run_key, job_number, attempt, fence, seat_id, worker, machine_id, machine, started_us, finished_us,"
    " duration_us, outcome, decides, exit_code, signal, reason, log_offset, log_bytes, fetch_us, collect_us, outputs, remark,"
    " place) VALUES (?, ?, ?, ?, '', ?, '', '', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (run_key, job_number, attempt) DO UPDATE SET finished_us = excluded.finished_us,"
    " duration_us = excluded.duration_us, outcome = excluded.outcome, decides = excluded.decides,"
    " exit_code = excluded.exit_code, signal = excluded.signal, reason = excluded.reason, log_offset = excluded.log_offset,"
    " log_bytes = excluded.log_bytes, fetch_us = excluded.fetch_us, collect_us = excluded.collect_us,"
    " outputs = excluded.outputs, remark = excluded.remark, place = excluded.place, worker = excluded.worker"
)
_JOB_AFTER = (
    "UPDATE jobs SET state = ?, fence = ?, attempts = ?, infra_failures = ?, outcome = ?, reason = nullif(?, ''), decided_us = ?,"
    " flaky = ? WHERE run_key = ? AND number = ? AND fence <= ? AND decided_us IS NULL"
)
#: A dropped run keeps its id as its name.
_DROP = "UPDATE runs SET kind = 'dropped', name = run_id, run_id = 'dropped/' || run_key"
_DURATION = (
    "INSERT INTO durations (project, job_key, duration_us, updated_us) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (project, job_key) DO UPDATE SET updated_us = excluded.updated_us,"
    " duration_us = CAST(0.7 * duration_us + 0.3 * excluded.duration_us AS INTEGER)"
)


class FarmRecorder:
    """Applies changes over one connection; ``process`` marks the runs that are submitted through it."""

    def __init__(self, connection: sqlite3.Connection, logs: AttemptLogs, process: str) -> None:
        self._connection = connection
        self._logs = logs
        self._process = process
        self.run_keys: dict[str, int] = {}
        self._without_logs: list[str] = []  # runs whose logs go when this transaction is durable
        # Each method takes the one kind that it stands at.
        self._writers: dict[type, Callable[[Any], None]] = {
            RunComing: self._run_coming,
            JobsComing: self._jobs_coming,
            RunAccepted: self._run_accepted,
            RunStopped: self._run_stopped,
            JobsStopped: self._jobs_stopped,
            RunOver: self._run_over,
            RunDropped: self._run_dropped,
            JobsForgotten: self._jobs_forgotten,
            RunForgotten: self._run_forgotten,
            JobClaimed: self._job_claimed,
            JobReleased: self._job_released,
            LogWritten: self._log_written,
            WorkerHeld: self._worker_held,
        }

    def tidy(self, at: float) -> None:
        """Drop what the last controller has left: runs of which nobody was told that they are accepted, holds that are over."""
        self._connection.execute(f"{_DROP} WHERE kind = 'coming'")
        self._connection.execute("DELETE FROM worker_holds WHERE until_us <= ?", (microseconds(at),))

    def committed(self) -> None:
        """Do what must not be before the changes are durable. Raises OSError."""
        while self._without_logs:
            self._logs.remove(self._without_logs.pop())

    def apply(self, changes: Sequence[FarmChange]) -> None:
        """Write changes in their order. Raises sqlite3.Error, OSError, or InfrastructureError for what cannot be so."""
        self._without_logs.clear()
        over = {(change.run_id, change.number, change.attempt) for change in changes if isinstance(change, AttemptOver)}
        for kind, group in groupby(changes, type):
            if kind is AttemptOver:
                self._attempts_over([change for change in group if isinstance(change, AttemptOver)])
            elif kind is JobStarted:
                # What began and ended between two commits is written once.
                started = (change for change in group if isinstance(change, JobStarted))
                self._jobs_started([each for each in started if (each.run_id, each.number, each.attempt) not in over])
            else:
                write = self._writers[kind]
                for change in group:
                    write(change)

    def _job_claimed(self, change: JobClaimed) -> None:
        self._connection.execute(
            "UPDATE jobs SET state = 'claimed', fence = ?, attempts = ? WHERE run_key = ? AND number = ? AND decided_us IS NULL",
            (change.fence, change.attempt, self.run_keys[change.run_id], change.number),
        )

    def _run_coming(self, change: RunComing) -> None:
        inserted = self._connection.execute(
            "INSERT INTO runs (run_id, digest, owner, project, root, options, seed, seed_matters, state, process,"
            " submitted_us, total_jobs, kind, name) VALUES (?, ?, ?, ?, '', ?, 0, 0, 'running', ?, ?, ?, 'coming', ?)",
            (
                change.run_id,
                change.digest,
                change.owner,
                change.project,
                f'{{"stop_after":{change.stop_after}}}',
                self._process,
                microseconds(change.at),
                change.total,
                change.name,
            ),
        )
        key = inserted.lastrowid
        assert key is not None
        self.run_keys[change.run_id] = key

    def _jobs_coming(self, change: JobsComing) -> None:
        key = self.run_keys[change.run_id]
        self._connection.executemany(
            "INSERT INTO jobs (run_key, number, name, priority, state, fence, attempts, infra_failures)"
            " VALUES (?, ?, ?, ?, 'queued', 0, 0, 0)",
            ((key, number, job.name, job.priority) for number, job in enumerate(change.jobs, change.first)),
        )
        self._connection.executemany(
            "INSERT INTO commands (run_key, number, job_key, job) VALUES (?, ?, ?, ?)",
            ((key, number, job.key, job.job.decode("utf-8")) for number, job in enumerate(change.jobs, change.first)),
        )

    def _run_accepted(self, change: RunAccepted) -> None:
        self._connection.execute("UPDATE runs SET kind = 'commands' WHERE run_key = ?", (self.run_keys[change.run_id],))
        self._event(change.at, "run-submitted", change.run_id, change.name or change.run_id, change.owner)

    def _run_stopped(self, change: RunStopped) -> None:
        self._connection.execute(
            "UPDATE runs SET cancelled_us = ?, cancel_reason = ? WHERE run_key = ? AND cancelled_us IS NULL",
            (microseconds(change.at), storable(change.reason), self.run_keys[change.run_id]),
        )
        self._event(change.at, "run-cancelled", change.run_id, change.run_id, reason=change.reason)

    def _jobs_stopped(self, change: JobsStopped) -> None:
        self._connection.execute("CREATE TEMP TABLE IF NOT EXISTS in_hand (number INTEGER PRIMARY KEY)")
        self._connection.execute("DELETE FROM in_hand")
        self._connection.executemany("INSERT INTO in_hand VALUES (?)", ((number,) for number in change.in_hand))
        self._connection.execute(
            "UPDATE jobs SET state = 'cancelled', decided_us = ? WHERE run_key = ? AND number >= ? AND number < ?"
            " AND state = 'queued' AND number NOT IN (SELECT number FROM in_hand)",
            (microseconds(change.at), self.run_keys[change.run_id], change.first, change.end),
        )

    def _run_over(self, change: RunOver) -> None:
        updated = self._connection.execute(
            "UPDATE runs SET state = ?, finished_us = ?, passed = ?, counts = ? WHERE run_key = ? AND state = 'running'",
            (
                "cancelled" if change.cancelled else "done",
                microseconds(change.at),
                change.passed,
                msgspec.json.encode(change.counts).decode("ascii"),
                self.run_keys.pop(change.run_id),
            ),
        )
        _expect(updated, 1, f"run {change.run_id}")
        self._logs.finish(change.run_id)
        self._event(change.at, "run-finished", change.run_id, change.run_id, reason="passed" if change.passed else "not passed")

    def _jobs_started(self, changes: Sequence[JobStarted]) -> None:
        keys = self.run_keys
        updated = self._connection.executemany(
            "UPDATE jobs SET state = 'running', fence = ?, attempts = ? WHERE run_key = ? AND number = ? AND fence <= ?"
            " AND decided_us IS NULL",
            ((each.fence, each.attempt, keys[each.run_id], each.number, each.fence) for each in changes),
        )
        _expect(updated, len(changes), "jobs that began")
        self._connection.executemany(
            "INSERT INTO attempts"
            " (run_key, job_number, attempt, fence, seat_id, worker, machine_id, machine, started_us, decides)"
            " VALUES (?, ?, ?, ?, '', ?, '', '', ?, 0)",
            (
                (keys[each.run_id], each.number, each.attempt, each.fence, storable(each.worker), microseconds(each.at))
                for each in changes
            ),
        )

    def _attempts_over(self, changes: Sequence[AttemptOver]) -> None:
        self._connection.executemany(_ATTEMPT_OVER, map(self._attempt_row, changes))
        updated = self._connection.executemany(
            _JOB_AFTER,
            (
                (
                    each.state.value,
                    each.fence,
                    each.attempt,
                    each.infra_failures,
                    each.outcome.value if each.outcome is not None else None,
                    storable(each.reason) if each.outcome is not None else "",
                    microseconds(each.at) if each.state is not JobState.QUEUED else None,
                    each.flaky,
                    self.run_keys[each.run_id],
                    each.number,
                    each.fence,
                )
                for each in changes
            ),
        )
        _expect(updated, len(changes), "jobs whose attempts ended")
        self._connection.executemany(
            _DURATION,
            (
                (
                    each.project,
                    each.key,
                    microseconds(each.end.fetch_s + each.end.run_s + each.end.collect_s),
                    microseconds(each.at),
                )
                for each in changes
                if each.key
            ),
        )

    def _attempt_row(self, change: AttemptOver) -> tuple[Any, ...]:  # a row has a column of any type at each place
        piece = self._logs.append_bytes(change.run_id, change.log) if change.log else None
        end = change.end
        return (
            self.run_keys[change.run_id],
            change.number,
            change.attempt,
            change.fence,
            storable(change.worker),
            microseconds(change.begun_at),
            microseconds(change.at),
            microseconds(end.run_s),
            end.outcome.value,
            change.decides,
            end.exit_code,
            end.signal,
            storable(end.reason),
            piece.offset if piece else None,
            piece.size_bytes if piece else None,
            microseconds(end.fetch_s),
            microseconds(end.collect_s),
            end.outputs or None,
            storable(end.remark) or None,
            change.place,
        )

    def _job_released(self, change: JobReleased) -> None:
        final = change.state is JobState.CANCELLED
        self._connection.execute(
            "UPDATE jobs SET state = ?, infra_failures = ?, decided_us = ? WHERE run_key = ? AND number = ?"
            " AND decided_us IS NULL",
            (
                change.state.value,
                change.infra_failures,
                microseconds(change.at) if final else None,
                self.run_keys[change.run_id],
                change.number,
            ),
        )

    def _log_written(self, change: LogWritten) -> None:
        piece = self._logs.append_bytes(change.run_id, change.data)
        self._connection.execute(
            "INSERT INTO log_pieces (run_key, job_number, attempt, piece, log_offset, log_bytes) VALUES (?, ?, ?, ?, ?, ?)",
            (self.run_keys[change.run_id], change.number, change.attempt, change.piece, piece.offset, piece.size_bytes),
        )

    def _run_dropped(self, change: RunDropped) -> None:
        self.run_keys.pop(change.run_id, None)
        self._connection.execute(
            f"{_DROP} WHERE run_id = ? AND (kind = 'coming' OR kind = 'commands' AND state <> 'running')", (change.run_id,)
        )

    def _jobs_forgotten(self, change: JobsForgotten) -> None:
        # What belongs to them goes with them.
        self._connection.execute(
            "DELETE FROM jobs WHERE run_key = ? AND number BETWEEN ? AND ?", (change.run_key, change.first, change.end - 1)
        )

    def _run_forgotten(self, change: RunForgotten) -> None:
        self._connection.execute("DELETE FROM runs WHERE run_key = ? AND kind = 'dropped'", (change.run_key,))
        if self._connection.execute("SELECT 1 FROM runs WHERE run_id = ?", (change.run_id,)).fetchone() is None:
            self._without_logs.append(change.run_id)
        self._event(change.at, "run-forgotten", change.run_id, change.run_id)

    def _worker_held(self, change: WorkerHeld) -> None:
        if change.until <= change.at:
            self._connection.execute("DELETE FROM worker_holds WHERE worker = ?", (storable(change.worker),))
        else:
            self._connection.execute(
                "INSERT INTO worker_holds (worker, reason, since_us, until_us) VALUES (?, ?, ?, ?) ON CONFLICT (worker)"
                " DO UPDATE SET reason = excluded.reason, since_us = excluded.since_us, until_us = excluded.until_us",
                (storable(change.worker), storable(change.reason), microseconds(change.at), microseconds(change.until)),
            )
        self._event(change.at, "worker-held", "", change.worker, reason=change.reason)

    def _event(self, at: float, kind: str, run_id: str, about: str, actor: str = "", reason: str = "") -> None:
        self._connection.execute(
            "INSERT INTO events (at_us, kind, run_id, object, actor, reason) VALUES (?, ?, ?, ?, ?, ?)",
            (microseconds(at), kind, run_id, storable(about), storable(actor), storable(reason)),
        )


def _expect(updated: sqlite3.Cursor, rows: int, what: str) -> None:
    if updated.rowcount != rows and rows:
        raise InfrastructureError(f"the record of {what} was changed by something else")
