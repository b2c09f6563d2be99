"""What can be wrong with a baseline of distributions."""

from __future__ import annotations

from core.errors import OpsdeckError


class BaselineUnfit(OpsdeckError):
    """Rows that no baseline can be made of, or that lack what the settings ask for."""

    code = "E610"


class BaselineFormat(OpsdeckError):
    """A stored baseline that this version does not read."""

    code = "E611"
