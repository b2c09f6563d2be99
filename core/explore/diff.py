"""What changed from one profile to another: columns, rows, distributions, categories.

Arithmetic over records, without any library.
"""

from __future__ import annotations

from core.domain.profile import (
    ColumnDiff,
    ColumnProfile,
    DatasetProfile,
    ProfileDiff,
)
from core.explore.shift import PSI_LARGE, PSI_MODERATE, are_categories, shift_between

MOST_NAMED = 20
_MISSING_MOVED = 0.01
_JS_MOVED = 0.1


def profile_diff(before: DatasetProfile, after: DatasetProfile) -> ProfileDiff:
    """Two profiles of one dataset side by side; what changed most comes first."""
    names = [column.name for column in after.columns]
    names += [column.name for column in before.columns if after.column(column.name) is None]
    columns = [_column(name, before.column(name), after.column(name)) for name in names]
    order = {"removed": 0, "added": 0, "retyped": 1, "shifted": 2, "same": 3}
    columns.sort(key=lambda each: (order[each.change], -_size(each)))
    return ProfileDiff(after.dataset, before, after, tuple(columns))


def _column(name: str, before: ColumnProfile | None, after: ColumnProfile | None) -> ColumnDiff:
    if before is None or after is None:
        return ColumnDiff(name, "added" if before is None else "removed", before, after)
    shift = shift_between(before, after)
    new, lost = _values(before, after)
    remarks = _remarks(before, after)
    change = "same"
    if before.type != after.type:
        remarks = (f"was {before.type}, is {after.type}", *remarks)
        change = "retyped"
    elif (shift is not None and (shift.psi >= PSI_MODERATE or shift.js >= _JS_MOVED)) or (
        new or lost or remarks
    ):
        change = "shifted"
    return ColumnDiff(name, change, before, after, shift, new, lost, remarks)


def _values(before: ColumnProfile, after: ColumnProfile) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Values that only the one or the other has, where both profiles know all of theirs and
    there are not too many for a new one to mean something."""
    if not (are_categories(before) and are_categories(after)):
        return (), ()
    one = {value for value, _ in before.top}
    two = {value for value, _ in after.top}
    new = [value for value, _ in after.top if value not in one]
    lost = [value for value, _ in before.top if value not in two]
    return tuple(new[:MOST_NAMED]), tuple(lost[:MOST_NAMED])


def _remarks(before: ColumnProfile, after: ColumnProfile) -> tuple[str, ...]:
    told = []
    if abs(after.missing_share - before.missing_share) >= _MISSING_MOVED:
        told.append(f"missing {before.missing_share:.1%} → {after.missing_share:.1%}")
    one, two = before.number, after.number
    if one is not None and two is not None:
        if one.negatives == 0 and two.negatives:
            told.append(f"{two.negatives:,} negative values, none before")
        if one.nan + one.infinite == 0 and two.nan + two.infinite:
            told.append(f"{two.nan + two.infinite:,} NaN or infinite, none before")
    first, second = before.time, after.time
    if first is not None and second is not None and second.missing > first.missing:
        told.append(f"{second.missing - first.missing:,} more times missing")
    return tuple(told)


def _size(column: ColumnDiff) -> float:
    return column.shift.psi if column.shift is not None else 0.0


def reading_of(psi: float) -> str:
    """PSI in a word, as it is usually read: stable, moderate, large."""
    return "stable" if psi < PSI_MODERATE else "moderate" if psi < PSI_LARGE else "large"
