"""Two charts that look for a rise of the error above what it was: CUSUM and Page-Hinkley.

CUSUM (Page, Biometrika 41, 1954) in its likelihood-ratio form sums up, observation by
observation, how much better "the error has risen by so much" explains it than "it is as on the
baseline"; below 0 the sum starts afresh, at h = 8 it is an alarm: about e^8 observations or more
between false ones. Page-Hinkley is the same idea against the stream's own mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.modelquality.pairs import Floats

H = 8.0
POINTS = 0.02
"""The rise of an error rate that CUSUM is made for."""
SIGMAS = 0.1
"""The rise of a mean loss that it is made for, in the loss's deviations."""
_CEILING = 2 * H


def rate_evidence(wrong: Floats, rate: Floats, points: float = POINTS) -> Floats:
    """The log-likelihood ratio of each answer (1 wrong, 0 right): an error rate `points` above
    `rate` against `rate` itself."""
    before = np.clip(rate, 0.001, 0.999 - points)
    after = before + points
    right = np.log((1 - after) / (1 - before))
    return np.asarray(np.where(wrong > 0, np.log(after / before), right))


def level_evidence(loss: Floats, level: Floats, spread: float, sigmas: float = SIGMAS) -> Floats:
    """The same for losses with a normal spread: a mean `sigmas` deviations above `level`."""
    if spread <= 0:
        return np.where(loss > level, sigmas, -sigmas)
    return np.asarray(sigmas * ((loss - level) / spread - sigmas / 2))


@dataclass(slots=True)
class Cusum:
    """The sum so far. An alarm stays until the sum is back at 0: a stream that stays bad is
    one alarm."""

    total: float = 0.0
    alarm: bool = False

    def add(self, evidence: float) -> bool:
        """Take in the evidence of an observation, or of some together; whether it raises the
        alarm."""
        # With a ceiling, or it would take as long to come down as the trouble lasted.
        self.total = max(0.0, min(self.total + evidence, _CEILING))
        if self.total <= 0:
            self.alarm = False
        elif self.total >= H and not self.alarm:
            self.alarm = True
            return True
        return False


@dataclass(slots=True)
class PageHinkley:
    """Page-Hinkley for a rise, with river's parameters and defaults but for the direction."""

    delta: float = 0.005
    threshold: float = 50.0
    alpha: float = 0.9999
    least: int = 30
    seen: float = 0
    mean: float = 0.0
    total: float = 0.0
    lowest: float | None = None

    def add(self, count: float, total: float) -> bool:
        """Take in so many observations with this sum; whether they raise the alarm. The chart
        starts afresh after each."""
        self.seen += count
        self.mean += (total - count * self.mean) / self.seen
        self.total = self.alpha**count * self.total + total - count * (self.mean + self.delta)
        lowest = self.total if self.lowest is None else min(self.lowest, self.total)
        self.lowest = lowest
        if self.seen < self.least or self.total - lowest <= self.threshold:
            return False
        self.seen, self.mean, self.total, self.lowest = 0, 0.0, 0.0, None
        return True
