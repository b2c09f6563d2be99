"""The sheet that holds rows of a dataset: the condition to look over, what it comes to, why."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from core.alerting.proposing import shell_word
from core.errors import OpsdeckError
from screens.background import Change
from screens.dialogs.base import Choice, Dialog, facts, paragraph
from screens.dialogs.confirm import Field, badge
from screens.widgets.lines import Line, Piece, wrapped
from screens.widgets.page import Page
from screens.words import plural

if TYPE_CHECKING:
    from core.domain.quality import HoldPreview, QuarantinedBatch
    from core.ops import Ops

MOST_NAMES = 3
MOST_LINES = 4
"""Of the command: the sheet must fit into 24."""
CONSEQUENCE = (
    "They leave the newest version and wait in quarantine; replay puts them back. What was made"
    " from them stays as it is."
)


class HoldSheet(Dialog[None]):
    """Counts the rows of the condition as it stands, and holds them when it is signed.

    Enter in the condition counts again; what was not counted as it stands is not held.
    """

    focus_at = "#where"
    danger = True
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s", "yes", show=False)]

    def __init__(self, dataset: str, where: str, reason: str, alert: str = "") -> None:
        super().__init__()
        self.dataset = dataset
        self.heading = f"Hold rows of {dataset}?"
        self.preview: HoldPreview | None = None
        self.error: OpsdeckError | None = None
        self._alert = alert
        self._given = where, reason
        self._asked = ""
        self._wrong = ""

    def lines(self, width: int) -> Sequence[Line]:
        pairs: list[tuple[str, str | Sequence[Piece]]] = [
            ("environment", [badge(self.deck.context.environment)]),
            ("dataset", self.dataset),
        ]
        if self.error is not None:
            lines = facts(pairs, width)
            return [*lines, *paragraph(f"✗ {self.error.code} {self.error.message}", width, "bad")]
        would = self.preview
        if would is None:
            told = "counting…" if self._asked else "name the rows below; enter counts them"
            return [*facts([*pairs, ("rows", [(told, "dim")])], width), []]
        share = f"{would.rows / would.of:.1%}" if would.of else ""
        pairs[1] = ("dataset", f"{would.dataset}, #{would.version} now")
        pairs.append(("rows", [(f"{would.rows:,} of {would.of:,}", "bold"), (f"  {share}", "dim")]))
        pairs.append(("used by", _users(would)))
        return [*facts(pairs, width), *paragraph(CONSEQUENCE, width, "warn")]

    def fields(self) -> ComposeResult:
        yield Page(lambda _w: [[("condition", "dim"), ("  SQL over its columns", "faint")]])
        yield Field(self._given[0], id="where", compact=True, select_on_focus=False)
        yield Page(lambda _w: [[("reason", "dim")]])
        yield Field(self._given[1], id="reason", compact=True, select_on_focus=False)
        yield Page(self._told, id="told")

    def choices(self) -> ComposeResult:
        yield Choice("Cancel", "esc", id="cancel")
        yield Choice("Hold the rows", "^s", danger=True, id="yes")

    def on_mount(self) -> None:
        for field in self.query(Field):
            field.cursor_blink = False
        if self._given[0]:
            self._count()

    @property
    def where(self) -> str:
        """The condition as it stands."""
        return self.query_one("#where", Field).value.strip()

    @property
    def reason(self) -> str:
        """Why, as it stands."""
        return self.query_one("#reason", Field).value.strip()

    @property
    def command(self) -> str:
        """The command that does the same."""
        return (
            f"opsdeck data quarantine hold {self.dataset} --where {shell_word(self.where)}"
            f" --reason {shell_word(self.reason)} --yes"
        )

    def _told(self, width: int) -> Sequence[Line]:
        if self._wrong:
            return wrapped([(f"▲ {self._wrong}", "bad")], width)
        if not self.is_mounted:
            return []
        parts = wrapped([("$ ", "faint"), (self.command, "dim")], width, 2)
        if len(parts) > MOST_LINES:
            parts = [*parts[: MOST_LINES - 1], [("  …", "dim")]]
        return [*parts, [("enter counts again, ^s holds them, esc cancels", "faint")]]

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "where" and self._asked and self.where != self._asked:
            self.preview, self.error, self._asked = None, None, ""
        self._wrong = ""
        self._draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.input.id == "where":
            self._count()
            self.set_focus(self.query_one("#reason"))
        else:
            self.set_focus(self.query_one("#yes"))

    def _count(self) -> None:
        where = self._asked = self.where
        self.preview, self.error = None, None
        self._draw()
        self.deck.change(
            Change(
                group=f"hold/{id(self)}/{where}",
                title=f"count rows of {self.dataset}",
                call=lambda ops: ops.aside.ask("quality", "preview_hold", self.dataset, where),
                then=lambda found: self._counted(where, found),
                failed=lambda error: self._failed(where, error),
            )
        )

    def _counted(self, where: str, found: HoldPreview) -> str:
        if self.is_attached and where == self._asked:
            self.preview = found
            self._draw()
        return ""

    def _failed(self, where: str, error: Exception) -> bool:
        if not self.is_attached:
            return True
        if not isinstance(error, OpsdeckError):
            return False
        if where == self._asked:
            self.error = error
            self._draw()
        return True

    def action_yes(self) -> None:
        """Key: hold the rows that were counted."""
        if self.deaf():
            return
        if self.preview is None or self.where != self._asked:
            self._wrong = "" if self._asked else "look at how many rows that are first: enter"
            if not self._asked:
                self._count()
        elif not self.reason:
            self._wrong = "reason: say why, in a few words"
            self.set_focus(self.query_one("#reason"))
        else:
            self._hold()
            return
        self._draw()

    def _hold(self) -> None:
        dataset, where, reason, alert = self.dataset, self.where, self.reason, self._alert

        def told(done: QuarantinedBatch) -> str:
            return (
                f"{plural(done.rows, 'row')} of {dataset} held as {done.id[:8]}; undo: opsdeck"
                f" data quarantine replay {done.id[:8]}"
            )

        def call(ops: Ops) -> QuarantinedBatch:
            done: QuarantinedBatch = ops.aside.ask("quality", "hold", dataset, where, reason)
            if alert:
                remark = f"held {plural(done.rows, 'row')} of {dataset} as {done.id}: {where}"
                with contextlib.suppress(OpsdeckError):  # the rows are held, whatever is noted
                    ops.alerts.comment(alert, remark)
            return done

        self.deck.change(
            Change(f"quarantine/{dataset}", f"hold rows of {dataset}", call, told, self.command)
        )
        self.dismiss(None)

    def _draw(self) -> None:
        if self.is_attached:
            self.query_one("#page", Page).put(self.lines)
            self.query_one("#told", Page).put(self._told)


def _users(would: HoldPreview) -> str:
    """Who uses the dataset, by kind: the first names and how many more."""
    by_kind: dict[str, list[str]] = {}
    for what, name in would.users:
        by_kind.setdefault(what, []).append(name)
    told = []
    for what, names in by_kind.items():
        more = len(names) - MOST_NAMES
        shown = ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
        told.append(f"{what} {shown}")
    return "; ".join(told) or "nothing on record"
