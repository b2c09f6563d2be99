"""Requests that wait for a decision: the list, and the evidence beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import ComposeResult

from core.errors import NotFound
from screens import changes
from screens.actions import Context
from screens.background import Ask
from screens.evidence import approval_lines, figures_of, outdated
from screens.glyphs import sign
from screens.listing import ListScreen
from screens.widgets.lines import Line
from screens.widgets.sheet import Sheet
from screens.widgets.table import Cell, Column, RowTable
from screens.words import plural, span

if TYPE_CHECKING:
    from core.domain.gate import Approval
    from core.ops import Ops

LIMIT = 500


@dataclass(frozen=True, slots=True)
class ApprovalsView:
    """The requests of a state (`None`: of any)."""

    status: str | None
    rows: tuple[Approval, ...]
    champions: Mapping[str, int | None]
    """The present champion's version by model, where a request waits."""


def read_approvals(status: str | None, ops: Ops) -> ApprovalsView:
    """Read the requests (off the event loop)."""
    rows = tuple(ops.approvals.list(status=status, limit=LIMIT))
    waiting = {approval.model for approval in rows if not approval.status.ended}
    return ApprovalsView(status, rows, {name: _champion(ops, name) for name in waiting})


def _champion(ops: Ops, model: str) -> int | None:
    try:
        return ops.models.get(model, "champion").version
    except NotFound:
        return None


COLUMNS = (
    Column("MODEL", 15, grow=2),
    Column("STATE", 10),
    Column("TO", 10, drop=2),
    Column("WAITS", 5, align="right"),
)


def approval_cells(approval: Approval, now: float) -> Sequence[Cell]:
    """A request as a row."""
    status = sign(approval.status)
    waits = now - approval.opened_at if not approval.status.ended else None
    return (
        f"{approval.model} v{approval.version}",
        (status.text, status.style),
        (approval.environment, "dim"),
        ("–" if waits is None else span(waits), "dim"),
    )


class ApprovalsScreen(ListScreen):
    """The list at the left (on narrow screens above), the evidence of the selected one."""

    scope = "approvals"
    CSS = """
    ApprovalsScreen Body { layout: horizontal; }
    ApprovalsScreen #list { width: 44; height: 100%; }
    ApprovalsScreen #evidence { width: 1fr; height: 100%; border-left: solid #2a3643; }
    ApprovalsScreen #evidence:focus { border-left: solid #62b6cb; }
    ApprovalsScreen.-narrow Body { layout: vertical; }
    ApprovalsScreen.-narrow #list { width: 100%; height: auto; max-height: 5; }
    ApprovalsScreen.-narrow #evidence { width: 100%; height: 1fr; border-left: none;
      border-top: solid #2a3643; }
    ApprovalsScreen.-narrow #evidence:focus { border-left: none; border-top: solid #62b6cb; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._status: str | None = "open"
        self._rows: tuple[Approval, ...] = ()
        self._champions: Mapping[str, int | None] = {}
        self._shown: str = ""

    def body(self) -> ComposeResult:
        yield RowTable(
            COLUMNS,
            lambda approval: approval_cells(approval, self.deck.now()),
            lambda approval: approval.id,
            empty="nothing waits for a decision",
            moving=lambda approval: not approval.status.ended,
            id="list",
        )
        yield Sheet(id="evidence")

    @property
    def selected(self) -> Approval | None:
        """The selected request."""
        found: Approval | None = self.table.selected
        return found

    def ask(self) -> Ask:
        return Ask(self, partial(read_approvals, self._status))

    def show(self, data: ApprovalsView) -> None:
        if data.status == self._status:
            self._rows, self._champions = data.rows, data.champions
            self.refilter()

    def refilter(self) -> None:
        self.table.put(self.matching(self._rows, _text))
        self._evidence()

    def _evidence(self) -> None:
        approval = self.selected
        sheet = self.query_one("#evidence", Sheet)
        if approval is None:
            empty: Line = [
                ("  nothing waits for a decision", "dim"),
                ("   f shows decided requests", "faint"),
                ("   :run PIPELINE trains a candidate that will", "faint"),
            ]
            sheet.put(lambda _width: [[], empty], top=True)
            self._shown = ""
            return
        now = self.deck.now()
        warning = outdated(approval, self._champions.get(approval.model))
        sheet.put(
            lambda width: approval_lines(approval, now, width, warning),
            top=approval.id != self._shown,
        )
        self._shown = approval.id

    def on_row_table_moved(self, _event: RowTable.Moved) -> None:
        self._evidence()
        self.foot()

    def on_row_table_chosen(self, _event: RowTable.Chosen) -> None:
        self.set_focus(self.query_one("#evidence"))

    def selection(self, session: Context) -> Context:
        return replace(session, approval=self.selected)

    def copyable(self) -> str:
        approval = self.selected
        return approval.id if approval is not None else ""

    def status(self) -> Sequence[tuple[str, str]]:
        which = "open request" if self._status else "request"
        line = self.filter_status()
        line.append((plural(len(self._rows), which), "faint"))
        approval = self.selected
        if approval is not None:
            line.append((f"   {approval.id}  ", "dim"))
            line.append(("enter reads the evidence, a approves, x rejects", "faint"))
        return line

    # actions

    def do_approvals_approve(self) -> None:
        """Approve the selected request."""
        if self.selected is not None:
            changes.decide(self.deck, self.selected, approve=True)

    def do_approvals_reject(self) -> None:
        """Reject the selected request."""
        if self.selected is not None:
            changes.decide(self.deck, self.selected, approve=False)

    def do_approvals_all(self) -> None:
        """Open requests only, or all."""
        self._status = None if self._status else "open"
        self.reread()

    def do_approvals_run(self) -> None:
        """Open the run that asks."""
        if self.selected is not None:
            self.deck.open_run(self.selected.run_id)

    def do_approvals_figure(self) -> None:
        """Open the figures where there is a desktop; say and copy their paths elsewhere."""
        approval = self.selected
        figures = figures_of(approval.evidence) if approval is not None else []
        if not figures:
            self.deck.tell("▲ there are no figures in this evidence", "warn")
            return
        state = self.deck.ops.workspace.state_dir
        paths = [state / path for _, path in figures]
        missing = [path for path in paths if not path.exists()]
        if missing:
            self.deck.tell(f"▲ not there any more: {missing[0]}", "warn")
            return
        opened = open_files(paths)
        self.deck.copy_to_clipboard("\n".join(str(path) for path in paths))
        told = f"opened {plural(len(paths), 'figure')}" if opened else f"copied: {paths[0]}"
        if not opened and len(paths) > 1:
            told += f" and {len(paths) - 1} more"
        self.deck.tell(told)


def open_files(paths: Sequence[Path]) -> bool:
    """Open files with the desktop's own program; `False` where there is no desktop."""
    opener = shutil.which("open") if os.uname().sysname == "Darwin" else shutil.which("xdg-open")
    desktop = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if opener is None or "SSH_CONNECTION" in os.environ:
        return False
    if os.uname().sysname != "Darwin" and not desktop:
        return False
    for path in paths:
        subprocess.Popen(
            [opener, str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    return True


def _text(approval: Approval) -> str:
    return (
        f"{approval.id} {approval.model} v{approval.version} {approval.environment}"
        f" {approval.requested_by} {approval.status} {approval.pipeline} #{approval.run_number}"
    )
