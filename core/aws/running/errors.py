"""What goes wrong with a run in an AWS account, besides what AWS itself refuses."""

from __future__ import annotations

from core.errors import OpsdeckError


class PackageFailed(OpsdeckError):
    """The workspace's source cannot be packed."""

    code = "E745"


class NotSettled(OpsdeckError):
    """A role or bucket that a run there needs is not named."""

    code = "E746"
    exit_status = 2


class NotOurs(OpsdeckError):
    """A pipeline or state machine of this name is somebody else's."""

    code = "E747"


class NotThere(OpsdeckError):
    """Something that a run in an AWS account cannot do."""

    code = "E748"
