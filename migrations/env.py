"""Alembic's environment: runs the pending revisions on the connection that IBEX hands over."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table_schema="ibex",
    transaction_per_migration=True,
)
context.run_migrations()
