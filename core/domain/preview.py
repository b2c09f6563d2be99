"""What a change of an endpoint would do, before it is done."""

from __future__ import annotations

from dataclasses import dataclass

from core.domain.touched import Consumer, FeatureChange


@dataclass(frozen=True, slots=True)
class ChangePreview:
    """What `action` (deploy, promote, hold, weight, abort, delete) on an endpoint would come to.

    `consequences` are sentences; `steps` what the strategy has still to do; `alarms` what is
    watched meanwhile; `aliases` moves at the end, such as `champion: v2 → v3`; `gate` how the
    version's approval stands; `undo` the command that takes it back. `features` is how the inputs
    of the version that requests come to differ, `None` where they stay with one; `consumers`
    who has called, `None` where the endpoint did not say.
    """

    action: str
    endpoint: str
    environment: str
    model: str
    version: int | None
    from_version: int | None
    consequences: tuple[str, ...]
    steps: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    gate: str = ""
    undo: str = ""
    features: FeatureChange | None = None
    consumers: tuple[Consumer, ...] | None = None
