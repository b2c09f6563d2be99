"""Continuous training: triggers, who of them may start a run, and with which rows.

Importing this package is cheap: what changes the state loads with the first change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.domain.trigger import Cause, CauseKind, TriggerDefinition

if TYPE_CHECKING:
    from core.releases.values import Problems
    from core.state.store import Transaction

__all__ = ["Cause", "CauseKind", "fire", "read_triggers"]


def fire(tx: Transaction, name: str, cause: Cause) -> str:
    """Have a trigger fire, in the transaction of what made it; returns the firing's id.

    Nothing is decided here: a worker decides soon after the commit, whether the trigger is
    switched off, cools down, is over its budget, busy, and so on. The firing stays on record
    with its answer, also where there is no trigger of that name. Never raises for a trigger's
    sake: an alarm that fires one goes on.
    """
    from core.triggers.firing import ask

    return ask(tx, name, cause)


def read_triggers(
    problems: Problems, where: str, mapping: Mapping[str, Any]
) -> tuple[TriggerDefinition, ...]:
    """The triggers of a file's section `triggers:` that are right in form; what is wrong with
    the others is noted in `problems`, by its place."""
    from core.triggers.reading import read_triggers as read

    return read(problems, where, mapping)
