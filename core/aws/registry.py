"""Finding kinds by name, alias or mode."""

from __future__ import annotations

import difflib
from functools import cache
from importlib import import_module
from typing import cast

from core.aws.kind import Kind
from core.aws.kinds import KINDS
from core.errors import BadInput

MODES = (
    "pulse", "runs", "models", "approvals", "deploys", "audit", "data", "query", "features",
    "alerts", "monitors",
)  # fmt: skip


@cache
def kind(name: str) -> Kind:
    """The kind of this name or alias; raises `BadInput` naming the closest."""
    aliases = {alias: full for full, place in KINDS.items() for alias in place.aliases}
    place = KINDS.get(aliases.get(name, name))
    if place is None:
        close = difflib.get_close_matches(name, [*KINDS, *aliases], n=1)
        hint = f"did you mean {close[0]}?" if close else "opsdeck aws kinds lists them"
        raise BadInput(f"{name}: no such kind of resource", hint)
    module, _, attribute = place.at.partition(":")
    return cast(Kind, getattr(import_module(module), attribute))


def kinds_of(mode: str) -> tuple[str, ...]:
    """The names of a mode's kinds, in the order of its tabs."""
    return tuple(name for name, place in KINDS.items() if place.mode == mode)


def all_kinds() -> tuple[Kind, ...]:
    """Every kind; imports all their modules."""
    return tuple(kind(name) for name in KINDS)
