"""Who can: what each principal may do with a dataset, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.domain.governance import EVERYBODY, GROUP, Policy, Reach
from core.governance.config import GovernanceConfig
from core.governance.policy import (
    Standing,
    choices,
    label_mask,
    row_conditions,
    standing,
    tags_of,
)


def reaches(
    policy: Policy, config: GovernanceConfig, schema: Any, now: float, who: Sequence[str] = ()
) -> tuple[Reach, ...]:
    """Of the principals named, or else of the owner, the admins, everyone with a grant (also
    one that has ended) and everybody else."""
    named = list(who) or _principals(policy, config)
    return tuple(_reach(policy, config, schema, now, principal) for principal in named)


def _principals(policy: Policy, config: GovernanceConfig) -> list[str]:
    held = [grant.principal for grant in policy.grants if grant.principal != EVERYBODY]
    first = [policy.owner] if policy.owner else []
    return list(dict.fromkeys([*first, *sorted(config.admins), *held, EVERYBODY]))


def _reach(
    policy: Policy, config: GovernanceConfig, schema: Any, now: float, principal: str
) -> Reach:
    names = frozenset({principal, EVERYBODY})
    if principal.startswith(GROUP) or principal == EVERYBODY:
        found = standing(policy, config, principal, now, names=names)
    else:
        found = standing(policy, config, principal, now)
        names = config.principals(principal)
    conditions = row_conditions(found.lenses) if found.read else None
    ends = [
        grant.expires_at
        for grant in policy.grants
        if grant.principal in names and grant.holds(now) and grant.expires_at is not None
    ]
    return Reach(
        principal,
        found.why,
        found.read,
        found.write,
        found.manage,
        _columns(policy, config, schema, found),
        " OR ".join(f"({text})" if len(conditions) > 1 else text for text in conditions)
        if conditions
        else "",
        min(ends) if ends else None,
    )


def _columns(
    policy: Policy, config: GovernanceConfig, schema: Any, found: Standing
) -> dict[str, str]:
    tags = tags_of(policy, tuple(schema.names))
    shown: dict[str, str] = {}
    for field in schema:
        labelled = label_mask(tags[field.name], config.label_masks)
        masks = [
            str(choice.mask) for choice in choices(found.lenses, field.name, labelled, field.type)
        ]
        if masks:
            shown[field.name] = " or ".join(dict.fromkeys(masks))
    return shown
