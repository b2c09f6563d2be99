"""Keys that move about in tables, text and logs; the help lists them from here."""

from __future__ import annotations

from textual.binding import Binding, BindingType

TABLE_BINDINGS: list[BindingType] = [
    Binding("down,j", "move(1)", "next row", show=False),
    Binding("up,k", "move(-1)", "row before", show=False),
    Binding("pagedown,ctrl+f", "page(1)", "a page on", show=False),
    Binding("pageup,ctrl+b", "page(-1)", "a page back", show=False),
    Binding("home,g", "edge(0)", "first row", show=False),
    Binding("end,G", "edge(1)", "last row", show=False),
    Binding("enter", "choose", "open", show=False),
]

SHEET_BINDINGS: list[BindingType] = [
    Binding("down,j", "scroll_by(1)", "a line on", show=False),
    Binding("up,k", "scroll_by(-1)", "a line back", show=False),
    Binding("pagedown,ctrl+f,space", "page(1)", "a page on", show=False),
    Binding("pageup,ctrl+b", "page(-1)", "a page back", show=False),
    Binding("home,g", "edge(0)", "to the top", show=False),
    Binding("end,G", "edge(1)", "to the end", show=False),
]

MOVES = (
    ("↑ ↓  k j", "row before, next row"),
    ("pgup pgdn", "a page back, a page on"),
    ("g G  home end", "first row, last row"),
    ("enter", "open what is selected"),
    ("tab", "to the next pane"),
)
"""What the help says about moving: keys and what they do."""
