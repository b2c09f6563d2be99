"""The JSON that AWS told of a resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from screens.aws import words
from screens.dialogs.base import Choice, Dialog
from screens.widgets.sheet import Sheet


class RawDialog(Dialog[None]):
    """It scrolls."""

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
