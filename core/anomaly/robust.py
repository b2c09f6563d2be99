"""Robust measures of place and spread, and what lies far from both.

Sources: B. Iglewicz and D. Hoaglin, "How to Detect and Handle Outliers" (1993): modified z-score
0.6745 (x - median) / MAD, and 1.253314 times the mean absolute deviation where the MAD is zero;
F. Hampel (1974) for the filter.
"""

from __future__ import annotations

from collections.abc import Sequence

MAD_TO_SIGMA = 1.4826
"""Makes the MAD of a normal distribution its standard deviation."""
MEAN_TO_SIGMA = 1.253314
"""Likewise for the mean absolute deviation."""


def median(values: Sequence[float]) -> float:
    """The middle of the sorted values. Raises ValueError where there are none."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def mad(values: Sequence[float], centre: float | None = None) -> float:
    """The median absolute deviation from the median (or from `centre`)."""
    middle = median(values) if centre is None else centre
    return median([abs(value - middle) for value in values])


def sigma(values: Sequence[float], centre: float | None = None) -> float:
    """A standard deviation that outliers don't move: by the MAD; where more than half of the
    values are equal by the mean absolute deviation."""
    middle = median(values) if centre is None else centre
    by_median = MAD_TO_SIGMA * mad(values, middle)
    if by_median > 0:
        return by_median
    return MEAN_TO_SIGMA * sum(abs(value - middle) for value in values) / len(values)


def robust_z(value: float, past: Sequence[float], least: float = 0.0) -> float | None:
    """How many robust standard deviations a value is from the median of its past; at least
    `least` is taken for one of them. `None` where the past does not vary (and `least` is 0)
    or is shorter than five values."""
    if len(past) < 5:
        return None
    middle = median(past)
    spread = max(least, sigma(past, middle))
    return (value - middle) / spread if spread > 0 else None


def hampel(values: Sequence[float], half: int = 3, width: float = 3.0) -> tuple[bool, ...]:
    """Which values are outliers among their `half` neighbours on either side: farther than
    `width` robust standard deviations from the median of that window."""
    found = []
    for index, value in enumerate(values):
        around = values[max(0, index - half) : index + half + 1]
        middle = median(around)
        spread = MAD_TO_SIGMA * mad(around, middle)
        found.append(abs(value - middle) > width * spread and value != middle)
    return tuple(found)
