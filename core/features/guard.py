"""Who may read online rows. Light where nothing is laid down about the source."""

from __future__ import annotations

from core.domain.features import FeatureSpec
from core.domain.governance import CLEAR
from core.governance.access import Access
from core.governance.errors import Refused
from core.governance.policy import label_mask


def refuse_partial(
    access: Access, spec: FeatureSpec, purpose: str, actor: str | None = None
) -> None:
    """Raise `Refused` where the actor (the session's) may not see every row of the source as it is,
    in the columns that the view needs: the online store knows no masks."""
    found = access.standing(spec.source, actor)
    if found.sees_all:
        return
    policy = access.policy(spec.source)
    whole = any(lens.condition is None and lens.columns is None and not lens.masks
                for lens in found.lenses)  # fmt: skip
    if whole and not policy.labels:
        return
    schema = access.schema(
        spec.source, actor=actor, purpose=purpose
    )  # raises where nothing may be read
    from core.features.rowwise import columns_needed

    wanted = columns_needed(spec, schema.names) or list(schema.names)
    tags, masks = access.tags(spec.source), access.config.label_masks
    for lens in found.lenses:
        shown = (lens.mask(c, label_mask(tags.get(c, frozenset()), masks)) for c in wanted)
        if lens.condition is None and all(mask == CLEAR for mask in shown):
            return
    raise Refused(
        f"feature view {spec.name}: {actor or access.session.actor} may see only a part of"
        f" {spec.source}, and online rows know no masks",
        f"read what you may see: opsdeck features history {spec.name}",
    )
