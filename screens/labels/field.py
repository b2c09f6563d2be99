"""The field in which a label is typed."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

FIELD_KEYS = (
    ("⏎", "take the label; the next row comes"),
    ("tab", "skip the row"),
    ("shift+tab", "take back the last one"),
    ("esc", "leave the field: then the keys of the screen hold"),
)
"""What the help says of keys in the field."""


class LabelField(Input):
    """Every printable key types; what is no text goes to the screen as a message."""

    takes_text = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "say('leave')", show=False, priority=True),
        Binding("tab", "say('skip')", show=False, priority=True),
        Binding("shift+tab", "say('undo')", show=False, priority=True),
        Binding("enter", "say('take')", show=False, priority=True),
    ]

    class Said(Message):
        """One of the field's own keys: `what` is take, skip, undo or leave."""

        def __init__(self, what: str) -> None:
            super().__init__()
            self.what = what

    def action_say(self, what: str) -> None:
        """Key: hand it on."""
        self.post_message(self.Said(what))
