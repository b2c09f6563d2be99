"""All that is known of one resource, on a screen of its own; and the JSON that AWS told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.widget import Widget

from core.aws.kind import Detail, Item, Kind, Verb
from core.errors import OpsdeckError
from screens.actions import Action
from screens.aws import words
from screens.aws.actions import VERB
from screens.aws.details import Details
from screens.aws.kindbar import KindBar
from screens.aws.offered import name_of, verbs_of
from screens.aws.verbs import run_verb
from screens.background import Ask
from screens.base import ModeScreen
from screens.dialogs.base import Choice, Dialog
from screens.widgets.chart import Chart
from screens.widgets.sheet import Sheet

if TYPE_CHECKING:
    from core.aws.account import Account
    from screens.aws.backend import AwsBackend
    from screens.deck import Deck

MOST_CHARTS = 4


@dataclass(frozen=True, slots=True)
class Seen:
    """A description as it was read now, or why it could not be."""

    detail: Detail | None
    error: OpsdeckError | None


class DetailScreen(ModeScreen):
    """The description, its charts beneath, read again as often as the kind's list."""

    scope = "aws"
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

    @property
    def account(self) -> Account:
        """The account."""
        return cast("AwsBackend", self.deck.backend).account

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

    def _verb_of(self, key: str) -> Verb | None:
        verbs = verbs_of(self.kind, self.account)
        return next((verb for verb in verbs if verb.key == key), None)

    def fitted(self, action: Action) -> Action | None:
        from dataclasses import replace

        if action.id.startswith(VERB):
            verb = self._verb_of(action.id.removeprefix(VERB))
            if verb is None:
                return None
            return replace(
                action, label=verb.label, help=verb.help, dangerous=verb.dangerous,
                enabled=lambda _context: verb.blocked(self.item),
            )  # fmt: skip
        if action.id in ("aws.new", "aws.next", "aws.before", "aws.pane", "aws.full"):
            return None
        if action.id == "aws.open" and not self.kind.child:
            return None
        return None if action.id == "aws.logs" and self.kind.logs is None else action

    def handler(self, action: Action) -> Callable[[], None] | None:
        if action.id.startswith(VERB):
            verb = self._verb_of(action.id.removeprefix(VERB))
            if verb is not None:
                return partial(run_verb, self.deck, self.account, self.kind, verb, self.item)
        return super().handler(action)

    def key_enter(self) -> None:
        """Key: what is below it."""
        if self.kind.child:
            self.do_aws_open()

    def do_aws_open(self) -> None:
        """What is below it."""
        from core.aws.registry import kind as kind_of
        from screens.aws.screen import KindsScreen

        way = (*self._trail, name_of(self.item))
        child = kind_of(self.kind.child)
        self.deck.push_screen(KindsScreen(kinds=[child], parent=self.item.id, trail=way))

    def do_aws_raw(self) -> None:
        """As AWS told it."""
        detail = self._seen.detail
        raw = detail.raw if detail is not None and detail.raw else self.item.raw
        self.deck.push_screen(RawDialog(self.item.id, raw))

    def do_aws_logs(self) -> None:
        """What it printed."""
        from screens.aws.logs import LogScreen

        self.deck.push_screen(LogScreen(self.kind, self.item))

    def do_aws_menu(self) -> None:
        """All verbs."""
        from screens.aws.menu import open_menu

        open_menu(self.deck, self.account, self.kind, self.item)


class RawDialog(Dialog[None]):
    """JSON as AWS told it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,J", "cancel", show=False)]
    box_width = 110
    focus_at = "#raw"

    def __init__(self, title: str, raw: Mapping[str, Any]) -> None:
        super().__init__()
        self.heading = title
        self._lines_to_show = words.raw_lines(raw)

    def compose(self) -> ComposeResult:
        box = Vertical(id="box", classes="tall")
        box.border_title = self.heading
        with box:
            yield Sheet(self._lines_to_show, id="raw")
            with Horizontal(id="choices"):
                yield Choice("Close", "esc", id="cancel")


def open_raw(deck: Deck, details: Details, kind: Kind, item: Item) -> None:
    """The description's JSON where it has been read, else that of the row."""
    known = details.known(kind.name, item.id)
    detail = known.detail if known is not None else None
    raw = detail.raw if detail is not None and detail.raw else item.raw
    deck.push_screen(RawDialog(item.id, raw))
