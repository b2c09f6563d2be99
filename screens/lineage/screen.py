"""The lineage of one thing as a tree, and what would break without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from textual.app import ComposeResult

from screens.actions import Context
from screens.background import Ask
from screens.lineage.reading import LineageView, read_lineage
from screens.lineage.tree import TreeRow, node_pieces, row_line, tree_rows
from screens.lineage.words import name_of, plain_name, way_text
from screens.listing import ListScreen
from screens.widgets.lines import Piece
from screens.widgets.table import Cell, Column, RowTable
from screens.words import plural

if TYPE_CHECKING:
    from core.domain.datalineage import Node
    from core.lineage import Touched

BREAKS = (
    Column("", 9),
    Column("WHAT IS TOUCHED", 22, grow=2),
    Column("COLUMNS", 14, grow=2),
    Column("BY WAY OF", 14, grow=2, drop=1),
)


def touched_cells(each: Touched) -> Sequence[Cell]:
    """What a change would touch, as a row."""
    sure = ("✗ breaks", "bad") if each.certain else ("? perhaps", "warn")
    return (
        sure,
        node_pieces(each.node),
        (", ".join(each.columns) or "–", "text" if each.columns else "faint"),
        (way_text(each), "dim"),
    )


class LineageScreen(ListScreen):
    """The tree above; `b` shows beneath it what a change of the thing in the middle touches."""

    scope = "lineage"
    CSS = """
    LineageScreen #list { height: 1fr; }
    LineageScreen #breaks { height: 40%; display: none; }
    LineageScreen.broken #breaks { display: block; }
    """

    def __init__(self, ref: str, *, breaks: bool = False) -> None:
        super().__init__()
        self._trail = [ref]
        self._view = LineageView(ref)
        self._folded: set[str] = set()
        self._columns = False
        self._asks: dict[str, Ask] = {}
        self._was_on: str | None = "root"
        self.set_class(breaks, "broken")

    def body(self) -> ComposeResult:
        yield RowTable(
            (Column("", 20, grow=1),),
            lambda row: [row_line(row, self.deck.now())],
            lambda row: row.key,
            header=False,
            empty="reading…",
            id="list",
        )
        yield RowTable(
            BREAKS,
            touched_cells,
            lambda each: str(each.node),
            empty="nothing is known to be made from it: nothing would break",
            pane=True,
            id="breaks",
            classes="pane",
        )

    @property
    def row(self) -> TreeRow | None:
        """The selected row of the tree."""
        found: TreeRow | None = self.table.selected
        return found

    @property
    def node(self) -> Node | None:
        """The selected thing: in the tree, or among what breaks."""
        breaks = self.query_one("#breaks", RowTable)
        if self.focused is breaks:
            found: Touched | None = breaks.selected
            return found.node if found is not None else None
        return self.row.node if self.row is not None else None

    def ask(self) -> Ask:
        ref = self._trail[-1]
        if ref not in self._asks:
            self._asks[ref] = Ask(self, partial(read_lineage, ref))
        return self._asks[ref]

    def show(self, data: LineageView) -> None:
        if data.ref != self._trail[-1]:
            return
        self._view = data
        self.refilter()
        if self._was_on is not None:
            self.table.select(self._was_on)
            self._was_on = None

    def refilter(self) -> None:
        view = self._view
        if view.trouble:
            self.table.empty = f"▲ {view.trouble}"
        if view.node is None or view.upstream is None or view.downstream is None:
            self.table.put(())
            return
        rows = tree_rows(
            view.node,
            view.upstream,
            view.downstream,
            folded=self._folded,
            columns=view.columns if self._columns else None,
        )
        if self.filter_text:
            rows = self.matching(rows, lambda r: name_of(r.node) if r.node is not None else r.text)
        self.table.put(rows)
        breaks = self.query_one("#breaks", RowTable)
        touched = view.impact.touched if view.impact is not None else ()
        breaks.put(touched)
        breaks.border_title = self._told()
        self.foot()

    def _told(self) -> str:
        impact = self._view.impact
        if impact is None:
            return ""
        told = f"if {name_of(impact.node)} changes: {len(impact.breaks)} break for certain"
        return f"{told}, {len(impact.may_break)} perhaps" if impact.may_break else told

    def selection(self, session: Context) -> Context:
        return replace(session, ref=str(self.node) if self.node is not None else "")

    def copyable(self) -> str:
        return str(self.node) if self.node is not None else ""

    def status(self) -> Sequence[tuple[str, str]]:
        view = self._view
        said: list[Piece] = [*self.filter_status()]
        if view.node is None:
            return said
        impact = view.impact
        count = len(impact.touched) if impact is not None else 0
        said.append((f"lineage of {name_of(view.node)}", "dim"))
        said.append((f"   a change touches {plural(count, 'thing')}", "faint"))
        if len(self._trail) > 1:
            said.append(("   esc goes back", "faint"))
        return said

    def back(self) -> bool:
        if self.filter_text:
            self.filtered("")
            return True
        if self.has_class("broken"):
            self.remove_class("broken")
            self.set_focus(self.table)
            return True
        if len(self._trail) > 1:
            self._trail.pop()
            self._again()
            return True
        return False

    def _again(self, select: str = "root") -> None:
        """Read what is in the middle now; `select` is the row that gets the selection."""
        self._folded.clear()
        self._was_on = select
        self.reread()

    def on_row_table_chosen(self, _event: RowTable.Chosen) -> None:
        self.do_lineage_look()

    def on_row_table_moved(self, _event: RowTable.Moved) -> None:
        self.foot()

    def on_descendant_focus(self) -> None:
        self.foot()

    # actions

    def do_lineage_look(self) -> None:
        """Put the selected thing in the middle."""
        node = self.node
        if node is None or str(node) == str(self._view.node):
            return
        self._columns = self._columns and bool(node.column)
        self._trail.append(str(node))
        self._again(f"root/{node.column}" if self._columns else "root")

    def do_lineage_fold(self) -> None:
        """Fold or unfold what is beneath the selected row."""
        row = self.row
        if row is not None and row.foldable:
            self._folded ^= {row.key}
            self.refilter()

    def do_lineage_columns(self) -> None:
        """Columns of what is in the middle."""
        if not self._view.columns:
            named = plain_name(self._view.node) if self._view.node is not None else "this"
            self.deck.tell(f"▲ no columns are known of {named}", "warn")
            return
        self._columns = not self._columns
        self.refilter()

    def do_lineage_breaks(self) -> None:
        """What a change of what is in the middle would touch."""
        self.toggle_class("broken")
        shown = self.has_class("broken")
        self.set_focus(self.query_one("#breaks") if shown else self.table)

    def do_lineage_open(self) -> None:
        """The selected thing in its mode."""
        node = self.node
        if node is None:
            return
        if node.kind == "dataset":
            self.deck.go("data", node.name)
        elif node.kind == "feature_view":
            self.deck.go("features", node.name)
        elif node.kind == "run":
            self.deck.open_run(node.name)
        elif node.kind == "model":
            self.deck.go("models")
        elif node.kind in ("endpoint", "capture"):
            from screens.rollouts.screen import ReleaseScreen

            self.deck.push_screen(ReleaseScreen(node.name))
        else:
            self.deck.tell(f"▲ a {node.kind} has no screen of its own", "warn")
