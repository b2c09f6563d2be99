"""Confidence sequences: intervals that hold at every moment at once.

An interval that is looked at again and again, and acted on when it first excludes something,
must cover the truth at all those looks together. These do, with probability 1 - alpha.

Means: the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas,
"Time-uniform central limit theory and asymptotic confidence sequences" (arXiv:2103.06476,
theorem 2.2): a normal mixture, tight around a chosen sample size. For the difference of two
means the running time is the effective sample size n1·n0 / (n1 + n0), on which the estimate
moves like a Brownian motion whatever the shares of the arms are and however they change
(Jennison and Turnbull, "Group Sequential Methods", 2000, chapter 3).

Proportions: where there are few errors no limit theorem helps. A proportion's likelihood,
averaged over a Beta prior and divided by that at the true value, is a martingale with mean 1
(Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon, Annals of Statistics 49, 2021, on the
beta-binomial mixture). Two arms' martingales multiply to one; by Ville's inequality the pairs
(p1, p0) at which the product stays under 1 / alpha hold the true pair at all times. The
interval of the difference is what these pairs' differences span: exact at every sample size.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from core.analysis.arms import Moments, Share

_PRIOR = 0.5  # Jeffreys': of all Beta priors it loses least to the best proportion in hindsight
_STEPS = 44


class Interval(NamedTuple):
    """A confidence sequence's interval at one moment."""

    low: float
    high: float


def mixture_radius(time: float, tuned: float, alpha: float) -> float:
    """Half the width in standard errors at effective sample size `time`, tightest at `tuned`.

    With rho² = (-2 ln alpha + ln(-2 ln alpha) + 1) / tuned (section 2.3 of the paper) it is
    sqrt(2 (1 + 1 / (time rho²)) ln(sqrt(time rho² + 1) / alpha)).
    """
    surprise = -2 * math.log(alpha)
    scaled = time * (surprise + math.log(surprise) + 1) / tuned
    return math.sqrt(2 * (1 + 1 / scaled) * math.log(math.sqrt(scaled + 1) / alpha))


def mean_difference(candidate: Moments, champion: Moments, alpha: float, tuned: float) -> Interval:
    """Of the means of two independent arms, candidate - champion; tightest where the candidate
    has `tuned` observations beside a larger champion's arm. Two-sided, 0 < alpha < 0.5.

    Boundless below two observations in either arm.
    """
    if candidate.count < 2 or champion.count < 2:
        return Interval(-math.inf, math.inf)
    error = math.sqrt(candidate.variance / candidate.count + champion.variance / champion.count)
    time = candidate.count * champion.count / (candidate.count + champion.count)
    radius = error * mixture_radius(time, tuned, alpha)
    middle = candidate.mean - champion.mean
    return Interval(middle - radius, middle + radius)


def share_difference(candidate: Share, champion: Share, alpha: float) -> Interval:
    """Of two proportions, candidate - champion. Two-sided, 0 < alpha < 1, exact at any count."""
    return Interval(
        _lowest(candidate, champion, alpha),
        -_lowest(champion, candidate, alpha),
    )


def share_interval(share: Share, alpha: float) -> Interval:
    """Of one proportion. Two-sided, 0 < alpha < 1, exact at any count."""
    nothing = Share()
    return Interval(
        max(0.0, _lowest(share, nothing, alpha) + 1),
        min(1.0, 1 - (_lowest(Share(share.count, share.count - share.hits), nothing, alpha) + 1)),
    )


def _lowest(first: Share, second: Share, alpha: float) -> float:
    """The least p1 - p0 among the pairs that the product of martingales has not excluded.

    On the edge of that set the likelihood's gradient is a multiple of (1, -1), and for each
    multiplier p1 and p0 solve quadratics: one bisection, over the multiplier's logarithm.
    """
    floor = _mixture(first) + _mixture(second) + math.log(alpha)
    low, high = -20.0, 40.0

    def at(power: float) -> tuple[float, float]:
        multiplier = math.exp(power)
        lower = _pushed_down(first, multiplier)
        upper = 1 - _pushed_down(Share(second.count, second.count - second.hits), multiplier)
        return lower, upper

    if _likelihood(first, second, *at(high)) >= floor:
        return -1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _likelihood(first, second, *at(middle)) >= floor:
            low = middle
        else:
            high = middle
    lower, upper = at(high)
    return lower - upper


def _pushed_down(share: Share, multiplier: float) -> float:
    """The p in [0, 1] with hits / p - misses / (1 - p) = multiplier > 0."""
    if share.hits <= 0:
        return 0.0
    around = share.count + multiplier
    root = math.sqrt(max(0.0, around * around - 4 * multiplier * share.hits))
    return 2 * share.hits / (around + root)


def _likelihood(first: Share, second: Share, lower: float, upper: float) -> float:
    return _log_likelihood(first, lower) + _log_likelihood(second, upper)


def _log_likelihood(share: Share, p: float) -> float:
    found = 0.0
    misses = share.count - share.hits
    if share.hits > 0:
        found += share.hits * math.log(p) if p > 0 else -math.inf
    if misses > 0:
        found += misses * math.log1p(-p) if p < 1 else -math.inf
    return found


def _mixture(share: Share) -> float:
    """The logarithm of the likelihood averaged over the prior."""
    hits, misses = share.hits, share.count - share.hits
    return log_beta(hits + _PRIOR, misses + _PRIOR) - log_beta(_PRIOR, _PRIOR)


def log_beta(a: float, b: float) -> float:
    """The logarithm of Euler's beta function."""
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
