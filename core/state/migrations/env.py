"""Alembic's entry: runs the versions on the connection that it was handed."""

from __future__ import annotations

from alembic import context

# So that the metadata has their tables too.
import core.state.alarm_tables  # noqa: F401
import core.state.alert_tables  # noqa: F401
import core.state.lake_tables  # noqa: F401
import core.state.monitor_tables  # noqa: F401
import core.state.trigger_tables  # noqa: F401
from core.state.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
