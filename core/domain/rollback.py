"""What a rollback would do, before it is done."""

from __future__ import annotations

from dataclasses import dataclass

from core.domain.touched import Consumer, FeatureChange


@dataclass(frozen=True, slots=True)
class RollbackPreview:
    """From what to what, and what else moves.

    `weights` is the traffic now, in percent by revision; `aliases` are moves such as
    `champion: v3 → v2`; `loaded` says whether the target answers at once.
    """

    endpoint: str
    environment: str
    model: str
    from_version: int
    from_revision: int
    to_model: str
    to_version: int
    to_revision: int
    weights: tuple[tuple[int, float], ...]
    aliases: tuple[str, ...]
    loaded: bool
    deployment_id: str | None
    requests_per_second: float | None  # None where the endpoint could not say at once
    undo: str = ""  # the command that brings it there again
    features: FeatureChange | None = None
    consumers: tuple[Consumer, ...] | None = None  # None where the endpoint could not say at once
