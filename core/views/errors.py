"""What can be wrong with a materialised view."""

from __future__ import annotations

from core.errors import BadInput, OpsdeckError


class ViewInvalid(BadInput):
    """A view's file or SQL is wrong."""

    code = "E580"


class ViewFailed(OpsdeckError):
    """A view could not be refreshed; its rows are as they were."""

    code = "E581"
