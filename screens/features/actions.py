"""What can be done in the Features mode."""

from __future__ import annotations

from screens.actions import Action, Context

SCOPE = "features"


def _view(context: Context) -> str | None:
    return None if context.features else "no feature view is selected"


def _online(context: Context) -> str | None:
    view = context.features
    if view is None:
        return "no feature view is selected"
    if view.state == "retired":
        return f"{view.ref} is retired"
    return None if view.spec.online else f"{view.ref} is not kept online (online: true in its file)"


def _made(context: Context) -> str | None:
    why_not = _online(context)
    if why_not is None and context.features is not None and not context.features.version:
        return f"{context.features.ref} is only a file so far: M makes its first version"
    return why_not


def _pane(name: str, help_: str) -> Action:
    return Action(
        f"features.{name}", name[0], name.capitalize(), SCOPE, help_, group="panes",
        enabled=_view,
    )  # fmt: skip


ACTIONS = (
    Action(
        "features.open", "", "Open", SCOPE, "the view on the whole screen", shown="⏎",
        enabled=_view, rank=1, command="opsdeck features show {features.ref}",
    ),
    _pane("definition", "entity, features, source, how it is kept up"),
    _pane("materialised", "when its online rows were brought up to date"),
    _pane("skew", "how far online rows were from the offline ones"),
    _pane("versions", "every version of it"),
    Action(
        "features.get", "e", "Get by key", SCOPE, "an entity's values, online beside offline",
        enabled=_made, rank=2, command="opsdeck features get {features.ref} {key}",
    ),
    Action(
        "features.materialize", "M", "Materialise", SCOPE, "bring its online rows up to date",
        changes=True, enabled=_online, group="change", rank=3,
        command="opsdeck features materialize {features.spec.name}",
    ),
    Action(
        "features.measure", "S", "Measure skew", SCOPE, "compare some entities, online and offline",
        changes=True, enabled=_made, group="change", rank=4,
        command="opsdeck features skew {features.ref}",
    ),
    Action(
        "features.tree", "L", "Lineage", SCOPE, "where it is from, who reads it", enabled=_view,
        rank=5, command="opsdeck lineage show feature_view/{features.spec.name}",
    ),
    Action(
        "features.source", "o", "Open source", SCOPE, "the dataset that it is made from",
        enabled=_view, command="opsdeck data show {features.spec.source}",
    ),
)  # fmt: skip
"""The actions of the Features mode."""
