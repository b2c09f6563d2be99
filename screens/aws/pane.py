"""What stands beside a list: the selected resource, at first by its row, then described."""

from __future__ import annotations

from core.aws.kind import Detail, Item, Kind
from screens.aws import words
from screens.aws.details import Known
from screens.aws.offered import name_of
from screens.widgets.lines import Line
from screens.widgets.strips import small_chart

CHART_HEIGHT = 4


def pane_lines(kind: Kind, item: Item, known: Known | None, now: float, width: int) -> list[Line]:
    """The description; while it is read, what the row says already."""
    if known is None:
        return [*_row_lines(kind, item, width), [], [("  reading…", "faint")]]
    lines: list[Line] = []
    if known.error is not None:
        lines = [*words.error_lines(known.error, width), []]
    if known.detail is None:
        return [*lines, *_row_lines(kind, item, width)]
    return [
        *lines,
        *words.detail_lines(known.detail, width),
        *chart_lines(known.detail, now, width),
    ]


def _row_lines(kind: Kind, item: Item, width: int) -> list[Line]:
    pairs = tuple(
        (column.title, text) for column, text in zip(kind.columns, item.cells, strict=False) if text
    )
    from core.aws.kind import Section

    detail = Detail(name_of(item), item.tone, (Section("", pairs),))
    return words.detail_lines(detail, width)


def chart_lines(detail: Detail, now: float, width: int) -> list[Line]:
    """The charts, small: the last values of each series and its shape."""
    lines: list[Line] = []
    for chart in detail.charts:
        title, series = words.chart_series(chart, now)
        lines += [[], [(f" {title}", "title")]]
        if not series:
            lines.append([("  no value yet", "faint")])
        for one in series:
            lines.append([(f"  {one.name}", "dim")])
            drawn = small_chart(one.values, width - 4, CHART_HEIGHT)
            lines += [[("  ", "text"), *line] for line in drawn]
    return lines
