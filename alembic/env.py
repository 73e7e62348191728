"""Runs migrations on the connection that ``tthc_monitor.store.migrate`` opened; there is no alembic.ini."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table_schema="tthc", transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
