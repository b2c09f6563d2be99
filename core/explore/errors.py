"""What can go wrong in looking at a dataset."""

from __future__ import annotations

from core.errors import OpsdeckError


class NoProfile(OpsdeckError):
    """There is no profile of this snapshot, and none may or can be made now."""

    code = "E556"
    exit_status = 3


class NotComparable(OpsdeckError):
    """Two snapshots, or a column of them, cannot be set against each other."""

    code = "E557"
    exit_status = 2
