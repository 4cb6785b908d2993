"""Writing changes into the tables: plain SQL, one method for each kind of change. Transactions are the caller's.

Jobs and attempts are changed under the condition that they are as the change says they were, so a write that comes twice or
late is found out instead of applied.
"""

import math
import sqlite3
from collections.abc import Callable
from typing import Any, Final

from outspread.controller.attempt_logs import AttemptLogs
from outspread.controller.changes import (
    AttemptBegan,
    AttemptEnded,
    Change,
    DurationSeen,
    JobMoved,
    MachineAsked,
    MachineFound,
    MachineHeld,
    MachineLost,
    MachineReturned,
    MachineReturning,
    RunCancelled,
    RunEnded,
    RunSubmitted,
)
from outspread.controller.expected_durations import smoothed
from outspread.controller.job_states import FINAL_STATES
from outspread.controller.values import JobState, MachineState
from outspread.errors import InfrastructureError

MICROSECONDS: Final = 1_000_000

#: About 30,000 years.
_SECONDS_LIMIT: Final = 1e12


def microseconds(seconds: float) -> int:
    """Return a time or duration as the tables keep it; what is no number, or none that fits, is clipped."""
    if math.isnan(seconds):
        return 0
    return round(max(-_SECONDS_LIMIT, min(seconds, _SECONDS_LIMIT)) * MICROSECONDS)


def _integer(number: int) -> int:
    """Return the nearest number that fits into 64 bits: projects may write any."""
    return max(-(2**63), min(number, 2**63 - 1))


def storable(text: str) -> str:
    """Return ``text`` with a question mark for each surrogate: no database takes those."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


class ChangeRecorder:
    """Applies changes over one connection; ``process`` marks the runs that are submitted through it."""

    def __init__(self, connection: sqlite3.Connection, logs: AttemptLogs, process: str) -> None:
        self._connection = connection
        self._logs = logs
        self._process = process
        self._run_keys: dict[str, int] = {}
        # Each method takes the one kind that it stands at.
        self._methods: dict[type, Callable[[Any], None]] = {
            RunSubmitted: self._run_submitted,
            RunCancelled: self._run_cancelled,
            RunEnded: self._run_ended,
            JobMoved: self._job_moved,
            AttemptBegan: self._attempt_began,
            AttemptEnded: self._attempt_ended,
            DurationSeen: self._duration_seen,
            MachineAsked: self._machine_asked,
            MachineFound: self._machine_found,
            MachineHeld: self._machine_held,
            MachineLost: self._machine_lost,
            MachineReturning: self._machine_returning,
            MachineReturned: self._machine_returned,
        }

    def apply(self, change: Change) -> None:
        """Write one change. Raises sqlite3.Error, OSError, or InfrastructureError when the record is not as it was left."""
        self._methods[type(change)](change)

    def _run_submitted(self, change: RunSubmitted) -> None:
        inserted = self._connection.execute(
            "INSERT INTO runs (run_id, digest, owner, project, root, options, seed, seed_matters, state, process,"
            " submitted_us, total_jobs) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'running', ?, ?, ?)",
            (
                change.run_id,
                change.digest,
                storable(change.owner),
                storable(change.project),
                storable(change.root),
                change.options,
                _integer(change.seed),
                change.seed_matters,
                self._process,
                microseconds(change.at),
                len(change.jobs),
            ),
        )
        key = inserted.lastrowid
        assert key is not None
        self._run_keys[change.run_id] = key
        self._connection.executemany(
            "INSERT INTO jobs (run_key, number, name, priority, state, fence, attempts, infra_failures)"
            " VALUES (?, ?, ?, ?, 'queued', 0, 0, 0)",
            ((key, number, storable(job.name), _integer(job.priority)) for number, job in enumerate(change.jobs)),
        )
        self._event(change.at, "run-submitted", change.run_id, change.project, change.owner)

    def _run_cancelled(self, change: RunCancelled) -> None:
        self._connection.execute(
            "UPDATE runs SET cancelled_us = ?, cancel_reason = ? WHERE run_key = ? AND cancelled_us IS NULL",
            (microseconds(change.at), storable(change.reason), self._run_key(change.run_id)),
        )
        self._event(change.at, "run-cancelled", change.run_id, change.run_id, reason=change.reason)

    def _run_ended(self, change: RunEnded) -> None:
        updated = self._connection.execute(
            "UPDATE runs SET state = ?, finished_us = ?, passed = ? WHERE run_key = ? AND state = 'running'",
            (
                "cancelled" if change.cancelled else "done",
                microseconds(change.at),
                change.passed,
                self._run_key(change.run_id),
            ),
        )
        self._expect_one(updated, change.run_id)
        # What a run leaves standing was meant to stand.
        self._connection.execute("UPDATE machines SET state = 'kept' WHERE run_id = ? AND state = 'ready'", (change.run_id,))
        self._event(change.at, "run-finished", change.run_id, change.run_id, reason="passed" if change.passed else "not passed")
        self._logs.finish(change.run_id)
        del self._run_keys[change.run_id]

    def _job_moved(self, change: JobMoved) -> None:
        final = change.after in FINAL_STATES
        key = self._run_key(change.run_id)
        updated = self._connection.execute(
            "UPDATE jobs SET state = ?, fence = coalesce(nullif(?, 0), fence), attempts = ?, infra_failures = ?, outcome = ?,"
            " reason = nullif(?, ''), decided_us = ? WHERE run_key = ? AND number = ? AND state = ?",
            (
                change.after.value,
                change.fence,
                change.attempt,
                change.infra_failures,
                change.outcome.value if change.outcome else None,
                storable(change.reason),
                microseconds(change.at) if final else None,
                key,
                change.number,
                change.before.value,
            ),
        )
        self._expect_one(updated, change.run_id)
        if final:
            self._connection.execute(
                "INSERT INTO events (at_us, kind, run_id, object, actor, reason)"
                " SELECT ?, ?, ?, name, '', ? FROM jobs WHERE run_key = ? AND number = ?",
                (
                    microseconds(change.at),
                    "job-cancelled" if change.after is JobState.CANCELLED else f"job-{change.outcome}",
                    change.run_id,
                    storable(change.reason),
                    key,
                    change.number,
                ),
            )

    def _attempt_began(self, change: AttemptBegan) -> None:
        self._connection.execute(
            "INSERT INTO attempts"
            " (run_key, job_number, attempt, fence, seat_id, worker, machine_id, machine, started_us, decides)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
            (
                self._run_key(change.run_id),
                change.number,
                change.attempt,
                change.fence,
                change.seat_id,
                storable(change.worker),
                change.machine_id,
                storable(change.machine),
                microseconds(change.at),
            ),
        )

    def _attempt_ended(self, change: AttemptEnded) -> None:
        piece = self._logs.append(change.run_id, change.log) if change.log else None
        updated = self._connection.execute(
            "UPDATE attempts SET finished_us = ?, duration_us = ?, outcome = ?, decides = ?, machine = coalesce(nullif(?, ''),"
            " machine), verb = ?, level = ?, exit_code = ?, signal = ?, reason = ?, log_offset = ?, log_bytes = ?"
            " WHERE run_key = ? AND job_number = ? AND attempt = ? AND outcome IS NULL",
            (
                microseconds(change.at),
                microseconds(change.duration_s),
                change.outcome.value,
                change.decides,
                storable(change.machine),
                str(change.verb),
                str(change.level),
                change.exit_code,
                change.signal,
                storable(change.reason),
                piece.offset if piece else None,
                piece.size_bytes if piece else None,
                self._run_key(change.run_id),
                change.number,
                change.attempt,
            ),
        )
        self._expect_one(updated, change.run_id)

    def _duration_seen(self, change: DurationSeen) -> None:
        key = (storable(change.project), storable(change.key))
        row = self._connection.execute("SELECT duration_us FROM durations WHERE project = ? AND job_key = ?", key).fetchone()
        duration_s = change.duration_s if row is None else smoothed(row[0] / MICROSECONDS, change.duration_s)
        self._connection.execute(
            "INSERT INTO durations (project, job_key, duration_us, updated_us) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (project, job_key) DO UPDATE SET duration_us = excluded.duration_us, updated_us = excluded.updated_us",
            (*key, microseconds(duration_s), microseconds(change.at)),
        )

    def _machine_asked(self, change: MachineAsked) -> None:
        self._connection.execute(
            "INSERT INTO machines (machine_id, run_id, backend, backend_type, system, state, name, address, record,"
            " requested_us) VALUES (?, ?, ?, ?, ?, 'requested', '', '', ?, ?) ON CONFLICT (machine_id) DO NOTHING",
            (
                change.machine_id,
                change.run_id,
                change.backend,
                change.backend_type,
                change.system,
                storable(change.record),
                microseconds(change.at),
            ),
        )
        self._event(change.at, "machine-requested", change.run_id, change.machine_id)

    def _machine_found(self, change: MachineFound) -> None:
        """Note where a machine is; one that was kept before now belongs to this run."""
        at_us = microseconds(change.at)
        backend, _, system = change.name.partition(" (")[0].partition(":")
        self._connection.execute(
            "INSERT INTO machines (machine_id, run_id, backend, backend_type, system, state, name, address, record,"
            " requested_us, ready_us) VALUES (?, ?, ?, '', ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (machine_id) DO UPDATE SET run_id = excluded.run_id, state = excluded.state, name = excluded.name,"
            " address = excluded.address, record = excluded.record, ready_us = excluded.ready_us, gone_us = NULL,"
            " held_until_us = NULL, hold_reason = NULL",
            (
                change.machine_id,
                change.run_id,
                backend,
                system,
                (MachineState.KEPT if change.kept else MachineState.READY).value,
                storable(change.name),
                change.address,
                storable(change.record),
                at_us,
                at_us,
            ),
        )
        self._event(change.at, "machine-ready", change.run_id, change.machine_id, reason=change.address)

    def _machine_held(self, change: MachineHeld) -> None:
        self._connection.execute(
            "UPDATE machines SET state = ?, hold_reason = ?, held_until_us = ? WHERE machine_id = ? AND state <> 'gone'",
            (MachineState.KEPT.value, storable(change.reason), microseconds(change.until), change.machine_id),
        )
        self._event(change.at, "machine-held", change.run_id, change.machine_id, reason=change.reason)

    def _machine_lost(self, change: MachineLost) -> None:
        at_us = microseconds(change.at)
        self._connection.execute(
            "UPDATE machines SET last_error = ?, gone_us = CASE state WHEN 'requested' THEN ? ELSE gone_us END,"
            " state = CASE state WHEN 'requested' THEN 'gone' ELSE state END WHERE machine_id = ?",
            (storable(change.reason), at_us, change.machine_id),
        )
        self._event(change.at, "machine-failed", change.run_id, change.machine_id, reason=change.reason)

    def _machine_returning(self, change: MachineReturning) -> None:
        self._connection.execute(
            "UPDATE machines SET state = ? WHERE machine_id = ? AND state <> 'gone'",
            (MachineState.DISCARDING.value, change.machine_id),
        )

    def _machine_returned(self, change: MachineReturned) -> None:
        self._connection.execute(
            "UPDATE machines SET state = 'gone', gone_us = ? WHERE machine_id = ? AND state <> 'gone'",
            (microseconds(change.at), change.machine_id),
        )
        self._event(change.at, "machine-gone", change.run_id, change.machine_id)

    def _event(self, at: float, kind: str, run_id: str, about: str, actor: str = "", reason: str = "") -> None:
        self._connection.execute(
            "INSERT INTO events (at_us, kind, run_id, object, actor, reason) VALUES (?, ?, ?, ?, ?, ?)",
            (microseconds(at), kind, run_id, storable(about), storable(actor), storable(reason)),
        )

    def _run_key(self, run_id: str) -> int:
        return self._run_keys[run_id]

    def _expect_one(self, updated: sqlite3.Cursor, run_id: str) -> None:
        if updated.rowcount != 1:
            raise InfrastructureError(f"the record of run {run_id} was changed by something else")
