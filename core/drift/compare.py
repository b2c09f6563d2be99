"""A window set beside its baseline: each column's numbers, whole and by segment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.drift import distances
from core.drift.baseline import Baseline, ColumnBaseline
from core.drift.bins import bins_of, edge_labels, shown_edges, shown_shares
from core.drift.categories import CategoryCounts, counted
from core.drift.groups import blended
from core.drift.numeric import Knots, NumberCounts, share_counts
from core.drift.pvalues import chi_square_p_value, ks_p_value
from core.drift.values import Floats, Ints
from core.drift.window import ColumnCounts, WindowCounts

SHOWN_CATEGORIES = 12
LEAST_SEASON = 100.0
"""Effective rows of the same season that a baseline needs."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A column in a window against the baseline.

    `values` are numbers by metric (None where there is none), `p_value` and `effect` what is
    judged by: `effect_metric` is `ks` or `tvd`. `rows` and `against` count the values on either
    side (`against` the effective number where the baseline was weighted by season). `note` says
    why it cannot be judged, if so; `shown_only` that it never is (a time, an identifier). `low`
    and `high` bound the effect where the baseline is a
    sketch. `detail` holds the histograms.
    """

    name: str
    segment: str = ""
    values: Mapping[str, float | None] = field(default_factory=dict)
    p_value: float | None = None
    effect: float | None = None
    effect_metric: str = ""
    rows: float = 0
    against: float = 0
    note: str = ""
    shown_only: bool = False
    low: float | None = None
    high: float | None = None
    exact: bool = True
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The column, and the segment where it is of one."""
        return f"{self.name}|{self.segment}" if self.segment else self.name


def compare(baseline: Baseline, window: WindowCounts) -> list[Compared]:
    """Each column of the baseline; within the same season where the baseline has seasons."""
    place = baseline.season
    result = []
    for column in baseline.columns:
        found = window.columns[column.name]
        if place is not None and column.name in baseline.by_group[place]:
            result.append(_in_season(baseline, window, column, found, place))
        else:
            result.append(_whole(column, found))
    return result


def _whole(column: ColumnBaseline, found: ColumnCounts) -> Compared:
    missing = {"missing_share": found.missing_share if found.rows else None}
    then, now = column.numbers, found.numbers
    if then is not None and now is not None and column.bins is not None:
        return _numbers(column, then, now, missing)
    if column.categories is not None and found.categories is not None:
        return _categories(column, column.categories, found.categories, missing)
    return _shown_only(column, missing)


def _numbers(
    column: ColumnBaseline,
    then: NumberCounts,
    now: NumberCounts,
    more: Mapping[str, float | None],
    note: str = "",
) -> Compared:
    distance = distances.ks(then, now)
    if distance is None:
        return _empty(column, more, now.rows)
    n, m = then.present, now.present
    values: dict[str, float | None] = {"ks": distance.value}
    bins = column.bins if column.bins is not None and not note else bins_of(then)
    before, after = bins.shares(then), bins.shares(now)
    values["psi"] = distances.psi(before, after)
    values["js"] = distances.js_distance(before, after)
    values["wasserstein"] = distances.wasserstein(then, now)
    values["linf_simple"] = distance.value
    values["linf_robust"] = distances.robust(distance.value, n, m)
    std, one, two = then.std, then.mean, now.mean
    if std:
        area = values["wasserstein"]
        values["wasserstein_normalised"] = None if area is None else area / std
        values["mean_shift"] = None if one is None or two is None else (two - one) / std
    edges = shown_edges(then.knots, then)
    return Compared(
        column.name,
        values={**values, **more},
        p_value=ks_p_value(distance.value, n, m),
        effect=distance.value,
        effect_metric="ks",
        rows=m,
        against=n,
        note=column.note,
        shown_only=bool(column.note),
        low=distance.low,
        high=distance.high,
        exact=distance.exact,
        detail={
            "histogram": {
                "labels": edge_labels(edges),
                "now": _rounded(shown_shares(edges, now)),
                "then": _rounded(shown_shares(edges, then)),
            },
            "bins": {
                "rule": bins.rule,
                "labels": list(bins.labels()),
                "now": _rounded(after),
                "then": _rounded(before),
            },
            "mean": [_float(one), _float(two)],
            "at": distance.at,
            **({"season": note} if note else {}),
        },
    )


def _categories(
    column: ColumnBaseline,
    then: CategoryCounts,
    now: CategoryCounts,
    more: Mapping[str, float | None],
    note: str = "",
) -> Compared:
    n, m = then.present, now.present
    if not n or not m:
        return _empty(column, more, now.rows)
    one, two = then.shares(), now.shares()
    statistic, freedom = distances.chi_square(then.table(), now.table())
    # A value that the baseline has not is a category of its own, not a part of the others.
    greatest = float(np.abs(one[:-1] - two[:-1]).max()) if len(one) > 1 else 0.0
    newest = max(now.new.values(), default=0) / m if not then.other else 0.0
    linf = max(greatest, newest)
    values: dict[str, float | None] = {
        "chi_square": statistic,
        "tvd": distances.total_variation(one, two),
        "linf": linf,
        "cramers_v": float(np.sqrt(statistic / (n + m))),
        "psi": distances.psi(one, two),
        "js": distances.js_distance(one, two),
        "linf_simple": linf,
        "linf_robust": distances.robust(linf, n, m),
        **more,
    }
    order = np.argsort(-np.maximum(one, two), kind="stable")[:SHOWN_CATEGORIES]
    names = [*then.values, "other"]
    rest = [max(0.0, 1.0 - float(shares[order].sum())) for shares in (one, two)]
    more_labels = ["all others"] if len(order) < len(names) else []
    return Compared(
        column.name,
        values=values,
        p_value=chi_square_p_value(statistic, freedom),
        effect=values["tvd"],
        effect_metric="tvd",
        rows=m,
        against=n,
        note=column.note,
        shown_only=bool(column.note),
        detail={
            "histogram": {
                "labels": [str(names[i])[:60] for i in order] + more_labels,
                "now": _rounded(two[order]) + rest[1:] * len(more_labels),
                "then": _rounded(one[order]) + rest[:1] * len(more_labels),
            },
            "new": {value[:60]: count for value, count in list(now.new.items())[:10]},
            "new_values": len(now.new),
            "new_capped": now.new_capped,
            **({"season": note} if note else {}),
        },
    )


def _in_season(
    baseline: Baseline,
    window: WindowCounts,
    column: ColumnBaseline,
    found: ColumnCounts,
    place: int,
) -> Compared:
    """Against the baseline's rows of the same seasons, as often as the window has each."""
    missing = {"missing_share": found.missing_share if found.rows else None}
    then, now = baseline.by_group[place][column.name], window.by_group[place][column.name]
    if column.categories is not None:
        then, now = _codes_to_table(then), _codes_to_table(now)
    known = then.sum(axis=1) > 0
    weights = now.sum(axis=1).astype(np.float64)
    all_values = float(weights.sum())
    blend, effective = blended(then, weights)
    compared = now[known].sum(axis=0).astype(np.float64)
    season = baseline.groupings[place]
    note = f"same {season.season} ({season.timezone})"
    covered = float(compared.sum()) / all_values if all_values else 0.0
    if column.note:
        return _shown_only(column, missing)
    if effective < LEAST_SEASON or covered < 0.5:
        short = (
            _nothing(found.rows)
            if not all_values
            else (
                f"the baseline has too few rows of the {note}: {effective:.0f} effective,"
                f" {covered:.0%} of the window's rows covered"
            )
        )
        return Compared(column.name, values=missing, rows=all_values, note=short)
    if column.categories is not None:
        values = column.categories.values
        return _categories(column, counted(values, blend), counted(values, compared), missing, note)
    knots = column.coarse or Knots(np.empty(0), False)
    return _numbers(
        column, share_counts(blend, knots), share_counts(compared, knots), missing, note
    )


def compare_parts(baseline: Baseline, window: WindowCounts, least: int) -> list[Compared]:
    """Each column within each part of the season, where the baseline has seasons: a stronger
    swing goes up in one part and down in another, and may leave the whole as it was."""
    place = baseline.season
    if place is None:
        return []
    result = []
    for label, codes in baseline.groupings[place].parts():
        if window.group_rows[place][codes].sum() < least:
            continue
        for column in baseline.columns:
            if column.note or column.name not in baseline.by_group[place]:
                continue
            then = baseline.by_group[place][column.name][codes]
            now = window.by_group[place][column.name][codes]
            found = _within(column, then, now, label)
            if found is not None and found.rows >= least and found.against >= least:
                result.append(found)
    return result


def _within(column: ColumnBaseline, then: Ints, now: Ints, label: str) -> Compared | None:
    """One comparison of some seasons, the baseline weighted as the window has them."""
    if column.categories is not None:
        then, now = _codes_to_table(then), _codes_to_table(now)
    known = then.sum(axis=1) > 0
    blend, effective = blended(then, now.sum(axis=1).astype(np.float64))
    if not effective:
        return None
    return _judgeable(column, blend, now[known].sum(axis=0).astype(np.float64), label)


def _codes_to_table(counts: Ints) -> Ints:
    """From codes (missing, other, then the kept values) to the kept values and the others."""
    return np.concatenate([counts[:, 2:], counts[:, 1:2]], axis=1)


def compare_segments(baseline: Baseline, window: WindowCounts, least: int) -> list[Compared]:
    """Each column within each segment that has `least` rows on either side."""
    result = []
    for place, grouping in enumerate(baseline.groupings):
        if grouping.season is not None:
            continue
        for code in range(grouping.size):
            if min(baseline.group_rows[place][code], window.group_rows[place][code]) < least:
                continue
            for column in baseline.columns:
                if column.name == grouping.column or column.note:
                    continue
                found = _in_segment(baseline, window, column, place, code)
                if found is not None and found.rows >= least and found.against >= least:
                    result.append(found)
    return result


def _in_segment(
    baseline: Baseline, window: WindowCounts, column: ColumnBaseline, place: int, code: int
) -> Compared | None:
    if column.name not in baseline.by_group[place]:
        return None
    then = baseline.by_group[place][column.name][code : code + 1]
    now = window.by_group[place][column.name][code : code + 1]
    if column.categories is not None:
        then, now = _codes_to_table(then), _codes_to_table(now)
    label = baseline.groupings[place].label(code)
    return _judgeable(column, then[0].astype(np.float64), now[0].astype(np.float64), label)


def _judgeable(column: ColumnBaseline, then: Floats, now: Floats, label: str) -> Compared | None:
    """What a part of the rows is judged by: counts of cells, or of categories with all others
    at the end."""
    if column.categories is not None:
        n, m = float(then.sum()), float(now.sum())
        if not n or not m:
            return None
        p, q = then / n, now / m
        statistic, freedom = distances.chi_square(then, now)
        effect = distances.total_variation(p, q)
        values = {"tvd": effect, "chi_square": statistic, "psi": distances.psi(p, q)}
        p_value = chi_square_p_value(statistic, freedom)
        return Compared(column.name, label, values, p_value, effect, "tvd", m, n)
    if column.coarse is None:
        return None
    before, after = share_counts(then, column.coarse), share_counts(now, column.coarse)
    distance = distances.ks(before, after)
    if distance is None:
        return None
    bins = bins_of(before)
    psi = distances.psi(bins.shares(before), bins.shares(after))
    values = {"ks": distance.value, "psi": psi}
    n, m = before.present, after.present
    p_value = ks_p_value(distance.value, n, m)
    return Compared(
        column.name, label, values, p_value, distance.value, "ks", m, n,
        low=distance.low, high=distance.high, exact=distance.exact,
    )  # fmt: skip


def _shown_only(column: ColumnBaseline, more: Mapping[str, float | None]) -> Compared:
    note = column.note or "nothing to compare with"
    return Compared(column.name, values=more, note=note, shown_only=True)


def _empty(column: ColumnBaseline, more: Mapping[str, float | None], rows: int) -> Compared:
    if column.note:
        return _shown_only(column, more)
    return Compared(column.name, values=more, note=_nothing(rows))


def _nothing(rows: int) -> str:
    return "no value in the window" if rows else "no rows in the window"


def _rounded(shares: Floats) -> list[float]:
    return [round(float(share), 6) for share in shares]


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)
