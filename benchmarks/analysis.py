"""How often a good canary is rolled back, and how soon a bad one is found.

`python benchmarks/analysis.py [--canaries 1000] [--json FILE]`. Simulated traffic: 100 requests
a second, 10 % of them to the canary, for 15 minutes. Good canaries are equal to the champion in
everything (1 % errors) and are looked at every 10 seconds in all metrics at once: error rate,
latency, mean prediction, distribution of predictions, ground truth. Bad ones have ten times the
errors and are looked at every second. Beside it what is commonly done instead: a threshold and
a z-test on the error rate, at the same looks. Exits 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from core.analysis import Alarm, Arm, Evidence, Moments, Period, datapoint, judge
from core.analysis.arms import Share
from core.domain.analysis import AlarmRule, AlarmState, AnalysisPlan, MetricRule, Verdict

RATE, SHARE, SECONDS, EVERY = 100.0, 0.1, 900, 10
GOOD, BAD = 0.01, 0.1
LABELLED, WRONG = 0.2, 0.1
HERE = Path(__file__).resolve().parent

METRICS = (
    MetricRule("error_rate", 0.01),
    MetricRule("latency", 0.1, relative=True),
    MetricRule("score", 0.05, relative=True, worse_when="both"),
    MetricRule("score_distribution", 0.1),
    MetricRule("ground_truth", 0.02),
)
PLAN = AnalysisPlan(METRICS)
BARE = AnalysisPlan(
    tuple(
        MetricRule(rule.metric, 0.0, rule.relative, rule.worse_when)
        for rule in METRICS
    )
)  # fmt: skip
ALARM = AlarmRule("errors", "error_rate", 0.05, minimum_requests=50)
METHODS = ("sequences", "sequences, margin 0", "alarm 2 of 3", "threshold", "z-test")


class Stream:
    """One arm's traffic, `looks` equal spans of it, as cumulative sums."""

    def __init__(
        self, rng: np.random.Generator, rate: float, errors: float, looks: int, span: float
    ) -> None:
        self.requests = rng.poisson(rate * span, looks)
        self.errors = rng.binomial(self.requests, errors)
        owner = np.repeat(np.arange(looks), self.requests)
        latency = rng.normal(math.log(20), 0.5, len(owner))
        score = rng.normal(10, 2, len(owner))
        labelled = rng.random(len(owner)) < LABELLED
        wrong = labelled & (rng.random(len(owner)) < WRONG)

        def sums(values: np.ndarray) -> np.ndarray:
            return np.cumsum(np.bincount(owner, values, looks))

        self.count = np.cumsum(self.requests)
        self.failed = np.cumsum(self.errors)
        self._latency = sums(latency), sums(latency**2)
        self._score = sums(score), sums(score**2)
        self._labels = sums(labelled), sums(wrong)
        self._buckets = np.clip((score * 10).astype(int), 0, 255)
        self._until = np.cumsum(self.requests)

    def arm(self, look: int) -> Arm:
        """Everything up to and including a look."""
        count = int(self.count[look])
        seen = np.bincount(self._buckets[: self._until[look]], minlength=256)
        labels, wrong = (float(each[look]) for each in self._labels)
        return Arm(
            count,
            int(self.failed[look]),
            {0: Moments.of(count, *(float(each[look]) for each in self._latency))},
            Moments.of(count, *(float(each[look]) for each in self._score)),
            {int(b): float(seen[b]) for b in np.flatnonzero(seen)},
            Moments.of(labels, wrong, wrong),
        )

    def period(self, look: int, looks: int, span: float) -> Period:
        """The last `looks` spans alone."""
        part = slice(max(0, look + 1 - looks), look + 1)
        return Period(
            looks * span, float(self.requests[part].sum()), float(self.errors[part].sum())
        )


def threshold(candidate: Stream, champion: Stream, look: int, minute: int) -> bool:
    """Twice the champion's error rate over the last minute."""
    new, old = candidate.period(look, minute, 1), champion.period(look, minute, 1)
    return bool(
        new.requests and old.requests and new.errors / new.requests > 2 * old.errors / old.requests
    )


def z_test(candidate: Stream, champion: Stream, look: int) -> bool:
    """Two proportions, all requests so far, p < 0.05 two-sided and the candidate's higher."""
    new = Share(float(candidate.count[look]), float(candidate.failed[look]))
    old = Share(float(champion.count[look]), float(champion.failed[look]))
    pooled = (new.hits + old.hits) / (new.count + old.count)
    error = math.sqrt(pooled * (1 - pooled) * (1 / new.count + 1 / old.count))
    return error > 0 and (new.value - old.value) / error > 1.96


def simulate(
    rng: np.random.Generator, errors: float, seconds: int, every: int
) -> dict[str, float | None]:
    """One canary; when each method rolled it back, in seconds, or `None`."""
    looks = seconds // every
    candidate = Stream(rng, RATE * SHARE, errors, looks, every)
    champion = Stream(rng, RATE * (1 - SHARE), GOOD, looks, every)
    alarm = Alarm(ALARM, 0.0)
    found: dict[str, float | None] = dict.fromkeys(METHODS)
    for look in range(looks):
        at = float((look + 1) * every)

        def called(method: str, worse: bool, at: float = at) -> None:
            if worse and found[method] is None:
                found[method] = at

        if (look + 1) * every % 10 == 0:
            alarm.add(datapoint(ALARM, candidate.period(look, 10 // every, every)), at)
        called("alarm 2 of 3", alarm.state is AlarmState.ALARM)
        if candidate.count[look] < PLAN.minimum_requests:
            continue
        called("threshold", threshold(candidate, champion, look, 60 // every))
        called("z-test", z_test(candidate, champion, look))
        evidence = Evidence([(candidate.arm(look), champion.arm(look))], seconds=at)
        for method, plan in (("sequences", PLAN), ("sequences, margin 0", BARE)):
            if found[method] is None:
                verdicts = [status.verdict for status in judge(plan, evidence)]
                called(method, Verdict.WORSE in verdicts)
    return found


def main() -> int:
    """Simulate, print the table, write the results; 1 when a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--canaries", type=int, default=1000)
    parser.add_argument("--bad", type=int, default=200)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--json", type=Path, default=HERE / "results" / "analysis.json")
    args = parser.parse_args()
    begun = time.monotonic()
    rng = np.random.default_rng(args.seed)
    good = [simulate(rng, GOOD, SECONDS, EVERY) for _ in range(args.canaries)]
    bad = [simulate(rng, BAD, 120, 1) for _ in range(args.bad)]
    rows = []
    for method in METHODS:
        delays = sorted(run[method] or math.inf for run in bad)
        rows.append(
            {
                "method": method,
                "false_rollbacks": sum(run[method] is not None for run in good) / len(good),
                "median_seconds": statistics.median(delays),
                "p99_seconds": delays[min(len(delays) - 1, math.ceil(0.99 * len(delays)) - 1)],
                "within_60_s": sum(delay <= 60 for delay in delays) / len(delays),
            }
        )
    print(
        f"{len(good)} equal canaries ({GOOD:.0%} errors, {RATE:g} requests/s, {SHARE:.0%} canary, "
        f"{SECONDS // 60} min, a look each {EVERY} s);\n{len(bad)} canaries with {BAD:.0%} errors, "
        "a look each second\n"
    )
    print(f"{'method':22}{'false rollbacks':>16}{'median s':>10}{'p99 s':>8}{'in 60 s':>9}")
    for row in rows:
        print(
            f"{row['method']:22}{row['false_rollbacks']:>15.1%} {row['median_seconds']:>9g}"
            f"{row['p99_seconds']:>8g}{row['within_60_s']:>9.1%}"
        )
    ours = rows[0]
    missed = [
        text
        for ok, text in (
            (ours["false_rollbacks"] < 0.01, "less than 1 % false rollbacks"),
            (ours["within_60_s"] == 1, "every bad canary found within 60 s"),
        )
        if not ok
    ]
    for text in missed:
        print(f"goal missed: {text}")
    result = {"canaries": len(good), "bad": len(bad), "seed": args.seed, "methods": rows}
    result["seconds"] = round(time.monotonic() - begun, 1)
    args.json.write_text(json.dumps(result, indent=1) + "\n")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
