"""Which kinds are the tabs of a mode: those that need no other resource to be listed from."""

from __future__ import annotations

from core.aws.kind import Kind
from core.aws.kinds import KINDS
from core.aws.registry import kind, kinds_of
from screens.aws.calls import CALLS

ALONE = frozenset({"executions", "packages", "sfn-executions"})
"""Kinds that stand below another, and that are listed as a whole too."""


def kinds_shown(mode: str) -> list[Kind]:
    """The tabs of a mode; what is below a resource is reached through it, or by its name."""
    own = [CALLS] if mode == "audit" else []
    found = [kind(name) for name in kinds_of(mode)]
    return own + [each for each in found if not each.parent or each.name in ALONE]


def mode_of(name: str) -> str:
    """The mode that a kind belongs to."""
    return KINDS[name].mode
