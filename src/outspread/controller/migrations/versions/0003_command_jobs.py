"""Command jobs: what they are, their logs in pieces, who schedules them, and which workers are held."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

revision = "0003"
down_revision = "0002"


def _name(length: int) -> TypeEngine[str]:
    return sa.String(length).with_variant(mysql.VARCHAR(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    """Add the columns and tables."""
    op.add_column("runs", sa.Column("kind", sa.String(16), nullable=False, server_default="sessions"))
    op.add_column("runs", sa.Column("name", _name(255), nullable=False, server_default=""))
    op.add_column("runs", sa.Column("counts", sa.Text()))
    op.add_column("jobs", sa.Column("flaky", sa.Boolean(), nullable=False, server_default="0"))
    for name, kind in (
        ("fetch_us", sa.BigInteger()),
        ("collect_us", sa.BigInteger()),
        ("outputs", sa.String(96)),
        ("remark", sa.Text()),
        ("place", sa.Integer()),
    ):
        op.add_column("attempts", sa.Column(name, kind))
    op.create_index("uq_attempts_place", "attempts", ["run_key", "place"], unique=True)
    op.create_table(
        "cells",
        sa.Column("cell", _name(64), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("taken_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("epoch > 0", name="ck_cells_epoch"),
        sa.PrimaryKeyConstraint("cell"),
    )
    op.create_table(
        "commands",
        sa.Column("run_key", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("job_key", _name(512), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_key", "number"], ["jobs.run_key", "jobs.number"], name="fk_commands_job", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_key", "number", name="pk_commands"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_commands_job_key", "commands", ["job_key"])
    op.create_table(
        "log_pieces",
        sa.Column("run_key", sa.BigInteger(), nullable=False),
        sa.Column("job_number", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("piece", sa.Integer(), nullable=False),
        sa.Column("log_offset", sa.BigInteger(), nullable=False),
        sa.Column("log_bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_key", "job_number"], ["jobs.run_key", "jobs.number"], name="fk_log_pieces_job", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_key", "job_number", "attempt", "piece", name="pk_log_pieces"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "worker_holds",
        sa.Column("worker", _name(255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("worker"),
    )
