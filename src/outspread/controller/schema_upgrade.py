"""Bringing a SQLite state database to the present schema.

An empty one is made by plain SQL (``migrations/sqlite.sql``, which a test holds to ``schema``), and a present one is only
looked at: neither imports SQLAlchemy or Alembic. An older one is migrated by Alembic.
"""

import sqlite3
from pathlib import Path
from typing import Final

from outspread.errors import InfrastructureError

#: The present schema: the name of the last module in ``migrations/versions``.
HEAD: Final = "0005"

_MIGRATIONS = Path(__file__).with_name("migrations")


def bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Make the schema of ``connection`` the present one, whoever else tries the same at this moment.

    The connection must be in autocommit mode. Raises InfrastructureError for a database that is newer or not ours.
    """
    if _version(connection) == HEAD:
        return
    # No other process looks or writes between this look at the version and the commit.
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)
        if version is None:
            _create(connection)
        elif version < HEAD:
            _migrate(connection)
        elif version > HEAD:
            raise InfrastructureError("it was written by a newer version of outspread", hint="use that version")
        if connection.in_transaction:
            connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _version(connection: sqlite3.Connection) -> str | None:
    """Return the version of the schema; None when there are no tables at all."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if "alembic_version" in tables else None
    if row is None:
        raise InfrastructureError("it is a database of something else", hint="move it away")
    return str(row[0])


def _create(connection: sqlite3.Connection) -> None:
    for statement in (_MIGRATIONS / "sqlite.sql").read_text("utf-8").split(";\n\n"):
        if statement:
            connection.execute(statement)
    connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    connection.execute("INSERT INTO alembic_version VALUES (?)", (HEAD,))


def _migrate(connection: sqlite3.Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with engine.connect() as opened:
        # Getting to know its connection, the engine rolls back, and so lets go of the lock. If another process does all this
        # now, there is nothing left to do.
        if not connection.in_transaction:
            connection.execute("BEGIN IMMEDIATE")
        config.attributes["connection"] = opened
        command.upgrade(config, "head")
