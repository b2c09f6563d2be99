"""Profiles drawn in block characters, as lines of styled pieces for a terminal or a screen.

Pure functions over records; nothing of Textual is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from core.domain.profile import (
    ColumnDiff,
    ColumnProfile,
    Correlation,
    DatasetProfile,
    Gap,
    Histogram,
    TimeStats,
)
from core.explore.shift import are_categories, respread
from screens.words import number

Piece = tuple[str, str]
Line = list[Piece]

_LEVELS = " ▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_DAY = 86_400


def spark(histogram: Histogram | None, width: int = 20) -> str:
    """A histogram in one line: a column a bin, as high as its share of the highest."""
    return levels(histogram.counts, width) if histogram is not None else ""


def levels(counts: Sequence[float], width: int) -> str:
    """Counts as heights in at most `width` columns; one that is not 0 is always seen."""
    if not counts:
        return ""
    columns = _gathered(counts, width) if len(counts) > width else list(counts)
    highest = max(columns)
    if not highest:
        return " " * len(columns)
    return "".join(_LEVELS[max(1, round(count / highest * 8)) if count else 0] for count in columns)


def _gathered(counts: Sequence[float], width: int) -> list[float]:
    """Counts spread over fewer columns, each bin's in proportion to where it lies."""
    made = [0.0] * width
    scale = width / len(counts)
    for i, count in enumerate(counts):
        start, end = i * scale, (i + 1) * scale
        for column in range(int(start), min(width, int(end) + 1)):
            inside = min(end, column + 1) - max(start, column)
            made[column] += count * max(0.0, inside) / scale
    return made


def bar(share: float, width: int) -> str:
    """A horizontal bar of `share` (0 to 1) of `width` columns, to an eighth of one."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    if share > 0:
        eighths = max(1, eighths)
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[rest] if rest else "")


def histogram_lines(histogram: Histogram, width: int = 40) -> list[Line]:
    """A line a bin: from, to, a bar and the count; what lies outside at either end."""
    edges, counts = histogram.edges, histogram.counts
    if len(counts) > 24:  # a screenful
        step = -(-len(counts) // 20)
        merged = [sum(counts[i : i + step]) for i in range(0, len(counts), step)]
        edges = (*edges[:-1:step], edges[-1])
        counts = tuple(merged)
    most = max((*counts, histogram.below, histogram.above, 1))
    names = [number(_round(edge)) for edge in edges]
    room = max(len(name) for name in names)
    lines: list[Line] = []
    if histogram.below:
        lines.append(_bin(f"{'below':>{room}}   {names[0]:>{room}}", histogram.below, most, width))
    for i, count in enumerate(counts):
        lines.append(_bin(f"{names[i]:>{room}} – {names[i + 1]:>{room}}", count, most, width))
    if histogram.above:
        lines.append(_bin(f"{'above':>{room}}   {names[-1]:>{room}}", histogram.above, most, width))
    return lines


def _bin(name: str, count: int, most: int, width: int) -> Line:
    return [(name + "  ", "dim"), (bar(count / most, width), "accent"), (f" {count:,}", "")]


def _round(value: float) -> float:
    return float(f"{value:.4g}")


def top_lines(column: ColumnProfile, width: int = 30, most: int = 15) -> list[Line]:
    """The most frequent values with a bar and their share each."""
    shown = column.top[:most]
    if not shown:
        return []
    present = max(1, column.rows - column.missing)
    counted = present if not column.distinct_approximate else sum(n for _, n in column.top) or 1
    room = min(40, max(len(value) for value, _ in shown))
    lines: list[Line] = []
    for value, count in shown:
        text = value if len(value) <= room else value[: room - 1] + "…"
        drawn = bar(count / shown[0][1], width)
        lines.append(
            [
                (f"{text:<{room}}  ", ""),
                (drawn, "accent"),
                (f" {count:,} ({count / counted:.1%})", "dim"),
            ]
        )
    left = len(column.top) - len(shown)
    if left > 0 or not column.top_complete:
        more = f"and {left:,} more" if column.top_complete else "and others"
        lines.append([(more, "dim")])
    return lines


def values_words(column: ColumnProfile) -> str:
    """What a column holds, in a few words: bounds and mean, a span of time, top values."""
    stats, times = column.number, column.time
    if times is not None and times.first is not None:
        return span_words(times)
    if stats is not None:
        if stats.minimum is None:
            return "no finite values"
        middle = stats.quantile(0.5)
        told = "" if middle is None else f" · median {number(middle)}"
        return f"{number(stats.minimum)} … {number(stats.maximum)}{told}"
    if column.top:
        return ", ".join(f"{value} {_share(count, column)}" for value, count in column.top[:3])
    if column.text is not None and column.text.max_length is not None:
        return f"{column.text.min_length} to {column.text.max_length} characters"
    return column.note


def _share(count: int, column: ColumnProfile) -> str:
    return f"{count / max(1, column.rows - column.missing):.0%}"


def drawing(column: ColumnProfile, width: int = 20) -> str:
    """A column's distribution in one line: its histogram, or its values from the most
    frequent on."""
    if column.number is not None:
        return spark(column.number.histogram, width)
    if column.top and column.top_complete:
        return levels([count for _, count in column.top[:width]], width)
    return ""


def facts(column: ColumnProfile) -> list[tuple[str, str]]:
    """Everything that is counted of a column, by name."""
    about = "about " if column.distinct_approximate else ""
    rows = [
        ("type", f"{column.type} ({column.kind.value})"),
        ("rows", f"{column.rows:,}"),
        ("missing", f"{column.missing:,} ({column.missing_share:.2%})"),
        ("distinct", "" if column.distinct is None else f"{about}{column.distinct:,}"),
    ]
    stats, text, times = column.number, column.text, column.time
    if stats is not None and stats.minimum is not None:
        rows += [
            ("min, max", f"{number(stats.minimum)}, {number(stats.maximum)}"),
            ("mean, std", f"{_maybe(stats.mean)}, {_maybe(stats.std)}"),
            ("quantiles", _quantiles(column)),
            ("zeros", _count(stats.zeros)),
            ("negative", _count(stats.negatives)),
        ]
    if stats is not None:
        rows += [("NaN", _count(stats.nan)), ("infinite", _count(stats.infinite))]
        fences = stats.outliers
        if fences is not None:
            bounds = f"{number(_round(fences.low))} to {number(_round(fences.high))}"
            rows.append(("outliers", f"{fences.count:,} outside {bounds} ({fences.rule})"))
    if text is not None and text.max_length is not None:
        mean = f", {text.mean_length:.1f} on average" if text.mean_length is not None else ""
        rows.append(("length", f"{text.min_length} to {text.max_length} characters{mean}"))
        rows.append(("blank", _count(text.blank)))
    if times is not None:
        rows += time_facts(times)
    rows.append(("note", column.note))
    return rows


def _count(value: int) -> str:
    return f"{value:,}" if value else ""


def _maybe(value: float | None) -> str:
    return "-" if value is None else number(value)


def _quantiles(column: ColumnProfile) -> str:
    assert column.number is not None
    wanted = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
    found = [(share, column.number.quantile(share)) for share in wanted]
    return "  ".join(f"{share:.0%} {number(v)}" for share, v in found if v is not None)


def time_facts(times: TimeStats) -> list[tuple[str, str]]:
    """What a column of times covers, by name."""
    if times.first is None:
        return [("times", "none")]
    rows = [("from, to", f"{span_words(times)} UTC")]
    if times.step is not None or times.calendar:
        rows.append(("step", f"{step_words(times)} ({times.regular:.1%} of neighbours)"))
        told = "none"
        if times.missing:
            gaps = "1 gap" if times.gap_count == 1 else f"{times.gap_count:,} gaps"
            told = f"{times.missing:,} times in {gaps}"
        rows.append(("gaps", told))
    if times.note:
        rows.append(("gaps", times.note))
    return rows


def gap_lines(times: TimeStats, most: int | None = 10) -> list[Line]:
    """Gaps in order of time: all, or the `most` longest."""
    longest = sorted(times.gaps, key=lambda gap: (-gap.missing, gap.first))
    shown = sorted(longest[:most] if most is not None else longest, key=lambda gap: gap.first)
    lines: list[Line] = [_gap(gap) for gap in shown]
    left = times.gap_count - len(shown)
    if left > 0:
        lines.append([(f"and {left:,} shorter ones", "dim")])
    return lines


def _gap(gap: Gap) -> Line:
    days = gap.first % _DAY == 0 and gap.last % _DAY == 0
    span = moment(gap.first, days)
    if gap.missing > 1:
        span += f" → {moment(gap.last, days)}"
    return [(f"{span:<35}", ""), (f"{gap.missing:>7,} missing", "warn")]


def step_words(times: TimeStats) -> str:
    """The usual step: hour, day, 15 minutes, month."""
    if times.calendar or times.step is None:
        return times.calendar or "none"
    for word, size in (("week", 604800), ("day", _DAY), ("hour", 3600), ("minute", 60)):
        if times.step >= size and times.step % size == 0:
            count = int(times.step // size)
            return word if count == 1 else f"{count} {word}s"
    return f"{times.step:g} seconds"


def correlation_words(pair: Correlation) -> str:
    """A pair in words: `temp ~ atemp  pearson 0.99`."""
    return f"{pair.first} ~ {pair.second}  {pair.method.replace('_', ' ')} {pair.value:+.2f}"


def strongest(
    profile: DatasetProfile, column: str | None = None, most: int = 8
) -> list[Correlation]:
    """The strongest pairs (of one column), each once, by the method that says most."""
    best: dict[tuple[str, str], Correlation] = {}
    for pair in profile.correlations:
        if column is not None and column not in (pair.first, pair.second):
            continue
        key = (pair.first, pair.second)
        if key not in best or abs(pair.value) > abs(best[key].value):
            best[key] = pair
    return sorted(best.values(), key=lambda pair: -abs(pair.value))[:most]


def diff_drawing(column: ColumnDiff, width: int = 20) -> tuple[str, str]:
    """Before and after in one line each, over the same bins or values."""
    before, after = column.before, column.after
    if before is None or after is None:
        return drawing(before, width) if before else "", drawing(after, width) if after else ""
    one = before.number.histogram if before.number else None
    two = after.number.histogram if after.number else None
    by_value = are_categories(before) and are_categories(after)
    if one is not None and two is not None and not by_value:
        if two.edges != one.edges:
            two = respread(two, one.edges)
        tails = one.below or two.below or one.above or two.above
        first = [one.below, *one.counts, one.above] if tails else list(one.counts)
        second = [two.below, *two.counts, two.above] if tails else list(two.counts)
        return levels(first, width), levels(second, width)
    if by_value:
        counts, others = dict(before.top), dict(after.top)
        names = list(dict.fromkeys([*counts, *others]))
        if one is not None:
            names.sort(key=float)
        names = names[:width]
        return (
            levels([counts.get(name, 0) for name in names], width),
            levels([others.get(name, 0) for name in names], width),
        )
    return "", ""


def span_words(times: TimeStats) -> str:
    """From the first to the last, in UTC."""
    days = (times.first or 0) % _DAY == 0 and (times.last or 0) % _DAY == 0
    return f"{moment(times.first, days)} → {moment(times.last, days)}"


def moment(at: float | None, day: bool = False) -> str:
    """A moment in UTC, to the minute where it is a whole one; its `day` only."""
    if at is None:
        return "-"
    found = datetime.fromtimestamp(at, UTC)
    if day:
        return f"{found:%Y-%m-%d}"
    return f"{found:%Y-%m-%d %H:%M}" if at % 60 == 0 else f"{found:%Y-%m-%d %H:%M:%S}"
