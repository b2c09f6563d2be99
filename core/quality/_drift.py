"""Checks between snapshots: how far a column has moved from a baseline's profile."""

from __future__ import annotations

from core.domain.profile import ColumnProfile, DatasetProfile
from core.domain.quality import Check, CheckStatus
from core.explore.shift import shift_between
from core.quality._whole import Answer
from core.quality.context import Context


def drift(check: Check, context: Context) -> Answer:
    """One measure of one column against its baseline."""
    if context.profiles is None:
        return CheckStatus.SKIPPED, "", "there is no baseline to compare with"
    now, baseline = context.profiles(str(check.options["baseline"]), check.columns)
    if baseline is None:
        ref = str(check.options["baseline"])
        told = "no earlier snapshot with rows" if ref == "previous" else f"no snapshot {ref}"
        return CheckStatus.SKIPPED, "", f"{told} to compare with"
    column = check.columns[0]
    before, after = baseline.column(column), now.column(column)
    if before is None or after is None:
        missing = "the baseline" if before is None else "the data"
        return CheckStatus.FAILED, "", f"{missing} has no column {column}"
    where = _name(baseline)
    return _MEASURES[str(check.options["measure"])](check, before, after, where)


def _mean(check: Check, before: ColumnProfile, after: ColumnProfile, where: str) -> Answer:
    one = before.number.mean if before.number else None
    two = after.number.mean if after.number else None
    if one is None or two is None:
        return CheckStatus.SKIPPED, "", "there is no mean to compare"
    # A mean near 0 has no useful share of itself: then the spread is the measure.
    spread = (before.number.std if before.number else None) or 0.0
    scale = abs(one) if abs(one) > 1e-9 else spread
    moved = abs(two - one) / scale if scale else (0.0 if two == one else float("inf"))
    observed = f"mean {one:.4g} → {two:.4g} ({moved:.1%})"
    return _limit(moved, float(check.value), observed, f"{float(check.value):.1%}", where)


def _missing(check: Check, before: ColumnProfile, after: ColumnProfile, where: str) -> Answer:
    moved = abs(after.missing_share - before.missing_share)
    observed = f"missing {before.missing_share:.2%} → {after.missing_share:.2%}"
    return _limit(moved, float(check.value), observed, f"{float(check.value):.2%}", where)


def _psi(check: Check, before: ColumnProfile, after: ColumnProfile, where: str) -> Answer:
    shift = shift_between(before, after)
    if shift is None:
        return CheckStatus.SKIPPED, "", "there are no distributions to compare"
    observed = f"PSI {shift.psi:.3f}"
    return _limit(shift.psi, float(check.value), observed, f"{float(check.value):g}", where)


def _categories(check: Check, before: ColumnProfile, after: ColumnProfile, where: str) -> Answer:
    if not before.top_complete or not after.top_complete:
        return CheckStatus.SKIPPED, "", "too many different values to know them all"
    new = sorted({value for value, _ in after.top} - {value for value, _ in before.top})
    if not new:
        return CheckStatus.PASSED, "no new values", ""
    return CheckStatus.FAILED, f"{len(new)} new values", f"{len(new)} values that {where} has not"


_MEASURES = {"mean": _mean, "missing": _missing, "psi": _psi, "categories": _categories}


def _limit(moved: float, limit: float, observed: str, allowed: str, where: str) -> Answer:
    if moved > limit:
        return CheckStatus.FAILED, observed, f"{observed} against {where}, {allowed} allowed"
    return CheckStatus.PASSED, observed, ""


def _name(profile: DatasetProfile) -> str:
    if profile.snapshot_number is not None:
        return f"snapshot #{profile.snapshot_number}"
    return f"snapshot {profile.snapshot_id}"
