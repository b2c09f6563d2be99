"""A mode of an AWS account: its kinds of resources as tabs, one list, the selected one described.

The same screen shows what is below a resource, with the way there in place of the tabs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.timer import Timer

from core.aws.errors import ExpiredCredentials, NoCredentials
from core.aws.kind import Item, Kind
from screens.actions import Action, Context
from screens.aws import words
from screens.aws.kindbar import KindBar
from screens.aws.kindsof import kinds_shown
from screens.aws.listing import STEP, Listed, Listing
from screens.aws.pane import pane_lines
from screens.aws.resource import ResourceScreen
from screens.background import Ask
from screens.listing import ListScreen
from screens.widgets.lines import Line, wrapped
from screens.widgets.page import Page
from screens.widgets.sheet import Sheet
from screens.widgets.table import RowTable

REST_SECONDS = 0.3
"""How long the cursor rests on a resource before its description is asked for."""
FILTERED_AT_LEAST = 200
"""With a filter, the listing is read on until so many match, or a good deal has been read."""
FILTER_REACH = 10_000


class Described(Message):
    """A description has come."""

    def __init__(self, kind: str, id_: str) -> None:
        super().__init__()
        self.kind = kind
        self.id_ = id_


class KindsScreen(ResourceScreen, ListScreen):
    """`mode`: the first screen of a mode. Else one kind, below `parent`, reached by `trail`."""

    CSS = """
    KindsScreen #main { height: 1fr; layout: horizontal; }
    KindsScreen #list { width: 1fr; height: 100%; }
    KindsScreen #pane { width: 46%; height: 100%; border-left: solid #2a3643; }
    KindsScreen #pane:focus { border-left: solid #62b6cb; }
    KindsScreen.-narrow #main { layout: vertical; }
    KindsScreen.-narrow #list { width: 100%; height: 1fr; }
    KindsScreen.-narrow #pane { width: 100%; height: 45%; border-left: none;
      border-top: solid #2a3643; }
    KindsScreen #pane.off { display: none; }
    """

    def __init__(
        self,
        mode: str = "",
        *,
        kinds: Sequence[Kind] | None = None,
        parent: str = "",
        trail: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.mode = mode
        self._kinds = list(kinds if kinds is not None else kinds_shown(mode))
        self._above = parent
        self._trail = tuple(trail)
        self._at = 0
        self._listings: dict[str, Listing] = {}
        self._asks: dict[str, Ask] = {}
        self._selected: dict[str, str | None] = {}
        self._filters: dict[str, str] = {}
        self._wished_id = ""
        self._resting: Timer | None = None
        self._pane_on = True
        self._drawn: tuple[str, str] = ("", "")

    # what is in view

    @property
    def kind(self) -> Kind | None:
        """The kind in view."""
        return self._kinds[self._at] if self._kinds else None

    @property
    def listing(self) -> Listing | None:
        """The listing in view."""
        kind = self.kind
        if kind is None:
            return None
        if kind.name not in self._listings:
            self._listings[kind.name] = Listing(kind, self._above)
        return self._listings[kind.name]

    @property
    def item(self) -> Item | None:
        """The selected resource."""
        found: Item | None = self.table.selected
        return found

    def kind_now(self) -> Kind | None:
        return self.kind

    def item_now(self) -> Item | None:
        return self.item

    def way(self) -> Sequence[str]:
        return (*self._trail, self.kind.title) if self.kind is not None else self._trail

    @property
    def trouble(self) -> str:
        listing = self.listing
        error = listing.last.error if listing is not None else None
        return error.code if error is not None else ""

    def answers(self, mode: str) -> bool:
        return bool(self.mode) and self.mode == mode

    def body(self) -> ComposeResult:
        yield KindBar([kind.title for kind in self._kinds], self._trail, id="bar")
        yield Page(lambda _width: [], id="notice")
        with Container(id="main"):
            yield RowTable((), lambda _row: (), lambda item: item.id, id="list")
            yield Sheet(id="pane")

    def on_mount(self) -> None:
        super().on_mount()
        self._reshape()

    # reading

    def ask(self) -> Ask:
        wish = self.deck.wish(self.mode) if self.mode else ""
        if wish:
            self._obey(wish)
        kind, listing = self.kind, self.listing
        if kind is None or listing is None:
            return self._asks.setdefault("", Ask(self, lambda _account: None, every=60.0))
        if kind.name not in self._asks:
            every = max(1.0, kind.every)
            self._asks[kind.name] = Ask(self, listing.read, live=True, every=every)
        return self._asks[kind.name]

    def show(self, data: Listed) -> None:
        listing = self.listing
        if listing is None or data is not listing.last:
            return  # of a tab that is not in view any more
        self.refilter()
        self._notice()
        self._describe()
        if data.fetching or self._wants_more(data):
            self.deck.poke()

    def _wants_more(self, data: Listed) -> bool:
        """Whether a filter has left so few that more is to be read for it."""
        listing = self.listing
        if not self.filter_text or not data.more or listing is None:
            return False
        few = self.table.total < FILTERED_AT_LEAST and len(data.items) < FILTER_REACH
        return few and listing.want(len(data.items) + STEP)

    def refilter(self) -> None:
        listing = self.listing
        if listing is None or not self.query("#list"):
            return
        data = listing.last
        if not data.read:
            return
        self.table.empty = self._empty()
        items = data.items
        self.table.put(self.matching(items, words.searched) if self.filter_text else items)
        if self._wished_id:
            self.table.select(self._wished_id)
            if self.table.selected is not None and self.table.selected.id == self._wished_id:
                self._wished_id = ""

    def filtered(self, text: str) -> None:
        super().filtered(text)
        listing = self.listing
        if listing is not None and self._wants_more(listing.last):
            self.deck.poke()

    def _empty(self) -> str:
        kind, listing = self.kind, self.listing
        if kind is None or listing is None:
            return "no kind of resource stands here"
        if self.filter_text:
            return "nothing matches this filter: esc clears it"
        if listing.last.error is not None:
            return "not known"
        return f"no {kind.title.lower()} here" + (", n makes one" if kind.create else "")

    def _notice(self) -> None:
        kind, listing = self.kind, self.listing
        notice = kind.notice if kind is not None else ""
        error = listing.last.error if listing is not None else None

        def write(width: int) -> list[Line]:
            lines = words.error_lines(error, width) if error is not None else []
            return lines + (wrapped([(f" ▲ {notice}", "warn")], width, 3) if notice else [])

        for page in self.query("#notice").results(Page):
            page.put(write)

    # tabs

    def _reshape(self) -> None:
        """The kind in view has changed."""
        kind = self.kind
        if kind is None:
            self.table.reshape((), lambda _row: (), "no kind of resource stands here")
            self.table.put(())
            return
        self.query_one("#bar", KindBar).put(self._at, [each.title for each in self._kinds])
        empty = "reading…"
        now = self.deck.now
        self.table.reshape(
            words.columns_of(kind), lambda item: words.cells_of(kind, item, now()), empty
        )
        self.table.selected_key = self._selected.get(kind.name)
        self.refilter()
        self._notice()
        self._draw_pane()

    def _show_tab(self, place: int) -> None:
        if not self._kinds or place == self._at:
            return
        kind = self._kinds[self._at]
        self._selected[kind.name] = self.table.selected_key
        self._filters[kind.name] = self.filter_text
        self._at = place % len(self._kinds)
        self.filter_text = self._filters.get(self._kinds[self._at].name, "")
        self._reshape()
        self.reread()
        self._rest()

    def _obey(self, wish: str) -> None:
        """Show the kind that was asked for: "kind", filter and id, with tabs between."""
        from core.aws.registry import kind as kind_of

        name, text, id_ = (*wish.split("\t"), "", "")[:3]
        kind = kind_of(name)
        if kind not in self._kinds:
            self._kinds.append(kind)
        if self.is_mounted:
            self._show_tab(self._kinds.index(kind))
        else:
            self._at = self._kinds.index(kind)
        self.filter_text, self._wished_id = text, id_
        if self.is_mounted:
            self.refilter()

    # the description

    def _rest(self) -> None:
        """The cursor has moved: describe what it rests on in a moment."""
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(REST_SECONDS, self._describe)

    def _describe(self) -> None:
        self._draw_pane()
        kind, item = self.kind, self.item
        if kind is None or item is None or not self._pane_on:
            return
        details = self.backend.details
        if not details.fresh(kind, item.id):
            details.load(self.account, kind, item.id, self._described)

    def _described(self, key: tuple[str, str]) -> None:
        """In the thread that has read it."""
        self.post_message(Described(*key))

    def on_described(self, _event: Described) -> None:
        self._draw_pane()
        kind, item = self.kind, self.item
        if kind is not None and item is not None and not self.backend.details.fresh(kind, item.id):
            self._rest()

    def _draw_pane(self) -> None:
        if not self.query("#pane"):
            return  # it is being put together, or taken down
        sheet = self.query_one("#pane", Sheet)
        sheet.set_class(not self._pane_on, "off")
        kind, item = self.kind, self.item
        if kind is None or item is None:
            sheet.put(lambda _width: [])
            return
        known = self.backend.details.known(kind.name, item.id)
        top = self._drawn != (kind.name, item.id)
        self._drawn = (kind.name, item.id)
        now = self.deck.now()
        sheet.put(lambda width: pane_lines(kind, item, known, now, width), top=top)

    # events

    def on_row_table_moved(self, _event: RowTable.Moved) -> None:
        listing = self.listing
        if listing is not None and not self.filter_text:
            near = self.table.cursor >= self.table.total - 2 * self.table.page
            if near and listing.want(self.table.total + STEP):
                self.deck.poke()
        self._draw_pane()
        self._rest()
        self.foot()

    def on_row_table_chosen(self, _event: RowTable.Chosen) -> None:
        self.deck.perform("aws.open")

    def on_kind_bar_picked(self, event: KindBar.Picked) -> None:
        self._show_tab(event.place)

    def selection(self, session: Context) -> Context:
        item = self.item
        return replace(session, ref=item.id if item is not None else "")

    def copyable(self) -> str:
        return self.item.id if self.item is not None else ""

    def status(self) -> Sequence[tuple[str, str]]:
        line = self.filter_status()
        kind, listing = self.kind, self.listing
        if kind is None or listing is None:
            return [("no kind of resource stands here", "faint")]
        if not listing.last.read:
            return [*line, ("reading…", "faint")]
        data = listing.last
        count = words.count_text(len(data.items), data.more, kind.title.lower())
        if self.filter_text:
            line.append((f"{self.table.total:,} of {count}", "faint"))
        elif self.table.total:
            line.append((f"{self.table.cursor + 1:,} of {count}", "faint"))
        if data.fetching:
            line.append((" …", "faint"))
        elif data.more:
            line.append(("   the end fetches more", "faint"))
        return line

    # actions

    def fitted(self, action: Action) -> Action | None:
        if action.id in ("aws.next", "aws.before") and len(self._kinds) < 2:
            return None
        return super().fitted(action)

    def do_refresh(self) -> None:
        """Read all of it anew, with the credentials there are now if they were the trouble."""
        listing = self.listing
        if listing is None:
            return
        if isinstance(listing.last.error, (ExpiredCredentials, NoCredentials)):
            self.backend.renew()
        listing.again()
        self.backend.details.forget()
        self.deck.poke()
        self.deck.tell("reading again")

    def do_aws_next(self) -> None:
        """The next kind."""
        self._show_tab((self._at + 1) % max(len(self._kinds), 1))

    def do_aws_before(self) -> None:
        """The kind before."""
        self._show_tab((self._at - 1) % max(len(self._kinds), 1))

    def do_aws_pane(self) -> None:
        """Show or hide the description."""
        self._pane_on = not self._pane_on
        self._describe()
