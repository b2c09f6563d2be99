"""What can be done on the lineage screen."""

from __future__ import annotations

from screens.actions import Action, Context

SCOPE = "lineage"


def _node(context: Context) -> str | None:
    return None if context.ref else "nothing is selected"


ACTIONS = (
    Action(
        "lineage.look", "", "Look from here", SCOPE, "the selected thing in the middle",
        shown="⏎", enabled=_node, rank=1, command="opsdeck lineage show {ref}",
    ),
    Action(
        "lineage.fold", "space,right,left", "Fold", SCOPE, "fold or unfold what is beneath",
        shown="space", rank=2,
    ),
    Action(
        "lineage.columns", "c", "Columns", SCOPE,
        "columns of what is in the middle; ⏎ on one follows it alone", rank=3,
    ),
    Action(
        "lineage.breaks", "b", "What breaks", SCOPE, "all that a change of it would touch",
        enabled=_node, rank=4, command="opsdeck lineage impact {ref}",
    ),
    Action("lineage.open", "o", "Open", SCOPE, "the selected thing in its mode", enabled=_node,
           rank=5),
)  # fmt: skip
"""The actions of the lineage screen."""
