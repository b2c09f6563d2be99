"""All that is known of one resource, on a screen of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.widget import Widget

from core.aws.kind import Detail, Item, Kind
from core.errors import OpsdeckError
from screens.actions import Action
from screens.aws import words
from screens.aws.kindbar import KindBar
from screens.aws.offered import name_of
from screens.aws.raw import RawDialog
from screens.aws.resource import ResourceScreen
from screens.background import Ask
from screens.widgets.chart import Chart
from screens.widgets.sheet import Sheet

if TYPE_CHECKING:
    from core.aws.account import Account

MOST_CHARTS = 4
_NOT_HERE = frozenset({"aws.new", "aws.next", "aws.before", "aws.pane", "aws.full"})


@dataclass(frozen=True, slots=True)
class Seen:
    """A description as it was read now, or why it could not be."""

    detail: Detail | None
    error: OpsdeckError | None


class DetailScreen(ResourceScreen):
    """The description, its charts beneath, read again as often as the kind's list."""

    CSS = """
    DetailScreen #main { height: 1fr; layout: horizontal; }
    DetailScreen #all { width: 1fr; height: 100%; }
    DetailScreen #charts { width: 50%; height: 100%; }
    DetailScreen #charts.off { display: none; }
    DetailScreen #charts Chart { height: 1fr; min-height: 6; }
    DetailScreen.-narrow #main { layout: vertical; }
    DetailScreen.-narrow #all { width: 100%; height: 1fr; }
    DetailScreen.-narrow #charts { width: 100%; height: 9; }
    """

    def __init__(self, kind: Kind, item: Item, trail: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.kind = kind
        self.item = item
        self._trail = trail or (kind.title,)
        self._seen = Seen(None, None)
        self._ask = Ask(self, self._read, live=True, every=max(2.0, kind.every))
        self._charts: list[Chart] = []

    def kind_now(self) -> Kind | None:
        return self.kind

    def item_now(self) -> Item | None:
        return self.item

    def way(self) -> Sequence[str]:
        return self._trail

    @property
    def trouble(self) -> str:
        return self._seen.error.code if self._seen.error is not None else ""

    def body(self) -> ComposeResult:
        title = name_of(self.item)
        yield KindBar([title], self._trail, id="bar")
        with Container(id="main"):
            yield Sheet(id="all")
            yield Vertical(id="charts", classes="off")

    def first_focus(self) -> Widget | None:
        return self.query_one("#all", Sheet)

    def ask(self) -> Ask:
        return self._ask

    def _read(self, account: Account) -> Seen:
        try:
            return Seen(self.kind.show(account, self.item.id), None)
        except OpsdeckError as error:
            return Seen(self._seen.detail, error)

    def show(self, data: Seen) -> None:
        self._seen = data
        if data.detail is not None and data.detail.item is not None:
            self.item = data.detail.item
        self._draw()

    def _draw(self) -> None:
        seen, text = self._seen, self.filter_text.lower().split()

        def write(width: int) -> list[Any]:
            lines = words.error_lines(seen.error, width) if seen.error is not None else []
            lines += words.detail_lines(seen.detail, width) if seen.detail is not None else []
            if not text:
                return lines
            return [
                line
                for line in lines
                if all(word in "".join(piece for piece, _ in line).lower() for word in text)
            ]

        self.query_one("#all", Sheet).put(write)
        self._put_charts(seen.detail)

    def _put_charts(self, detail: Detail | None) -> None:
        wanted = detail.charts[:MOST_CHARTS] if detail is not None else ()
        place = self.query_one("#charts", Vertical)
        place.set_class(not wanted, "off")
        while len(self._charts) < len(wanted):
            chart = Chart()
            chart.empty = "no value yet"
            self._charts.append(chart)
            place.mount(chart)
        now = self.deck.now()
        for number, chart in enumerate(self._charts):
            chart.display = number < len(wanted)
            if number < len(wanted):
                title, series = words.chart_series(wanted[number], now)
                chart.put(series, title)

    def refilter(self) -> None:
        self._draw()

    def copyable(self) -> str:
        return self.item.id

    # actions

    def fitted(self, action: Action) -> Action | None:
        if action.id in _NOT_HERE or (action.id == "aws.open" and not self.kind.child):
            return None
        return super().fitted(action)

    def key_enter(self) -> None:
        """Key: what is below it."""
        if self.kind.child:
            self.do_aws_open()

    def do_aws_raw(self) -> None:
        """As AWS told it."""
        detail = self._seen.detail
        raw = detail.raw if detail is not None and detail.raw else self.item.raw
        self.deck.push_screen(RawDialog(self.item.id, raw))
