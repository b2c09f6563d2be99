"""The list of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult

from screens import changes
from screens.actions import Context
from screens.background import Ask
from screens.glyphs import sign
from screens.listing import ListScreen
from screens.widgets.bars import gauge
from screens.widgets.lines import Line
from screens.widgets.table import WINDOW, Cell, Column, RowTable
from screens.words import clock_time, differing, duration, first, params, plural

if TYPE_CHECKING:
    from core.domain.run import Run
    from core.ops import Ops


@dataclass(frozen=True, slots=True)
class RunsQuery:
    """Which runs are wanted."""

    search: str = ""
    status: str | None = None
    pipeline: str | None = None
    offset: int = 0
    limit: int = WINDOW


@dataclass(frozen=True, slots=True)
class RunsView:
    """A window of the runs that a query matches, and how many it matches."""

    query: RunsQuery
    total: int
    rows: tuple[Run, ...]


def read_runs(query: RunsQuery, ops: Ops) -> RunsView:
    """Read a window of runs (off the event loop)."""
    which: dict[str, Any] = {
        "pipeline": query.pipeline,
        "status": query.status,
        "search": query.search,
    }
    total = ops.runs.count(**which)
    offset = max(0, min(query.offset, total - query.limit))
    rows = ops.runs.list(limit=query.limit, offset=offset, **which)
    return RunsView(replace(query, offset=offset), total, tuple(rows))


def parsed(text: str) -> RunsQuery:
    """A filter as a query: `status:failed`, `pipeline:NAME`, and words searched for."""
    query = RunsQuery()
    words = []
    for word in text.split():
        key, colon, value = word.partition(":")
        if colon and value and key in ("status", "pipeline"):
            if key == "status":
                query = replace(query, status=value)
            else:
                query = replace(query, pipeline=value)
        else:
            words.append(word)
    return replace(query, search=" ".join(words))


COLUMNS = (
    Column("#", 6, align="right"),
    Column("PIPELINE", 11, grow=2),
    Column("STATUS", 12),
    Column("PARAMS", 12, grow=8),
    Column("STEPS", 5, grow=2, drop=1),
    Column("STARTED", 11),
    Column("TOOK", 6, align="right"),
    Column("BY", 10, grow=1, drop=2),
)


def run_cells(run: Run, now: float, telling: Sequence[str] = ()) -> Sequence[Cell]:
    """A run as a row; the parameters in `telling` come first."""
    status = sign(run.status)
    end = run.ended_at if run.ended_at is not None else now
    took = None if run.started_at is None else end - run.started_at
    if run.cancel_requested and not run.status.ended:
        status = sign("cancelling")
    return (
        (str(run.number), "bold"),
        run.pipeline,
        (status.text, status.style),
        (params(first(telling, run.params)), "dim"),
        partial(_steps, run.steps_done, run.steps_total, status.style),
        (clock_time(run.started_at or run.created_at, now), "dim"),
        (duration(took), "text"),
        (run.requested_by, "dim"),
    )


def _steps(done: int, total: int, style: str, width: int) -> Line:
    text = f"{done}/{total}"
    if width < 9:
        return [(text, "dim")]
    share = done / total if total else 0.0
    return [*gauge(share, min(width - 6, 12), style), (f" {text}", "dim")]


class RunsScreen(ListScreen):
    """All runs, newest first; 100,000 scroll as 100 do."""

    scope = "runs"

    def __init__(self) -> None:
        super().__init__()
        self._query = RunsQuery()
        self._total = 0
        self._telling: Sequence[str] = ()

    def body(self) -> ComposeResult:
        yield RowTable(
            COLUMNS,
            lambda run: run_cells(run, self.deck.now(), self._telling),
            lambda run: str(run.number),
            empty="no runs yet: press n to start a pipeline",
            moving=lambda run: not run.status.ended,
            id="list",
        )

    def ask(self) -> Ask:
        return Ask(self, partial(read_runs, self._query))

    def show(self, data: RunsView) -> None:
        wanted = replace(self._query, offset=0), replace(data.query, offset=0)
        if wanted[0] != wanted[1]:
            return  # an answer to what was asked before the filter changed
        self._total = data.total
        self._telling = differing([run.params for run in data.rows])
        table = self.table
        table.empty = (
            "no run matches this filter: esc clears it"
            if self.filter_text
            else "no runs yet: press n to start a pipeline"
        )
        table.put(data.rows, total=data.total, offset=data.query.offset)

    def filtered(self, text: str) -> None:
        self._query = parsed(text)
        self.table.select_first()
        super().filtered(text)

    def status(self) -> Sequence[tuple[str, str]]:
        line = self.filter_status()
        place = f"{self.table.cursor + 1:,} of {plural(self._total, 'run')}"
        line.append((place if self._total else "", "faint"))
        run = self.table.selected
        if run is not None and (run.message or run.reason):
            line.append((f"   #{run.number} {run.message or run.reason}", "dim"))
        return line

    def selection(self, session: Context) -> Context:
        return replace(session, run=self.table.selected)

    def copyable(self) -> str:
        run = self.table.selected
        return run.id if run is not None else ""

    def on_row_table_window_wanted(self, event: RowTable.WindowWanted) -> None:
        self._query = replace(self._query, offset=event.offset)
        self.deck.read(self.ask())

    def on_row_table_moved(self, _event: RowTable.Moved) -> None:
        self.foot()

    def on_row_table_chosen(self, _event: RowTable.Chosen) -> None:
        self.deck.perform("runs.open")

    # actions

    def do_runs_open(self) -> None:
        """Open the selected run."""
        run = self.table.selected
        if run is not None:
            self.deck.open_run(str(run.number))

    def do_runs_logs(self) -> None:
        """Open the selected run at its logs."""
        run = self.table.selected
        if run is not None:
            self.deck.open_run(str(run.number), pane="logs")

    def do_runs_new(self) -> None:
        """Open the command line for a new run."""
        self.deck.open_prompt(":", "run ")

    def do_runs_cancel(self) -> None:
        """Cancel the selected run."""
        if (run := self.table.selected) is not None:
            changes.cancel_run(self.deck, run)

    def do_runs_resume(self) -> None:
        """Resume the selected run."""
        if (run := self.table.selected) is not None:
            changes.resume_run(self.deck, run)

    def do_runs_rerun(self) -> None:
        """Repeat the selected run."""
        if (run := self.table.selected) is not None:
            changes.rerun(self.deck, run)

    def do_runs_failed(self) -> None:
        """Failed runs only, or all again."""
        self.filtered("" if self.filter_text == "status:failed" else "status:failed")
