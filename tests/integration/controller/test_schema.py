"""The three forms of the schema are one: the tables in Python, the migrations, and the plain SQL for a new database."""

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from outspread.controller import schema_upgrade
from outspread.controller.schema import sqlite_ddl
from outspread.controller.schema_upgrade import HEAD, bring_up_to_date
from outspread.errors import InfrastructureError

MIGRATIONS = Path(schema_upgrade.__file__).with_name("migrations")


#: Migrations add columns to a line that is there.
_LINE_ENDS = re.compile(r"\n|, (?=[a-z_]+ [A-Z])")


def described(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """Each table and index by the lines of its definition, whose order does not matter."""
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'")
    return {name: sorted(filter(None, (line.strip(" \t,)") for line in _LINE_ENDS.split(sql)))) for name, sql in rows}


def opened() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


def test_plain_sql_makes_what_the_tables_say() -> None:
    assert (MIGRATIONS / "sqlite.sql").read_text("utf-8") == sqlite_ddl()


def test_migrations_lead_to_what_the_tables_say() -> None:
    with closing(opened()) as new, closing(opened()) as migrated:
        bring_up_to_date(new)
        migrated.execute("BEGIN IMMEDIATE")
        schema_upgrade._migrate(migrated)
        assert not migrated.in_transaction
        assert described(migrated) == described(new)
        assert set(described(new)) >= {"runs", "jobs", "attempts", "machines", "durations", "events", "ix_machines_state"}
        (version,) = migrated.execute("SELECT version_num FROM alembic_version").fetchone()
        assert version == HEAD


def test_the_newest_migration_is_the_present_version() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_neither_a_new_nor_a_present_database_imports_the_slow_parts(tmp_path: Path) -> None:
    program = f"""
import sqlite3, sys
import outspread.controller.embedded, outspread.controller.sqlite_ledger
from outspread.controller.schema_upgrade import bring_up_to_date
for _ in range(2):
    bring_up_to_date(sqlite3.connect({str(tmp_path / "state.db")!r}, isolation_level=None))
print([name for name in ("sqlalchemy", "alembic") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (run.stdout, run.stderr) == ("[]\n", "")


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as connection:
        bring_up_to_date(connection)
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(InfrastructureError, match="newer version"):
            bring_up_to_date(connection)
        assert not connection.in_transaction


def test_a_database_of_something_else_is_left_alone() -> None:
    with closing(opened()) as connection:
        connection.execute("CREATE TABLE cookies (x)")
        with pytest.raises(InfrastructureError, match="something else"):
            bring_up_to_date(connection)


@pytest.fixture
def tables() -> sqlite3.Connection:
    connection = opened()
    bring_up_to_date(connection)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(
        "INSERT INTO runs VALUES (1, 'r', 'd', 'me', 'p', '/p', '{}', 1, 0, 'running', '', 1, NULL, NULL, NULL, NULL, 2,"
        " 'sessions', '', NULL)"
    )
    connection.execute(
        "INSERT INTO jobs (run_key, number, name, priority, state, fence, attempts, infra_failures)"
        " VALUES (1, 0, 'j', 0, 'queued', 0, 0, 0)"
    )
    for attempt in (1, 2):
        connection.execute(
            "INSERT INTO attempts"
            " (run_key, job_number, attempt, fence, seat_id, worker, machine_id, machine, started_us, decides)"
            f" VALUES (1, 0, {attempt}, {attempt}, 's', 'w', 'm', 'b:s', 1, 0)"
        )
    connection.execute("UPDATE attempts SET decides = 1, outcome = 'passed', finished_us = 2 WHERE attempt = 1")
    return connection


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("UPDATE attempts SET decides = 1, outcome = 'passed', finished_us = 2 WHERE attempt = 2", "deciding_job"),
        ("UPDATE attempts SET attempt = 1 WHERE attempt = 2", "UNIQUE"),
        ("UPDATE attempts SET fence = 0", "ck_attempts_numbers"),
        ("UPDATE attempts SET attempt = 0 WHERE attempt = 2", "ck_attempts_numbers"),
        ("UPDATE attempts SET outcome = 'great'", "ck_attempts_outcome"),
        ("UPDATE attempts SET outcome = 'failed' WHERE attempt = 2", "ck_attempts_finished"),
        ("UPDATE attempts SET decides = 1 WHERE attempt = 2", "ck_attempts_decides"),
        ("UPDATE attempts SET job_number = 7 WHERE attempt = 2", "FOREIGN KEY"),
        ("UPDATE jobs SET state = 'lost'", "ck_jobs_state"),
        ("UPDATE jobs SET state = 'done', decided_us = 1", "ck_jobs_done"),
        ("UPDATE jobs SET outcome = 'passed'", "ck_jobs_done"),
        ("UPDATE jobs SET state = 'cancelled'", "ck_jobs_decided"),
        ("UPDATE jobs SET state = 'running'", "ck_jobs_fence"),
        ("UPDATE jobs SET infra_failures = -1", "ck_jobs_counts"),
        ("UPDATE runs SET state = 'lost'", "ck_runs_state"),
        ("UPDATE runs SET state = 'done', passed = 1", "ck_runs_finished"),
        (
            (
                "INSERT INTO runs SELECT 2, run_id, digest, '', '', '', '', 1, 0, 'running', '', 1, 1, '', NULL, NULL, 0,"
                " 'sessions', '', NULL FROM runs"
            ),
            "run_id",
        ),
        (
            "INSERT INTO machines VALUES ('m', 'r', 'b', 't', 's', 'lost', '', '', '', 1, NULL, NULL, NULL, NULL, NULL)",
            "ck_machines_state",
        ),
        (
            "INSERT INTO machines VALUES ('m', 'r', 'b', 't', 's', 'gone', '', '', '', 1, NULL, NULL, NULL, NULL, NULL)",
            "ck_machines_gone",
        ),
        ("INSERT INTO durations VALUES ('p', 'k', -1, 1)", "ck_durations_duration"),
    ],
)
def test_the_tables_refuse_what_must_not_be(tables: sqlite3.Connection, statement: str, rule: str) -> None:
    with closing(tables), pytest.raises(sqlite3.IntegrityError, match=rule):
        tables.execute(statement)
