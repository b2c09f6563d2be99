"""From sums to verdicts: worse, non-inferior or undecided, metric by metric.

Each metric gets its part of alpha and a confidence sequence of the difference (candidate -
champion). Worse: the whole interval lies beyond the margin. Non-inferior: the whole interval
lies short of it. Anything else is undecided. Since the intervals hold at all moments at once, an
equal candidate is called worse at any time with probability alpha at most, over all metrics.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from core.analysis.arms import Moments, Share, Stratum, mix_histograms, mix_moments, mix_shares
from core.analysis.bands import distance
from core.analysis.paired import Paired, paired_difference
from core.analysis.sequences import Interval, mean_difference, share_difference
from core.domain.analysis import AnalysisPlan, MetricRule, MetricStatus, Verdict

TUNED = 500.0  # effective observations at which the intervals of means are tightest
MAX_ETA = 30 * 86400.0
_LATENCY = "latency"


@dataclass(frozen=True, slots=True)
class Evidence:
    """All there is to judge by. `seconds` is how long the arms have been compared: counts
    divided by it are the pace that an ETA goes by."""

    strata: Sequence[Stratum]
    paired: Paired = field(default_factory=Paired)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Found:
    """A difference before it is held against its margin."""

    difference: float
    interval: Interval
    counts: tuple[int, int]  # of the candidate, of the champion
    champion: float | None = None
    candidate: float | None = None
    minimum: int | None = None  # of the candidate's, where it is not the plan's


def shares(plan: AnalysisPlan) -> list[float]:
    """Alpha as it is split over the plan's metrics."""
    total = sum(rule.share for rule in plan.metrics)
    return [plan.alpha * rule.share / total if total > 0 else 0.0 for rule in plan.metrics]


def judge(plan: AnalysisPlan, evidence: Evidence) -> tuple[MetricStatus, ...]:
    """How every metric of the plan stands."""
    return tuple(
        judge_metric(rule, alpha, plan.minimum_requests, evidence)
        for rule, alpha in zip(plan.metrics, shares(plan), strict=True)
    )


def judge_metric(rule: MetricRule, alpha: float, minimum: int, evidence: Evidence) -> MetricStatus:
    """How one metric stands. Raises ValueError for a metric or direction that there is not."""
    blank = MetricStatus(
        metric=rule.metric,
        verdict=Verdict.UNDECIDED,
        margin=rule.margin,
        relative=rule.relative,
        worse_when=rule.worse_when,
        dry_run=rule.dry_run,
    )
    if not alpha > 0:
        return replace(blank, note="its share of alpha is 0")
    found = _measure(rule.metric, alpha, minimum, evidence)
    if found is None:
        return replace(blank, note=_WAITS.get(rule.metric, "no requests in both arms at once"))
    margin = _margin(rule, found.champion)
    many, few = found.counts
    low, high = found.interval
    status = replace(
        blank,
        champion=found.champion,
        candidate=found.candidate,
        difference=found.difference,
        low=low if math.isfinite(low) else None,
        high=high if math.isfinite(high) else None,
        margin=margin,
        champion_count=few,
        candidate_count=many,
    )
    needed = minimum if found.minimum is None else found.minimum
    pace = many / evidence.seconds if evidence.seconds > 0 else 0.0
    if many < needed or (few < needed and rule.metric != "disagreements"):
        behind = "candidate" if many < needed else "champion"
        have, ahead = (many, pace) if many < needed else (few, few / max(evidence.seconds, 1e-9))
        wait = (needed - have) / ahead if ahead > 0 else None
        return replace(status, eta=wait, note=f"{have} of {needed} {_UNIT.get(rule.metric)} of "
                       f"the {behind}")  # fmt: skip
    verdict = _decide(rule.worse_when, margin, found.interval)
    if verdict is not Verdict.UNDECIDED:
        return replace(status, verdict=verdict, eta=0.0)
    return replace(status, eta=_eta(rule, margin, found, pace), note=_why(rule, margin, found))


_WAITS = {
    "ground_truth": "no labels for both arms yet",
    "disagreements": "no labels of mirrored requests yet",
    "score": "no numeric predictions in both arms yet",
    "score_distribution": "no predictions in both arms yet",
}
_UNIT = {
    "error_rate": "requests",
    "latency": "requests",
    "score": "predictions",
    "score_distribution": "predictions",
    "ground_truth": "labels",
    "disagreements": "labels",
}


def _measure(metric: str, alpha: float, minimum: int, evidence: Evidence) -> _Found | None:
    strata = evidence.strata
    match metric:
        case "error_rate":
            return _shares(
                [(Share(a.requests, a.errors), Share(b.requests, b.errors)) for a, b in strata],
                alpha,
            )
        case "latency":
            none = Moments()
            return _means(
                [
                    (a.latency.get(idle, none), b.latency.get(idle, none))
                    for a, b in strata
                    for idle in sorted(a.latency.keys() | b.latency.keys())
                ],
                alpha,
            )
        case "score":
            return _means([(a.score, b.score) for a, b in strata], alpha)
        case "ground_truth":
            losses = [(a.losses, b.losses) for a, b in strata]
            if all(a.binary and b.binary for a, b in losses if a.count and b.count):
                return _shares(
                    [(Share(a.count, a.count * a.mean), Share(b.count, b.count * b.mean))
                     for a, b in losses],
                    alpha,
                )  # fmt: skip
            return _means(losses, alpha)
        case "score_distribution":
            first, second = mix_histograms([(a.scores, b.scores) for a, b in strata])
            if not first[0] or not second[0]:
                return None
            apart = distance(first, second, max(1, minimum), alpha)
            counts = (
                round(sum(sum(a.scores.values()) for a, _ in strata)),
                round(sum(sum(b.scores.values()) for _, b in strata)),
            )
            return _Found(apart.value, Interval(apart.low, apart.high), counts)
        case "disagreements":
            paired = evidence.paired
            if not paired.rows:
                return None
            return _Found(
                paired.difference,
                paired_difference(paired, alpha),
                (paired.rows, paired.rows),
            )
    raise ValueError(f"no analysis metric {metric}")


def _shares(pairs: list[tuple[Share, Share]], alpha: float) -> _Found | None:
    first, second = mix_shares(pairs)
    if not first.count or not second.count:
        return None
    return _Found(
        first.value - second.value,
        share_difference(first, second, alpha),
        (round(sum(a.count for a, _ in pairs)), round(sum(b.count for _, b in pairs))),
        second.value,
        first.value,
    )


def _means(pairs: list[tuple[Moments, Moments]], alpha: float) -> _Found | None:
    first, second = mix_moments(pairs)
    if not first.count or not second.count:
        return None
    return _Found(
        first.mean - second.mean,
        mean_difference(first, second, alpha, TUNED),
        (round(sum(a.count for a, _ in pairs)), round(sum(b.count for _, b in pairs))),
        second.mean,
        first.mean,
    )


def _margin(rule: MetricRule, champion: float | None) -> float:
    """The margin in the unit of the difference. Latencies are compared as logarithms, so 10 %
    of the champion's latency is ln 1.1, whatever that latency is."""
    if not rule.relative:
        return rule.margin
    if rule.metric == _LATENCY:
        return math.log1p(rule.margin)
    return rule.margin if champion is None else rule.margin * abs(champion)


def _decide(worse_when: str, margin: float, interval: Interval) -> Verdict:
    low, high = interval
    match worse_when:
        case "higher":
            worse, fine = low > margin, high < margin
        case "lower":
            worse, fine = high < -margin, low > -margin
        case "both":
            worse, fine = low > margin or high < -margin, -margin < low and high < margin
        case _:
            raise ValueError(f"no direction {worse_when}")
    if worse:
        return Verdict.WORSE
    return Verdict.NON_INFERIOR if fine else Verdict.UNDECIDED


def _harm(worse_when: str, difference: float) -> float:
    return {"higher": difference, "lower": -difference}.get(worse_when, abs(difference))


def _eta(rule: MetricRule, margin: float, found: _Found, pace: float) -> float | None:
    """Seconds until the interval is narrow enough, were the difference to stay as it is:
    widths go by 1 / sqrt(count)."""
    low, high = found.interval
    gap = abs(_harm(rule.worse_when, found.difference) - margin)
    width = (high - low) / 2
    if pace <= 0 or gap <= 0 or not math.isfinite(width):
        return None
    count = found.counts[0]
    seconds = count * max(0.0, (width / gap) ** 2 - 1) / pace
    return seconds if seconds <= MAX_ETA else None


def _why(rule: MetricRule, margin: float, found: _Found) -> str:
    if margin <= 0 and rule.worse_when == "both":
        return "with a margin of 0 nothing is non-inferior"
    beyond = _harm(rule.worse_when, found.difference) > margin
    return f"the difference is {'beyond' if beyond else 'within'} the margin, but not surely so"
