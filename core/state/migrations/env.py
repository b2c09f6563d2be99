"""Alembic's entry: runs the versions on the connection that it was handed."""

from __future__ import annotations

from alembic import context

from core.state import (  # noqa: F401 - so that the metadata has their tables too
    alarm_tables,
    alert_tables,
    lake_tables,
    monitor_tables,
    remote_tables,
    trigger_tables,
    tune_tables,
)
from core.state.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
