"""The Query mode: an editor of SQL, and beneath it what came of it or what was asked before."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import TextArea

from core.errors import OpsdeckError
from screens.actions import Context
from screens.background import Ask
from screens.prompt import Candidates
from screens.query.editor import SqlEditor
from screens.query.reading import QueryView, read_queries
from screens.query.words import HISTORY, past_cells, place_of, told
from screens.registry import REGISTRY
from screens.widgets.grid import Grid
from screens.widgets.lines import Line, fit, wrapped
from screens.widgets.page import Page
from screens.widgets.table import RowTable
from screens.words import one_line, plural, size
from screens.working import WorkingScreen

if TYPE_CHECKING:
    from core.domain.query import Exported, PastQuery, QueryResult
    from core.query.completion import Proposal

LIMIT = 1000
"""Rows that a result holds on the screen; a file gets all."""

TAIL = 4
"""Lines of the note at most."""


class QueryScreen(WorkingScreen):
    """Keys are the screen's until `e` goes into the editor; escape comes out of it."""

    scope = "query"
    CSS = """
    QueryScreen SqlEditor { height: 7; border: none; padding: 0 1; background: $panel; }
    QueryScreen.-high SqlEditor { height: 11; }
    QueryScreen SqlEditor .text-area--cursor-line { background: $panel; }
    QueryScreen Candidates { background: $surface; }
    QueryScreen #note { padding: 0 1; background: $surface; }
    QueryScreen Grid, QueryScreen #list { height: 1fr; }
    QueryScreen Grid { display: none; }
    QueryScreen.answered Grid { display: block; }
    QueryScreen.answered #list { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._view = QueryView()
        self._poll = Ask(self, read_queries)
        self._result: QueryResult | None = None
        self._error: OpsdeckError | None = None
        self._proposals: tuple[Proposal, ...] = ()
        self._stem: tuple[int, int] | None = None

    def body(self) -> ComposeResult:
        yield SqlEditor(
            id="editor", placeholder="SELECT …    e edits, F5 or ^j runs", soft_wrap=True,
            highlight_cursor_line=False, compact=True,
        )  # fmt: skip
        yield Candidates()
        yield Page(self._note, id="note")
        yield Grid(id="result", classes="pane")
        yield RowTable(
            HISTORY,
            lambda query: past_cells(query, self.deck.now()),
            lambda query: query.id,
            empty="nothing was asked yet: e edits, F5 or ^j runs",
            id="list",
            classes="pane",
        )

    @property
    def editor(self) -> SqlEditor:
        """The editor."""
        return self.query_one(SqlEditor)

    @property
    def grid(self) -> Grid:
        """The result."""
        return self.query_one(Grid)

    @property
    def history(self) -> RowTable:
        """What was asked before."""
        return self.query_one("#list", RowTable)

    @property
    def sql(self) -> str:
        """What stands in the editor, without the `;` at its end."""
        return self.editor.text.strip().rstrip(";").strip()

    def first_focus(self) -> Widget | None:
        return self.history

    def on_mount(self) -> None:
        self.editor.cursor_blink = False
        self.history.border_title = "asked before"

    # reading

    def ask(self) -> Ask:
        wish = self.deck.wish("query")
        if wish:
            self.editor.put(wish)
            self.set_focus(self.editor)
            self._say(None)
        return self._poll

    def show(self, data: QueryView) -> None:
        self._view = data
        self._list()

    def refilter(self) -> None:
        if self.has_class("answered"):
            self._fill()
        else:
            self._list()

    def _list(self) -> None:
        self.history.put(self.matching(self._view.past, lambda past: f"{past.sql} {past.state}"))

    def selection(self, session: Context) -> Context:
        sql = " ".join(self.sql.split())
        busy = self.under_way.title if self.under_way is not None else ""
        return replace(session, ref=shlex.quote(sql) if sql else "", busy=busy)

    def copyable(self) -> str:
        grid = self.grid
        if self.focused is grid and grid.rows:
            return "\t".join("" if v is None else str(v) for v in grid.rows[grid.cursor])
        return self.sql

    def status(self) -> Sequence[tuple[str, str]]:
        work = self.work_status()
        if work:
            return work
        if self.focused is self.editor:
            return [("F5/^j runs   tab completes   esc leaves the editor", "faint")]
        said = self.filter_status()
        if self.has_class("answered"):
            from screens.data.rows import sideways

            said += sideways(self.grid) or [("← → sideways", "faint")]
            if self.grid.hidden:
                said.append((f"   ▒ masked for you: {', '.join(sorted(self.grid.hidden))}", "wait"))
        return said

    # the note: what came of it, or what is wrong

    def _say(self, error: OpsdeckError | None) -> None:
        self._error = error
        self.query_one("#note", Page).put(self._note)

    def _note(self, width: int) -> Sequence[Line]:
        error = self._error
        if error is None:
            if self._result is None:
                return [
                    [
                        (
                            "SQL as DuckDB has it; rentals@12 reads a version, by number or tag",
                            "faint",
                        )
                    ]
                ]
            return wrapped([("✓ ", "ok"), (told(self._result), "text")], width, 2)[:TAIL]
        place = place_of(error, self.sql)
        where = f"line {place[0] + 1}, column {place[1] + 1}: " if place is not None else ""
        text = error.message.removeprefix("query: ")
        pieces: Line = [
            (f"✗ {error.code} ", "bad"),
            (where, "warn"),
            (text, "text"),
            (f"  {error.hint}" if error.hint else "", "dim"),
        ]
        return wrapped(pieces, width, 2)[:TAIL]

    # completion

    def on_text_area_changed(self, _event: TextArea.Changed) -> None:
        self._stem = None
        self._propose()

    def on_descendant_focus(self) -> None:
        self._propose()
        self.foot()

    def on_descendant_blur(self) -> None:
        self._propose()

    def _propose(self) -> None:
        """Show what may follow, while the editor has the focus."""
        line, catalogue = self.query_one(Candidates), self._view.catalogue
        self._proposals = ()
        if catalogue is not None and self.focused is self.editor:
            from core.query.completion import complete

            editor = self.editor
            self._proposals = complete(editor.text, editor.offset_of_cursor, catalogue)
        line.words = [each.text for each in self._proposals]
        line.chosen = -1
        line.refresh()

    def on_sql_editor_complete(self, event: SqlEditor.Complete) -> None:
        proposals, line, editor = self._proposals, self.query_one(Candidates), self.editor
        if not proposals:
            if event.by > 0 and not line.words:
                editor.insert("  ")
            return
        line.chosen = (line.chosen + event.by) % len(proposals) if line.chosen >= 0 else 0
        chosen = proposals[line.chosen]
        end = self._stem[1] if self._stem is not None else editor.offset_of_cursor
        with self.prevent(TextArea.Changed):
            editor.exchange(chosen.start, end, chosen.text)
        self._stem = (chosen.start, chosen.start + len(chosen.text))
        line.refresh()

    # running

    def on_sql_editor_left(self, _event: SqlEditor.Left) -> None:
        if self.under_way is not None:
            self.do_query_cancel()
        else:
            self.set_focus(self._beneath)

    def on_sql_editor_run(self, _event: SqlEditor.Run) -> None:
        self.deck.perform("query.run")

    @property
    def _beneath(self) -> Widget:
        return self.grid if self.has_class("answered") else self.history

    def do_query_run(self) -> None:
        """Run what stands in the editor."""
        self._say(None)
        self.work(
            "run the query", "queries", "run", self.sql, limit=LIMIT, then=self._answered,
            failed=self._refused,
        )  # fmt: skip

    def _answered(self, result: QueryResult) -> str:
        self._result = result
        self._say(None)
        self.filter_text = ""
        self.add_class("answered")
        self._fill()
        shape = f"{plural(len(result.rows), 'row')}, {plural(len(result.columns), 'column')}"
        asked = fit(one_line(" ".join(result.sql.split())), 60).rstrip()
        self.grid.border_title = f"{shape} · {asked}"
        if self.focused is self.history:
            self.set_focus(self.grid)
        return ""

    def _fill(self) -> None:
        """Put the rows that the filter leaves into the grid."""
        result = self._result
        if result is None:
            return
        names = [column.name for column in result.columns]
        rows = self.matching(result.rows, lambda row: " ".join(str(value) for value in row))
        masked = frozenset().union(*(self._view.masked.get(d.name, ()) for d in result.datasets))
        shown = masked.intersection(names)
        self.grid.put(names, [column.type for column in result.columns], rows, shown)

    def _refused(self, error: Exception) -> bool:
        if not isinstance(error, OpsdeckError):
            return False
        self._say(error)
        place = place_of(error, self.sql)
        if place is not None and not self.editor.text[:1].isspace():
            self.editor.move_cursor(place)
        self.deck.poke()  # it is in the history, too
        return True

    # events

    def on_row_table_chosen(self, _event: RowTable.Chosen) -> None:
        past: PastQuery | None = self.history.selected
        if past is not None:
            self.editor.put(past.sql)
            self.set_focus(self.editor)

    def on_row_table_moved(self, _event: RowTable.Moved) -> None:
        self.foot()

    def on_grid_chosen(self, _event: Grid.Chosen) -> None:
        self.do_query_record()

    def back(self) -> bool:
        if super().back():
            return True
        if self.has_class("answered"):
            self.do_query_history()
            return True
        return self.refocus(self.history)

    # actions

    def do_query_edit(self) -> None:
        """Go into the editor."""
        self.set_focus(self.editor)

    def do_query_cancel(self) -> None:
        """End what is under way."""
        self.deck.ops.aside.cancel()

    def do_query_history(self) -> None:
        """What was asked before, or the result again."""
        self.toggle_class("answered")
        if self._result is None:
            self.remove_class("answered")
        self.set_focus(self._beneath)

    def do_query_record(self) -> None:
        """The selected row, a column a line."""
        from screens.data.rows import show_record

        if self.has_class("answered") and self.grid.rows:
            show_record(self, self.grid, f"row {self.grid.cursor + 1}")

    def do_query_clear(self) -> None:
        """Empty the editor."""
        self.editor.put("")
        self._say(None)

    def do_query_export(self) -> None:
        """Ask for a path, then write all rows there."""
        from screens.dialogs.text import TextField

        sql, context = self.sql, self.deck.context

        def done(found: Exported) -> str:
            return f"wrote {plural(found.rows, 'row')}, {size(found.bytes)}, to {found.path}"

        def answered(path: str | None) -> None:
            if path:
                command = REGISTRY["query.export"].command_line(context, path=shlex.quote(path))
                self.work(
                    f"write {path}", "queries", "export", sql, Path(path).expanduser().absolute(),
                    then=done, command=command, failed=self._refused,
                )  # fmt: skip

        hint = "by its name: .csv, .parquet, or .jsonl (one object a line)"
        self.deck.push_screen(
            TextField("Write all rows to a file", "file", hint, value="query.csv", yes="Write"),
            answered,
        )
