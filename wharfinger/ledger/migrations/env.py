"""How Alembic runs a revision: on the caller's connection, inside its transaction. Imported by Alembic alone."""

from alembic import context

from wharfinger.ledger import schema

context.configure(connection=context.config.attributes["connection"], target_metadata=schema.metadata)
with context.begin_transaction():
    context.run_migrations()
