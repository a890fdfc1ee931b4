"""How alembic reaches the database: over the connection and in the transaction of `migrate`."""

from __future__ import annotations

from alembic import context

from service.store.migrate import VERSION_TABLE
from service.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
