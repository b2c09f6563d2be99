"""How likely a difference is by chance: p-values, and false discoveries among many of them.

`scipy.special` is imported where it is needed only: it takes a quarter of a second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from core.drift.values import Floats

_TAIL = 1.5
"""From n·D² of so much on the chance of either sign together is nil against one of them."""

_EXACT = 20_000
"""Rows up to which the exact tail is summed: it has as many terms. Beyond, the limit is within
0.3 % down to p = 1e-12."""


def ks_p_value(distance: float, first: float, second: float) -> float:
    """The two-sided p-value of a Kolmogorov-Smirnov distance between samples of these sizes.

    Of one sample with n = round(first·second/(first+second)), as
    `scipy.stats.ks_2samp(method="asymp")`: Smirnov's exact tail where p is small (up to 20,000
    rows), elsewhere Kolmogorov's limit with Vrbik's correction (Small-Sample Corrections to
    Kolmogorov-Smirnov Test Statistic, 2018; within 0.05 % from n = 50 on). Ties make it too
    large, never too small.
    """
    if first <= 0 or second <= 0:
        return 1.0
    n = round(first * second / (first + second))
    if distance <= 0 or n < 1:
        return 1.0
    if distance >= 1:
        distance = 1.0
    square = n * distance * distance
    if square > _TAIL and n <= _EXACT:
        from scipy.special import smirnov  # type: ignore[import-untyped]

        return min(1.0, 2.0 * float(smirnov(n, distance)))
    z = math.sqrt(square)
    return kolmogorov(z + 1 / (6 * math.sqrt(n)) + (z - 1) / (4 * n))


def kolmogorov(z: float) -> float:
    """1 - K(z): the chance that Kolmogorov's limit is beyond z."""
    if z <= 0:
        return 1.0
    if z < 1.0:  # the form that converges there (Jacobi's theta function turned round)
        terms = sum(math.exp(-((2 * k - 1) ** 2) * math.pi**2 / (8 * z * z)) for k in range(1, 8))
        return min(1.0, max(0.0, 1.0 - math.sqrt(2 * math.pi) / z * terms))
    signs = (1.0 if k % 2 else -1.0 for k in range(1, 12))
    parts = [math.exp(-2.0 * (k * z) ** 2) for k in range(1, 12)]
    tail = 2.0 * sum(sign * part for sign, part in zip(signs, parts, strict=True))
    return min(1.0, max(0.0, tail))


def chi_square_p_value(statistic: float, freedom: int) -> float:
    """The chance of a chi-square of this much or more."""
    if freedom < 1 or statistic <= 0:
        return 1.0
    if not math.isfinite(statistic):
        return 0.0
    from scipy.special import gammaincc

    tail: float = float(gammaincc(freedom / 2, statistic / 2))
    return tail


def normal_tail(z: float) -> float:
    """The chance that a standard normal number is above z."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def adjusted(p_values: Sequence[float]) -> Floats:
    """Benjamini and Hochberg's adjusted p-values (1995), in the order given: what is at most q
    is found at a false discovery rate of q. As `scipy.stats.false_discovery_control`."""
    p = np.asarray(p_values, np.float64)
    m = len(p)
    if not m:
        return p
    order = np.argsort(p, kind="stable")
    raised = p[order] * m / np.arange(1, m + 1)
    least = np.minimum.accumulate(raised[::-1])[::-1]
    result = np.empty(m)
    result[order] = np.minimum(least, 1.0)
    return result
