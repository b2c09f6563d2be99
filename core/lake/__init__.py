"""The lake: datasets as Iceberg tables with snapshots, tags, branches and upkeep.

Importing this package is cheap; the lake libraries load when a `Lake` first opens a table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.lake.lake import Lake
    from core.session import Session

__all__ = ["open_lake"]


def open_lake(session: Session) -> Lake:
    """The workspace's lake, in the session's name. Raises `ConfigInvalid`.

    It knows nothing of grants: rows that are shown or handed out go through the read path of
    `core.governance.access`.
    """
    from core.lake.lake import Lake

    return Lake(session)
