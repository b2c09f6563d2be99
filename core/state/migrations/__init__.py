"""Schema versions of the state database, kept with alembic."""

from core.state.migrations._upgrade import current_version, head_version, upgrade

__all__ = ["current_version", "head_version", "upgrade"]
