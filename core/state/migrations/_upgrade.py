"""Bringing a state database to the schema of this code."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from core.errors import StateVersion
from core.state.version import HEAD as _HEAD

_HERE = Path(__file__).parent


def head_version() -> str:
    """The newest schema version that this code knows."""
    return _HEAD


def current_version(connection: sa.Connection) -> str | None:
    """The schema version of a database, `None` for an empty one."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(engine: sa.Engine) -> None:
    """Upgrade in one transaction; two processes at once are serialised by the database.

    Raises `StateVersion` where the database was written by a newer Opsdeck.
    """
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(221013709)"))
        version = current_version(connection)
        if version == _HEAD:
            return
        if version is not None and not list((_HERE / "versions").glob(f"{version}_*.py")):
            raise StateVersion(
                f"state database has schema {version}, this Opsdeck knows up to {_HEAD}",
                "update Opsdeck",
            )
        _run_alembic(connection)


def _run_alembic(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
