"""A recipe tried on a dataset: what each step does, columns and rows before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget

from screens.background import Ask
from screens.base import ModeScreen
from screens.data.rows import show_record, sideways
from screens.widgets.grid import Grid
from screens.widgets.lines import Line, Piece, fit, wrapped
from screens.widgets.panebar import PaneBar
from screens.widgets.sheet import Sheet
from screens.words import plural

if TYPE_CHECKING:
    from core.domain.dataset import Dataset
    from core.domain.recipe import ColumnChange, RecipeFileInfo, RecipePreview, StepTrace
    from screens.working import WorkingScreen

SHOWN = 100
"""Rows that are shown before and after."""

PANES = ("steps", "before", "after")

KINDS: Mapping[str, tuple[str, str]] = {
    "added": ("+", "ok"),
    "removed": ("−", "bad"),
    "changed": ("~", "warn"),
    "same": ("=", "faint"),
}


def try_recipe(screen: WorkingScreen, dataset: Dataset, number: int | None) -> None:
    """Offer the workspace's recipes, try the one that is picked, and show what it does."""
    at = number if number is not None else dataset.number

    def listed(files: Sequence[RecipeFileInfo]) -> str:
        from screens.dialogs.pick import Pick

        if not files:
            screen.deck.tell("▲ no recipe yet: opsdeck recipes new NAME writes a first one", "warn")
            return ""
        options = [(each.name, _about(each)) for each in files]
        screen.deck.push_screen(Pick(f"Try a recipe on {dataset.name} #{at}", options), picked)
        return ""

    def picked(name: str | None) -> None:
        if name is None:
            return

        def tried(found: RecipePreview) -> str:
            screen.deck.push_screen(RecipeScreen(found))
            return ""

        screen.work(
            f"try {name} on {dataset.name} #{at}", "recipes", "preview", name, dataset.name,
            at=str(at), rows=SHOWN, then=tried,
            command=f"opsdeck recipes preview {name} --dataset {dataset.name} --at {at}",
        )  # fmt: skip

    screen.work("list the recipes", "recipes", "files", then=listed)


def _about(file: RecipeFileInfo) -> str:
    if file.problems:
        return f"✗ {plural(file.problems, 'problem')}"
    return f"{plural(file.steps, 'step')}  {file.description}"


class RecipeScreen(ModeScreen):
    """Three panes: steps and columns, rows before, rows after."""

    scope = "recipe"
    CSS = """
    RecipeScreen #panes > * { height: 100%; display: none; }
    RecipeScreen #panes > .shown { display: block; }
    RecipeScreen #panes { height: 1fr; }
    """

    def __init__(self, preview: RecipePreview) -> None:
        super().__init__()
        self._preview = preview
        self._pane = PANES[0]
        self._nothing = Ask(self, lambda _ops: None)

    def body(self) -> ComposeResult:
        yield PaneBar(PANES)
        with Container(id="panes"):
            yield Sheet(id="steps")
            yield Grid(empty="no rows", id="before")
            yield Grid(empty="no rows", id="after")

    @property
    def _shown(self) -> Widget:
        return self.query_one(f"#{self._pane}")

    def first_focus(self) -> Widget | None:
        return self._shown

    def on_mount(self) -> None:
        preview = self._preview
        self.query_one("#steps", Sheet).put(lambda width: preview_lines(preview, width))
        types = {
            "before": {c.name: _type(c.type_before) for c in preview.columns if c.type_before},
            "after": {c.name: _type(c.type_after) for c in preview.columns if c.type_after},
        }
        for pane, rows in (("before", preview.before), ("after", preview.after)):
            names = list(rows[0]) if rows else list(types[pane])
            values = [tuple(row[name] for name in names) for row in rows]
            kinds = [types[pane].get(name, "") for name in names]
            self.query_one(f"#{pane}", Grid).put(names, kinds, values)
        self._show_pane(self._pane)

    def _show_pane(self, pane: str) -> None:
        self._pane = pane
        for widget in self.query_one("#panes").children:
            widget.set_class(widget.id == pane, "shown")
        self.query_one(PaneBar).put(pane)
        self.set_focus(self._shown)
        self.foot()

    def ask(self) -> Ask:
        return self._nothing

    def show(self, data: Any) -> None:
        """There is nothing to read: the recipe was tried before."""

    def refilter(self) -> None:
        """A preview is not filtered."""

    def status(self) -> Sequence[tuple[str, str]]:
        preview = self._preview
        told = f"{preview.recipe} on a sample of {preview.dataset}: "
        told += f"{preview.rows_before:,} → {preview.rows_after:,} rows"
        if preview.sampled is not None:
            told += f", of {preview.sampled:,}"
        said = [("nothing is written  ", "faint"), (told, "dim")]
        shown = self._shown
        return [*said, *(sideways(shown) if isinstance(shown, Grid) else [])]

    def on_pane_bar_picked(self, event: PaneBar.Picked) -> None:
        self._show_pane(event.pane)

    def on_grid_chosen(self, _event: Grid.Chosen) -> None:
        grid = self._shown
        if isinstance(grid, Grid):
            show_record(self, grid, f"{self._pane}: row {grid.cursor + 1}")

    def on_key(self) -> None:
        self.foot()

    def do_recipe_steps(self) -> None:
        """What each step does."""
        self._show_pane("steps")

    def do_recipe_before(self) -> None:
        """Rows as they are."""
        self._show_pane("before")

    def do_recipe_after(self) -> None:
        """Rows after the recipe."""
        self._show_pane("after")


def preview_lines(preview: RecipePreview, width: int) -> list[Line]:
    """Steps in order, then every column that comes, goes or has new values."""
    lines: list[Line] = [[(" STEPS", "head")]]
    for number, step in enumerate(preview.steps, 1):
        lines += _step(number, step, width)
    lines += [[], [(" COLUMNS", "head")]]
    room = min(max((len(c.name) for c in preview.columns), default=4), 28)
    changed = [each for each in preview.columns if each.kind != "same"]
    for column in changed:
        lines += wrapped(_column(column, room), width - 1, indent=room + 6)
    same = [each.name for each in preview.columns if each.kind == "same"]
    if same:
        told = f"  = {plural(len(same), 'column')} the same: {', '.join(same)}"
        lines += wrapped([(told, "faint")], width - 1, indent=4)
    return lines


def _step(number: int, step: StepTrace, width: int) -> list[Line]:
    rows = step.rows_after - step.rows_before
    told = f"{rows:+,} rows".replace("-", "−") if rows else "as many rows"
    own_name = None if step.step.isdigit() or step.step == step.transformation else step.step
    head: list[Piece] = [
        (f"  {number:>2} ", "dim"),
        ("" if own_name is None else f"{own_name}  ", "bold"),
        (step.transformation, "accent"),
        (f"  {told}", "warn" if rows else "dim"),
    ]
    for word, names, style in (
        ("+", step.added, "ok"), ("~", step.changed, "warn"), ("−", step.removed, "bad"),
    ):  # fmt: skip
        if names:
            head.append((f"  {word} {', '.join(names)}", style))
    lines = wrapped(head, width - 1, indent=7)
    if step.skipped:
        lines += wrapped([(f"     ↷ skipped: {step.skipped}", "faint")], width - 1, indent=7)
    for warning in step.warnings:
        lines += wrapped([(f"     ▲ {warning}", "warn")], width - 1, indent=7)
    return lines


def _column(column: ColumnChange, room: int) -> Line:
    glyph, style = KINDS[column.kind]
    before, after = _type(column.type_before), _type(column.type_after)
    types = f"{before} → {after}" if before and after and before != after else after or before
    pieces: list[Piece] = [
        (f"  {glyph} ", style),
        (f"{fit(column.name, room)} ", "text"),
        (f"{types}  ", "accent"),
    ]
    if column.kind != "removed" and (column.missing_before or column.missing_after):
        pieces.append((f"missing {column.missing_before:,} → {column.missing_after:,}  ", "warn"))
    if column.inputs and column.inputs != (column.name,):
        pieces.append((f"from {', '.join(column.inputs)}", "dim"))
    return pieces


def _type(text: str) -> str:
    """A type without its details: `datetime` of `Datetime(time_unit='us', time_zone=None)`."""
    return text.partition("(")[0].lower()
