"""Alembic's entry: runs the versions on the connection that it was handed."""

from __future__ import annotations

from alembic import context

import core.state.lake_tables  # noqa: F401 - so that the metadata has its tables too
from core.state.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
