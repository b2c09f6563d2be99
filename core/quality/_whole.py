"""Checks of a batch or snapshot as a whole: volume, freshness, drift."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from core.domain.quality import Check, CheckScope, CheckStatus
from core.quality.context import Context

Answer = tuple[CheckStatus, str, str]
"""Status, what was observed, and the message."""


def volume(check: Check, rows: int, context: Context) -> Answer:
    """Rows within bounds, and near the mean of the last ones."""
    options = check.options
    of_batch = check.kind == "batch_volume"
    if of_batch and context.scope is CheckScope.SNAPSHOT:
        if context.rows_added is None:
            return CheckStatus.SKIPPED, "", "it is not known how many rows were added"
        rows = context.rows_added
    observed = f"{rows:,} rows"
    if rows < options.get("min_rows", 0):
        return CheckStatus.FAILED, observed, f"{observed}, fewer than {options['min_rows']:,}"
    most = options.get("max_rows")
    if most is not None and rows > most:
        return CheckStatus.FAILED, observed, f"{observed}, more than {most:,}"
    change = options.get("change")
    if change is None:
        return CheckStatus.PASSED, observed, ""
    earlier = context.earlier_batches if of_batch else context.earlier_rows
    last = list(earlier)[: max(1, options.get("last", 5))]
    if not last:
        return CheckStatus.SKIPPED, observed, "nothing earlier to compare with"
    mean = sum(last) / len(last)
    if abs(rows - mean) > change * mean:
        usual = f"the last {len(last)} had {mean:,.0f} on average"
        return CheckStatus.FAILED, observed, f"{observed}; {usual}, {change:.0%} either way allowed"
    return CheckStatus.PASSED, observed, ""


def freshness(check: Check, newest: Any, context: Context) -> Answer:
    """The newest time is at most `max_age` old; `newest` is of the column, where one is named."""
    moment = seconds_of(newest) if check.columns else context.at
    if moment is None:
        what = f"{check.columns[0]} has no times" if check.columns else "no snapshot to be asked"
        failed = CheckStatus.FAILED if check.columns else CheckStatus.SKIPPED
        return failed, "", what
    age = context.now - moment
    observed = f"newest {datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"
    if age > float(check.value):
        message = f"{observed} is {_span(age)} old, {_span(float(check.value))} allowed"
        return CheckStatus.FAILED, observed, message
    return CheckStatus.PASSED, observed, ""


def newest_of(values: pl.Series) -> Any:
    """The greatest of a column of times, or of texts that stand for times."""
    if values.dtype == pl.String:
        values = values.str.to_datetime(strict=False, time_zone="UTC")
    return values.max() if values.dtype.is_temporal() else None


def seconds_of(value: Any) -> float | None:
    """Epoch seconds of a time or date (UTC where it names no zone); None for anything else."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    return None


def max_missing(check: Check, missing: int, rows: int) -> Answer:
    """The share of missing values is at most what is allowed."""
    share = missing / rows if rows else 0.0
    observed = f"{share:.2%} missing"
    if share > float(check.value):
        return CheckStatus.FAILED, observed, f"{observed}, {float(check.value):.2%} allowed"
    return CheckStatus.PASSED, observed, ""


def _span(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
