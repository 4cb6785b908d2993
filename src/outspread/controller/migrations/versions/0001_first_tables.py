"""The first tables: runs, jobs, attempts, machines, durations, events."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision = None

_ROW_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _name(length: int) -> TypeEngine[str]:
    return sa.String(length).with_variant(mysql.VARCHAR(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "durations",
        sa.Column("project", _name(255), nullable=False),
        sa.Column("job_key", _name(512), nullable=False),
        sa.Column("duration_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("duration_us >= 0", name="ck_durations_duration"),
        sa.PrimaryKeyConstraint("project", "job_key", name="pk_durations"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "events",
        sa.Column("event_key", _ROW_KEY, autoincrement=True, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("run_id", _name(64), nullable=False),
        sa.Column("object", _name(512), nullable=False),
        sa.Column("actor", _name(255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_key"),
    )
    op.create_index("ix_events_at_us", "events", ["at_us"], unique=False)
    op.create_index("ix_events_run_id", "events", ["run_id"], unique=False)
    op.create_table(
        "machines",
        sa.Column("machine_id", _name(64), nullable=False),
        sa.Column("run_id", _name(64), nullable=False),
        sa.Column("backend", _name(255), nullable=False),
        sa.Column("backend_type", _name(255), nullable=False),
        sa.Column("system", _name(255), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("server", _name(255), nullable=False),
        sa.Column("address", _name(255), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("requested_us", sa.BigInteger(), nullable=False),
        sa.Column("ready_us", sa.BigInteger(), nullable=True),
        sa.Column("gone_us", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.CheckConstraint("(state = 'gone') = (gone_us IS NOT NULL)", name="ck_machines_gone"),
        sa.CheckConstraint("state IN ('requested', 'ready', 'kept', 'discarding', 'gone')", name="ck_machines_state"),
        sa.PrimaryKeyConstraint("machine_id"),
    )
    op.create_index("ix_machines_run_id", "machines", ["run_id"], unique=False)
    op.create_index("ix_machines_state", "machines", ["state"], unique=False)
    op.create_table(
        "runs",
        sa.Column("run_key", _ROW_KEY, autoincrement=True, nullable=False),
        sa.Column("run_id", _name(64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("owner", _name(255), nullable=False),
        sa.Column("project", _name(255), nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("seed_matters", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("process", sa.String(length=255), nullable=False),
        sa.Column("submitted_us", sa.BigInteger(), nullable=False),
        sa.Column("cancelled_us", sa.BigInteger(), nullable=True),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
        sa.Column("finished_us", sa.BigInteger(), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=True),
        sa.Column("total_jobs", sa.Integer(), nullable=False),
        sa.CheckConstraint("(state = 'running') = (finished_us IS NULL)", name="ck_runs_finished"),
        sa.CheckConstraint("(state = 'running') = (passed IS NULL)", name="ck_runs_passed"),
        sa.CheckConstraint("state IN ('running', 'done', 'cancelled')", name="ck_runs_state"),
        sa.PrimaryKeyConstraint("run_key"),
        sa.UniqueConstraint("run_id", name="uq_runs_run_id"),
    )
    op.create_index("ix_runs_submitted_us", "runs", ["submitted_us"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("run_key", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", _name(512), nullable=False),
        sa.Column("priority", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("infra_failures", sa.Integer(), nullable=False),
        sa.Column("decided_us", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(state = 'done') = (outcome IS NOT NULL)", name="ck_jobs_done"),
        sa.CheckConstraint("(state IN ('done', 'cancelled')) = (decided_us IS NOT NULL)", name="ck_jobs_decided"),
        sa.CheckConstraint(
            "outcome IS NULL OR outcome IN ('passed', 'failed', 'timeout', 'aborted', 'skipped', 'cancelled', 'infra')",
            name="ck_jobs_outcome",
        ),
        sa.CheckConstraint("state IN ('queued', 'cancelled', 'done') OR fence > 0", name="ck_jobs_fence"),
        sa.CheckConstraint("state IN ('queued', 'claimed', 'running', 'collecting', 'done', 'cancelled')", name="ck_jobs_state"),
        sa.CheckConstraint("number >= 0 AND fence >= 0 AND attempts >= 0 AND infra_failures >= 0", name="ck_jobs_counts"),
        sa.ForeignKeyConstraint(["run_key"], ["runs.run_key"], name="fk_jobs_run", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_key", "number", name="pk_jobs"),
        sa.UniqueConstraint("run_key", "name", name="uq_jobs_name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "attempts",
        sa.Column("run_key", sa.BigInteger(), nullable=False),
        sa.Column("job_number", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("seat_id", _name(255), nullable=False),
        sa.Column("worker", _name(255), nullable=False),
        sa.Column("machine_id", _name(64), nullable=False),
        sa.Column("server", _name(255), nullable=False),
        sa.Column("started_us", sa.BigInteger(), nullable=False),
        sa.Column("finished_us", sa.BigInteger(), nullable=True),
        sa.Column("duration_us", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("decides", sa.Boolean(), nullable=False),
        sa.Column(
            "deciding_job", sa.Integer(), sa.Computed("CASE WHEN decides THEN job_number END", persisted=True), nullable=True
        ),
        sa.Column("verb", sa.String(length=16), nullable=True),
        sa.Column("level", sa.String(length=16), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("signal", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("log_offset", sa.BigInteger(), nullable=True),
        sa.Column("log_bytes", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "outcome IS NULL OR outcome IN ('passed', 'failed', 'timeout', 'aborted', 'skipped', 'cancelled', 'infra')",
            name="ck_attempts_outcome",
        ),
        sa.CheckConstraint("(log_offset IS NULL) = (log_bytes IS NULL)", name="ck_attempts_log"),
        sa.CheckConstraint("(outcome IS NULL) = (finished_us IS NULL)", name="ck_attempts_finished"),
        sa.CheckConstraint("NOT decides OR outcome IS NOT NULL", name="ck_attempts_decides"),
        sa.CheckConstraint("attempt > 0 AND fence > 0", name="ck_attempts_numbers"),
        sa.ForeignKeyConstraint(
            ["run_key", "job_number"], ["jobs.run_key", "jobs.number"], name="fk_attempts_job", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_key", "job_number", "attempt", name="pk_attempts"),
        sa.UniqueConstraint("run_key", "deciding_job", name="uq_attempts_deciding_job"),
        sqlite_with_rowid=False,
    )
