"""Models: their versions, aliases, metrics and lineage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from textual.app import ComposeResult

from screens.actions import Context
from screens.background import Ask
from screens.evidence import metric_lines
from screens.listing import ListScreen
from screens.rundetails import even, lineage_lines
from screens.widgets.lines import Line, Piece
from screens.widgets.sheet import Sheet
from screens.widgets.table import Cell, Column, RowTable
from screens.words import age, full_time, number, plural

if TYPE_CHECKING:
    from core.domain.model import Model, ModelVersion
    from core.ops import Ops

ALIAS_SIGNS = {
    "champion": ("★", "ok"),
    "candidate": ("◆", "wait"),
    "staging": ("◐", "warn"),
    "previous": ("○", "accent"),
}


@dataclass(frozen=True, slots=True)
class ModelsView:
    """All models and all of their versions, newest first."""

    models: tuple[Model, ...]
    versions: tuple[ModelVersion, ...]


def read_models(ops: Ops) -> ModelsView:
    """Read all models and versions (off the event loop)."""
    models = tuple(ops.models.list())
    versions = tuple(v for model in models for v in ops.models.versions(model.name))
    return ModelsView(models, versions)


COLUMNS = (
    Column("MODEL", 14, grow=2),
    Column("VERSION", 7),
    Column("ALIASES", 12, grow=2),
    Column("METRICS", 18, grow=4, drop=1),
    Column("RUN", 7, align="right"),
    Column("MADE", 9, align="right"),
)


def aliases(version: ModelVersion) -> Line:
    """A version's aliases with their glyphs."""
    pieces: list[Piece] = []
    for alias in version.aliases:
        glyph, style = ALIAS_SIGNS.get(alias, ("•", "dim"))
        pieces.append((f"{glyph} {alias} ", style))
    return pieces or [("–", "faint")]


def version_cells(version: ModelVersion, now: float) -> Sequence[Cell]:
    """A version as a row."""
    metrics = "  ".join(f"{key} {number(value)}" for key, value in version.metrics.items())
    return (
        version.name,
        (f"v{version.version}", "bold"),
        list(aliases(version)),
        (metrics, "dim"),
        (f"#{version.run_number}" if version.run_number else "–", "dim"),
        (age(now - version.created_at), "dim"),
    )


def compared(version: ModelVersion) -> dict[str, float]:
    """The champion's metrics on the rows that this version was measured on, by name.

    Two versions' own metrics are of different months: to compare those would judge the data.
    """
    prefix = "champion_"
    return {
        key.removeprefix(prefix): value
        for key, value in version.metrics.items()
        if key.startswith(prefix) and key.removeprefix(prefix) in version.metrics
    }


def version_lines(
    version: ModelVersion, champion: ModelVersion | None, now: float, width: int
) -> list[Line]:
    """One version: aliases, metrics against the champion, where it is from."""
    made = f"made {age(now - version.created_at)}"
    if version.run_number:
        made += f" by run #{version.run_number}"
    lines: list[Line] = [
        [(f" {version.name} v{version.version} ", "title"), *aliases(version), (f" {made}", "dim")],
        [],
    ]
    is_champion = champion is not None and champion.version == version.version
    measured = compared(version)
    pairs = {"metrics": dict(version.metrics), "champion": {"metrics": measured}}
    title = " METRICS"
    if measured:
        at = version.metrics.get("champion_version")
        named = f" v{int(at)}" if at is not None else ""
        title = f" METRICS, AGAINST THE CHAMPION{named} OF THAT TIME ON THE SAME ROWS"
    elif is_champion:
        title = " METRICS OF THE CHAMPION"
    table = [
        line
        for line in metric_lines(pairs, version.version)
        if not line[0][0].startswith("  there is no champion")
    ]
    lines += [[(title, "head")], *table]
    if not measured and champion is not None and not is_champion:
        lines.append(
            [(f"  not measured beside the champion v{champion.version} on the same rows", "faint")]
        )
    lines += [[], [(" LINEAGE", "head")]]
    lines += lineage_lines(version.lineage)
    for key, value in (
        ("model", version.digest),
        ("folder", version.path),
        ("MLflow run", version.mlflow_run_id or "–"),
        ("approval", version.approval or "–"),
        ("made", full_time(version.created_at)),
    ):
        lines.append([(f"  {key:<18} ", "dim"), (value, "text")])
    return even(lines)


class ModelsScreen(ListScreen):
    """All versions above, the selected one beneath."""

    scope = "models"
    CSS = """
    ModelsScreen #list { height: auto; max-height: 40%; min-height: 3; }
    ModelsScreen #version { height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._view = ModelsView((), ())

    def body(self) -> ComposeResult:
        yield RowTable(
            COLUMNS,
            lambda version: version_cells(version, self.deck.now()),
            lambda version: f"{version.name}/{version.version}",
            empty="no model yet: a run's register step makes one (2, then n starts a run)",
            id="list",
        )
        yield Sheet(id="version", classes="pane")

    @property
    def version(self) -> ModelVersion | None:
        """The selected version."""
        found: ModelVersion | None = self.table.selected
        return found

    def ask(self) -> Ask:
        return Ask(self, partial(read_models))

    def show(self, data: ModelsView) -> None:
        self._view = data
        self.refilter()

    def refilter(self) -> None:
        self.table.put(self.matching(self._view.versions, _text))
        self._version()

    def _version(self) -> None:
        version = self.version
        sheet = self.query_one("#version", Sheet)
        if version is None:
            sheet.put(lambda _width: [])
            return
        champion = next(
            (v for v in self._view.versions if v.name == version.name and "champion" in v.aliases),
            None,
        )
        now = self.deck.now()
        sheet.put(lambda width: version_lines(version, champion, now, width))

    def on_row_table_moved(self, _event: RowTable.Moved) -> None:
        self._version()
        self.foot()

    def on_row_table_chosen(self, _event: RowTable.Chosen) -> None:
        self.deck.perform("models.run")

    def selection(self, session: Context) -> Context:
        return replace(session, version=self.version)

    def copyable(self) -> str:
        version = self.version
        return f"models:/{version.name}/{version.version}" if version is not None else ""

    def status(self) -> Sequence[tuple[str, str]]:
        models, versions = len(self._view.models), len(self._view.versions)
        count = f"{plural(models, 'model')}, {plural(versions, 'version')}"
        return [*self.filter_status(), (count, "faint")]

    # actions

    def do_models_run(self) -> None:
        """Open the run that made the version."""
        if self.version is not None:
            self.deck.open_run(self.version.run_id)

    def do_models_tree(self) -> None:
        """Show the version's lineage on a screen of its own."""
        from screens.lineage.screen import LineageScreen

        if self.version is not None:
            ref = f"model/{self.version.name}/{self.version.version}"
            self.deck.push_screen(LineageScreen(ref))

    def do_models_deploy(self) -> None:
        """Open the command line with the deployment of this version."""
        version = self.version
        if version is not None:
            self.deck.open_prompt(":", f"deploy {version.name} {version.version} ")


def _text(version: ModelVersion) -> str:
    return f"{version.name} v{version.version} {' '.join(version.aliases)}"
