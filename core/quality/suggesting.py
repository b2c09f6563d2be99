"""Expectations suggested from a profile: what holds of the data and would be odd if it didn't.

Bounds have room, so that next month's data are not held back for being next month's: what must
hold whatever happens (types, missing values where there are none, no negative amounts) is an
error, what merely held so far a warning.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

from core.domain.profile import ColumnKind, ColumnProfile, DatasetProfile, NumberStats
from core.quality._keys import FAMILIES

FEW = 31
"""A column with at most so many different values is taken for one of categories."""
MUCH = 100
"""Rows below which little is concluded."""
DRIFT_COLUMNS = 30


def suggested_file(profile: DatasetProfile, conditions: tuple[str, ...] = ()) -> str:
    """The text of a file of expectations for the dataset of `profile`.

    `conditions` are SQL conditions that every row was found to meet.
    """
    lines = [
        f"# Suggested from snapshot #{profile.snapshot_number} of {profile.dataset}"
        f" ({profile.rows:,} rows), {datetime.fromtimestamp(profile.at, UTC):%Y-%m-%d}.",
        "# Read it, loosen or tighten it: it says what was so, not what is right.",
        f"dataset: {profile.dataset}",
        "columns:",
    ]
    for column in profile.columns:
        lines += _column(column, profile)
    if conditions:
        lines += ["conditions:", *(f"  - {_text(each)}" for each in conditions)]
    lines += _volume(profile)
    lines += _freshness(profile)
    lines += _drift(profile)
    return "\n".join(lines) + "\n"


def _column(column: ColumnProfile, profile: DatasetProfile) -> list[str]:
    must: list[tuple[str, str]] = []
    warn: list[tuple[str, str]] = []
    word = type_word(column)
    if word:
        must.append(("dtype", word))
    nan = column.number.nan if column.number else 0
    if not column.missing + nan and profile.rows >= MUCH:
        must.append(("nullable", "false"))
    elif column.missing + nan and profile.rows >= MUCH:
        share = (column.missing + nan) / profile.rows
        warn.append(("max_missing", _percent(min(1.0, share * 1.5 + 0.01))))
    if is_key(column, profile):
        must.append(("unique", "true"))
    if column.number is not None and column.number.minimum is not None:
        more, less = _number(column, column.number, profile)
        must += more
        warn += less
    if column.kind is ColumnKind.TEXT and column.time is None:
        warn += _text_checks(column, profile)
    key = _key(column.name)
    if not must and not warn:
        return [f"  {key}:"]
    inner = [f"{name}: {value}" for name, value in must]
    if warn:
        inner.append("warn: {" + ", ".join(f"{name}: {value}" for name, value in warn) + "}")
    line = f"  {key}: {{{', '.join(inner)}}}"
    if len(line) <= 100:
        return [line]
    return [f"  {key}:", *(f"    {each}" for each in inner)]


def type_word(column: ColumnProfile) -> str:
    """The word for a column's type that is not about widths."""
    kind = column.type.lower()
    words = {"int": "integer", "long": "integer", "double": "float", "float": "float"}
    word = words.get(kind) or next((name for name, of in FAMILIES.items() if kind in of), "")
    if kind.startswith(("timestamp", "datetime")):
        return "timestamp"
    if kind.startswith("decimal"):
        return "decimal"
    return word if kind not in FAMILIES else kind


def is_key(column: ColumnProfile, profile: DatasetProfile) -> bool:
    """Whether every value occurs once, and that is no chance: never said of fractions."""
    if column.distinct is None or column.missing or profile.rows < MUCH:
        return False
    if column.kind not in (ColumnKind.NUMBER, ColumnKind.TEXT, ColumnKind.TIME):
        return False
    whole = column.number is None or _is_whole(column)
    return whole and not column.distinct_approximate and column.distinct == profile.rows


def _is_whole(column: ColumnProfile) -> bool:
    return type_word(column) == "integer"


def is_code(column: ColumnProfile, profile: DatasetProfile) -> bool:
    """Whether the values are few and each occurs often: categories, whatever their type."""
    return (
        column.top_complete
        and column.distinct is not None
        and 1 < column.distinct <= FEW
        and profile.rows >= MUCH * column.distinct
    )


def _number(
    column: ColumnProfile, stats: NumberStats, profile: DatasetProfile
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    must: list[tuple[str, str]] = []
    warn: list[tuple[str, str]] = []
    low, high = stats.minimum or 0.0, stats.maximum or 0.0
    whole = _is_whole(column)
    if not whole and not stats.nan and not stats.infinite:
        must.append(("finite", "true"))
    share = not whole and low >= 0 and high <= 1 and high > 0.5
    if low >= 0 and profile.rows >= MUCH:
        must.append(("ge", "0"))
    if share:
        must.append(("le", "1"))
    elif whole and is_code(column, profile):
        values = sorted(int(value) for value, _ in column.top)
        warn.append(("isin", json.dumps(values)))
    elif not is_key(column, profile) and high > low:
        room = (high - low) / 2
        if low < 0:
            warn.append(("ge", _round(low - room, whole, down=True)))
        warn.append(("le", _round(high + room, whole, down=False)))
    return must, warn


def _text_checks(column: ColumnProfile, profile: DatasetProfile) -> list[tuple[str, str]]:
    checks: list[tuple[str, str]] = []
    if is_code(column, profile) and all(len(value) < 100 for value, _ in column.top):
        values = sorted(value for value, _ in column.top)
        return [("isin", json.dumps(values, ensure_ascii=False))]
    if column.text is not None and column.text.max_length:
        if not column.text.blank and column.text.min_length:
            checks.append(("min_length", "1"))
        checks.append(("max_length", str(2 * column.text.max_length + 10)))
    return checks


def _round(value: float, whole: bool, *, down: bool) -> str:
    """A bound in two digits, rounded away from the data."""
    if value == 0 or not math.isfinite(value):
        return "0"
    scale = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    steps = math.floor(value / scale) if down else math.ceil(value / scale)
    bound = steps * scale
    if whole or scale >= 1:
        return str(math.floor(bound) if down else math.ceil(bound))
    return f"{bound:.{max(0, -math.floor(math.log10(scale)))}f}"


def _volume(profile: DatasetProfile) -> list[str]:
    if profile.rows < MUCH:
        return []
    return ["volume:", f"  {{min_rows: {_two_digits(profile.rows // 2)}, severity: warn}}"]


def _two_digits(rows: int) -> int:
    scale: int = 10 ** max(0, len(str(rows)) - 2)
    return rows // scale * scale


def _freshness(profile: DatasetProfile) -> list[str]:
    """The age of the newest time, where the data were fresh; else a hint."""
    for column in profile.columns:
        times = column.time
        if times is None or times.last is None or times.step is None:
            continue
        age = profile.at - times.last
        allowed = max(3 * times.step, 2 * age, 3600.0)
        entry = f"{{column: {_key(column.name)}, max_age: {_duration(allowed)}, severity: warn}}"
        if 0 <= age <= 30 * times.step:
            return ["freshness:", f"  {entry}"]
        entry = f"{{column: {_key(column.name)}, max_age: {_duration(3 * times.step)}}}"
        return [f"# freshness: {entry}  # the newest is old already"]
    return []


def _drift(profile: DatasetProfile) -> list[str]:
    columns = [
        column
        for column in profile.columns
        if column.time is None
        and not is_key(column, profile)
        and (column.top_complete or (column.number is not None and column.number.histogram))
        and (column.distinct or 0) > 1
    ]
    if not columns or profile.rows < MUCH:
        return []
    base = f'"#{profile.snapshot_number}"' if profile.snapshot_number else "previous"
    return ["drift:"] + [
        f"  - {{column: {_key(column.name)}, psi: 0.25, baseline: {base}, severity: warn}}"
        for column in columns[:DRIFT_COLUMNS]
    ]


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{math.ceil(seconds / size)}{unit}"
    return f"{math.ceil(seconds)}s"


def _percent(share: float) -> str:
    return f"{math.ceil(share * 1000) / 10:g}%"


def _key(name: str) -> str:
    plain = name.isidentifier() and name.isascii()
    words = ("true", "false", "null", "y", "n", "yes", "no", "on", "off")
    return name if plain and name.lower() not in words else json.dumps(name, ensure_ascii=False)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
