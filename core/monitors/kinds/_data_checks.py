"""The checks of one column, and of a window's schema."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from core.domain.monitor import Measurement, State, Violation
from core.monitors.kinds._data_settings import DataQualitySettings

if TYPE_CHECKING:
    from core.drift.baseline import Baseline, ColumnBaseline
    from core.drift.window import ColumnCounts, WindowCounts

Found = tuple[Measurement, Violation | None]
_ABOVE = "GreaterThanThreshold"
SURE = 3.0
"""Standard errors from which on a share is not above another by chance."""
MUCH = 0.5
WORTH_WARNING = 0.01
FEW = 31
"""Different values up to which a column is one of categories, if each comes often."""
OFTEN = 100


def schema(baseline: Baseline, window: WindowCounts) -> Iterator[Found]:
    """Columns that are not there any more, and columns that were not there."""
    gone = [n for n, each in window.columns.items() if window.rows and each.absent == each.rows]
    told = "columns of the baseline that the window has not"
    yield (
        Measurement(
            "missing_columns", float(len(gone)), threshold=0.0, comparison=_ABOVE,
            state=_state(bool(gone)), definition=told, detail={"columns": gone[:50]},
        ),
        None,
    )  # fmt: skip
    for name in gone:
        yield (
            _mark(name, "missing_share", 1.0, told),
            Violation(
                name, "missing_column_check", f"{name}: the column is missing",
                severity="critical",
            ),
        )  # fmt: skip
    yield (
        Measurement(
            "extra_columns", float(len(window.extra)), threshold=0.0, comparison=_ABOVE,
            state=_state(bool(window.extra)), definition="columns that the baseline has not",
            detail={"columns": dict(list(window.extra.items())[:50])},
        ),
        None,
    )  # fmt: skip
    for name, dtype in window.extra.items():
        told = f"{name} ({dtype}): the column is not in the baseline"
        yield (
            _mark(name, "extra_column", 1.0, "the baseline has no such column"),
            Violation(name, "extra_column_check", told, severity="warning"),
        )


def _mark(name: str, metric: str, value: float, definition: str) -> Measurement:
    return Measurement(
        metric, value, name, threshold=0.0, comparison=_ABOVE, state=State.VIOLATED,
        definition=definition,
    )  # fmt: skip


def column(
    then: ColumnBaseline, now: ColumnCounts, settings: DataQualitySettings, enough: bool
) -> Iterator[Found]:
    """All checks of a column that is there. Below enough rows shares are shown, not judged."""
    if now.rows and now.absent == now.rows:
        return
    yield _completeness(then, now, settings, enough)
    present = now.rows - now.missing
    if present <= 0:
        return
    typed = _types(then, now, present, settings, enough)
    if typed is not None:
        yield typed
    if now.numbers is not None and present:
        yield _infinite(then, now, present, enough)
        yield from _range(then, now, settings, enough)
    elif now.categories is not None:
        found = _domain(then, now, settings, enough)
        if found is not None:
            yield found


def _completeness(
    then: ColumnBaseline, now: ColumnCounts, settings: DataQualitySettings, enough: bool
) -> Found:
    usual, share, rows = then.missing_share, now.missing_share, max(1, now.rows)
    error = math.sqrt(usual * (1 - usual) * (1 / rows + 1 / max(1, then.rows)))
    allowed = min(1.0, usual + max(settings.missing_tolerance, SURE * error))
    wrong = share > allowed
    violation = None
    if wrong and enough:
        told = (
            f"{then.name}: {1 - share:.1%} of the rows have a value, at least"
            f" {1 - allowed:.1%} are expected ({1 - usual:.1%} in the baseline)"
        )
        severity = "critical" if share - usual >= MUCH else "warning"
        violation = Violation(
            then.name, "completeness_check", told, "missing_share", share, allowed, severity
        )
    definition = (
        "rows without a value; allowed are the baseline's share and the greater of"
        f" {settings.missing_tolerance:g} and {SURE:g} standard errors"
    )
    measured = _share("missing_share", then.name, share if now.rows else None, allowed, wrong,
                      enough, definition, {"baseline": usual})  # fmt: skip
    return measured, violation


def _types(
    then: ColumnBaseline,
    now: ColumnCounts,
    present: int,
    settings: DataQualitySettings,
    enough: bool,
) -> Found | None:
    if now.numbers is None and now.categories is None:
        return None
    fractions = now.numbers.fractions if now.numbers is not None else 0
    share = min(1.0, (now.mistyped + fractions) / present)
    wrong = share > settings.type_tolerance
    violation = None
    if wrong and enough:
        told = (
            f"Data type match requirement is not met. Expected data type: {then.inferred},"
            f" Expected match: {1 - settings.type_tolerance:.1%}."
            f" Observed: Only {1 - share:.2%} of data is {then.inferred}."
        )
        violation = Violation(
            then.name, "data_type_check", told, "mistyped_share", share, settings.type_tolerance,
            "critical" if share >= MUCH else "warning",
        )  # fmt: skip
    definition = f"values that are not {then.inferred}, the type in the baseline ({then.type})"
    detail = {"types": list(now.types), "expected": then.inferred}
    return (
        _share("mistyped_share", then.name, share, settings.type_tolerance, wrong, enough,
               definition, detail),
        violation,
    )  # fmt: skip


def _infinite(then: ColumnBaseline, now: ColumnCounts, present: int, enough: bool) -> Found:
    count = now.numbers.infinite if now.numbers is not None else 0
    before = then.numbers.infinite if then.numbers is not None else 0
    wrong = bool(count) and not before
    violation = None
    if wrong and enough:
        told = f"{then.name}: {count:,} values are infinite, none were in the baseline"
        violation = Violation(
            then.name, "infinite_check", told, "infinite_share", count / present, 0.0
        )
    definition = "values that are infinite"
    return (
        _share("infinite_share", then.name, count / present, 0.0, wrong, enough, definition, {}),
        violation,
    )


def _range(
    then: ColumnBaseline, now: ColumnCounts, settings: DataQualitySettings, enough: bool
) -> Iterator[Found]:
    counts, before = now.numbers, then.numbers
    if counts is None or before is None or not counts.present or not before.present:
        return
    bounds = settings.ranges.get(then.name)
    if bounds is None:
        if settings.range_room is None or then.treated != "number" or then.note:
            return
        room = settings.range_room * (before.maximum - before.minimum)
        low, high = before.minimum - room, before.maximum + room
        if before.minimum >= 0:
            low = max(0.0, low)  # what never was negative has a natural bound
        if not room or not math.isfinite(low) or not math.isfinite(high):
            return
    else:
        low, high = bounds
    wrong = counts.minimum < low or counts.maximum > high
    outside = float(counts.counts[0] + counts.counts[-1]) / counts.present
    violation = None
    if wrong and enough:
        check = "non_negative_check" if low == 0.0 and counts.minimum < 0 else "range_check"
        told = (
            f"{then.name}: values from {counts.minimum:.6g} to {counts.maximum:.6g},"
            f" {low:.6g} to {high:.6g} are expected"
        )
        violation = Violation(
            then.name, check, told, "outside_share", outside, 0.0,
            "warning" if outside >= WORTH_WARNING else "info",
        )  # fmt: skip
    definition = (
        f"values outside the baseline's range; a violation where one lies outside {low:.6g}"
        f" to {high:.6g}"
    )
    detail = {"minimum": counts.minimum, "maximum": counts.maximum, "bounds": [low, high]}
    yield (
        _share("outside_share", then.name, outside, None, wrong, enough, definition, detail),
        violation,
    )


def has_domain(then: ColumnBaseline) -> bool:
    """Whether the values are few, known and each frequent: then a new one is worth a word."""
    found = then.categories
    if found is None or then.note or then.distinct_capped or found.other:
        return False
    return 0 < then.distinct <= FEW and found.present >= OFTEN * then.distinct


def _domain(
    then: ColumnBaseline, now: ColumnCounts, settings: DataQualitySettings, enough: bool
) -> Found | None:
    found = now.categories
    known = settings.domains.get(then.name)
    if found is None or not found.present or (known is None and not has_domain(then)):
        return None
    allowed = set(then.categories.values if then.categories else ()) if known is None else known
    inside = sum(
        float(count)
        for value, count in zip(found.values, found.counts, strict=True)
        if value in allowed
    ) + sum(count for value, count in found.new.items() if value in allowed)
    share = max(0.0, 1.0 - inside / found.present)
    wrong = share > settings.domain_tolerance
    violation = None
    new = {value: count for value, count in found.new.items() if value not in allowed}
    if wrong and enough:
        more = "at least " if found.new_capped else ""
        told = (
            f"{then.name}: {1 - share:.2%} of the values are among the {len(allowed)} expected,"
            f" {1 - settings.domain_tolerance:.2%} are required"
            f" ({more}{len(new)} different new ones)"
        )
        violation = Violation(
            then.name, "categorical_values_check", told, "unknown_share", share,
            settings.domain_tolerance, "warning" if share >= WORTH_WARNING else "info",
        )  # fmt: skip
    detail: dict[str, Any] = {"new": {v[:60]: n for v, n in list(new.items())[:10]}}
    definition = "values that are not among the expected ones"
    return (
        _share("unknown_share", then.name, share, settings.domain_tolerance, wrong, enough,
               definition, detail),
        violation,
    )  # fmt: skip


def _share(
    metric: str,
    name: str,
    value: float | None,
    threshold: float | None,
    wrong: bool,
    enough: bool,
    definition: str,
    detail: dict[str, Any],
) -> Measurement:
    return Measurement(
        metric, value, name, threshold=threshold, comparison="" if threshold is None else _ABOVE,
        state=_state(wrong) if enough else State.INSUFFICIENT, definition=definition,
        detail=detail,
    )  # fmt: skip


def _state(wrong: bool) -> State:
    return State.VIOLATED if wrong else State.OK
