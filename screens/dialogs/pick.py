"""A dialog that offers a few things to pick one from."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from screens.dialogs.base import Choice, Dialog
from screens.widgets.table import Column, RowTable

Option = tuple[str, str]
"""What is picked, and what is said of it."""


class Pick(Dialog[str]):
    """Answers with the first part of the option that enter was pressed on, or `None`."""

    focus_at = "#options"
    CSS = "Pick #options { height: auto; max-height: 12; background: $panel; }"

    def __init__(self, heading: str, options: Sequence[Option]) -> None:
        super().__init__()
        self.heading = heading
        self._options = tuple(options)

    def fields(self) -> ComposeResult:
        yield RowTable(
            (Column("", 20, grow=1), Column("", 20, grow=3)),
            lambda option: [(option[0], "bold"), (option[1], "dim")],
            lambda option: str(option[0]),
            header=False,
            id="options",
        )

    def choices(self) -> ComposeResult:
        yield Choice("Cancel", "esc", id="cancel")

    def on_mount(self) -> None:
        self.query_one("#options", RowTable).put(self._options)

    def on_row_table_chosen(self, event: RowTable.Chosen) -> None:
        event.stop()
        if event.table.selected is not None:
            self.dismiss(event.table.selected[0])
