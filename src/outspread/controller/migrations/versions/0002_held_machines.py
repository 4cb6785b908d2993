"""Machines that are held: until when, and why."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("machines", sa.Column("held_until_us", sa.BigInteger()))
    op.add_column("machines", sa.Column("hold_reason", sa.Text()))
