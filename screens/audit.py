"""The journal: everything that anybody or anything did, and the proof that it is whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from textual.app import ComposeResult

from screens.actions import Context
from screens.background import Ask, Change
from screens.listing import ListScreen
from screens.registry import REGISTRY
from screens.widgets.lines import Line
from screens.widgets.sheet import Sheet
from screens.widgets.table import WINDOW, Cell, Column, RowTable
from screens.words import clock_time, full_time, params, plural

if TYPE_CHECKING:
    from core.domain.journal import ChainReport, JournalEntry
    from core.ops import Ops

SEARCH_LIMIT = 2000
"""How many entries a search shows at most."""


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which entries are wanted: a window of all, or the newest that match a search."""

    search: str = ""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class AuditView:
    """Entries, newest first, from `query.offset` on, of `total`."""

    query: AuditQuery
    total: int
    rows: tuple[JournalEntry, ...]


def read_audit(query: AuditQuery, ops: Ops) -> AuditView:
    """Read a window of the journal (off the event loop)."""
    if query.search:
        found = tuple(ops.audit.list(limit=SEARCH_LIMIT, search=query.search))
        return AuditView(replace(query, offset=0), len(found), found)
    total = ops.audit.count()
    offset = max(0, min(query.offset, total - WINDOW))
    before = total - offset + 1 if offset else None  # numbers have no gaps
    rows = tuple(ops.audit.list(limit=WINDOW, before=before))
    return AuditView(replace(query, offset=offset), total, rows)


COLUMNS = (
    Column("#", 6, align="right"),
    Column("WHEN", 11),
    Column("WHO", 10, grow=1),
    Column("ACTION", 18, grow=1),
    Column("SUBJECT", 20, grow=2),
    Column("DETAIL", 10, grow=4, drop=1),
)


def entry_cells(entry: JournalEntry, now: float) -> Sequence[Cell]:
    """An entry as a row."""
    return (
        (str(entry.seq), "dim"),
        (clock_time(entry.at, now), "dim"),
        entry.actor,
        (entry.action, "accent"),
        entry.subject,
        (params(entry.detail), "dim"),
    )


def entry_lines(entry: JournalEntry) -> list[Line]:
    """All of an entry, with the hashes that chain it."""
    pairs = [
        ("entry", str(entry.seq)),
        ("at", full_time(entry.at)),
        ("who", entry.actor),
        ("action", entry.action),
        ("subject", entry.subject),
        *((str(key), str(value)) for key, value in entry.detail.items()),
    ]
    lines: list[Line] = [[(f"  {key:<14} ", "dim"), (value, "text")] for key, value in pairs]
    return [
        *lines,
        [("  hash before    ", "dim"), (entry.previous_hash, "faint")],
        [("  hash           ", "dim"), (entry.hash, "accent")],
    ]


class AuditScreen(ListScreen):
    """The journal above, the selected entry beneath."""

    scope = "audit"
    CSS = """
    AuditScreen #list { height: 1fr; }
    AuditScreen #entry { height: 12; }
    AuditScreen.-low #entry { height: 8; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._query = AuditQuery()
        self._total = 0
        self._verified: ChainReport | None = None

    def body(self) -> ComposeResult:
        yield RowTable(
            COLUMNS,
            lambda entry: entry_cells(entry, self.deck.now()),
            lambda entry: str(entry.seq),
            empty="the journal is empty",
            id="list",
        )
        yield Sheet(id="entry", classes="pane")

    @property
    def entry(self) -> JournalEntry | None:
        """The selected entry."""
        found: JournalEntry | None = self.table.selected
        return found

    def ask(self) -> Ask:
        return Ask(self, partial(read_audit, self._query))

    def show(self, data: AuditView) -> None:
        if data.query.search == self._query.search:
            self._total = data.total
            self.table.put(data.rows, total=data.total, offset=data.query.offset)
            self._entry()

    def _entry(self) -> None:
        entry = self.entry
        self.query_one("#entry", Sheet).put(
            lambda _width: entry_lines(entry) if entry is not None else []
        )

    def on_row_table_window_wanted(self, event: RowTable.WindowWanted) -> None:
        self._query = replace(self._query, offset=event.offset)
        self.deck.read(self.ask())

    def on_row_table_moved(self, _event: RowTable.Moved) -> None:
        self._entry()
        self.foot()

    def filtered(self, text: str) -> None:
        self._query = AuditQuery(search=text.strip())
        self.table.select_first()
        super().filtered(text)

    def selection(self, session: Context) -> Context:
        return replace(session, entry=self.entry)

    def copyable(self) -> str:
        return self.entry.hash if self.entry is not None else ""

    def status(self) -> Sequence[tuple[str, str]]:
        line = self.filter_status()
        count = plural(self._total, "entry").replace("entrys", "entries")
        most = "at least " if self._query.search and self._total >= SEARCH_LIMIT else ""
        line.append((most + count, "faint"))
        report = self._verified
        if report is not None and report.ok:
            line.append((f"   ✓ chain verified: {report.entries:,} entries", "ok"))
        elif report is not None:
            line.append((f"   ✗ chain broken at entry {report.broken_seq}", "bad"))
        return line

    # actions

    def do_audit_verify(self) -> None:
        """Prove the chain, off the event loop."""
        self.deck.change(
            Change(
                group="audit",
                title="verify the chain",
                call=lambda ops: ops.audit.verify(),
                then=self._verify_ended,
                command=REGISTRY["audit.verify"].command_line(self.deck.context),
            )
        )

    def _verify_ended(self, report: ChainReport) -> str:
        self._verified = report
        if report.ok:
            return f"the chain holds: {report.entries:,} entries, head {report.head[:12]}"
        from screens.dialogs.notice import TextDialog

        lines: list[Line] = [
            [(f"✗ entry {report.broken_seq} does not hold", "bad")],
            [(report.reason, "text")],
            [],
            [("Somebody has edited the journal, or the file is damaged.", "text")],
            [("Everything before that entry is proved; nothing after it is.", "text")],
        ]
        self.deck.push_screen(TextDialog("The chain is broken", lines, width=76))
        return ""

    def do_audit_subject(self) -> None:
        """Only entries about the same thing."""
        if self.entry is not None:
            self.filtered(self.entry.subject)
