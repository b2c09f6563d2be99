"""What an estimate of quality without labels is, and when it is not to be trusted.

Every estimate here assumes that P(label | inputs) is as it was on the reference: it follows a
change of the inputs and is blind to a change of what they mean. That is said beside each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.modelquality.measuring import Metric

ASSUMES = "assumes P(y|x) unchanged"
LEAST_REFERENCE = 500
MOST_OUTSIDE = 0.10
MOST_CALIBRATION_ERROR = 0.05
WIDTH = 1.96  # normal quantile of a 95 % interval


@dataclass(frozen=True, slots=True)
class Estimated:
    """One estimated metric with its 95 % interval for what labels would give."""

    value: float
    low: float
    high: float

    @property
    def metric(self) -> Metric:
        """As a metric whose error is the interval's."""
        half = (self.high - self.low) / 2
        return Metric(self.value, error=half / WIDTH if math.isfinite(half) else float("nan"))

    def wider(self, dependence: float, most: float = math.inf) -> Estimated:
        """With the interval that holds where so many rows are worth one."""
        factor = math.sqrt(dependence)
        low = self.value - factor * (self.value - self.low)
        high = self.value + factor * (self.high - self.value)
        return Estimated(self.value, max(0.0, low), min(most, high))


@dataclass(frozen=True, slots=True)
class Estimate:
    """Estimated metrics of a window. `doubts` say why not to trust them; none is trust."""

    method: str
    rows: int
    metrics: Mapping[str, Estimated]
    outside: float = 0.0
    doubts: tuple[str, ...] = ()

    @property
    def trusted(self) -> bool:
        """Whether nothing that can be seen without labels speaks against it."""
        return not self.doubts

    @property
    def statement(self) -> str:
        """What stands beside the figures."""
        if self.doubts:
            return f"do not trust it: {'; '.join(self.doubts)} ({ASSUMES})"
        return ASSUMES


def doubts(
    *,
    reference: int,
    outside: float,
    worst: Sequence[str] = (),
    calibration_error: float = float("nan"),
    more: Sequence[str] = (),
) -> tuple[str, ...]:
    """Reasons against an estimate: too small a reference, too many rows outside of it (`worst`
    names the inputs), scores that could not be calibrated."""
    found = []
    if reference < LEAST_REFERENCE:
        found.append(f"the reference has {reference} rows, fewer than {LEAST_REFERENCE}")
    if outside > MOST_OUTSIDE:
        named = f" ({', '.join(worst[:3])})" if worst else ""
        found.append(f"{outside:.0%} of rows lie outside of the reference's range{named}")
    if calibration_error > MOST_CALIBRATION_ERROR:
        found.append(
            f"calibrated scores are off by {calibration_error:.3f} on rows held out "
            f"(more than {MOST_CALIBRATION_ERROR})"
        )
    return (*found, *more)
