"""What can be done in the Query mode."""

from __future__ import annotations

from screens.actions import Action, Context

SCOPE = "query"


def _typed(context: Context) -> str | None:
    if context.busy:
        return f"{context.busy} is still under way: esc cancels it"
    return None if context.ref else "nothing has been typed: e edits"


def _working(context: Context) -> str | None:
    return None if context.busy else "nothing is under way"


ACTIONS = (
    Action("query.edit", "e,i", "Edit", SCOPE, "type SQL; esc leaves the editor", rank=1),
    Action(
        "query.run", "f5,ctrl+j", "Run", SCOPE, "run what stands in the editor", shown="F5/^j",
        enabled=_typed, rank=2, command="opsdeck data query {ref}",
    ),
    Action("query.cancel", "x", "Cancel", SCOPE, "end what is under way", enabled=_working),
    Action("query.history", "h", "History", SCOPE, "what was asked before, or the result", rank=3),
    Action(
        "query.export", "w", "Write file", SCOPE, "all rows of the query to CSV, JSON or Parquet",
        enabled=_typed, rank=4, command="opsdeck data query {ref} --out {path}",
    ),
    Action(
        "query.record", "v", "Whole row", SCOPE, "the selected row, a column a line",
        shown="⏎/v", rank=5,
    ),
    Action("query.clear", "c", "Clear", SCOPE, "empty the editor"),
)  # fmt: skip
"""The actions of the Query mode."""
