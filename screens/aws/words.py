"""How resources of an AWS account are written: rows, descriptions, errors."""

from __future__ import annotations

from collections.abc import Sequence

from core.aws import words as aws
from core.aws.errors import AccessDenied
from core.aws.kind import Chart, Column, Detail, Item, Kind, Section
from core.errors import OpsdeckError
from screens.widgets import table
from screens.widgets.chart import Series
from screens.widgets.lines import Line, Piece, wrap, wrapped
from screens.words import span

_SIGNS = {
    "ok": ("●", "ok"), "run": ("▶", "run"), "wait": ("◆", "wait"), "bad": ("✗", "bad"),
    "dim": ("■", "dim"), "": ("·", "faint"),
}  # fmt: skip
_STATES = frozenset({"STATUS", "STATE"})
_STYLES = {"ok": "ok", "run": "run", "wait": "wait", "bad": "bad", "dim": "dim"}
LABEL_WIDTH = 24


def sign(tone: str) -> Piece:
    """The glyph of a tone, in its colour."""
    return _SIGNS.get(tone, _SIGNS[""])


def style_of(tone: str) -> str:
    """The style of a tone."""
    return _STYLES.get(tone, "text")


def columns_of(kind: Kind) -> list[table.Column]:
    """The kind's columns as the table draws them, and the age."""
    first, *rest = kind.columns or (Column("NAME", 20, grow=1),)
    shown = [table.Column(first.title.upper(), first.width + 2, first.grow, first.align)]
    shown += [
        table.Column(each.title.upper(), each.width, each.grow, each.align, each.drop)
        for each in rest
    ]
    return [*shown, table.Column("AGE", 5, align="right")]


def cells_of(kind: Kind, item: Item, now: float) -> list[table.Cell]:
    """A resource as a row: the glyph of its state stands before the first cell."""
    tone = sign(item.tone)
    cells: list[table.Cell] = []
    for place in range(max(len(kind.columns), 1)):
        text = item.cells[place] if place < len(item.cells) else ""
        if place == 0:
            cells.append([(f"{tone[0]} ", tone[1]), (text, "text")])
        elif kind.columns[place].title.upper() in _STATES:
            cells.append((text, style_of(item.tone)))
        else:
            cells.append((text, "dim"))
    old = "" if item.changed is None else span(max(0.0, now - item.changed))
    return [*cells, (old, "dim")]


def searched(item: Item) -> str:
    """What a filter looks through."""
    return f"{item.id} {' '.join(item.cells)}"


def error_lines(error: Exception, width: int) -> list[Line]:
    """Why something could not be read, and what to do."""
    if not isinstance(error, OpsdeckError):
        text = f"{type(error).__name__}: {error}"
        return wrapped([(f" ✗ a bug: {text}", "bad")], width)
    mark = "⊘" if isinstance(error, AccessDenied) else "✗"
    lines = wrapped([(f" {mark} {error.code} ", "bad"), (error.message, "bad")], width)
    return lines + (wrapped([("   ", "dim"), (error.hint, "dim")], width) if error.hint else [])


def detail_lines(detail: Detail, width: int) -> list[Line]:
    """A description: its title, then its sections."""
    tone = sign(detail.tone)
    lines: list[Line] = [[(f" {tone[0]} ", tone[1]), (detail.title, "bold")]]
    for section in detail.sections:
        lines += [[], *section_lines(section, width)]
    return lines


def section_lines(section: Section, width: int) -> list[Line]:
    """A section: labels and values in two columns, text as it stands."""
    lines: list[Line] = [[(f" {section.title}", "title")]] if section.title else []
    labels = [line[0] for line in section.lines if not isinstance(line, str)]
    indent = min(max((len(label) for label in labels), default=0) + 4, LABEL_WIDTH + 4)
    indent = min(indent, max(width // 2, 8))
    for line in section.lines:
        if isinstance(line, str):
            lines += _text(line, width)
            continue
        label, value, style = line[0], line[1], style_of(line[2] if len(line) > 2 else "")
        parts = wrap(value, max(width - indent - 1, 10))
        cut = label if len(label) <= indent - 4 else label[: indent - 5] + "…"
        for number, part in enumerate(parts):
            head = f"  {cut if number == 0 else ''}".ljust(indent)
            lines.append([(head, "dim"), (part, style)])
    return lines


def _text(text: str, width: int) -> list[Line]:
    if text.startswith((" ", "\t", "{", "}", "[", "]")) or "  " in text:
        return [[("  ", "text"), (text, "text")]]  # it is laid out already
    return [[("  ", "text"), (part, "text")] for part in wrap(text, max(width - 3, 10))]


def chart_series(chart: Chart, now: float) -> tuple[str, list[Series]]:
    """A chart's title with its unit of time, and its lines as times before now."""
    times = [at for points in chart.series.values() for at, _ in points]
    reach = now - min(times) if times else 0.0
    unit, length = ("h", 3600.0) if reach > 3 * 3600 else ("min", 60.0)
    series = [
        Series(name, [(at - now) / length for at, _ in points], [value for _, value in points])
        for name, points in chart.series.items()
        if points
    ]
    measured = f", {chart.unit}" if chart.unit else ""
    return f"{chart.title}{measured}, by {unit}", series


def count_text(held: int, more: bool, noun: str) -> str:
    """How many are held: `1,000+ executions` where AWS has more."""
    return f"{held:,}{'+' if more else ''} {noun}"


def tones_of(items: Sequence[Item]) -> dict[str, int]:
    """How many items there are of each tone."""
    found: dict[str, int] = {}
    for item in items:
        found[item.tone] = found.get(item.tone, 0) + 1
    return found


def raw_lines(raw: object) -> list[Line]:
    """JSON as it came."""
    return [[(line, "text")] for line in aws.pretty(raw)]
