"""The kind `anomaly`: traffic, latency, errors and scores of an endpoint, against what their own
past foretells.

A datapoint a period; the state goes by M of the last N, over windows. `method: seasonal` (the
default) holds them against the forecast band of `core.anomaly`, and says nothing before eight days
are there; `method: robust` against the median of the last day and its robust standard deviation,
what a Hampel filter calls an outlier left out, for what has no seasons; `auto` does that until
there is a forecast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from core.anomaly import fit, hampel, median
from core.anomaly.robust import sigma
from core.anomaly.seasonal import DAY, Band
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

METRICS: Mapping[str, tuple[str, str]] = {
    "requests": ("requests", "Sum"),
    "latency_p50": ("latency", "p50"),
    "latency_p99": ("latency", "p99"),
    "error_rate": ("errors", "Average"),
    "score": ("score", "Average"),
    "saturation": ("saturation", "Average"),
}
"""What is watched under which name: the series' metric and its statistic."""

METHODS = ("auto", "seasonal", "robust")
PAST_SECONDS = 56 * DAY
LEAST_ROBUST = 30
ROBUST_WIDTH = 2.0
"""A past without seasons is held against so many times the width: its spread has them too."""
FLOORS = {"error_rate": 0.01, "saturation": 0.1}
"""What is less than this beside the expected value is no anomaly (of latencies: a tenth)."""
_DEFAULT = ("requests", "latency_p99", "error_rate", "score")
_ONE_SIDED = ("latency_p50", "latency_p99", "error_rate", "saturation")


@dataclass(frozen=True, slots=True)
class AnomalySettings:
    """`period` in seconds; `width` in robust standard deviations; a datapoint of fewer
    requests than `minimum_requests` counts for traffic only."""

    metrics: tuple[str, ...] = _DEFAULT
    period: float = 300.0
    width: float = 3.0
    evaluation_periods: int = 3
    datapoints_to_alarm: int = 2
    method: str = "seasonal"
    minimum_requests: int = 20


class Anomaly(MeasuredKind):
    """Datapoints of an endpoint's metrics that their own past would not have foretold."""

    name: ClassVar[str] = "anomaly"

    def read(self, problems: Problems, where: str, data: Mapping[str, Any]) -> AnomalySettings:
        keys = list(AnomalySettings.__dataclass_fields__)
        given = values.known_keys(problems, where, data, keys) or {}
        read: dict[str, Any] = {}
        if "metrics" in given:
            read["metrics"] = _metrics(problems, f"{where}.metrics", given["metrics"])
        if "period" in given:
            length = values.seconds(problems, f"{where}.period", given["period"], least=60.0)
            read |= {} if length is None else {"period": length}
        if "width" in given:
            width = values.number(problems, f"{where}.width", given["width"], 0.1, 100)
            read |= {} if width is None else {"width": width}
        if "method" in given:
            word = values.one_of(problems, f"{where}.method", given["method"], METHODS)
            read |= {} if word is None else {"method": word}
        many = values.whole(
            problems, f"{where}.evaluation_periods", given.get("evaluation_periods", 3), 1, 100
        )
        enough = given.get("datapoints_to_alarm", min(2, many or 1))
        found = values.whole(problems, f"{where}.datapoints_to_alarm", enough, 1, many or 1)
        read |= {"evaluation_periods": many or 3, "datapoints_to_alarm": found or 1}
        if "minimum_requests" in given:
            place = f"{where}.minimum_requests"
            least = values.whole(problems, place, given["minimum_requests"], 1, 10**9)
            read |= {} if least is None else {"minimum_requests": least}
        return AnomalySettings(**read)

    def judge(
        self,
        reader: Reader,
        definition: MonitorDefinition,
        window: Window,
        memory: Mapping[str, Any],
    ) -> Findings:
        settings: AnomalySettings = definition.settings
        looked = [_look(reader, definition, name, window, memory) for name in settings.metrics]
        off = [each for each in looked if each.measurement.state is State.VIOLATED]
        judged = [each for each in looked if each.measurement.state is not State.INSUFFICIENT]
        state = State.VIOLATED if off else State.OK if judged else State.INSUFFICIENT
        headline = "; ".join(each.words for each in off) or _calm(looked, judged)
        return Findings(
            state,
            tuple(each.measurement for each in looked),
            tuple(each.violation() for each in off),
            headline,
            memory={"flags": {each.name: each.flags for each in looked}},
        )


def _metrics(problems: Problems, where: str, data: Any) -> tuple[str, ...]:
    if not isinstance(data, Sequence) or isinstance(data, str) or not data:
        problems.add(where, f"a list of metrics, not {values.shown(data)}", ", ".join(METRICS))
        return _DEFAULT
    found = [values.one_of(problems, where, each, METRICS) for each in data]
    return tuple(dict.fromkeys(each for each in found if each is not None)) or _DEFAULT


@dataclass(frozen=True, slots=True)
class _Looked:
    """One metric of one window. `flags` are the last datapoints, whether each was odd."""

    name: str
    measurement: Measurement
    flags: list[bool]
    words: str

    def violation(self) -> Violation:
        of = self.measurement
        return Violation("", "anomaly_check", self.words, self.name, of.value, of.high, "warning")


def _look(
    reader: Reader,
    definition: MonitorDefinition,
    name: str,
    window: Window,
    memory: Mapping[str, Any],
) -> _Looked:
    settings: AnomalySettings = definition.settings
    points = _points(reader, definition, name, window.start, window.end)
    expected = _expected(reader, definition, name, window.start)
    flags = list(memory.get("flags", {}).get(name, ()))
    band: Band | None = None
    value: float | None = None
    for at, value in points:
        band = expected.band(at) if expected is not None else None
        if band is not None:
            flags.append(_is_odd(name, value, band))
    flags = flags[-settings.evaluation_periods :]
    if band is None or value is None:
        why = "no data" if not points else "its past is too short"
        state = Measurement(name, value, state=State.INSUFFICIENT, definition=why)
        return _Looked(name, state, flags, f"{name}: {why}")
    off = sum(flags) >= settings.datapoints_to_alarm
    measurement = Measurement(
        name,
        value,
        low=band.low,
        high=band.high,
        state=State.VIOLATED if off else State.OK,
        definition=f"{expected.words if expected else ''}, {settings.datapoints_to_alarm} of"
        f" {settings.evaluation_periods} datapoints of {settings.period:g} s",
        detail={"expected": band.expected, "odd": [int(flag) for flag in flags]},
    )
    side = "above" if value > band.high else "below" if value < band.low else "was outside"
    words = f"{name} is {value:.4g}, {side} [{band.low:.4g}, {band.high:.4g}]"
    return _Looked(name, measurement, flags, words)


def _is_odd(name: str, value: float, band: Band) -> bool:
    """Whether a datapoint leaves its band by more than is of no interest."""
    least = FLOORS.get(name, 0.1 * abs(band.expected) if name.startswith("latency") else 0.0)
    if abs(value - band.expected) <= least:
        return False
    return value > band.high or (value < band.low and name not in _ONE_SIDED)


class _Expected:
    """What a metric's past foretells: by seasons, or the same all the time."""

    def __init__(self, past: Sequence[tuple[float, float]], until: float, of: AnomalySettings):
        self._width = of.width
        self._forecast = None if of.method == "robust" else fit(past, until)
        self._flat: tuple[float, float] | None = None
        recent = [value for at, value in past if at >= until - DAY]
        if self._forecast is None and of.method != "seasonal" and len(recent) >= LEAST_ROBUST:
            usual = [v for v, odd in zip(recent, hampel(recent), strict=True) if not odd]
            middle = median(usual)
            self._flat = middle, max(sigma(usual, middle), 1e-3 * abs(middle))

    @property
    def known(self) -> bool:
        """Whether anything is foretold."""
        return self._forecast is not None or self._flat is not None

    @property
    def words(self) -> str:
        """How, for the record."""
        if self._forecast is not None:
            season = "week" if self._forecast.season > DAY else "day"
            return f"forecast by {self._forecast.seasons} seasons of a {season}, ±{self._width:g}σ"
        return f"median of the last day, ±{ROBUST_WIDTH * self._width:g} robust σ"

    def band(self, at: float) -> Band:
        """What is expected at a time."""
        if self._forecast is not None:
            return self._forecast.band(at, self._width)
        assert self._flat is not None
        middle, spread = self._flat
        reach = ROBUST_WIDTH * self._width * spread
        return Band(middle - reach, middle, middle + reach)


def _expected(
    reader: Reader, definition: MonitorDefinition, name: str, until: float
) -> _Expected | None:
    settings: AnomalySettings = definition.settings
    longest = min(PAST_SECONDS, (15 if settings.period < 300 else 56) * DAY)
    past = _points(reader, definition, name, until - longest, until)
    expected = _Expected(past, until, settings)
    return expected if expected.known else None


def _points(
    reader: Reader, definition: MonitorDefinition, name: str, since: float, until: float
) -> list[tuple[float, float]]:
    """The datapoints of a metric: the middle of each period, and its value."""
    from core.series.reading import read

    settings: AnomalySettings = definition.settings
    metric, stat = METRICS[name]
    whole = definition.variant in ("all", "") or name == "saturation"
    dims = {} if whole else {"variant": definition.variant}
    source, period = f"endpoint/{definition.target}", settings.period
    until = until // period * period  # of whole periods only
    found = read(reader, source, metric, dims, since=since, until=until, period=period, stat=stat)
    few: set[float] = set()
    if name != "requests":
        counts = read(
            reader, source, "requests", dims, since=since, until=until, period=period, stat="Sum"
        )
        few = {each.at for each in counts if (each.value or 0) < settings.minimum_requests}
    return [
        (each.at + period / 2, each.value)
        for each in found
        if each.value is not None and each.at not in few
    ]


def _calm(looked: Sequence[_Looked], judged: Sequence[_Looked]) -> str:
    if not judged:
        return "; ".join(each.words for each in looked)
    return f"{len(judged)} of {len(looked)} metrics are as their past foretells"


KIND = Anomaly()
