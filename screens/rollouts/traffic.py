"""The traffic pane: what an endpoint does, in slots of ten seconds, while it does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Container

from screens.widgets.chart import Chart, Series

if TYPE_CHECKING:
    from core.domain.series import Datapoint
    from core.ops import Ops

SLOT = 10.0
SLOTS = 60
ARMS = ("champion", "candidate")


@dataclass(frozen=True, slots=True)
class Drawn:
    """One chart: its title, the metric and the statistic, and what a datapoint is multiplied by."""

    title: str
    metric: str
    stat: str
    factor: float = 1.0
    arms: bool = True


CHARTS: Mapping[str, Drawn] = {
    "requests": Drawn("requests a second", "requests", "Sum", 1 / SLOT),
    "latency": Drawn("p99, ms", "latency", "p99"),
    "errors": Drawn("errors, %", "errors", "Average", 100.0),
    "saturation": Drawn("busy workers, %", "saturation", "Average", 100.0, arms=False),
}
"""By the id of the chart, from the top left."""

Traffic = Mapping[str, tuple[Series, ...]]
"""The lines of each chart; a step is seconds before now."""


def read_traffic(endpoint: str, ops: Ops) -> Traffic:
    """The last ten minutes of an endpoint."""
    now = ops.session.reader.clock()
    return {name: tuple(_lines(endpoint, drawn, now, ops)) for name, drawn in CHARTS.items()}


def _lines(endpoint: str, drawn: Drawn, now: float, ops: Ops) -> list[Series]:
    found = []
    for arm in ARMS if drawn.arms else ("all",):
        points = ops.series.read(
            f"endpoint/{endpoint}",
            drawn.metric,
            {"variant": arm} if drawn.arms else None,
            since=now - SLOTS * SLOT,
            until=now,
            period=SLOT,
            stat=drawn.stat,
        )
        found.append(_line(arm, points, now, drawn.factor))
    return [one for one in found if one.values]


def _line(name: str, points: tuple[Datapoint, ...], now: float, factor: float) -> Series:
    known = [(point.at - now, point.value * factor) for point in points if point.value is not None]
    return Series(name, [float(round(at)) for at, _ in known], [value for _, value in known])


class TrafficPane(Container, can_focus=True):
    """Four charts, two beside each other."""

    DEFAULT_CSS = """
    TrafficPane { layout: grid; grid-size: 2 2; height: 1fr; }
    TrafficPane Chart { padding: 0 1; height: 100%; }
    """

    def compose(self) -> ComposeResult:
        for name, drawn in CHARTS.items():
            chart = Chart(drawn.title, id=name)
            chart.empty = "nothing was measured in the last ten minutes"
            yield chart

    def put(self, traffic: Traffic) -> None:
        """Show these lines."""
        for name, lines in traffic.items():
            self.query_one(f"#{name}", Chart).put(lines)
