"""What can be done on the labelling screen."""

from __future__ import annotations

from screens.actions import Action, Context

SCOPE = "labels"


def _row(context: Context) -> str | None:
    return None if context.ref else "there is no row to label: p picks some"


def _idle(context: Context) -> str | None:
    return f"{context.busy} is still under way: esc cancels it" if context.busy else None


ACTIONS = (
    Action(
        "labels.edit", "e,i", "Label", SCOPE, "type the label; ⏎ takes it, and the next row comes",
        enabled=_row, rank=1, changes=True, group="change",
        command="opsdeck labels label {name} {ref} {label}",
    ),
    Action(
        "labels.skip", "s", "Skip", SCOPE, "leave the row to others (tab, while typing)",
        enabled=_row, rank=2, changes=True, group="change",
        command="opsdeck labels skip {name} {ref}",
    ),
    Action(
        "labels.undo", "u", "Undo", SCOPE, "take back my last label or skip (shift+tab)",
        rank=3, changes=True, group="change", command="opsdeck labels undo {name}",
    ),
    Action(
        "labels.pick", "p", "Pick more", SCOPE, "50 more rows of captured traffic",
        enabled=_idle, rank=4, changes=True, group="change",
        command="opsdeck labels queue {name} --add 50",
    ),
)  # fmt: skip
"""The actions of the labelling screen."""
