"""Colours and the styles that the line widgets draw with, by name.

One dark look, and one without any colour for NO_COLOR: there a state is told by its glyph
and word alone, and the selected row is reversed.
"""

from __future__ import annotations

from rich.style import Style

INK = {
    "background": "#0e1318",
    "surface": "#131a21",
    "panel": "#1a232d",
    "line": "#2a3643",
    "text": "#d5dde6",
    "dim": "#8593a3",
    "faint": "#566475",
    "accent": "#62b6cb",
    "ok": "#7ec699",
    "warn": "#e2b65f",
    "bad": "#ec7279",
    "run": "#74a9f7",
    "wait": "#c6a0f2",
    "cursor": "#20394a",
    "cursor_off": "#1a252f",
}
"""The colours of the theme, by what they mean."""

_COLOUR = {
    "text": INK["text"],
    "dim": INK["dim"],
    "faint": INK["faint"],
    "bold": f"bold {INK['text']}",
    "accent": INK["accent"],
    "key": f"bold {INK['accent']}",
    "head": f"bold {INK['dim']}",
    "title": f"bold {INK['accent']}",
    "ok": INK["ok"],
    "warn": INK["warn"],
    "bad": INK["bad"],
    "run": INK["run"],
    "wait": INK["wait"],
    "cursor": f"on {INK['cursor']}",
    "cursor_off": f"on {INK['cursor_off']}",
    "mark": f"bold {INK['accent']}",
    "found": f"{INK['background']} on {INK['warn']}",
    "bar": f"{INK['accent']}",
    "groove": INK["line"],
    "brand": f"bold {INK['background']} on {INK['accent']}",
    "badge": f"bold {INK['background']} on {INK['dim']}",
    "badge.local": f"bold {INK['background']} on {INK['ok']}",
    "badge.staging": f"bold {INK['background']} on {INK['warn']}",
    "badge.production": f"bold {INK['background']} on {INK['bad']}",
    "badge.read": f"bold {INK['background']} on {INK['warn']}",
    "tab": INK["dim"],
    "tab.on": f"bold {INK['text']} on {INK['cursor']}",
    "series.0": INK["accent"],
    "series.1": INK["warn"],
    "series.2": INK["wait"],
    "series.3": INK["ok"],
}

_MONO = {
    "text": "",
    "dim": "dim",
    "faint": "dim",
    "bold": "bold",
    "accent": "bold",
    "key": "bold",
    "head": "bold",
    "title": "bold",
    "ok": "",
    "warn": "bold",
    "bad": "bold",
    "run": "",
    "wait": "bold",
    "cursor": "reverse",
    "cursor_off": "underline",
    "mark": "bold",
    "found": "reverse",
    "bar": "",
    "groove": "dim",
    "brand": "bold reverse",
    "badge": "reverse",
    "badge.local": "reverse",
    "badge.staging": "reverse",
    "badge.production": "bold reverse",
    "badge.read": "bold reverse",
    "tab": "",
    "tab.on": "bold reverse",
    "series.0": "",
    "series.1": "",
    "series.2": "",
    "series.3": "",
}


class Look:
    """The styles in use; one a process, as there is one terminal."""

    def __init__(self) -> None:
        self.mono = False
        self._styles: dict[str, Style] = {}
        self.use(mono=False)

    def use(self, *, mono: bool) -> None:
        """Draw without colours from now on, or with them."""
        self.mono = mono
        self._styles = {}

    def style(self, name: str) -> Style:
        """The style called `name`; raises `KeyError` for an unknown name."""
        found = self._styles.get(name)
        if found is None:
            found = Style.parse((_MONO if self.mono else _COLOUR)[name])
            self._styles[name] = found
        return found


LOOK = Look()
