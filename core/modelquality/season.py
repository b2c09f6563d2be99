"""What the hour does to the errors, so that a night is not taken for a change.

Means of the baseline's errors by hour of the day, or of the week where that surely says more;
hours are UTC. They are used only where they surely differ (chi-square of the hours' means at
0.001), and each is drawn towards the coarser mean by what its own chance is worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.drift.pvalues import chi_square_p_value
from core.modelquality.pairs import Floats, Ints

LEAST = 30
"""Rows that each hour needs."""
_SURE = 0.001
_HOURS = {"day": 24, "week": 168}


@dataclass(frozen=True, slots=True)
class Season:
    """Mean errors by hour: `period` is `week`, `day` or, without a season, empty."""

    mean: float
    period: str = ""
    means: tuple[float, ...] = ()

    def at(self, times: Floats) -> Floats:
        """The mean error of the baseline at these epoch seconds."""
        if not self.period:
            return np.full(len(times), self.mean)
        return np.asarray(self.means)[_hours(times, self.period)]

    @property
    def words(self) -> str:
        """How the season was taken out, for a person."""
        return f"hour of {self.period} removed" if self.period else "no season removed"

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {"mean": self.mean, "period": self.period, "means": list(self.means)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Season:
        """A season that `to_json` wrote."""
        return cls(data["mean"], data["period"], tuple(data["means"]))


def learn(errors: Floats, times: Floats | None) -> Season:
    """The season of a baseline's errors (at least one); none without times."""
    mean = float(errors.mean())
    if times is None or len(times) != len(errors) or not np.isfinite(times).all():
        return Season(mean)
    found = Season(mean)
    for period in _HOURS:
        means = _means(errors, _hours(times, period), found.at(_middles(period)))
        if means is not None:
            found = Season(mean, period, tuple(means.tolist()))
    return found


def _middles(period: str) -> Floats:
    """A moment in each hour of the period."""
    return np.asarray(np.arange(_HOURS[period]) * 3600.0 + 1800.0, dtype=np.float64)


def _hours(times: Floats, period: str) -> Ints:
    # The first of January 1970 was a Thursday: hour 0 of a week is Thursday's first.
    return (np.floor(times / 3600).astype(np.int64)) % _HOURS[period]


def _means(errors: Floats, hours: Ints, coarse: Floats) -> Floats | None:
    """Means by hour, drawn towards the coarse ones; None where they add nothing to those."""
    many = len(coarse)
    counts = np.bincount(hours, minlength=many)
    if counts.min() < LEAST:
        return None
    means = np.bincount(hours, weights=errors, minlength=many) / counts
    inside = np.bincount(hours, weights=(errors - means[hours]) ** 2, minlength=many)
    noise = inside.sum() / (len(errors) - many) / counts
    if not noise.min() > 0:
        return None
    statistic = float(((means - coarse) ** 2 / noise).sum())
    if chi_square_p_value(statistic, many - 1) > _SURE:
        return None
    real = max(0.0, float(np.mean((means - coarse) ** 2) - noise.mean()))
    return np.asarray(coarse + (means - coarse) * real / (real + noise))
