"""One endpoint and its release on a screen of its own: how it stands, what happened, why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.widget import Widget

from core.domain.run import LogLine
from core.errors import EndpointUnavailable, OpsdeckError
from screens.actions import Context
from screens.background import Ask
from screens.rollouts.disagreements import disagreement_lines, told
from screens.rollouts.keys import ROOMY, EndpointKeys
from screens.rollouts.overview import head_lines, overview_lines, past_lines
from screens.rollouts.traffic import Traffic, TrafficPane, read_traffic
from screens.widgets.lines import Line
from screens.widgets.logview import LogView
from screens.widgets.sheet import Sheet
from screens.words import plural

if TYPE_CHECKING:
    from core.domain.analysis import DisagreementSummary
    from core.domain.release import Endpoint
    from core.ops import Ops

PANES = ("overview", "events", "disagreements", "traffic", "logs")
LOG_TAIL = 500
"""Lines of the servers' log that are read at first; what comes is added."""


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """An endpoint with its history, and what the pane in view shows besides.

    `lines` are those of the log that came since the last reading; `trouble` is why the pane
    could not be read.
    """

    endpoint: Endpoint
    disagreements: DisagreementSummary | None = None
    lines: tuple[LogLine, ...] = ()
    traffic: Traffic | None = None
    trouble: str = ""


class ReleaseReader:
    """Reads an endpoint, and for a pane what only that shows; used by the polling thread."""

    def __init__(self, ref: str, pane: str) -> None:
        self._ref = ref
        self._pane = pane
        self._cursor = ""

    def __call__(self, ops: Ops) -> ReleaseView:
        """Read it; raises `NotFound`. What only a pane shows does not hide the endpoint."""
        endpoint = ops.endpoints.get(self._ref)
        try:
            return self._more(endpoint, ops)
        except (EndpointUnavailable, OSError) as error:
            why = error.one_line() if isinstance(error, OpsdeckError) else str(error)
            return ReleaseView(endpoint, trouble=why)

    def _more(self, endpoint: Endpoint, ops: Ops) -> ReleaseView:
        if self._pane == "disagreements":
            return ReleaseView(endpoint, ops.endpoints.disagreements(self._ref))
        if self._pane == "traffic":
            return ReleaseView(endpoint, traffic=read_traffic(self._ref, ops))
        if self._pane != "logs":
            return ReleaseView(endpoint)
        page = ops.captures.logs(self._ref, tail=LOG_TAIL, cursor=self._cursor)
        self._cursor = page.cursor
        return ReleaseView(endpoint, lines=tuple(LogLine(0.0, "out", text) for text in page.lines))


class ReleaseScreen(EndpointKeys):
    """Panes that scroll; the first has all that one has to know without scrolling."""

    scope = "release"
    CSS = """
    ReleaseScreen Sheet { height: 1fr; scrollbar-gutter: stable; }
    ReleaseScreen LogView { height: 1fr; }
    """

    def __init__(self, name: str, *, pane: str = "overview") -> None:
        super().__init__()
        self._ref = name
        self._pane = pane
        self._view: ReleaseView | None = None
        self._asks: dict[str, Ask] = {}

    def body(self) -> ComposeResult:
        for pane in PANES[:3]:
            yield Sheet([[(" reading…", "dim")]], id=pane)
        yield TrafficPane(id="traffic")
        log = LogView(bare=True, id="logs")
        log.empty = "its servers have printed nothing yet"
        yield log

    @property
    def endpoint(self) -> Endpoint | None:
        """The endpoint, once it has been read."""
        return self._view.endpoint if self._view is not None else None

    def first_focus(self) -> Widget | None:
        return self._shown

    @property
    def _shown(self) -> Widget:
        return self.query_one(f"#{self._pane}")

    @property
    def logs(self) -> LogView:
        """What the server processes printed."""
        return self.query_one("#logs", LogView)

    def on_mount(self) -> None:
        self._lay_out()

    def on_resize(self) -> None:
        self._draw()

    def ask(self) -> Ask:
        if self._pane not in self._asks:
            every = 3.0 if self._pane in ("disagreements", "traffic") else 1.0
            reader = ReleaseReader(self._ref, self._pane)
            self._asks[self._pane] = Ask(self, reader, live=True, every=every)
        return self._asks[self._pane]

    def show(self, data: ReleaseView) -> None:
        self.logs.add(data.lines)
        if data.trouble and self._pane == "logs":
            self.logs.empty = data.trouble
        if data.traffic is not None:
            self.query_one(TrafficPane).put(data.traffic)
        kept = self._view.disagreements if self._view is not None else None
        self._view = replace(data, disagreements=data.disagreements or kept, lines=())
        self._draw()
        self.foot()

    def refilter(self) -> None:
        self.logs.search(self.filter_text)
        if self.filter_text and self._pane != "logs":
            self._show_pane("logs")

    def tick(self) -> None:
        super().tick()
        self._draw()  # what is left of a step has changed

    def _draw(self) -> None:
        view, shown = self._view, self._shown
        if view is not None and isinstance(shown, Sheet):
            now, compact = self.deck.now(), self.size.height < ROOMY
            shown.put(lambda width: pane_lines(view, self._pane, now, width, compact=compact))

    def selection(self, session: Context) -> Context:
        return replace(session, endpoint=self.endpoint)

    def copyable(self) -> str:
        return self._ref

    def status(self) -> Sequence[tuple[str, str]]:
        said: list[tuple[str, str]] = []
        for pane in PANES:
            style = "bold" if pane == self._pane else "faint"
            said += [(pane[0], "key"), (f" {pane}  ", style)]
        found = self._view.disagreements if self._view is not None else None
        if self._pane == "disagreements" and found is not None:
            said.append((told(found), "dim"))
        if self._pane == "traffic":
            said.append(("slots of 10 s, seconds before now", "dim"))
        if self._pane == "logs":
            log = self.logs
            follows = "following" if log.follow else "f follows"
            said.append((f"{plural(len(log), 'line')}, {follows}, / searches", "dim"))
        return [*self.filter_status(), *said]

    # actions

    def _show_pane(self, pane: str) -> None:
        self._pane = pane
        self._lay_out()
        self._draw()
        self.reread()

    def _lay_out(self) -> None:
        for pane in PANES:
            self.query_one(f"#{pane}").display = pane == self._pane
        self.set_focus(self._shown)

    def back(self) -> bool:
        if super().back():
            return True
        if self._pane != "overview":
            self._show_pane("overview")
            return True
        return False

    def do_overview(self) -> None:
        """How it stands now."""
        self._show_pane("overview")

    def do_events(self) -> None:
        """What happened, who and why."""
        self._show_pane("events")

    def do_disagreements(self) -> None:
        """Requests that a shadow answered differently."""
        self._show_pane("disagreements")

    def do_traffic(self) -> None:
        """Requests, latency, errors and load, as they come."""
        self._show_pane("traffic")

    def do_logs(self) -> None:
        """What its server processes printed."""
        self._show_pane("logs")

    def on_log_view_changed(self, _event: LogView.Changed) -> None:
        self.foot()


def pane_lines(
    view: ReleaseView, pane: str, now: float, width: int, *, compact: bool
) -> list[Line]:
    """The lines of one pane."""
    endpoint = view.endpoint
    if pane == "events":
        return [*head_lines(endpoint, now, width), [], *past_lines(endpoint, now, width)]
    if pane == "disagreements":
        if view.trouble:
            return [*head_lines(endpoint, now, width), [], [(f" ▲ {view.trouble}", "warn")]]
        if view.disagreements is None:
            return [[(" reading…", "dim")]]
        return disagreement_lines(view.disagreements, now, width)
    lines = overview_lines(endpoint, now, width, compact=compact)
    return [*lines, [], *past_lines(endpoint, now, width)]
