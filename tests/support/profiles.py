"""Profiles of the seeded dataset `rentals` at two versions, as rows keep them."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

from core.domain.profile import (
    ColumnKind,
    ColumnProfile,
    Correlation,
    DatasetProfile,
    Gap,
    Histogram,
    NumberStats,
    Outliers,
    TextStats,
    TimeStats,
)
from tests.support.seed import DAY, NOW

BEGIN = 1_293_840_000.0  # 2011-01-01 UTC
SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def rentals_profile(number: int) -> str:
    """The profile of version 3 or 4, as JSON."""
    from tests.support.dataseed import snapshot_id

    rows = {3: 16_635, 4: 17_379}[number]
    profile = DatasetProfile(
        dataset="rentals",
        snapshot_id=snapshot_id("rentals", number),
        snapshot_number=number,
        at=NOW - (4 - number) * DAY - 7200,
        rows=rows,
        duplicate_rows=0,
        columns=(
            ColumnProfile(
                "at", "timestamp", ColumnKind.TIME, rows, 0, distinct=rows,
                time=TimeStats(
                    first=BEGIN, last=BEGIN + (rows + 165) * 3600.0, distinct=rows, step=3600.0,
                    regular=0.996, missing=165, gap_count=76,
                    gaps=(
                        Gap(BEGIN + 26 * DAY, BEGIN + 26 * DAY + 11 * 3600, 12),
                        Gap(BEGIN + 17 * DAY, BEGIN + 17 * DAY + 35 * 3600, 36),
                        Gap(BEGIN + 668 * DAY, BEGIN + 668 * DAY, 1),
                    ),
                ),
            ),
            _categories("season", rows, number),
            _count("casual", rows, 35.7 - number, 367, 0.35),
            _count("registered", rows, 153.8, 886, 0.6),
            _count("cnt", rows, 189.5 - number, 977, 0.55 if number == 4 else 0.7),
            ColumnProfile(
                "member_email", "string", ColumnKind.TEXT, rows, 2_612, distinct=1_204,
                distinct_approximate=True, text=TextStats(11, 38, 22.4, blank=3),
            ),
        ),
        correlations=(
            Correlation("registered", "cnt", "pearson", 0.972),
            Correlation("casual", "cnt", "pearson", 0.695),
        ),
        correlated_rows=rows,
        seconds=1.4,
    )  # fmt: skip
    return json.dumps(asdict(profile))


def _categories(name: str, rows: int, number: int) -> ColumnProfile:
    names = ["summer", "spring", "autumn", "winter"] + (["sprnig"] if number == 4 else [])
    counts = [rows // 4 - 40 * i for i in range(4)]
    left = rows - sum(counts)
    counts = counts if number == 3 else [*counts, left]
    top = tuple(zip(names, counts, strict=True))
    return ColumnProfile(
        name, "string", ColumnKind.TEXT, rows, 0, distinct=len(top), top=top, top_complete=True,
        text=TextStats(6, 6, 6.0),
    )  # fmt: skip


def _count(name: str, rows: int, mean: float, most: int, slope: float) -> ColumnProfile:
    edges = tuple(most * i / 20 for i in range(21))
    weights = [math.exp(-slope * i / 2) + 0.02 * (i in (7, 8, 9)) for i in range(20)]
    counts = tuple(int(rows * w / sum(weights)) for w in weights)
    return ColumnProfile(
        name, "long", ColumnKind.NUMBER, rows, 0, distinct=most - 40,
        number=NumberStats(
            minimum=0.0 if name != "cnt" else 1.0, maximum=float(most), mean=mean,
            std=mean * 0.95,
            quantiles=tuple((share, round(most * share**2.4, 1)) for share in SHARES),
            zeros=1_581 if name == "casual" else 0,
            histogram=Histogram(edges, counts),
            outliers=Outliers("tukey", -50.0, most * 0.72, 505),
        ),
    )  # fmt: skip
