"""Definitions of alarms as they stand in `monitors/*.yaml`, section `alarms:`.

alarms:
  demand-mae:
    metric: monitor/demand-quality:mae        # or {source: …, name: …, dims: {…}}
    period: window
    evaluation_periods: 3
    datapoints_to_alarm: 2
    threshold: 60
    actions: [alert: critical, rollback]
  demand-bad:
    rule: "ALARM(demand-mae) AND NOT OK(demand-errors)"
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.alarms.errors import AlarmRuleInvalid
from core.alarms.order import cycles
from core.alarms.rules import parse
from core.domain.alarm import ActionKind, AlarmAction, AlarmDefinition, BandComparison
from core.domain.alert import Severity
from core.domain.analysis import Comparison, MissingData
from core.domain.series import SeriesName
from core.errors import BadInput
from core.releases import values
from core.releases.values import Problems
from core.series.sets import check_statistic

NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_SOURCE = re.compile(r"(monitor|endpoint|run|dataset|slo)/[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_SHORT = re.compile(r"([^:{}\s]+):([^:{}\s]+)(?:\{([^{}]*)\})?")
_SIGNS: dict[str, Comparison | BandComparison] = {
    ">": Comparison.GREATER,
    ">=": Comparison.GREATER_OR_EQUAL,
    "<": Comparison.LESS,
    "<=": Comparison.LESS_OR_EQUAL,
    "outside": BandComparison.OUTSIDE,
    "above": BandComparison.ABOVE,
    "below": BandComparison.BELOW,
}
LEAST_BANDED = 60.0
"""Shorter periods are kept for three hours, which have no seasons."""
_SHARED = (
    "description", "runbook", "endpoint", "rollback_within", "actions", "ok_actions",
    "insufficient_data_actions", "suppress_with", "suppress_wait", "suppress_extension",
)  # fmt: skip
_METRIC = (
    "metric", "stat", "period", "expect_every", "evaluation_periods", "datapoints_to_alarm",
    "threshold", "comparison", "band_width", "treat_missing_data", "minimum_samples",
)  # fmt: skip


def read_alarms(problems: Problems, where: str, data: Any) -> tuple[AlarmDefinition, ...]:
    """The alarms of a mapping name → definition; what is wrong is noted, and left out."""
    if not isinstance(data, Mapping):
        problems.add(where, f"a mapping of names to alarms, not {values.shown(data)}")
        return ()
    read = [read_alarm(problems, f"{where}.{name}", str(name), each) for name, each in data.items()]
    return tuple(alarm for alarm in read if alarm is not None)


def check_together(
    problems: Problems, where: str, alarms: Mapping[str, AlarmDefinition]
) -> frozenset[str]:
    """Note what is wrong only taken together, over all files: cycles. Returns the names of
    the alarms that cannot be used for it."""
    bad: set[str] = set()
    for cycle in cycles(alarms):
        path = " → ".join((*cycle, cycle[0]))
        problems.add(
            f"{where}.{cycle[0]}", f"the alarm looks at itself: {path}", "break the circle"
        )
        bad.update(cycle)
    return frozenset(bad)


def read_alarm(problems: Problems, where: str, name: str, data: Any) -> AlarmDefinition | None:
    """One alarm; `None`, with the reasons noted, where it cannot be used."""
    before = len(problems.found)
    if not NAME.fullmatch(name):
        problems.add(where, f"not a name: {values.shown(name)}", "use a-z, 0-9, - and _")
    keys = (*_METRIC, "rule", *_SHARED)
    found = values.known_keys(problems, where, data, keys)
    if found is None:
        return None
    if ("metric" in found) == ("rule" in found):
        problems.add(where, "metric or rule, one of them", 'such as rule: "ALARM(a) AND ALARM(b)"')
        return None
    read = _shared(problems, where, found)
    if "rule" in found:
        read |= _composite(problems, where, found)
    else:
        read |= _metric_alarm(problems, where, found)
    return None if len(problems.found) > before else AlarmDefinition(name, **read)


def _composite(problems: Problems, where: str, data: Mapping[str, Any]) -> dict[str, Any]:
    for key in [key for key in _METRIC if key in data]:
        problems.add(f"{where}.{key}", "of no use beside a rule", "remove it")
    rule = values.text(problems, f"{where}.rule", data["rule"])
    try:
        if rule is not None:
            parse(rule)
    except AlarmRuleInvalid as error:
        problems.add(f"{where}.rule", error.message, error.hint)
    return {"rule": rule, "threshold": 0.0}


def _metric_alarm(problems: Problems, where: str, data: Mapping[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = {"metric": read_series(problems, f"{where}.metric", data["metric"])}
    if "threshold" not in data:
        problems.add(where, "no threshold", "a number, or band for what the past foretells")
        return read
    read |= _against(problems, where, data)
    if "stat" in data:
        read["stat"] = _statistic(problems, f"{where}.stat", data["stat"])
    if "period" in data:
        read["period"] = _period(problems, f"{where}.period", data["period"])
    elif read["metric"] is not None and read["metric"].source.startswith("monitor/"):
        read["period"] = None
    length = read.get("period")
    if data["threshold"] == "band" and length is not None and length < LEAST_BANDED:
        problems.add(f"{where}.period", "a band needs periods of a minute or more", "period: 1m")
    if "expect_every" in data:
        place = f"{where}.expect_every"
        read["expect_every"] = values.seconds(problems, place, data["expect_every"], least=1.0)
        if read.get("period", 60.0) is not None:
            problems.add(place, "only where each window is a datapoint", "or give period: window")
    read |= _points(problems, where, data)
    if "treat_missing_data" in data:
        place = f"{where}.treat_missing_data"
        word = values.one_of(problems, place, data["treat_missing_data"], [*MissingData])
        read["treat_missing_data"] = None if word is None else MissingData(word)
    if "minimum_samples" in data:
        place = f"{where}.minimum_samples"
        read["minimum_samples"] = values.whole(problems, place, data["minimum_samples"], 0, 10**9)
    return read


def _against(problems: Problems, where: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """What the datapoints are held against: a threshold or a band, and how."""
    banded = data["threshold"] == "band"
    read: dict[str, Any] = {"comparison": BandComparison.OUTSIDE if banded else Comparison.GREATER}
    if banded:
        read["threshold"] = None
    else:
        given = data["threshold"]
        if not values.is_number(given):
            problems.add(f"{where}.threshold", f"a number or band, not {values.shown(given)}")
        read["threshold"] = float(given) if values.is_number(given) else None
    if "comparison" in data:
        kind = BandComparison if banded else Comparison
        words = [*kind, *(sign for sign, meant in _SIGNS.items() if isinstance(meant, kind))]
        word = values.one_of(problems, f"{where}.comparison", data["comparison"], words)
        if word is not None:
            read["comparison"] = _SIGNS.get(word) or kind(word)
    if "band_width" in data:
        place = f"{where}.band_width"
        read["band_width"] = values.number(problems, place, data["band_width"], 0.1, 100)
        if not banded:
            problems.add(place, "only beside threshold: band")
    return read


def _points(problems: Problems, where: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """M of N; as with CloudWatch M is N where it is left out."""
    read: dict[str, Any] = {}
    key, many = "evaluation_periods", "datapoints_to_alarm"
    if key in data:
        read[key] = values.whole(problems, f"{where}.{key}", data[key], 1, 1000)
        read[many] = read[key]
    if many in data:
        read[many] = values.whole(problems, f"{where}.{many}", data[many], 1, read.get(key) or 1)
    return read


def read_series(problems: Problems, where: str, data: Any) -> SeriesName | None:
    """A metric, on one line or as a mapping; `None`, noted, for anything else."""
    if isinstance(data, str):
        return _short(problems, where, data)
    found = values.known_keys(problems, where, data, ("source", "name", "dims"))
    if found is None:
        return None
    source = found.get("source")
    if not isinstance(source, str) or not _SOURCE.fullmatch(source):
        problems.add(f"{where}.source", f"no source: {values.shown(source)}", _SOURCES)
        return None
    name = values.text(problems, f"{where}.name", found.get("name"))
    dims = found.get("dims", {})
    if not isinstance(dims, Mapping):
        problems.add(f"{where}.dims", f"a mapping, not {values.shown(dims)}")
        return None
    narrowed = {str(key): str(value) for key, value in dims.items()}
    return None if name is None else SeriesName(source, name, narrowed)


_SOURCES = "such as monitor/demand-quality, endpoint/bike-demand, run/12, dataset/rentals, slo/fast"


def _short(problems: Problems, where: str, text: str) -> SeriesName | None:
    """A metric on one line: `endpoint/bike-demand:latency{variant=champion}`."""
    match = _SHORT.fullmatch(text.strip())
    if match is None or not _SOURCE.fullmatch(match[1]):
        problems.add(where, f"no metric: {values.shown(text)}", f"SOURCE:METRIC, {_SOURCES}")
        return None
    dims: dict[str, str] = {}
    for part in filter(None, (each.strip() for each in (match[3] or "").split(","))):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            problems.add(where, f"no dimension: {values.shown(part)}", "such as {variant=champion}")
            return None
        dims[key.strip()] = value.strip()
    return SeriesName(match[1], match[2], dims)


def series_named(text: str) -> SeriesName:
    """The series that `SOURCE:METRIC{dim=value}` names; raises `BadInput`."""
    problems = Problems()
    found = _short(problems, "metric", text)
    if found is None:
        raise BadInput(problems.found[0].words(), problems.found[0].hint)
    return found


def _statistic(problems: Problems, where: str, value: Any) -> str | None:
    try:
        return check_statistic(str(value))
    except BadInput as error:
        problems.add(where, error.message, error.hint)
        return None


def _period(problems: Problems, where: str, value: Any) -> float | None:
    """Seconds, a multiple of 10 s from 10 s to a day; `window` for each point as it is."""
    if value == "window":
        return None
    length = values.seconds(problems, where, value, least=10.0)
    if length is not None and (length % 10 or length > 86_400):
        problems.add(where, f"a multiple of 10 s, a day at most, not {values.shown(value)}")
    return length


def _shared(problems: Problems, where: str, data: Mapping[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for key in ("description", "runbook", "endpoint", "suppress_with"):
        if key in data:
            read[key] = values.text(problems, f"{where}.{key}", data[key])
    for key in ("suppress_wait", "suppress_extension", "rollback_within"):
        if key in data:
            read[key] = values.seconds(problems, f"{where}.{key}", data[key])
        if key in data and key.startswith("suppress") and "suppress_with" not in data:
            problems.add(f"{where}.{key}", "only beside suppress_with")
    for key in ("actions", "ok_actions", "insufficient_data_actions"):
        if key in data:
            read[key] = read_actions(problems, f"{where}.{key}", data[key])
    return read


def read_actions(problems: Problems, where: str, data: Any) -> tuple[AlarmAction, ...]:
    """A list of actions; what is wrong is noted."""
    if not isinstance(data, Sequence) or isinstance(data, str):
        problems.add(where, f"a list of actions, not {values.shown(data)}", "[] for none")
        return ()
    read = [_action(problems, f"{where}[{index}]", each) for index, each in enumerate(data)]
    return tuple(action for action in read if action is not None)


def _action(problems: Problems, where: str, item: Any) -> AlarmAction | None:
    kind, value = item, None
    if isinstance(item, Mapping):
        if len(item) != 1:
            problems.add(where, "one action each", "such as [alert: critical, rollback]")
            return None
        kind, value = next(iter(item.items()))
    elif isinstance(item, str) and ":" in item:  # as it is typed: alert:critical
        kind, _, value = (part.strip() for part in item.partition(":"))
    word = values.one_of(problems, where, kind, [*ActionKind])
    match word:
        case ActionKind.ALERT:
            given = values.one_of(problems, where, value or Severity.WARNING, [*Severity])
            return None if given is None else AlarmAction(ActionKind.ALERT, Severity(given))
        case ActionKind.TRIGGER:
            if not isinstance(value, str) or not value:
                problems.add(where, "no trigger is named", "such as trigger: retrain")
                return None
            return AlarmAction(ActionKind.TRIGGER, name=value)
        case ActionKind.ROLLBACK:
            return AlarmAction(ActionKind.ROLLBACK)
    return None
