"""Endpoints and what is being deployed to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from textual.app import ComposeResult

from core.errors import NotFound
from screens.actions import Context
from screens.background import Ask
from screens.listing import ListScreen
from screens.rollouts.keys import ROOMY, EndpointKeys
from screens.rollouts.ladder import next_action
from screens.rollouts.overview import endpoint_lines
from screens.rollouts.state import effective, serving, state_of
from screens.widgets.lines import Line
from screens.widgets.sheet import Sheet
from screens.widgets.table import Cell, Column, RowTable
from screens.words import percent, plural, short

if TYPE_CHECKING:
    from core.domain.release import Endpoint
    from core.ops import Ops


@dataclass(frozen=True, slots=True)
class DeploysView:
    """All endpoints, and the selected one with its history."""

    rows: tuple[Endpoint, ...]
    detail: Endpoint | None


def read_deploys(name: str | None, ops: Ops) -> DeploysView:
    """Read the endpoints (off the event loop); asks their supervisors."""
    rows = tuple(ops.endpoints.list())
    wanted = name or (rows[0].name if rows else None)
    if wanted is None:
        return DeploysView(rows, None)
    try:
        return DeploysView(rows, ops.endpoints.get(wanted))
    except NotFound:
        return DeploysView(rows, None)


COLUMNS = (
    Column("ENDPOINT", 14, grow=2),
    Column("STATE", 13),
    Column("SERVES", 12, grow=1),
    Column("RPS", 7, align="right"),
    Column("ERRORS", 7, align="right"),
    Column("P99", 8, align="right"),
    Column("NEXT", 12, grow=4, drop=1),
)


def endpoint_cells(endpoint: Endpoint, now: float) -> Sequence[Cell]:
    """An endpoint as a row."""
    status = state_of(endpoint)
    endpoint = effective(endpoint)
    share = 100 * endpoint.errors / endpoint.requests if endpoint.requests else 0.0
    upcoming: Line = []
    if endpoint.deployment is not None:
        upcoming = next_action(endpoint.deployment, now, endpoint.analysis)
    quiet = not endpoint.supervisor_pid
    return (
        (endpoint.name, "bold"),
        (status.text, status.style),
        serving(endpoint),
        ("–" if quiet else short(endpoint.rps), "dim" if quiet else "text"),
        ("–" if quiet else percent(share), "bad" if endpoint.errors else "dim"),
        ("–" if endpoint.p99_ms is None else f"{short(endpoint.p99_ms)} ms", "dim"),
        list(upcoming) or [("–", "faint")],
    )


class DeploysScreen(EndpointKeys, ListScreen):
    """The endpoints above, beneath them the release of the selected one; enter opens it."""

    scope = "deploys"
    CSS = """
    DeploysScreen #list { height: auto; max-height: 30%; min-height: 2; }
    DeploysScreen #tree { height: 1fr; scrollbar-gutter: stable; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[Endpoint, ...] = ()
        self._detail: Endpoint | None = None
        self._asked: str | None = None

    def body(self) -> ComposeResult:
        yield RowTable(
            COLUMNS,
            lambda endpoint: endpoint_cells(endpoint, self.deck.now()),
            lambda endpoint: endpoint.name,
            empty="no endpoint yet: approve a version, or deploy one from Models",
            id="list",
        )
        yield Sheet(id="tree", classes="pane")

    @property
    def endpoint(self) -> Endpoint | None:
        """The selected endpoint, with its history where it has been read."""
        row: Endpoint | None = self.table.selected
        if row is not None and self._detail is not None and self._detail.name == row.name:
            return self._detail
        return row

    def ask(self) -> Ask:
        self._asked = self.table.selected_key
        return Ask(self, partial(read_deploys, self._asked), live=True)

    def show(self, data: DeploysView) -> None:
        self._rows, self._detail = data.rows, data.detail
        self.refilter()

    def refilter(self) -> None:
        self.table.put(self.matching(self._rows, lambda endpoint: endpoint.name))
        self._tree()

    def _tree(self) -> None:
        endpoint = self.endpoint
        sheet = self.query_one("#tree", Sheet)
        if endpoint is None:
            sheet.put(lambda _width: [])
            return
        now, compact = self.deck.now(), self.size.height < ROOMY
        sheet.put(lambda width: endpoint_lines(endpoint, now, width, compact=compact))

    def tick(self) -> None:
        super().tick()
        self._tree()  # what is left of a step has changed

    def on_row_table_moved(self, _event: RowTable.Moved) -> None:
        # The table tells of new figures too: only another endpoint is another question, and
        # what another screen reads goes on.
        if self.table.selected_key != self._asked and self.is_current:
            self.deck.read(self.ask())
        self._tree()
        self.foot()

    def on_row_table_chosen(self, _event: RowTable.Chosen) -> None:
        self.deck.perform("deploys.open")

    def selection(self, session: Context) -> Context:
        return replace(session, endpoint=self.endpoint)

    def copyable(self) -> str:
        return self.endpoint.name if self.endpoint is not None else ""

    def status(self) -> Sequence[tuple[str, str]]:
        return [*self.filter_status(), (plural(len(self._rows), "endpoint"), "faint")]

    # actions

    def do_open(self) -> None:
        """The release on a screen of its own."""
        self._open("overview")

    def do_logs(self) -> None:
        """What its server processes printed."""
        self._open("logs")

    def _open(self, pane: str) -> None:
        from screens.rollouts.screen import ReleaseScreen

        if self.endpoint is not None:
            self.deck.push_screen(ReleaseScreen(self.endpoint.name, pane=pane))
