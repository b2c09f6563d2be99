"""What the rule comes to where nothing has changed: on the baseline's own windows.

Two kinds of them. *Resampled*: rows drawn at random, which is what no drift looks like where
rows come independently. *In order*: consecutive rows as the baseline has them, which also holds
what rows close in time have in common (seasons, weather, campaigns). Where the second gives many
false alerts and the first none, the windows differ by nature: a season or a longer window is
wanted, not a higher threshold.

A window is compared with the rest of the baseline. The rest's distribution need not be counted:
from F_all = (n·F + (N-n)·F_rest)/N follows F - F_rest = (F - F_all)·N/(N-n).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from core.drift.baseline import Baseline, ColumnBaseline
from core.drift.building import encoded
from core.drift.compare import Compared, compare
from core.drift.decide import Rule, judge
from core.drift.distances import chi_square, robust
from core.drift.numeric import quantile_knots
from core.drift.pvalues import chi_square_p_value, ks_p_value
from core.drift.values import Floats, Ints
from core.drift.window import count_window

DRAWS = 200
_WORK = 10_000
"""Windows × columns that are resampled."""
IN_ORDER = 60
LEAST_WINDOWS = 5
_KNOTS = 1_024


@dataclass(frozen=True, slots=True)
class _Reference:
    """A column of the sample, ready for many comparisons: its values in row order, the knots (or
    None for codes of categories), and what was reached at each knot."""

    column: ColumnBaseline
    values: Floats
    knots: Floats | None
    left: Floats
    right: Floats


def calibrated(
    baseline: Baseline,
    batches: Sequence[pa.RecordBatch],
    rule: Rule,
    *,
    rows: int,
    whole: bool,
    windows_a_month: float | None,
    seed: int = 0,
) -> dict[str, Any]:
    """What `rule` does on windows of `rows` rows of the baseline; JSON-able.

    `batches` are the baseline's rows (`whole`) or a sample of them, in their order. Of time
    order only a whole baseline can tell. `false_alerts_a_month` is None where nobody knows how
    many windows a month has; then `false_alerts_a_hundred_windows` says it.
    """
    judged = [each for each in baseline.columns if not each.note]
    size = sum(batch.num_rows for batch in batches)
    drawn = min(rows, size // 2)
    if not judged or drawn < rule.minimum_rows:
        return {"windows": 0, "note": f"too few rows ({size:,}) to try windows of {rows:,}"}
    references = [_referenced(each, batches) for each in judged]
    draws = np.random.default_rng(seed)
    count = int(min(DRAWS, max(50, _WORK // len(judged))))
    picks = (np.sort(draws.permutation(size)[:drawn]) for _ in range(count))
    flags = np.array([_flags(references, pick, rule) for pick in picks])
    chance = (flags.sum(axis=0) + rule.q / len(judged)) / (count + 1)
    votes = [_at_least(rule.m, rule.n, float(p)) for p in chance]
    resampled = 1.0 - math.prod(1.0 - p for p in votes)
    told: dict[str, Any] = {
        "rows": drawn,
        "windows": count,
        "flagged_windows": round(float(flags.any(axis=1).mean()), 4),
        "false_alerts_a_hundred_windows": _digits(100 * resampled),
        "false_alerts_a_month": _a_month(resampled, windows_a_month),
        "windows_a_month": None if windows_a_month is None else round(windows_a_month, 1),
    }
    if whole and size // drawn >= LEAST_WINDOWS:
        told["in_order"] = _in_order(baseline, batches, references, rule, drawn, windows_a_month)
    return told


def _in_order(
    baseline: Baseline,
    batches: Sequence[pa.RecordBatch],
    references: Sequence[_Reference],
    rule: Rule,
    rows: int,
    windows_a_month: float | None,
) -> dict[str, Any]:
    """Consecutive windows, the newest ones where there are many; alerts are counted where they
    begin."""
    size = sum(batch.num_rows for batch in batches)
    count = min(IN_ORDER, size // rows)
    first = size - count * rows
    history: dict[str, list[int]] = {}
    begun = flagged = 0
    drifting: set[str] = set()
    greatest: dict[str, float] = {}
    table = pa.Table.from_batches(_same_schema(batches))
    for number in range(count):
        start = first + number * rows
        if baseline.season is None:
            found = list(_compared(references, np.arange(start, start + rows)))
        else:
            part = table.slice(start, rows).to_batches()
            found = [
                _against_rest(each) for each in compare(baseline, count_window(baseline, part))
            ]
        results, history = judge(found, rule, history)
        for each in found:
            if each.effect is not None and not each.note:
                greatest[each.name] = max(greatest.get(each.name, 0.0), each.effect)
        now = {each.compared.key for each in results if each.drifts}
        # One alert for all that drifts: it begins where nothing drifted before.
        begun += bool(now) and not drifting
        drifting = now
        flagged += any(each.flagged for each in results)
    share = begun / count
    return {
        "windows": count,
        "flagged_windows": round(flagged / count, 4),
        "false_alerts_a_hundred_windows": _digits(100 * share),
        "false_alerts_a_month": _a_month(share, windows_a_month),
        "greatest": {name: round(value, 4) for name, value in greatest.items()},
    }


def _against_rest(each: Compared) -> Compared:
    """The effect as against the baseline without the window itself."""
    if each.effect is None or each.against <= each.rows:
        return each
    scale = each.against / (each.against - each.rows)
    return replace(each, effect=min(1.0, each.effect * scale))


def _same_schema(batches: Sequence[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
    schema = batches[0].schema
    return [batch for batch in batches if batch.schema.equals(schema)]


def _referenced(column: ColumnBaseline, batches: Sequence[pa.RecordBatch]) -> _Reference:
    values = encoded(column, batches)
    finite = np.sort(values[np.isfinite(values)])
    if column.categories is not None:
        width = len(column.categories.values) + 1
        counts = np.bincount(finite.astype(np.int64), minlength=width).astype(np.float64)
        return _Reference(column, values, None, counts, counts)
    knots = quantile_knots(finite, _KNOTS)
    left = finite.searchsorted(knots, "left") / len(finite)
    right = finite.searchsorted(knots, "right") / len(finite)
    return _Reference(column, values, knots, left, right)


def _compared(references: Sequence[_Reference], pick: Ints) -> Iterable[Compared]:
    for each in references:
        values = each.values[pick]
        ordered = np.sort(values[np.isfinite(values)])
        all_values = float(np.isfinite(each.values).sum())
        n = len(ordered)
        rest = all_values - n
        name = each.column.name
        if not n or rest <= 0:
            yield Compared(name, note="no value in the window")
        elif each.knots is None:
            now = np.bincount(ordered.astype(np.int64), minlength=len(each.left))
            then = each.left - now
            statistic, freedom = chi_square(then, now.astype(np.float64))
            effect = float(np.abs(now / n - then / rest).sum() / 2)
            p_value = chi_square_p_value(statistic, freedom)
            greatest = float(np.abs(now / n - then / rest).max())
            yield Compared(name, "", _linf(greatest, n, rest), p_value, effect, "tvd", n, rest)
        else:
            left = np.abs(ordered.searchsorted(each.knots, "left") / n - each.left).max()
            right = np.abs(ordered.searchsorted(each.knots, "right") / n - each.right).max()
            effect = min(1.0, float(max(left, right)) * all_values / rest)
            p_value = ks_p_value(effect, n, rest)
            yield Compared(name, "", _linf(effect, n, rest), p_value, effect, "ks", n, rest)


def _linf(distance: float, first: float, second: float) -> dict[str, float | None]:
    return {"linf_simple": distance, "linf_robust": robust(distance, first, second)}


def _flags(references: Sequence[_Reference], pick: Ints, rule: Rule) -> list[bool]:
    results, _ = judge(list(_compared(references, pick)), rule, {})
    return [each.flagged for each in results]


def _at_least(m: int, n: int, chance: float) -> float:
    """The chance of at least m of n."""
    return sum(math.comb(n, k) * chance**k * (1 - chance) ** (n - k) for k in range(m, n + 1))


def _a_month(share: float, windows: float | None) -> float | None:
    return None if windows is None else _digits(share * windows)


def _digits(value: float) -> float:
    """Two significant digits."""
    return float(f"{value:.2g}")
