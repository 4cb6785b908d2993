"""A machine is called a machine everywhere: the column named ``server`` becomes ``machine``, and ``name`` in its own table."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Rename the columns."""
    name = sa.String(255).with_variant(mysql.VARCHAR(255, collation="utf8mb4_bin"), "mysql", "mariadb")
    op.alter_column("attempts", "server", new_column_name="machine", existing_type=name, existing_nullable=False)
    op.alter_column("machines", "server", new_column_name="name", existing_type=name, existing_nullable=False)
