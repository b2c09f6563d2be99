"""What can be wrong with an explanation."""

from __future__ import annotations

from core.errors import OpsdeckError


class CannotExplain(OpsdeckError):
    """A model that cannot be explained with these rows."""

    code = "E613"
