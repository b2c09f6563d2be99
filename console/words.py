"""Times, durations and states in words, for people and for pipes."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import NamedTuple

from console.output import iso
from screens.glyphs import sign
from screens.words import age, number, span
from screens.words import duration as _duration

__all__ = ["Cell", "duration", "harmless", "number", "pairs", "state", "when"]


class Cell(NamedTuple):
    """Text with a colour (a name that `click.style` knows, "" for none)."""

    text: str
    colour: str = ""


_COLOURS = {
    "ok": "green",
    "bad": "red",
    "warn": "yellow",
    "wait": "yellow",
    "run": "cyan",
    "accent": "blue",
    "dim": "bright_black",
    "faint": "bright_black",
}


def state(word: str, *, terminal: bool) -> Cell:
    """A state: glyph and word (those of the screens) on a terminal, the bare word in a pipe."""
    if not terminal:
        return Cell(word)
    shown = sign(word)
    return Cell(shown.text, _COLOURS.get(shown.style, ""))


def many(count: int, noun: str) -> str:
    """`1 row`, `1,999 rows`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def duration(seconds: float | None) -> str:
    """A length of time: `820ms`, `4.2s`, `1m03s`; `-` for none."""
    return "-" if seconds is None else _duration(seconds)


def when(at: float | None, *, terminal: bool) -> str:
    """A moment: `3m ago` or `in 3m` on a terminal, ISO-8601 in a pipe, `-` for none."""
    if at is None:
        return "-"
    if not terminal:
        return iso(at)
    gap = time.time() - at
    return age(gap) if gap >= 0 else f"in {span(-gap)}"


def pairs(values: Mapping[str, object]) -> str:
    """A mapping on one line, numbers shortened: `mae=42.13 r2=0.9318`."""
    return " ".join(f"{key}={number(value)}" for key, value in values.items())


_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor moves
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # OSC and its kin: titles, clipboard
    r"|\x1b[@-Z\\-_]?"  # what is left of a broken one
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"  # other control characters, a tab excepted
)


def harmless(text: str) -> str:
    """Text without anything that a terminal would obey instead of show."""
    return _ESCAPES.sub("", text)
