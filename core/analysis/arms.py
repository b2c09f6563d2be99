"""What an arm has done, as sums that can be merged, and two arms compared like with like.

A rollout changes the arms' shares as it goes, and traffic changes with the hour. Summed over
everything, an arm that got more of its requests in a bad hour would look worse than it is. So
sums are kept by stratum, a span of time with one share, and the strata's differences are
weighted as Mantel and Haenszel do: by n1·n0 / (n1 + n0) (Journal of the National Cancer
Institute 22, 1959). A stratum in which one arm answered nothing has no weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, mean and sum of squared deviations from it. Counts are fractions where arms have
    been mixed: that is how many independent observations the mean is worth."""

    count: float = 0
    mean: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, count: float, total: float, squares: float, shift: float = 0.0) -> Self:
        """From the sum and the sum of squares of `value - shift`. Cancellation is harmless
        where `shift` lies among the values."""
        if not count:
            return cls()
        mean = total / count
        return cls(count, shift + mean, max(0.0, squares - total * mean))

    @property
    def variance(self) -> float:
        """Of one observation, unbiased; 0 below two."""
        return self.squares / (self.count - 1) if self.count > 1 else 0.0

    @property
    def binary(self) -> bool:
        """Whether every observation was 0 or 1, going by the sums: then x² = x."""
        if not self.count or not 0 <= self.mean <= 1:
            return False
        expected = self.count * self.mean * (1 - self.mean)
        return abs(self.squares - expected) <= 1e-9 * self.count

    def merge(self, other: Moments) -> Moments:
        """Both together (Chan, Golub and LeVeque 1979)."""
        if not other.count or not self.count:
            return self if self.count else other
        count = self.count + other.count
        apart = other.mean - self.mean
        mean = self.mean + apart * other.count / count
        between = apart * apart * self.count * other.count / count
        return Moments(count, mean, self.squares + other.squares + between)


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm's sums. `latency` is of ln(milliseconds), by how long the arm had been idle before
    the request (`core.analysis.buckets`); `scores` counts predictions by bucket; `losses` are
    those of the rows whose truth is known."""

    requests: float = 0
    errors: float = 0
    latency: Mapping[int, Moments] = field(default_factory=dict)
    score: Moments = field(default_factory=Moments)
    scores: Mapping[int, float] = field(default_factory=dict)
    losses: Moments = field(default_factory=Moments)

    def merge(self, other: Arm) -> Arm:
        """Both together."""
        scores = dict(self.scores)
        for bucket, count in other.scores.items():
            scores[bucket] = scores.get(bucket, 0) + count
        latency = dict(self.latency)
        for idle, moments in other.latency.items():
            latency[idle] = latency.get(idle, Moments()).merge(moments)
        return Arm(
            self.requests + other.requests,
            self.errors + other.errors,
            latency,
            self.score.merge(other.score),
            scores,
            self.losses.merge(other.losses),
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From what `dataclasses.asdict` gives, through JSON."""
        return cls(
            requests=data["requests"],
            errors=data["errors"],
            latency={int(idle): Moments(**row) for idle, row in data["latency"].items()},
            score=Moments(**data["score"]),
            scores={int(bucket): count for bucket, count in data["scores"].items()},
            losses=Moments(**data["losses"]),
        )


_LEAN = 20.0  # observations that the common variance counts for in each stratum

Stratum = tuple[Arm, Arm]  # candidate, champion


@dataclass(frozen=True, slots=True)
class Share:
    """Successes among trials; fractions where arms have been mixed."""

    count: float = 0
    hits: float = 0

    @property
    def value(self) -> float:
        """Hits per trial, 0 of none."""
        return self.hits / self.count if self.count else 0.0


def weights(counts: Sequence[tuple[float, float]]) -> list[float]:
    """Mantel and Haenszel's weights of strata, summing to 1; all 0 where nothing compares."""
    raw = [a * b / (a + b) if a > 0 and b > 0 else 0.0 for a, b in counts]
    total = sum(raw)
    return [weight / total for weight in raw] if total else raw


def mix_moments(strata: Sequence[tuple[Moments, Moments]]) -> tuple[Moments, Moments]:
    """Candidate and champion over all strata, weighted alike."""
    shares = weights([(a.count, b.count) for a, b in strata])
    first = _mixed(list(zip(shares, (a for a, _ in strata), strict=True)))
    return first, _mixed(list(zip(shares, (b for _, b in strata), strict=True)))


def _mixed(parts: Sequence[tuple[float, Moments]]) -> Moments:
    used = [(weight, item) for weight, item in parts if weight > 0]
    if len(used) <= 1:
        return used[0][1] if used else Moments()
    mean = sum(weight * item.mean for weight, item in used)
    count = 1 / sum(weight * weight / item.count for weight, item in used)
    freedom = sum(max(0.0, item.count - 1) for _, item in used)
    pooled = sum(item.squares for _, item in used) / freedom if freedom > 0 else 0.0
    # A small stratum's own variance is little known: it leans on that of all.
    error = sum(
        weight * weight / item.count
        * (item.squares + _LEAN * pooled) / (max(0.0, item.count - 1) + _LEAN)
        for weight, item in used
    )  # fmt: skip
    return Moments(count, mean, error * count * max(0.0, count - 1))


def mix_shares(strata: Sequence[tuple[Share, Share]]) -> tuple[Share, Share]:
    """Candidate and champion over all strata, weighted alike."""
    parts = weights([(a.count, b.count) for a, b in strata])

    def mixed(items: Sequence[Share]) -> Share:
        used = [(weight, item) for weight, item in zip(parts, items, strict=True) if weight > 0]
        if not used:
            return Share()
        count = 1 / sum(weight * weight / item.count for weight, item in used)
        return Share(count, count * sum(weight * item.value for weight, item in used))

    return mixed([a for a, _ in strata]), mixed([b for _, b in strata])


Shape = tuple[float, dict[int, float]]  # observations it is worth, probability by bucket


def mix_histograms(
    strata: Sequence[tuple[Mapping[int, float], Mapping[int, float]]],
) -> tuple[Shape, Shape]:
    """Candidate's and champion's distribution over all strata, weighted alike."""
    totals = [(float(sum(a.values())), float(sum(b.values()))) for a, b in strata]
    parts = weights(totals)

    def mixed(index: int) -> Shape:
        found: dict[int, float] = {}
        spread = 0.0
        for weight, pair, total in zip(parts, strata, totals, strict=True):
            if weight > 0:
                spread += weight * weight / total[index]
                for bucket, count in pair[index].items():
                    found[bucket] = found.get(bucket, 0.0) + weight * count / total[index]
        return (1 / spread if spread else 0.0), found

    return mixed(0), mixed(1)
