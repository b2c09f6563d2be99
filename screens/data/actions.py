"""What can be done in the Data mode."""

from __future__ import annotations

from screens.actions import Action, Context

SCOPE = "data"


def _dataset(context: Context) -> str | None:
    return None if context.dataset else "no dataset is selected"


def _written(context: Context) -> str | None:
    if context.dataset is None:
        return "no dataset is selected"
    if context.dataset.current_snapshot is None:
        return f"nothing has been written to {context.dataset.name} yet"
    return None


def _snapshot(context: Context) -> str | None:
    snapshot = context.snapshot
    if snapshot is None:
        return "no snapshot is selected: s shows them"
    gone = snapshot.expired_at is not None
    return f"#{snapshot.number} has expired: its rows are gone" if gone else None


def _rollback(context: Context) -> str | None:
    why_not = _snapshot(context)
    if why_not is None and context.snapshot is not None and context.snapshot.current:
        return f"#{context.snapshot.number} is the current version"
    return why_not


def _batch(context: Context) -> str | None:
    return None if context.batch else "no held batch is selected: h shows them"


def _open_batch(context: Context) -> str | None:
    batch = context.batch
    if batch is None:
        return "no held batch is selected: h shows them"
    return None if batch.state in ("held", "repaired") else f"this batch is {batch.state} already"


def _pane(name: str, help_: str, command: str = "") -> Action:
    return Action(
        f"data.{name}", name[0], name.capitalize(), SCOPE, help_, group="panes",
        command=command, enabled=_dataset,
    )  # fmt: skip


ACTIONS = (
    Action(
        "data.open", "", "Open", SCOPE, "the dataset on the whole screen",
        shown="⏎", enabled=_dataset, rank=1, command="opsdeck data show {dataset.name}",
    ),
    _pane("overview", "what it is, its columns, masks", "opsdeck data show {dataset.name}"),
    _pane("snapshots", "its versions", "opsdeck data snapshots {dataset.name}"),
    _pane("profile", "what is in every column", "opsdeck data profile {dataset.name}"),
    _pane("diff", "what changed between two versions", "opsdeck data diff {dataset.name}"),
    _pane("checks", "validations, failing expectations", "opsdeck data validations {dataset.name}"),
    _pane("held", "batches in quarantine", "opsdeck data quarantine list {dataset.name}"),
    _pane("access", "grants, tags, what you may see", "opsdeck data grants {dataset.name}"),
    _pane("lineage", "where it is from, where it goes", "opsdeck lineage show {dataset.name}"),
    Action(
        "data.tree", "L", "Lineage tree", SCOPE, "lineage on the whole screen, column by column",
        enabled=_dataset, rank=5, command="opsdeck lineage show {dataset.name}",
    ),
    Action(
        "data.view", "v", "View rows", SCOPE, "some rows, as you may see them", enabled=_written,
        rank=2, command="opsdeck data sample {dataset.name}",
    ),
    Action(
        "data.query", "Q", "Query", SCOPE, "a query on it, in the Query mode", enabled=_written,
        rank=3, command='opsdeck data query "SELECT * FROM {dataset.name} LIMIT 100"',
    ),
    Action(
        "data.now", "n", "Now", SCOPE, "make the profile, or the difference, now",
        enabled=_written, rank=4, command="opsdeck data profile {dataset.name}",
    ),
    Action(
        "data.recipe", "T", "Try a recipe", SCOPE, "a recipe on a sample: before and after",
        enabled=_written, command="opsdeck recipes preview {recipe} --dataset {dataset.name}",
    ),
    Action(
        "data.validate", "V", "Validate", SCOPE, "ask whether its expectations hold",
        changes=True, enabled=_written, group="change", rank=6,
        command="opsdeck data validate {dataset.name}",
    ),
    Action(
        "data.mark", "m", "Mark", SCOPE, "compare the selected snapshot with this one",
        enabled=_snapshot,
    ),
    Action(
        "data.tag", "t", "Tag", SCOPE, "name the selected snapshot, which keeps it",
        changes=True, enabled=_snapshot, group="change", rank=7,
        command="opsdeck data tag {dataset.name} {tag} --at {snapshot.number}",
    ),
    Action(
        "data.rollback", "R", "Roll back", SCOPE, "make the selected snapshot the current one",
        changes=True, dangerous=True, enabled=_rollback, group="change", rank=8,
        command="opsdeck data rollback {dataset.name} {snapshot.number} --yes",
    ),
    Action(
        "data.rows", "i", "Bad rows", SCOPE, "rows of the held batch with their reasons",
        enabled=_batch, command="opsdeck data quarantine show {batch.id}",
    ),
    Action(
        "data.replay", "u", "Replay", SCOPE, "ask a held batch again and take it in",
        changes=True, enabled=_open_batch, group="change",
        command="opsdeck data quarantine replay {batch.id}",
    ),
    Action(
        "data.export", "e", "Export", SCOPE, "bad rows of the held batch as CSV, to be mended",
        enabled=_open_batch, command="opsdeck data quarantine edit {batch.id} {path}",
    ),
    Action(
        "data.discard", "x", "Discard", SCOPE, "give the held batch up: its rows are deleted",
        changes=True, dangerous=True, enabled=_open_batch, group="change",
        command="opsdeck data quarantine discard {batch.id} --yes",
    ),
)  # fmt: skip
"""The actions of the Data mode."""

RECIPE = tuple(
    Action(f"recipe.{pane}", pane[0], pane.capitalize(), "recipe", help_, group="panes", rank=rank)
    for rank, (pane, help_) in enumerate(
        (
            ("steps", "what each step does, and to which columns"),
            ("before", "rows of the sample as they are"),
            ("after", "the same rows after the recipe"),
        )
    )
)
"""The actions of the screen on which a recipe is tried."""

ROWS = (Action("rows.record", "v", "Whole row", "rows", "a column a line", shown="⏎/v", rank=1),)
"""The actions of the screen that shows rows."""
