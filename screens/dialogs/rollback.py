"""The rollback sheet: what would move, then one `y`, then the receipt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget

from core.domain.touched import consumer_words
from core.errors import OpsdeckError
from screens.background import Change
from screens.dialogs.base import Choice, Dialog, facts, paragraph
from screens.dialogs.confirm import badge
from screens.widgets.lines import Line, Piece
from screens.widgets.page import Page
from screens.words import full_time, percent, short

if TYPE_CHECKING:
    from core.domain.release import Receipt
    from core.domain.rollback import RollbackPreview


def preview_lines(preview: RollbackPreview, command: str, width: int) -> list[Line]:
    """Environment, from → to, traffic, aliases, features, consumers, undo, consequence."""
    traffic = ", ".join(f"rev {revision}: {percent(share)}" for revision, share in preview.weights)
    rps = preview.requests_per_second
    rate = "" if rps is None else f" at {short(rps)} requests/s"
    ready = "loaded, answers at once" if preview.loaded else "not loaded: it is loaded first"
    pairs: list[tuple[str, str | Sequence[Piece]]] = [
        ("environment", [badge(preview.environment)]),
        ("endpoint", preview.endpoint),
        ("from", [
            (f"{preview.model} v{preview.from_version}", "bad"),
            (f"  rev {preview.from_revision}", "dim"),
        ]),
        ("to", [
            (f"{preview.to_model} v{preview.to_version}", "ok"),
            (f"  rev {preview.to_revision}, {ready}", "dim"),
        ]),
        ("traffic now", (traffic or "none") + rate),
        ("aliases", ", ".join(preview.aliases) or "stay as they are"),
        *([] if preview.features is None else [("features", preview.features.words())]),
        ("consumers", consumer_words(preview.consumers, most=2)),
        ("undo", f"deploy v{preview.from_version} again"),
    ]  # fmt: skip
    consequence = f"All requests go to v{preview.to_version} at once; none is dropped."
    if preview.deployment_id:
        consequence += f" The deployment of v{preview.from_version} ends."
    if preview.features is not None and preview.features.needed:
        lacking = ", ".join(preview.features.needed)
        consequence += f" Requests without {lacking} are refused from then on."
    lines = [*facts(pairs, width), [], *paragraph(consequence, width, "warn")]
    return [*lines, [], [("$ ", "faint"), (command, "dim")]]


def receipt_lines(receipt: Receipt, width: int) -> list[Line]:
    """What a rollback did: who, why, from, to, requests failed, milliseconds."""
    failed = receipt.requests_failed
    return [
        [("✓ rolled back", "ok"), (f" in {short(receipt.milliseconds)} ms", "bold")],
        [],
        *facts(
            [
                ("from", receipt.from_name),
                ("to", receipt.to_name),
                ("requests failed", [(str(failed), "bad" if failed else "ok")]),
                ("in flight", f"{receipt.in_flight} at the swap"),
                ("by", receipt.actor),
                ("reason", receipt.reason or "none given"),
                ("at", full_time(receipt.at)),
                ("receipt", receipt.id),
            ],
            width,
        ),
    ]


class RollbackSheet(Dialog[None]):
    """Reads the preview, waits for `y`, shows the receipt."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", show=False),
        Binding("n", "cancel", show=False),
    ]
    danger = True

    def __init__(self, endpoint: str, command: str, to_version: int | None = None) -> None:
        super().__init__()
        self.endpoint = endpoint
        self.command = command
        self.to_version = to_version
        self.heading = f"Roll back {endpoint}?"
        self.preview: RollbackPreview | None = None
        self.receipt: Receipt | None = None
        self.error: OpsdeckError | None = None
        self.sent = False

    def lines(self, width: int) -> Sequence[Line]:
        if self.receipt is not None:
            return receipt_lines(self.receipt, width)
        if self.error is not None:
            lines = paragraph(f"✗ {self.error.code} {self.error.message}", width, "bad")
            return [*lines, *paragraph(self.error.hint, width, "dim")]
        if self.preview is None:
            return [[("reading what would move…", "dim")]]
        lines = preview_lines(self.preview, self.command, width)
        return [*lines, [], [("▶ rolling back…", "run")]] if self.sent else lines

    def choices(self) -> ComposeResult:
        yield Choice("Cancel", "esc", id="cancel")
        yield Choice("Roll back", "y", danger=True, id="yes")

    def on_mount(self) -> None:
        self.deck.change(
            Change(
                group=f"preview/{id(self)}",  # of this sheet: another may be reading still
                title=f"preview of a rollback of {self.endpoint}",
                call=lambda ops: ops.endpoints.preview_rollback(self.endpoint, self.to_version),
                then=self._previewed,
                failed=lambda error: not self.is_attached or self._failed(error),
            )
        )

    def _previewed(self, preview: RollbackPreview) -> str:
        self.preview = preview
        self._draw()
        return ""

    def _failed(self, error: Exception) -> bool:
        if not isinstance(error, OpsdeckError) or not self.is_attached:
            return False
        self.error = error
        self._only_close()
        return True

    def action_yes(self) -> None:
        """Key: roll back now."""
        if self.preview is None or self.sent:
            return
        self.sent = True
        self._draw()
        target, seen = self.to_version, self.preview.from_revision
        self.deck.change(
            Change(
                group=f"endpoint/{self.endpoint}",
                title=f"roll back {self.endpoint}",
                call=lambda ops: ops.endpoints.rollback(
                    self.endpoint, target, "rolled back from the console", seen=seen
                ),
                then=self._done,
                command=self.command,
                failed=self._failed,
            )
        )

    def _done(self, receipt: Receipt) -> str:
        self.receipt = receipt
        if self.is_attached:
            self._only_close()
        return (
            f"rolled back to v{receipt.to_version} in {short(receipt.milliseconds)} ms,"
            f" {receipt.requests_failed} requests failed"
        )

    def _only_close(self) -> None:
        """The question is over: one button is left, and the frame says how it went."""
        self._draw()
        box = self.query_one("#box", Widget)
        if self.receipt is not None:
            box.border_title = f"Rolled back {self.endpoint}"
            box.remove_class("danger")
        self.query_one("#yes").display = False
        self.query_one("#cancel", Choice).rename("Close")

    def _draw(self) -> None:
        if self.is_attached:
            self.query_one("#page", Page).put(self.lines)
