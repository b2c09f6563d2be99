"""The labelling screen: one row at a time, a label typed, the next row."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.widget import Widget

from core.errors import NotFound, OpsdeckError
from screens.actions import Context
from screens.background import Ask, Change
from screens.labels.field import LabelField
from screens.labels.words import hint_line, meant, queue_line, task_lines
from screens.registry import REGISTRY
from screens.widgets.page import Page
from screens.widgets.sheet import Sheet
from screens.working import WorkingScreen

if TYPE_CHECKING:
    from core.domain.labelling import LabelQueue, LabelTask
    from core.ops import Ops

GROUP = "labels"
PICK = 50


@dataclass(frozen=True, slots=True)
class LabelsView:
    """The queue as it was read, and what kept it from being."""

    queue: LabelQueue | None = None
    trouble: str = ""


def read_queue(name: str, ops: Ops) -> LabelsView:
    """The queue in numbers."""
    try:
        return LabelsView(ops.labelling.status(name))
    except NotFound as error:
        return LabelsView(trouble=error.message)


class LabelsScreen(WorkingScreen):
    """Keys type a label; escape leaves the field, then the keys of the screen hold."""

    scope = "labels"
    CSS = """
    LabelsScreen #head { margin-bottom: 1; }
    LabelsScreen #row { height: 1fr; }
    LabelsScreen LabelField { height: 1; border: none; padding: 0 2; background: $panel; }
    LabelsScreen LabelField:focus { border: none; background: $panel; background-tint: $panel 0%; }
    """

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._asked = Ask(self, partial(read_queue, endpoint), every=2.0)
        self._view = LabelsView()
        self._row: LabelTask | None = None
        self._trouble = ""
        self._new = ""

    def body(self) -> ComposeResult:
        yield Page(
            lambda _width: [queue_line(self._view.queue, self.deck.context.actor)], id="head"
        )
        yield Sheet(id="row")
        yield Page(lambda _width: [hint_line(self._view.queue)], id="hint")
        yield LabelField(placeholder="label", compact=True, select_on_focus=False, id="field")

    @property
    def field(self) -> LabelField:
        """Where the label is typed."""
        return self.query_one(LabelField)

    def first_focus(self) -> Widget | None:
        return self.query_one("#row", Sheet) if self.deck.context.read_only else self.field

    def on_mount(self) -> None:
        super().on_mount()
        self.field.cursor_blink = False
        if self.deck.context.read_only:
            self._trouble = "this session is read-only: rows are labelled in another"
            self._draw()
        else:
            self._fetch(self._next, "")

    def on_unmount(self) -> None:
        """What was claimed is for others again; nobody waits for that."""
        if self._row is None or self.deck.context.read_only:
            return
        labelling, name = self.deck.ops.labelling, self._endpoint

        def release() -> None:
            with contextlib.suppress(OpsdeckError):  # the claim ends by itself
                labelling.release(name)

        threading.Thread(target=release, name="opsdeck-release", daemon=True).start()

    # reading and showing

    def ask(self) -> Ask:
        return self._asked

    def show(self, data: LabelsView) -> None:
        self._view = data
        if data.trouble:
            self._trouble = data.trouble
        self._draw()

    def refilter(self) -> None:
        self._draw()

    def _draw(self) -> None:
        now, task, trouble = self.deck.now(), self._row, self._trouble
        self.query_one("#head", Page).put(
            lambda _width: [queue_line(self._view.queue, self.deck.context.actor)]
        )
        self.query_one("#hint", Page).put(lambda _width: [hint_line(self._view.queue)])
        self.query_one("#row", Sheet).put(lambda width: task_lines(task, trouble, now, width))
        self.field.display = task is not None
        self.foot()

    def selection(self, session: Context) -> Context:
        busy = self.under_way.title if self.under_way is not None else ""
        ref = self._row.inference_id if self._row is not None else ""
        return replace(session, ref=ref, busy=busy)

    def copyable(self) -> str:
        return self._row.inference_id if self._row is not None else ""

    def status(self) -> Sequence[tuple[str, str]]:
        working = self.work_status()
        if working:
            return working
        if self.focused is self.field:
            return [("typing a label", "dim"), ("   esc leaves the field", "faint")]
        return [("e types a label", "faint")] if self._row is not None else []

    # labelling

    def _next(self, ops: Ops) -> LabelTask | None:
        """The next row, claimed; None where none is left."""
        from core.labelling.errors import NothingToLabel

        try:
            return ops.labelling.next(self._endpoint)
        except NothingToLabel:
            return None

    def _fetch(self, call: Callable[[Ops], LabelTask | None], said: str, command: str = "") -> None:
        """Make a change off the event loop that gives the next row."""
        self.deck.change(
            Change(
                group=GROUP,
                title=f"labels of {self._endpoint}",
                call=call,
                then=partial(self._got, said, command),
                failed=self._refused,
            )
        )

    def _got(self, said: str, command: str, task: LabelTask | None) -> str:
        self._row, self._new = task, ""
        self._trouble = "" if task is not None else "nothing is left for you: p picks more rows"
        self.field.value = ""
        self._draw()
        self.query_one("#row", Sheet).scroll_to(y=0, animate=False, force=True)
        self.set_focus(self.field if task is not None else self.query_one("#row", Sheet))
        if said:
            self.deck.tell(said, "ok", command)
        self.deck.poke()
        return ""

    def _refused(self, error: Exception) -> bool:
        """Nothing to pick, or a label that does not fit: said in place of a dialog."""
        if not isinstance(error, OpsdeckError) or error.code not in ("E645", "E646"):
            return False
        hint = f" ({error.hint})" if error.hint else ""
        if "no class" in error.message:
            self._new = self.field.value
            hint = " (⏎ again takes it as a new class)"
        self.deck.tell(f"▲ {error.message}{hint}", "warn")
        self._draw()
        self.deck.poke()
        return True

    def on_label_field_said(self, event: LabelField.Said) -> None:
        """A key of the field."""
        event.stop()
        if event.what == "leave":
            self.set_focus(self.query_one("#row", Sheet))
            self.foot()
        elif event.what == "take":
            self._take()
        else:
            self.deck.perform(f"labels.{event.what}")

    def _take(self) -> None:
        task, typed = self._row, self.field.value
        if task is None:
            return
        value = meant(typed, self._view.queue)
        if not value:
            self.deck.tell("▲ nothing is typed: tab skips the row", "warn")
            return
        new = bool(self._new) and self._new == typed

        def call(ops: Ops) -> LabelTask | None:
            ops.labelling.label(self._endpoint, task.inference_id, value, new=new)
            return self._next(ops)

        command = f"opsdeck labels label {self._endpoint} {task.inference_id} {value}"
        self._fetch(call, f"✓ {value}", command + (" --new" if new else ""))

    def do_labels_edit(self) -> None:
        """Into the field."""
        self.set_focus(self.field)
        self.foot()

    def do_labels_skip(self) -> None:
        """Leave the row to others."""
        task = self._row
        if task is None:
            return

        def call(ops: Ops) -> LabelTask | None:
            ops.labelling.skip(self._endpoint, task.inference_id)
            return self._next(ops)

        self._fetch(call, "⊘ skipped", self._command("labels.skip"))

    def do_labels_undo(self) -> None:
        """Take back the last one."""
        self._fetch(
            lambda ops: ops.labelling.undo(self._endpoint),
            "↶ taken back: label it anew",
            self._command("labels.undo"),
        )

    def do_labels_pick(self) -> None:
        """More rows of captured traffic."""
        from core.domain.labelling import PickPolicy

        def picked(_queue: Any) -> str:
            if self._row is None:
                self._fetch(self._next, "")
            return "picked more rows"

        self.work(
            f"picking rows of {self._endpoint}",
            "labelling",
            "pick",
            self._endpoint,
            PickPolicy(rows=PICK),
            then=picked,
            command=self._command("labels.pick"),
            failed=self._refused,
        )

    def _command(self, action: str) -> str:
        return REGISTRY[action].command_line(self.deck.context, name=self._endpoint)
