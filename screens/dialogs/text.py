"""A dialog that asks for one line of text: a name, a path."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.widgets import Input

from screens.dialogs.base import Choice, Dialog
from screens.dialogs.confirm import Field
from screens.widgets.lines import Line
from screens.widgets.page import Page


class TextField(Dialog[str]):
    """Answers with the text, or `None`; enter says yes."""

    focus_at = "Field"

    def __init__(
        self, heading: str, label: str, hint: str = "", *, value: str = "", yes: str = "OK"
    ) -> None:
        super().__init__()
        self.heading = heading
        self._label = label
        self._hint = hint
        self._value = value
        self._yes = yes

    def lines(self, width: int) -> Sequence[Line]:
        return [[(self._label, "dim")]]

    def fields(self) -> ComposeResult:
        yield Field(self._value, id="text", compact=True, select_on_focus=False)
        yield Page(lambda _width: [[(self._hint, "faint")]])

    def choices(self) -> ComposeResult:
        yield Choice("Cancel", "esc", id="cancel")
        yield Choice(self._yes, "⏎", id="yes")

    def on_mount(self) -> None:
        field = self.query_one(Field)
        field.cursor_blink = False
        field.cursor_position = len(self._value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_yes()

    def action_yes(self) -> None:
        """Key: answer."""
        self.dismiss(self.query_one(Field).value.strip())
