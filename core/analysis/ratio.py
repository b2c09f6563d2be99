"""Whether requests are split as they were set to be, tested at every moment at once.

Lindon and Malek, "Anytime-valid inference for multinomial count data" (NeurIPS 2022;
arXiv:2011.03567): the Bayes factor of a Dirichlet mixture against the set shares is a
martingale. A rollout changes the shares as it goes: the factors of the spans multiply, and the
product is a martingale still.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.analysis.sequences import log_beta
from core.domain.analysis import SampleRatio

ODD = 10.0  # nats; chance alone goes so far in one of 22,000 looks or fewer
ALPHA = 0.001  # a mismatch stops the comparison for good, so it must not be called lightly
_CONCENTRATION = 20.0  # of the prior around the set share: it looks for differences of 10 %


def is_odd(share: float, candidate: int, champion: int) -> bool:
    """Whether so many requests in a short while are split otherwise than chance would split
    them: by Chernoff's bound, n · KL(observed ‖ share) over `ODD`."""
    total = candidate + champion
    if not total or not 0 < share < 1:
        return False
    seen = candidate / total
    terms = ((seen, share), (1 - seen, 1 - share))
    return total * sum(p * math.log(p / q) for p, q in terms if p) > ODD


@dataclass(slots=True)
class RatioTest:
    """The candidate's and the champion's requests against the share that was set.

    Add only requests that were assigned by chance alone: those of a session or of a target
    asked for are not independent. `share` is the candidate's, of both together, 0-1.
    """

    share: float = 0.0
    candidate: int = 0
    champion: int = 0
    settled: float = 0.0  # log of the factor of the spans with other shares
    least: float = 1.0  # p-value
    all_candidate: int = 0
    all_champion: int = 0
    all_expected: float = 0.0

    def add(self, share: float, candidate: int, champion: int) -> None:
        """Requests of both arms while the candidate's share was `share`."""
        if not 0 < share < 1 or candidate + champion <= 0:
            return
        if share != self.share:
            self.settled += self._log_factor()
            self.share, self.candidate, self.champion = share, 0, 0
        self.candidate += candidate
        self.champion += champion
        self.all_candidate += candidate
        self.all_champion += champion
        self.all_expected += share * (candidate + champion)
        surprise = self.settled + self._log_factor()
        self.least = min(self.least, math.exp(-max(0.0, surprise)))

    def _log_factor(self) -> float:
        n, m = self.candidate, self.champion
        if not n + m:
            return 0.0
        a, b = _CONCENTRATION * self.share, _CONCENTRATION * (1 - self.share)
        mixed = log_beta(a + n, b + m) - log_beta(a, b)
        return mixed - n * math.log(self.share) - m * math.log1p(-self.share)

    def status(self, alpha: float = ALPHA) -> SampleRatio | None:
        """How it stands; `None` before the first request of two arms."""
        total = self.all_candidate + self.all_champion
        if not total:
            return None
        return SampleRatio(
            expected=self.all_expected / total,
            observed=self.all_candidate / total,
            p_value=self.least,
            ok=self.least > alpha,
        )
