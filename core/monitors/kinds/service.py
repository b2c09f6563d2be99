"""The kind `service`: whether an endpoint answers, fast enough, without errors, with room left.

Reads what supervisors counted (series `endpoint/NAME`), not rows: a window is only its time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from core.domain.series import Statistics
from core.monitors.kind import (
    Findings,
    Measurement,
    MonitorDefinition,
    Problems,
    State,
    Violation,
    Window,
)
from core.monitors.kinds._measured import MeasuredKind
from core.releases import values

if TYPE_CHECKING:
    from core.state.reading import Reader

SLOT_SECONDS = 10.0
LEAST_SAMPLED = 0.5
"""Below this share of slots the window says nothing: it was looked at too little."""
_ABOVE = "GreaterThanThreshold"
_LATENCIES = ("latency_mean", "latency_p50", "latency_p90", "latency_p99")
_SHARES = ("error_rate", "rejected_rate")
_COUNTS = ("crashes", "shed", "capture_dropped")
_SEVERITY = {"error_rate": "critical", "crashes": "critical"}
_DEFAULTS: Mapping[str, float] = {
    "error_rate": 0.05,
    "saturation": 1.0,
    "crashes": 0.0,
    "capture_dropped": 0.0,
}
_KEYS = (*_LATENCIES, *_SHARES, *_COUNTS, "saturation")


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """Bounds by metric (milliseconds, shares, counts), None for one that is only shown; rates
    and latencies of fewer requests than `minimum_requests` are not judged."""

    bounds: Mapping[str, float | None]
    minimum_requests: int = 20


class Service(MeasuredKind):
    """Requests, errors, latencies, saturation, crashes and capture of an endpoint over a window."""

    name: ClassVar[str] = "service"

    def read(self, problems: Problems, where: str, data: Mapping[str, Any]) -> ServiceSettings:
        given = values.known_keys(problems, where, data, (*_KEYS, "minimum_requests")) or {}
        bounds: dict[str, float | None] = dict(_DEFAULTS)
        for key, value in given.items():
            if key in _KEYS:
                bounds[key] = (
                    None if value is None else _bound(problems, f"{where}.{key}", key, value)
                )
        least = given.get("minimum_requests", 20)
        found = values.whole(problems, f"{where}.minimum_requests", least, 1, 10**9)
        return ServiceSettings(bounds, 20 if found is None else found)

    def judge(
        self,
        reader: Reader,
        definition: MonitorDefinition,
        window: Window,
        memory: Mapping[str, Any],
    ) -> Findings:
        settings: ServiceSettings = definition.settings
        counted = _Counted(reader, definition, window.start, window.end)
        sampled = counted.sampled
        shown = Measurement("sampled", sampled, definition="share of slots that were counted")
        if sampled < LEAST_SAMPLED:
            words = f"counted in {sampled * 100:.0f} % of the window: the endpoint was not there"
            return Findings(State.INSUFFICIENT, (shown,), headline=words)
        found = [_judged(name, value, settings, counted) for name, value in counted.all()]
        off = [each for each in found if each.state is State.VIOLATED]
        violations = tuple(_violation(each) for each in off)
        judged = any(each.state is State.OK for each in found)
        state = State.VIOLATED if off else State.OK if judged else State.INSUFFICIENT
        return Findings(state, (*found, shown), violations, headline=_headline(violations, counted))


def _bound(problems: Problems, where: str, key: str, value: Any) -> float | None:
    """What the metric may be at most, in its own unit."""
    if key in _LATENCIES:
        seconds = values.seconds(problems, where, value, least=0.0)
        return None if seconds is None else seconds * 1000
    if key in _SHARES:
        return values.share(problems, where, value)
    return values.number(problems, where, value, 0, 1e12)


class _Counted:
    """What the series say of one window."""

    def __init__(self, reader: Reader, of: MonitorDefinition, start: float, end: float) -> None:
        self._reader = reader
        self._source = f"endpoint/{of.target}"
        self._dims = {} if of.variant in ("all", "") else {"variant": of.variant}
        self._start, self._end = start, end
        requests = self._sets("requests")
        self.requests = sum(each.total for each in requests)
        slots = max(1.0, (end - start) / SLOT_SECONDS)
        whole = self._sets("servers", whole=True)
        self.sampled = min(1.0, sum(each.samples for each in whole) / slots)

    def _sets(self, metric: str, *, whole: bool = False) -> list[Statistics]:
        from core.series.reading import read_statistics

        dims = {} if whole else self._dims
        rows = read_statistics(
            self._reader, self._source, metric, dims, since=self._start, until=self._end
        )
        return [one for _, one in rows]

    def all(self) -> Iterator[tuple[str, float | None]]:
        """Each metric with its value."""
        from core.series.sets import statistic

        length = max(1e-9, self._end - self._start)
        yield "requests", self.requests
        yield "requests_per_second", self.requests / length
        yield "error_rate", statistic(self._sets("errors"), "Average")
        yield "rejected_rate", statistic(self._sets("rejected"), "Average")
        latency = self._sets("latency")
        yield "latency_mean", statistic(latency, "Average")
        for share in (50, 90, 99):
            yield f"latency_p{share}", statistic(latency, f"p{share}")
        yield "saturation", statistic(self._sets("saturation", whole=True), "Average")
        for metric in _COUNTS:
            yield metric, statistic(self._sets(metric, whole=True), "Sum")


def _judged(
    name: str, value: float | None, settings: ServiceSettings, counted: _Counted
) -> Measurement:
    bound = settings.bounds.get(name)
    if bound is None or value is None:
        return Measurement(name, value)
    few = name in (*_LATENCIES, *_SHARES) and counted.requests < settings.minimum_requests
    state = State.INSUFFICIENT if few else State.VIOLATED if value > bound else State.OK
    return Measurement(name, value, threshold=bound, comparison=_ABOVE, state=state)


def _violation(each: Measurement) -> Violation:
    value, bound = shown(each.metric, each.value or 0.0), shown(each.metric, each.threshold or 0.0)
    return Violation(
        "",
        f"{each.metric}_check",
        f"{each.metric.replace('_', ' ')} is {value}, more than {bound}",
        each.metric,
        each.value,
        each.threshold,
        _SEVERITY.get(each.metric, "warning"),
    )


def shown(metric: str, value: float) -> str:
    """A value in its unit."""
    if metric in _LATENCIES:
        return f"{value:.4g} ms"
    return f"{value * 100:.3g} %" if metric in _SHARES else f"{value:.4g}"


def _headline(violations: tuple[Violation, ...], counted: _Counted) -> str:
    if violations:
        ordered = sorted(violations, key=lambda each: each.severity != "critical")
        return "; ".join(each.description for each in ordered)
    return f"{counted.requests:,.0f} requests, nothing is out of bounds"


KIND = Service()
