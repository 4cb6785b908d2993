"""The tables of the state, for every database: SQLite, PostgreSQL, MariaDB and MySQL.

The truth about the schema's form; ``migrations`` leads to it, and a test holds the two together. Nothing on the way of a run
imports this module, for SQLAlchemy is slow to import: ``sqlite_ledger`` speaks plain SQL.

Times are whole microseconds since the epoch, UTC (``…_us``), in every database; durations are whole microseconds as well.
"One of" rules that would want a partial index are a nullable generated column under a unique index, since NULLs never
collide. Names compare by bytes.
"""

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.types import TypeEngine

from outspread.controller.values import JobState, MachineState, Outcome

metadata = MetaData()

#: A row number that the database gives; SQLite counts only in its own INTEGER.
_ROW_KEY = BigInteger().with_variant(Integer(), "sqlite")


class RunState(StrEnum):
    """What the table says about a run; that its process died is judged when it is read."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


def _name(length: int) -> TypeEngine[str]:
    return String(length).with_variant(mysql.VARCHAR(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def _one_of(column: str, values: Iterable[str]) -> str:
    return f"{column} IN ({', '.join(repr(str(value)) for value in values)})"


runs = Table(
    "runs",
    metadata,
    Column("run_key", _ROW_KEY, primary_key=True, autoincrement=True),
    Column("run_id", _name(64), nullable=False),
    Column("digest", String(64), nullable=False),  # of the content, SHA-256: the same id with other content is refused
    Column("owner", _name(255), nullable=False),
    Column("project", _name(255), nullable=False),
    Column("root", Text(), nullable=False),
    Column("options", Text(), nullable=False),
    Column("seed", BigInteger(), nullable=False),
    Column("seed_matters", Boolean(), nullable=False),
    Column("state", String(16), nullable=False),
    Column("process", String(255), nullable=False),  # who carries it, see process_mark
    Column("submitted_us", BigInteger(), nullable=False),
    Column("cancelled_us", BigInteger()),
    Column("cancel_reason", Text()),
    Column("finished_us", BigInteger()),
    Column("passed", Boolean()),
    Column("total_jobs", Integer(), nullable=False),
    # sessions or commands; of commands also coming (not accepted yet) and dropped (to be forgotten)
    Column("kind", String(16), nullable=False, server_default="sessions"),
    Column("name", _name(255), nullable=False, server_default=""),
    Column("counts", Text()),  # of a finished run of command jobs: JobCounts as JSON
    UniqueConstraint("run_id", name="uq_runs_run_id"),
    CheckConstraint(_one_of("state", RunState), name="ck_runs_state"),
    CheckConstraint("(state = 'running') = (finished_us IS NULL)", name="ck_runs_finished"),
    CheckConstraint("(state = 'running') = (passed IS NULL)", name="ck_runs_passed"),
    Index("ix_runs_submitted_us", "submitted_us"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("run_key", BigInteger(), nullable=False),
    Column("number", Integer(), nullable=False),  # its place in the submission, from 0
    Column("name", _name(512), nullable=False),
    Column("priority", BigInteger(), nullable=False),
    Column("state", String(16), nullable=False),
    Column("outcome", String(16)),
    Column("reason", Text()),  # why it is where it is, if that is not plain
    Column("fence", BigInteger(), nullable=False),  # of the seat that has it, or had it last; 0: none yet
    Column("attempts", Integer(), nullable=False),
    Column("infra_failures", Integer(), nullable=False),
    Column("decided_us", BigInteger()),
    Column("flaky", Boolean(), nullable=False, server_default="0"),  # it passed after an attempt that failed
    PrimaryKeyConstraint("run_key", "number", name="pk_jobs"),
    UniqueConstraint("run_key", "name", name="uq_jobs_name"),
    ForeignKeyConstraint(["run_key"], ["runs.run_key"], name="fk_jobs_run", ondelete="CASCADE"),
    CheckConstraint(_one_of("state", JobState), name="ck_jobs_state"),
    CheckConstraint(f"outcome IS NULL OR {_one_of('outcome', Outcome)}", name="ck_jobs_outcome"),
    CheckConstraint("(state = 'done') = (outcome IS NOT NULL)", name="ck_jobs_done"),
    CheckConstraint("(state IN ('done', 'cancelled')) = (decided_us IS NOT NULL)", name="ck_jobs_decided"),
    CheckConstraint("state IN ('queued', 'cancelled', 'done') OR fence > 0", name="ck_jobs_fence"),
    CheckConstraint("number >= 0 AND fence >= 0 AND attempts >= 0 AND infra_failures >= 0", name="ck_jobs_counts"),
    sqlite_with_rowid=False,
)

attempts = Table(
    "attempts",
    metadata,
    Column("run_key", BigInteger(), nullable=False),
    Column("job_number", Integer(), nullable=False),
    Column("attempt", Integer(), nullable=False),  # from 1
    Column("fence", BigInteger(), nullable=False),
    Column("seat_id", _name(255), nullable=False),
    Column("worker", _name(255), nullable=False),
    Column("machine_id", _name(64), nullable=False),
    Column("machine", _name(255), nullable=False),
    Column("started_us", BigInteger(), nullable=False),
    Column("finished_us", BigInteger()),
    Column("duration_us", BigInteger()),
    Column("outcome", String(16)),
    Column("decides", Boolean(), nullable=False),
    Column("deciding_job", Integer(), Computed("CASE WHEN decides THEN job_number END", persisted=True)),
    Column("verb", String(16)),
    Column("level", String(16)),
    Column("exit_code", Integer()),
    Column("signal", Integer()),
    Column("reason", Text()),
    Column("log_offset", BigInteger()),
    Column("log_bytes", BigInteger()),  # as kept; a longer log lost its middle
    Column("fetch_us", BigInteger()),  # these and what follows: of command jobs
    Column("collect_us", BigInteger()),
    Column("outputs", String(96)),  # digest of the tree of what was collected
    Column("remark", Text()),
    Column("place", Integer()),  # its place among the attempts of its run that ended, from 1
    PrimaryKeyConstraint("run_key", "job_number", "attempt", name="pk_attempts"),
    UniqueConstraint("run_key", "deciding_job", name="uq_attempts_deciding_job"),
    ForeignKeyConstraint(["run_key", "job_number"], ["jobs.run_key", "jobs.number"], name="fk_attempts_job", ondelete="CASCADE"),
    CheckConstraint(f"outcome IS NULL OR {_one_of('outcome', Outcome)}", name="ck_attempts_outcome"),
    CheckConstraint("(outcome IS NULL) = (finished_us IS NULL)", name="ck_attempts_finished"),
    CheckConstraint("NOT decides OR outcome IS NOT NULL", name="ck_attempts_decides"),
    CheckConstraint("attempt > 0 AND fence > 0", name="ck_attempts_numbers"),
    CheckConstraint("(log_offset IS NULL) = (log_bytes IS NULL)", name="ck_attempts_log"),
    Index("uq_attempts_place", "run_key", "place", unique=True),
    sqlite_with_rowid=False,
)

commands = Table(
    "commands",
    metadata,
    Column("run_key", BigInteger(), nullable=False),
    Column("number", Integer(), nullable=False),
    Column("job_key", _name(512), nullable=False),
    Column("job", Text(), nullable=False),  # CommandJob as JSON
    PrimaryKeyConstraint("run_key", "number", name="pk_commands"),
    ForeignKeyConstraint(["run_key", "number"], ["jobs.run_key", "jobs.number"], name="fk_commands_job", ondelete="CASCADE"),
    Index("ix_commands_job_key", "job_key"),
    sqlite_with_rowid=False,
)

#: Logs that came in several pieces; where the only piece of a short one is stands in ``attempts``.
log_pieces = Table(
    "log_pieces",
    metadata,
    Column("run_key", BigInteger(), nullable=False),
    Column("job_number", Integer(), nullable=False),
    Column("attempt", Integer(), nullable=False),
    Column("piece", Integer(), nullable=False),
    Column("log_offset", BigInteger(), nullable=False),
    Column("log_bytes", BigInteger(), nullable=False),
    PrimaryKeyConstraint("run_key", "job_number", "attempt", "piece", name="pk_log_pieces"),
    ForeignKeyConstraint(
        ["run_key", "job_number"], ["jobs.run_key", "jobs.number"], name="fk_log_pieces_job", ondelete="CASCADE"
    ),
    sqlite_with_rowid=False,
)

#: Who schedules: the owner of a cell's newest epoch. What is written under an older one is refused.
cells = Table(
    "cells",
    metadata,
    Column("cell", _name(64), primary_key=True),
    Column("epoch", BigInteger(), nullable=False),
    Column("owner", String(255), nullable=False),  # see process_mark
    Column("taken_us", BigInteger(), nullable=False),
    CheckConstraint("epoch > 0", name="ck_cells_epoch"),
)

#: Holds of workers; a worker without one needs no row.
worker_holds = Table(
    "worker_holds",
    metadata,
    Column("worker", _name(255), primary_key=True),
    Column("reason", Text(), nullable=False),
    Column("since_us", BigInteger(), nullable=False),
    Column("until_us", BigInteger(), nullable=False),
)

#: Who may do what from afar. A token itself is nowhere: only its digest.
tokens = Table(
    "tokens",
    metadata,
    Column("token_id", _name(32), primary_key=True),
    Column("name", _name(255), nullable=False),
    Column("role", String(16), nullable=False),
    Column("digest", String(64), nullable=False),  # SHA-256, hexadecimal
    Column("created_us", BigInteger(), nullable=False),
    Column("last_used_us", BigInteger()),  # to the minute
    Column("expires_us", BigInteger()),
    Column("revoked_us", BigInteger()),
    UniqueConstraint("digest", name="uq_tokens_digest"),
    CheckConstraint("role IN ('submit', 'work', 'admin')", name="ck_tokens_role"),
)

machines = Table(
    "machines",
    metadata,
    Column("machine_id", _name(64), primary_key=True),
    Column("run_id", _name(64), nullable=False),  # outlives its run: no reference
    Column("backend", _name(255), nullable=False),
    Column("backend_type", _name(255), nullable=False),
    Column("system", _name(255), nullable=False),
    Column("state", String(16), nullable=False),
    Column("name", _name(255), nullable=False),
    Column("address", _name(255), nullable=False),
    Column("record", Text(), nullable=False),  # JSON, without the password
    Column("requested_us", BigInteger(), nullable=False),
    Column("ready_us", BigInteger()),
    Column("gone_us", BigInteger()),
    Column("last_error", Text()),
    Column("held_until_us", BigInteger()),
    Column("hold_reason", Text()),
    CheckConstraint(_one_of("state", MachineState), name="ck_machines_state"),
    CheckConstraint("(state = 'gone') = (gone_us IS NOT NULL)", name="ck_machines_gone"),
    Index("ix_machines_state", "state"),
    Index("ix_machines_run_id", "run_id"),
)

durations = Table(
    "durations",
    metadata,
    Column("project", _name(255), nullable=False),
    Column("job_key", _name(512), nullable=False),
    Column("duration_us", BigInteger(), nullable=False),
    Column("updated_us", BigInteger(), nullable=False),
    PrimaryKeyConstraint("project", "job_key", name="pk_durations"),
    CheckConstraint("duration_us >= 0", name="ck_durations_duration"),
    sqlite_with_rowid=False,
)

#: Append-only: who did what to which object, and why.
events = Table(
    "events",
    metadata,
    Column("event_key", _ROW_KEY, primary_key=True, autoincrement=True),
    Column("at_us", BigInteger(), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("run_id", _name(64), nullable=False),
    Column("object", _name(512), nullable=False),
    Column("actor", _name(255), nullable=False),
    Column("reason", Text(), nullable=False),
    Index("ix_events_run_id", "run_id"),
    Index("ix_events_at_us", "at_us"),
)


def sqlite_ddl() -> str:
    """Return the statements that make all tables in an empty SQLite database, each ended by ``;`` and an empty line."""
    dialect = sqlite.dialect()
    statements: list[str] = []
    for table in metadata.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)))
        statements += [
            str(CreateIndex(index).compile(dialect=dialect)) for index in sorted(table.indexes, key=lambda index: str(index.name))
        ]
    lines = ("\n".join(line.rstrip() for line in statement.strip().splitlines()) for statement in statements)
    return "".join(f"{statement};\n\n" for statement in lines)
