"""Two models on the same rows: only the rows on which one of them is wrong tell anything.

McNemar's discordant pairs, tested at every moment at once: under the hypothesis that neither
is better each discordant pair is a fair coin, and the beta-binomial mixture of the likelihood
ratio is a martingale (the mixture SPRT of Robbins 1970; Johari, Pekelis and Walsh, "Always
valid inference", 2015).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.analysis.arms import Share
from core.analysis.sequences import Interval, log_beta, share_interval

_PRIOR = 0.5


@dataclass(frozen=True, slots=True)
class Paired:
    """Rows with a known truth that both models answered: `worse` where only the candidate was
    wrong, `better` where only the champion was; `rows` counts all, the concordant ones too."""

    rows: int = 0
    worse: int = 0
    better: int = 0

    @property
    def difference(self) -> float:
        """The candidate's error rate less the champion's, on the same rows."""
        return (self.worse - self.better) / self.rows if self.rows else 0.0

    def merge(self, other: Paired) -> Paired:
        """Both together."""
        return Paired(self.rows + other.rows, self.worse + other.worse, self.better + other.better)


def p_value(paired: Paired) -> float:
    """Of neither being better, valid at the moment when one chooses to look; 1 of no pairs.

    It is the inverse of the martingale B(b + ½, c + ½) / B(½, ½) · 2^(b + c), and may rise
    again: the least one seen so far is valid too.
    """
    b, c = paired.worse, paired.better
    log_ratio = log_beta(b + _PRIOR, c + _PRIOR) - log_beta(_PRIOR, _PRIOR)
    return min(1.0, math.exp(-(log_ratio + (b + c) * math.log(2))))


def paired_difference(paired: Paired, alpha: float) -> Interval:
    """Of the candidate's error rate less the champion's: the share of discordant rows times
    2·theta - 1, theta being the share of them that the candidate lost. Half of alpha goes to
    each. The interval leaves 0 out exactly when the test at alpha / 2 has decided.
    """
    discordant = paired.worse + paired.better
    often = share_interval(Share(paired.rows, discordant), alpha / 2)
    lost = share_interval(Share(discordant, paired.worse), alpha / 2)
    corners = [q * (2 * theta - 1) for q in often for theta in lost]
    return Interval(min(corners), max(corners))
