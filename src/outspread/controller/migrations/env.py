"""Run by Alembic: migrates over the connection that ``schema_upgrade`` opened, and commits."""

from alembic import context

# SQLite can undo its DDL, but Alembic does not know that the connection leaves transactions alone: all steps are one.
context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
