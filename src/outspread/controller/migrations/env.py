"""Run by Alembic: migrates over the connection that ``schema_upgrade`` opened and will commit."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
