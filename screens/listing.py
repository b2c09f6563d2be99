"""A mode that is a list, with what is selected in it shown in full beside or beneath."""

from __future__ import annotations

from textual.widget import Widget

from screens.base import ModeScreen
from screens.widgets.table import RowTable


class ListScreen(ModeScreen):
    """Subclasses give their list the id `list`; keys go to it at first, and after escape."""

    @property
    def table(self) -> RowTable:
        """The list."""
        return self.query_one("#list", RowTable)

    def first_focus(self) -> Widget | None:
        return self.table

    def back(self) -> bool:
        return super().back() or self.refocus(self.table)
