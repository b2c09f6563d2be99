"""An endpoint's traffic and load by CloudWatch, a line for each variant.

Names, units and dimensions: https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
(latencies are in microseconds there, in milliseconds here).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.aws.kind import Chart
from core.aws.metrics import Metric, Points, several

if TYPE_CHECKING:
    from core.aws.account import Account

TRAFFIC, LOAD = "AWS/SageMaker", "/aws/sagemaker/Endpoints"
BACK = 3 * 3600.0
PERIOD = 60


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a chart: its word, the metric, and what its values are divided by."""

    word: str
    namespace: str
    metric: str
    stat: str
    scale: float = 1.0


_CHARTS: Mapping[tuple[str, str], tuple[_Line, ...]] = {
    ("Invocations", "a minute"): (_Line("", TRAFFIC, "Invocations", "Sum"),),
    ("Model latency", "ms"): tuple(
        _Line(stat, TRAFFIC, "ModelLatency", stat, 1000.0) for stat in ("p50", "p90", "p99")
    ),
    ("Overhead latency", "ms"): (_Line("p99", TRAFFIC, "OverheadLatency", "p99", 1000.0),),
    ("Errors", "a minute"): (
        _Line("4XX", TRAFFIC, "Invocation4XXErrors", "Sum"),
        _Line("5XX", TRAFFIC, "Invocation5XXErrors", "Sum"),
    ),
    ("Load", "%"): (
        _Line("CPU", LOAD, "CPUUtilization", "Average"),
        _Line("memory", LOAD, "MemoryUtilization", "Average"),
        _Line("GPU", LOAD, "GPUUtilization", "Average"),
    ),
}


def charts_of(
    account: Account, endpoint: str, variants: Sequence[str], back: float = BACK
) -> tuple[Chart, ...]:
    """The charts of the last `back` seconds that have points at all, by one call."""
    wanted: dict[str, Metric] = {}
    for title, unit in _CHARTS:
        for line in _CHARTS[title, unit]:
            for variant in variants:
                dimensions = {"EndpointName": endpoint, "VariantName": variant}
                wanted[_key(title, line, variant)] = Metric(
                    line.namespace, line.metric, line.stat, dimensions
                )
    found = several(account, wanted, PERIOD, time.time() - back)
    charts = []
    for (title, unit), lines in _CHARTS.items():
        series: dict[str, Points] = {}
        for line in lines:
            for variant in variants:
                points = found[_key(title, line, variant)]
                if points:
                    name = f"{variant} {line.word}".strip()
                    series[name] = tuple((at, value / line.scale) for at, value in points)
        if series:
            charts.append(Chart(title, unit, series))
    return tuple(charts)


def _key(title: str, line: _Line, variant: str) -> str:
    return f"{title}/{line.word}/{variant}"
