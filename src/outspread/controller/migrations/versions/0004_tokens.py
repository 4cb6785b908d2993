"""Tokens: who may do what from afar."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

revision = "0004"
down_revision = "0003"


def _name(length: int) -> TypeEngine[str]:
    return sa.String(length).with_variant(mysql.VARCHAR(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "tokens",
        sa.Column("token_id", _name(32), nullable=False),
        sa.Column("name", _name(255), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("last_used_us", sa.BigInteger()),
        sa.Column("expires_us", sa.BigInteger()),
        sa.Column("revoked_us", sa.BigInteger()),
        sa.CheckConstraint("role IN ('submit', 'work', 'admin')", name="ck_tokens_role"),
        sa.PrimaryKeyConstraint("token_id"),
        sa.UniqueConstraint("digest", name="uq_tokens_digest"),
    )
