"""From an endpoint's slots of ten seconds to points of its series, `endpoint/NAME`.

| metric | what | dims |
|---|---|---|
| `requests` | answered (Sum) | `variant` |
| `errors` | answered 5xx: Sum is their number, Average their share of the requests | `variant` |
| `rejected` | answered 4xx, likewise | `variant` |
| `latency` | milliseconds of what was answered with a prediction; Average, p50 … | `variant` |
| `score` | numeric predictions, one drawn of each request | `variant` |
| `weight` | percent of the traffic that it is to get | `variant` |
| `in_flight` | requests in hand, looked at each second | |
| `saturation` | requests in hand for each worker: above 1 they wait | |
| `shed` | answered 429, for there was no room (Sum) | |
| `crashes` | servers that ended by themselves (Sum) | |
| `capture_dropped` | requests that should have been captured and were not kept (Sum) | |
| `servers` | that answered | |

Without dims they are of the whole endpoint; `variant` is the revision's name (`r7`), and also
`champion` and `candidate`, whichever revision that was then. A slot without requests has 0
requests and no errors, latency or score: there was nothing to measure. A slot that is not there
at all is a gap: nobody was serving.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.analysis.buckets import latency_ms, score_bucket
from core.domain.series import Point, Statistics
from core.series.sets import middle

SPAN = 10.0
_CLASSES = 1_000_000  # from here on buckets of scores are classes


def points_of(slot: Mapping[str, Any], roles: Mapping[int, str]) -> list[Point]:
    """The points of one slot; `roles` says which revision was the champion and the candidate."""
    at = float(slot["at"])
    rows = {int(number): row for number, row in slot["revisions"].items()}
    weights = {int(number): float(weight) for number, weight in slot["weights"].items()}
    found = list(_traffic(at, list(rows.values()), {}))
    for number in sorted({*rows, *weights}):
        row = [rows[number]] if number in rows else []
        for name in (f"r{number}", roles.get(number)):
            if name is not None:
                dims = {"variant": name}
                found += _traffic(at, row, dims)
                found.append(Point("weight", at, weights.get(number, 0.0), dims))
    return found + list(_whole(at, slot))


def _traffic(
    at: float, rows: Sequence[Mapping[str, Any]], dims: Mapping[str, str]
) -> Iterator[Point]:
    requests = float(sum(row["requests"] for row in rows))
    yield Point("requests", at, requests, dims)
    for metric in ("errors", "rejected"):
        bad = float(sum(row[metric] for row in rows))
        low, high = float(bad == requests), float(bad > 0)
        yield _point(metric, at, Statistics(requests, bad, low, high), dims)
    latencies: dict[int, float] = {}
    scores: dict[int, float] = {}
    for row in rows:
        for bucket, count in row["latencies"].items():
            key = score_bucket(latency_ms(int(bucket)))
            latencies[key] = latencies.get(key, 0.0) + count
        for bucket, count in row["scores"].items():
            if int(bucket) < _CLASSES:
                scores[int(bucket)] = scores.get(int(bucket), 0.0) + count
    answered = float(sum(row["answered"] for row in rows))
    total = float(sum(row["milliseconds"] for row in rows))
    yield _point("latency", at, _counted(answered, total, latencies), dims)
    numeric = float(sum(row["score_count"] for row in rows))
    if numeric:  # of classes there is no number
        yield _point(
            "score", at, _counted(numeric, float(sum(r["score_sum"] for r in rows)), scores), dims
        )


def _counted(samples: float, total: float, buckets: Mapping[int, float]) -> Statistics:
    if not buckets:
        return Statistics(0.0, 0.0)
    return Statistics(samples, total, middle(min(buckets)), middle(max(buckets)), dict(buckets))


def _point(metric: str, at: float, found: Statistics, dims: Mapping[str, str]) -> Point:
    empty = found.samples <= 0
    return Point(metric, at, dims=dims, statistics=Statistics(0.0, 0.0) if empty else found)


def _whole(at: float, slot: Mapping[str, Any]) -> Iterator[Point]:
    """What is the endpoint's and no variant's."""
    looks, total, low, high = (float(value) for value in slot["in_flight"])
    if looks:
        found = Statistics(looks, total, low, high)
        yield Point("in_flight", at, statistics=found)
        workers = float(slot["workers"])
        if workers:
            each = Statistics(looks, total / workers, low / workers, high / workers)
            yield Point("saturation", at, statistics=each)
    for metric, key in (("shed", "shed"), ("crashes", "crashes"), ("capture_dropped", "dropped")):
        yield Point(metric, at, float(slot[key]))
    yield Point("servers", at, float(slot["servers"]))
