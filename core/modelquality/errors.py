"""What can be wrong with rows that a model's quality is to be taken from."""

from __future__ import annotations

from core.errors import OpsdeckError


class QualityUnusable(OpsdeckError):
    """Rows that tell nothing of a model's quality: no labels, no predictions."""

    code = "E614"
    exit_status = 2
