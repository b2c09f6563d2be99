"""What governance refuses."""

from __future__ import annotations

from core.errors import OpsdeckError


class Refused(OpsdeckError):
    """The actor may not read, change or manage this dataset, or not this part of it."""

    code = "E520"


class PolicyInvalid(OpsdeckError):
    """A grant that cannot be kept: an unknown column, a mask that does not fit, a bad filter."""

    code = "E521"
    exit_status = 2


class PolicyBroken(OpsdeckError):
    """A policy that was sound when made cannot be applied now; nothing is shown."""

    code = "E522"


class MaskKeyUnusable(OpsdeckError):
    """The key of the hashes cannot be read, or others can read it too."""

    code = "E523"
    exit_status = 4
