"""What can be wrong with a question about bias."""

from __future__ import annotations

from core.errors import OpsdeckError


class BiasInvalid(OpsdeckError):
    """A facet, label or metric that cannot be used with these rows."""

    code = "E612"
    exit_status = 2
