"""What is kept of the rows that windows are compared with: per column counts at knots or of
categories, bin edges with their rule, type, missing values; by segment and season too."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.drift.bins import Bins
from core.drift.categories import CategoryCounts
from core.drift.errors import BaselineFormat
from core.drift.groups import Grouping, Season
from core.drift.numeric import Knots, NumberCounts
from core.drift.values import Floats, Ints, Treated, clean

FORMAT = 1
"""Of what is stored; another one is not read."""


@dataclass(frozen=True, slots=True)
class ColumnBaseline:
    """One column of a baseline. `numbers` and `bins`, or `categories`, as it is treated; neither
    where only its missing values can be compared. `note` says why it is not judged, if it
    isn't. `distinct` is at least so many where `distinct_capped`. `coarse` are the knots at which
    segments and seasons are counted."""

    name: str
    treated: Treated
    type: str
    inferred: str
    rows: int
    missing: int
    distinct: int
    distinct_capped: bool = False
    note: str = ""
    numbers: NumberCounts | None = None
    bins: Bins | None = None
    categories: CategoryCounts | None = None
    coarse: Knots | None = None

    @property
    def missing_share(self) -> float:
        """The share of rows without a value."""
        return self.missing / self.rows if self.rows else 0.0


@dataclass(frozen=True, slots=True)
class Baseline:
    """What windows are compared with.

    `by_group[grouping's place][column]` are counts by group: groups × cells for numbers (at the
    column's coarse knots), groups × codes for categories. `group_rows` are the rows of each
    group. `sample` are rows to learn from, as numbers (categories as codes), by column.
    `calibration` says what the rule comes to on the baseline's own windows.
    """

    rows: int
    columns: tuple[ColumnBaseline, ...]
    groupings: tuple[Grouping, ...] = ()
    group_rows: tuple[Ints, ...] = ()
    by_group: tuple[Mapping[str, Ints], ...] = ()
    sample: Mapping[str, Floats] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)

    def column(self, name: str) -> ColumnBaseline | None:
        """The column of this name."""
        return next((each for each in self.columns if each.name == name), None)

    @property
    def season(self) -> int | None:
        """The place of the grouping that is a season."""
        return next((i for i, each in enumerate(self.groupings) if each.season), None)

    def stored(self) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
        """A JSON-able summary and arrays, which `restored` makes the baseline of again."""
        arrays: dict[str, np.ndarray[Any, Any]] = {}
        columns = [_stored_column(i, each, arrays) for i, each in enumerate(self.columns)]
        for place, group in enumerate(self.by_group):
            arrays[f"g{place}.rows"] = self.group_rows[place]
            for number, column in enumerate(self.columns):
                if column.name in group:
                    arrays[f"g{place}.{number}"] = group[column.name].astype(np.int32)
        for number, column in enumerate(self.columns):
            if column.name in self.sample:
                arrays[f"s{number}"] = self.sample[column.name]
        summary = {
            "format": FORMAT,
            "rows": self.rows,
            "columns": columns,
            "groupings": [
                {
                    "column": each.column,
                    "values": list(each.values),
                    "season": each.season,
                    "timezone": each.timezone,
                }
                for each in self.groupings
            ],
            "calibration": dict(self.calibration),
        }
        return summary, arrays


def restored(summary: Mapping[str, Any], arrays: Mapping[str, Any]) -> Baseline:
    """The baseline of what `Baseline.stored` gave. Raises `BaselineFormat` for another format."""
    if summary.get("format") != FORMAT:
        raise BaselineFormat(
            f"the baseline is of format {summary.get('format')!r}, not {FORMAT}",
            "make it anew: opsdeck monitors baseline NAME",
        )
    columns = tuple(_restored_column(i, each, arrays) for i, each in enumerate(summary["columns"]))
    groupings = tuple(
        Grouping(
            each["column"],
            tuple(each["values"]),
            Season(each["season"]) if each["season"] else None,
            each["timezone"],
        )
        for each in summary["groupings"]
    )
    by_group = tuple(
        {
            column.name: arrays[f"g{place}.{number}"].astype(np.int64)
            for number, column in enumerate(columns)
            if f"g{place}.{number}" in arrays
        }
        for place in range(len(groupings))
    )
    return Baseline(
        rows=summary["rows"],
        columns=columns,
        groupings=groupings,
        group_rows=tuple(arrays[f"g{place}.rows"] for place in range(len(groupings))),
        by_group=by_group,
        sample={
            column.name: arrays[f"s{number}"]
            for number, column in enumerate(columns)
            if f"s{number}" in arrays
        },
        calibration=summary["calibration"],
    )


def _stored_column(
    place: int, column: ColumnBaseline, arrays: dict[str, np.ndarray[Any, Any]]
) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": column.name,
        "treated": column.treated.value,
        "type": column.type,
        "inferred_type": column.inferred,
        "rows": column.rows,
        "missing": column.missing,
        "distinct": column.distinct,
        "distinct_capped": column.distinct_capped,
        "note": column.note,
    }
    if column.numbers is not None and column.bins is not None:
        found = column.numbers
        arrays[f"k{place}"], arrays[f"c{place}"] = found.knots.at, found.counts
        arrays[f"t{place}"] = found.sums
        if column.coarse is not None:
            arrays[f"q{place}"] = column.coarse.at
        told["numbers"] = {
            "exact": found.knots.exact,
            "infinite": found.infinite,
            "minimum": clean(found.minimum),
            "maximum": clean(found.maximum),
            "mean": clean(found.mean),
            "std": clean(found.std),
            "total": clean(found.total),
            "squares": clean(found.squares),
            "negatives": found.negatives,
            "coarse_exact": column.coarse is not None and column.coarse.exact,
        }
        told["bins"] = {
            "edges": [float(edge) for edge in column.bins.edges],
            "each": column.bins.each,
            "rule": column.bins.rule,
        }
    if column.categories is not None:
        told["categories"] = {
            "values": list(column.categories.values),
            "counts": [int(count) for count in column.categories.counts],
            "other": int(column.categories.other),
        }
    return told


def _restored_column(
    place: int, told: Mapping[str, Any], arrays: Mapping[str, Any]
) -> ColumnBaseline:
    numbers = bins = categories = coarse = None
    if "numbers" in told:
        kept = told["numbers"]
        numbers = NumberCounts(
            knots=Knots(arrays[f"k{place}"], kept["exact"]),
            counts=arrays[f"c{place}"],
            sums=arrays[f"t{place}"],
            rows=told["rows"],
            missing=told["missing"],
            infinite=kept["infinite"],
            minimum=math.inf if kept["minimum"] is None else kept["minimum"],
            maximum=-math.inf if kept["maximum"] is None else kept["maximum"],
            total=math.nan if kept["total"] is None else kept["total"],
            squares=math.nan if kept["squares"] is None else kept["squares"],
            negatives=kept["negatives"],
        )
        if f"q{place}" in arrays:
            coarse = Knots(arrays[f"q{place}"], kept["coarse_exact"])
        edges = told["bins"]
        bins = Bins(np.asarray(edges["edges"], np.float64), edges["each"], edges["rule"])
    if "categories" in told:
        kept = told["categories"]
        categories = CategoryCounts(
            tuple(kept["values"]),
            np.asarray(kept["counts"], np.float64),
            float(kept["other"]),
            rows=told["rows"],
            missing=told["missing"],
        )
    return ColumnBaseline(
        name=told["name"],
        treated=Treated(told["treated"]),
        type=told["type"],
        inferred=told["inferred_type"],
        rows=told["rows"],
        missing=told["missing"],
        distinct=told["distinct"],
        distinct_capped=told["distinct_capped"],
        note=told["note"],
        numbers=numbers,
        bins=bins,
        categories=categories,
        coarse=coarse,
    )
