"""The first screen of an AWS account: what is wrong, what waits, what runs, and how much of each
kind there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget

from core.aws.kind import Item, Kind
from core.errors import OpsdeckError
from screens.aws import words
from screens.aws.kindsof import mode_of
from screens.aws.overview import NEEDING, Count, Overview, Overviewer
from screens.background import Ask
from screens.base import ModeScreen
from screens.widgets.lines import Line
from screens.widgets.page import Page
from screens.widgets.table import Cell, Column, RowTable
from screens.words import plural, span

HISTORY_SECONDS = 7 * 86_400.0
"""How long something that ended badly needs somebody."""
_OF_RUNS = ("runs", "models", "approvals")
_WORDS = {"bad": "wrong", "wait": "waits", "run": "runs"}


@dataclass(frozen=True, slots=True)
class Needing:
    """A resource that is wrong, waits or runs."""

    kind: Kind
    item: Item


def needing(overview: Overview, now: float) -> list[Needing]:
    """What is wrong, then what waits, then what runs; the newest of each first.

    A run that failed, or a version that was rejected, is history after some days.
    """
    found = [
        Needing(count.kind, item)
        for count in overview.counts
        for item in count.items
        if item.tone in NEEDING and not _over(count.kind, item, now)
    ]
    return sorted(found, key=lambda one: (NEEDING.index(one.item.tone), -(one.item.changed or 0.0)))


def _over(kind: Kind, item: Item, now: float) -> bool:
    old = item.changed is not None and now - item.changed > HISTORY_SECONDS
    return item.tone == "bad" and old and mode_of(kind.name) in _OF_RUNS


def verdict(overview: Overview | None, now: float) -> Line:
    """One line: how it stands."""
    if overview is None:
        return [(" reading…", "faint")]
    pieces: list[tuple[str, str]] = []
    told = needing(overview, now)
    for tone in NEEDING:
        number = sum(one.item.tone == tone for one in told)
        if number:
            glyph, style = words.sign(tone)
            verb = _WORDS[tone] if number == 1 else _WORDS[tone].removesuffix("s")
            pieces.append((f" {glyph} {number} {verb if tone != 'bad' else 'wrong'} ", style))
    unknown = sum(count.error is not None for count in overview.counts)
    if unknown:
        pieces.append((f" ⊘ {plural(unknown, 'kind')} could not be read ", "warn"))
    if overview.waiting:
        pieces.append((" reading on…", "faint"))
    return pieces or [(" ✓ nothing is wrong, nothing waits, nothing runs", "ok")]


def count_cells(count: Count) -> Sequence[Cell]:
    """A kind with how many there are of each tone."""
    if count.error is not None:
        error = count.error
        code = error.code if isinstance(error, OpsdeckError) else type(error).__name__
        said = error.message if isinstance(error, OpsdeckError) else str(error)
        return ((count.kind.title, "text"), (f"⊘ {code}", "warn"), [(said, "dim")])
    if not count.read:
        return ((count.kind.title, "text"), ("…", "faint"), [("", "dim")])
    total = f"{len(count.items):,}{'+' if count.more else ''}"
    tones: list[tuple[str, str]] = []
    for tone in ("bad", "wait", "run", "ok", "dim"):
        number = count.of(tone)
        if number:
            glyph, style = words.sign(tone)
            tones.append((f"{glyph} {number}  ", style))
    return ((count.kind.title, "text"), (total, "bold" if count.items else "faint"), tones)


def needing_cells(one: Needing, now: float) -> Sequence[Cell]:
    """A resource that needs somebody, or is at work."""
    glyph, style = words.sign(one.item.tone)
    name, *rest = one.item.cells or (one.item.id,)
    old = "" if one.item.changed is None else span(max(0.0, now - one.item.changed))
    return (
        [(f"{glyph} ", style), (name, "text")],
        (one.kind.title, "dim"),
        ("  ".join(text for text in rest if text), "dim"),
        (old, "dim"),
    )


class PulseScreen(ModeScreen):
    """Two lists: what needs somebody or is at work, and all main kinds."""

    scope = "awspulse"
    CSS = """
    PulseScreen #panes { height: 1fr; layout: horizontal; }
    PulseScreen #panes RowTable { height: 100%; }
    PulseScreen #needing { width: 3fr; }
    PulseScreen #kinds { width: 2fr; }
    PulseScreen.-narrow #panes { layout: vertical; }
    PulseScreen.-narrow #panes RowTable { width: 100%; height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._reader = Overviewer()
        self._overview: Overview | None = None
        self._ask = Ask(self, self._reader, live=True, every=2.0)

    def answers(self, mode: str) -> bool:
        return mode == "pulse"

    def body(self) -> ComposeResult:
        yield Page(lambda _width: [verdict(self._overview, self.deck.now())], id="verdict")
        with Container(id="panes"):
            yield RowTable(
                (
                    Column("", 16, grow=3),
                    Column("", 12, grow=1),
                    Column("", 10, grow=2, drop=1),
                    Column("", 4, align="right"),
                ),
                lambda row: needing_cells(row, self.deck.now()),
                lambda row: f"{row.kind.name}/{row.item.id}",
                empty="nothing needs you, nothing runs",
                header=False,
                pane=True,
                moving=lambda _row: True,
                id="needing",
                classes="pane",
            )
            yield RowTable(
                (Column("", 16, grow=1), Column("", 6), Column("", 14, grow=1)),
                count_cells,
                lambda row: row.kind.name,
                empty="no kinds of resources",
                header=False,
                pane=True,
                id="kinds",
                classes="pane",
            )

    def first_focus(self) -> Widget | None:
        return self.query_one("#needing", RowTable)

    def ask(self) -> Ask:
        return self._ask

    def show(self, data: Overview) -> None:
        self._overview = data
        now = self.deck.now()
        self.query_one("#verdict", Page).put(lambda _width: [verdict(data, now)])
        self.refilter()
        if data.waiting:
            self.deck.poke()

    def refilter(self) -> None:
        if self._overview is None:
            return
        found = self.matching(
            needing(self._overview, self.deck.now()),
            lambda one: f"{one.kind.title} {words.searched(one.item)}",
        )
        table = self.query_one("#needing", RowTable)
        table.put(found)
        table.border_title = f"needs you, or is at work {len(found) or ''}".rstrip()
        kinds = self.query_one("#kinds", RowTable)
        kinds.put(self.matching(self._overview.counts, lambda count: count.kind.title))
        kinds.border_title = "resources"

    def _selected(self) -> Any:
        table = self.focused
        return table.selected if isinstance(table, RowTable) else None

    def copyable(self) -> str:
        row = self._selected()
        return row.item.id if isinstance(row, Needing) else ""

    def status(self) -> Sequence[tuple[str, str]]:
        row = self._selected()
        if isinstance(row, Count) and isinstance(row.error, OpsdeckError):
            return [*self.filter_status(), (row.error.one_line(), "warn")]
        return self.filter_status()

    def on_row_table_moved(self, _event: RowTable.Moved) -> None:
        self.foot()

    def on_row_table_chosen(self, _event: RowTable.Chosen) -> None:
        self.do_awspulse_open()

    # actions

    def do_refresh(self) -> None:
        """Read all of it anew."""
        self._reader.again()
        self.deck.poke()
        self.deck.tell("reading again")

    def do_awspulse_next(self) -> None:
        """To the next pane."""
        self.focus_next()

    def do_awspulse_open(self) -> None:
        """Go to what is selected."""
        row = self._selected()
        if isinstance(row, Needing):
            self.deck.go(mode_of(row.kind.name), f"{row.kind.name}\t\t{row.item.id}")
        elif isinstance(row, Count):
            self.deck.go(mode_of(row.kind.name), row.kind.name)
