"""Which schema version of the state this code is for (kept light: every start reads it)."""

from __future__ import annotations

from core.errors import StateVersion
from core.state.reading import Reader

HEAD = "0009"
"""The newest schema version that this code knows."""


def is_older(reader: Reader) -> bool:
    """Whether the database is of an older version, which the next change brings up to date.

    Raises `StateVersion` where a newer Opsdeck wrote it. A database without any tables is
    neither.
    """
    rows = reader.rows("SELECT version_num FROM alembic_version")
    found = rows[0]["version_num"] if rows else HEAD
    if found > HEAD:
        raise StateVersion(
            f"state database has schema {found}, this Opsdeck knows up to {HEAD}",
            "update Opsdeck",
        )
    return bool(found < HEAD)
