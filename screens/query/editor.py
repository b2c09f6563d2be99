"""The editor of SQL: a text area that runs, completes and lets go of the focus."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea

EDITOR_KEYS = (
    ("F5  ^j", "run what stands here (^enter where the terminal tells it)"),
    ("tab", "complete; again for the next proposal"),
    ("esc", "leave the editor: then the keys of the screen hold"),
    ("^z ^y", "undo, redo"),
)
"""What the help says of keys in the editor."""


class SqlEditor(TextArea):
    """Every printable key types. `takes_text` says so to what handles keys before widgets."""

    takes_text = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False, priority=True),
        Binding("f5,ctrl+j,ctrl+enter", "run", show=False, priority=True),
        Binding("tab", "complete(1)", show=False, priority=True),
        Binding("shift+tab", "complete(-1)", show=False, priority=True),
    ]

    class Left(Message):
        """Escape was pressed."""

    class Run(Message):
        """The text is to be run."""

    class Complete(Message):
        """The next (1) proposal, or the one before (-1), is wanted."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    def action_leave(self) -> None:
        """Key: let go of the focus."""
        self.post_message(self.Left())

    def action_run(self) -> None:
        """Key: run the text."""
        self.post_message(self.Run())

    def action_complete(self, by: int) -> None:
        """Key: complete the word before the cursor."""
        self.post_message(self.Complete(by))

    @property
    def offset_of_cursor(self) -> int:
        """The cursor as a place in the text."""
        row, column = self.cursor_location
        return sum(len(line) + 1 for line in self.text.split("\n")[:row]) + column

    def put(self, text: str) -> None:
        """Show another text, the cursor at its end."""
        self.load_text(text)
        self.move_cursor(self.document.end)

    def exchange(self, start: int, end: int, text: str) -> None:
        """Put a text in the place of what stands from `start` to `end`."""
        self.replace(text, self._location(start), self._location(end))
        self.move_cursor(self._location(start + len(text)))

    def _location(self, offset: int) -> tuple[int, int]:
        before = self.text[:offset]
        return before.count("\n"), offset - (before.rfind("\n") + 1)
