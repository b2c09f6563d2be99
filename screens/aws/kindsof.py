"""Which kinds are the tabs of a mode: those that need no other resource to be listed from."""

from __future__ import annotations

from core.aws.kind import Kind
from core.aws.kinds import KINDS
from core.aws.registry import kind, kinds_of
from screens.aws.calls import CALLS


def kinds_shown(mode: str) -> list[Kind]:
    """The tabs of a mode; what is below a resource is reached through it, or by its name."""
    own = [CALLS] if mode == "audit" else []
    return own + [found for found in map(kind, kinds_of(mode)) if not found.parent]


def mode_of(name: str) -> str:
    """The mode that a kind belongs to."""
    return KINDS[name].mode
