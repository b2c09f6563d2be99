"""Counting what each revision does, for whoever judges a release.

A `Meter` only ever counts upwards, from the moment its revision was loaded in this process; it
is read each second, and what is judged are differences of readings. So a reading that is lost
costs nothing, and a process that starts anew begins at nothing. Single-threaded.

Latencies are of requests that were answered with a prediction: a fast error is not a fast
answer. Of each request one prediction is counted, drawn by chance: the rows of one request
belong together, and counting them all would take them for independent.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from core.analysis.alarms import Period
from core.analysis.arms import Arm, Moments
from core.analysis.buckets import class_bucket, idle_class, latency_bucket, score_bucket
from core.serving.chance import draw
from core.serving.records import Record

FASTEST_MS = 1e-4  # logarithms need a floor


@dataclass(slots=True)
class Reading(Record):
    """A meter's counts. `idle` has by class of the pause before a request the count, sum and sum
    of squares of ln(milliseconds); `score_*` are of score - `shift`."""

    token: int = 0  # which meter: another one starts at nothing
    requests: int = 0
    errors: int = 0  # 5xx, or no answer
    rejected: int = 0  # 4xx
    chance: int = 0  # requests that came here by chance: no session, no target asked for
    answered: int = 0
    milliseconds: float = 0.0
    idle: dict[int, list[float]] = field(default_factory=dict)
    latencies: dict[int, int] = field(default_factory=dict)
    score_count: int = 0
    score_sum: float = 0.0
    score_squares: float = 0.0
    shift: float = 0.0
    scores: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # In JSON a key is a string.
        self.latencies = {int(bucket): count for bucket, count in self.latencies.items()}
        self.scores = {int(bucket): count for bucket, count in self.scores.items()}
        self.idle = {int(idle): sums for idle, sums in self.idle.items()}

    def since(self, before: Reading | None) -> Reading:
        """What was counted after an earlier reading of the same meter; everything, where that
        was of another one or there was none."""
        if before is None or before.token != self.token:
            return self
        found = Reading(token=self.token, shift=self.shift)
        for name in _SUMS:
            setattr(found, name, getattr(self, name) - getattr(before, name))
        found.latencies = _less(self.latencies, before.latencies)
        found.scores = _less(self.scores, before.scores)
        nothing = [0.0, 0.0, 0.0]
        for idle, sums in self.idle.items():
            past = before.idle.get(idle, nothing)
            if sums[0] > past[0]:
                found.idle[idle] = [a - b for a, b in zip(sums, past, strict=True)]
        return found

    def period(self, seconds: float) -> Period:
        """As what an alarm takes its datapoint from."""
        return Period(
            seconds=seconds,
            requests=self.requests,
            errors=self.errors,
            rejected=self.rejected,
            answered=self.answered,
            milliseconds=self.milliseconds,
            latencies=dict(self.latencies),
            scores=self.score_count,
            score_sum=self.score_sum + self.shift * self.score_count,
        )

    def arm(self) -> Arm:
        """As what is compared with another arm."""
        return Arm(
            self.requests,
            self.errors,
            {idle: Moments.of(*sums) for idle, sums in self.idle.items()},
            Moments.of(self.score_count, self.score_sum, self.score_squares, self.shift),
            self.scores,
        )


_FIELDS = tuple(item.name for item in fields(Reading))
_COUNTS = ("latencies", "scores")
_SUMS = tuple(
    item.name for item in fields(Reading) if item.name not in ("token", "shift", "idle", *_COUNTS)
)


def _less(now: Mapping[int, int], before: Mapping[int, int]) -> dict[int, int]:
    return {
        bucket: count - before.get(bucket, 0)
        for bucket, count in now.items()
        if count != before.get(bucket, 0)
    }


def new_token() -> int:
    """Tells one meter from another, of whatever process."""
    return int.from_bytes(os.urandom(6))


class Meter:
    """Counts one revision's requests in one process. `record` and `predicted` take about a
    microsecond each."""

    def __init__(self) -> None:
        self._counts = Reading(token=new_token())
        self._last = time.perf_counter()

    def record(self, status: int, seconds: float, chance: bool) -> None:
        """A request ended with this status. `chance`: it came here neither by its session nor
        because it asked to."""
        now = time.perf_counter()
        counts = self._counts
        counts.requests += 1
        counts.chance += chance
        if status >= 500:
            counts.errors += 1
        elif status >= 400:
            counts.rejected += 1
        else:
            milliseconds = seconds * 1000
            size = math.log(milliseconds if milliseconds > FASTEST_MS else FASTEST_MS)
            idle = idle_class((now - seconds - self._last) * 1000)
            sums = counts.idle.get(idle)
            if sums is None:
                sums = counts.idle[idle] = [0, 0.0, 0.0]
            sums[0] += 1
            sums[1] += size
            sums[2] += size * size
            counts.answered += 1
            counts.milliseconds += milliseconds
            bucket = latency_bucket(milliseconds)
            counts.latencies[bucket] = counts.latencies.get(bucket, 0) + 1
        self._last = now

    def predicted(self, outputs: Any) -> None:
        """The model said this to a request: a list with one prediction a row, or whatever."""
        if isinstance(outputs, list):
            if not outputs:
                return
            rows = len(outputs)
            outputs = outputs[0 if rows == 1 else int(draw() * rows)]
        score = outputs if type(outputs) is float else _score(outputs)
        counts = self._counts
        if isinstance(score, str):
            bucket = class_bucket(score)
        elif score is not None and math.isfinite(score):
            bucket = score_bucket(score)
            if not counts.score_count:
                counts.shift = score
            apart = score - counts.shift
            counts.score_count += 1
            counts.score_sum += apart
            counts.score_squares += apart * apart
        else:
            return
        counts.scores[bucket] = counts.scores.get(bucket, 0) + 1

    def reading(self) -> dict[str, Any]:
        """The counts now, as JSON."""
        found = {name: getattr(self._counts, name) for name in _FIELDS}
        found |= {name: dict(found[name]) for name in _COUNTS}
        return found | {"idle": {idle: list(sums) for idle, sums in self._counts.idle.items()}}


def _score(prediction: Any) -> float | str | None:
    """The number or class that a prediction comes down to: of several numbers the last, which
    of probabilities is the last class'; of named ones the first."""
    while isinstance(prediction, (list, dict)):
        if not prediction:
            return None
        if isinstance(prediction, list):
            prediction = prediction[-1]
        else:
            prediction = next(iter(prediction.values()))
    if isinstance(prediction, str):
        return prediction
    return float(prediction) if isinstance(prediction, (int, float)) else None
