"""What can go wrong in the lake."""

from __future__ import annotations

from core.errors import OpsdeckError


class LakeUnavailable(OpsdeckError):
    """The catalogue or the warehouse cannot be reached, read or written."""

    code = "E507"
    exit_status = 4


class LakeCorrupt(OpsdeckError):
    """The catalogue, or a file of the lake, is not what it should be."""

    code = "E501"
    exit_status = 4


class SchemaMismatch(OpsdeckError):
    """Rows do not fit their dataset's columns, and the change was not allowed."""

    code = "E502"
    exit_status = 2


class CommitConflict(OpsdeckError):
    """Somebody else changed the same rows meanwhile, again and again."""

    code = "E503"


class KeyUnusable(OpsdeckError):
    """The key of an encrypted lake is missing, unreadable, open to others, or the wrong one."""

    code = "E504"
    exit_status = 4


class DatasetExists(OpsdeckError):
    """A dataset of this name is there already."""

    code = "E505"


class SnapshotExpired(OpsdeckError):
    """The version asked for has been expired: its rows can no longer be read."""

    code = "E506"
    exit_status = 3
