"""Alarms and comparisons of a strategy: their defaults, and reading them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from core.domain.analysis import (
    ALARM_METRICS,
    ANALYSIS_METRICS,
    AlarmRule,
    AnalysisPlan,
    Comparison,
    MetricRule,
    MissingData,
)
from core.releases import values
from core.releases.values import Problems

DEFAULT_ALARMS = (
    AlarmRule(
        "errors",
        "error_rate",
        0.05,
        treat_missing_data=MissingData.NOT_BREACHING,
        minimum_requests=20,
    ),
    AlarmRule(
        "slow",
        "latency_p99",
        1000.0,
        treat_missing_data=MissingData.NOT_BREACHING,
        minimum_requests=20,
    ),
    # One crash may come from outside; the second within a minute hardly does.
    AlarmRule(
        "crashes",
        "crashes",
        1.0,
        period=60.0,
        evaluation_periods=1,
        datapoints_to_alarm=1,
        treat_missing_data=MissingData.NOT_BREACHING,
        variant="endpoint",
        minimum_requests=0,
    ),
)
"""More than 5 % errors or a p99 above a second in two of three periods of ten seconds (of at
least 20 requests), or two crashes within a minute."""

DEFAULT_ANALYSIS = AnalysisPlan(
    metrics=(
        MetricRule("error_rate", 0.01),
        # A canary gathers smaller batches and has colder caches than the champion, and the same
        # model is some percent slower for it: with a tenth, those went back, or took minutes
        # longer to be called non-inferior (about five times the requests).
        MetricRule("latency", 0.25, relative=True),
        # A new model may well say other things: shown, and no reason to go back.
        MetricRule("score", 0.1, relative=True, worse_when="both", dry_run=True),
    )
)
"""Errors may rise by one percent point and latency by a quarter; the mean score is only shown."""

_MARGINS: dict[str, tuple[float, bool, str]] = {
    "error_rate": (0.01, False, "higher"),
    "latency": (0.25, True, "higher"),
    "score": (0.1, True, "both"),
    "score_distribution": (0.1, False, "higher"),
    "ground_truth": (0.05, True, "higher"),
    "disagreements": (0.0, False, "higher"),
}
_SIGNS = {
    ">": Comparison.GREATER,
    ">=": Comparison.GREATER_OR_EQUAL,
    "<": Comparison.LESS,
    "<=": Comparison.LESS_OR_EQUAL,
}
_VARIANTS = ("candidate", "champion", "endpoint")
_WORKSPACE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_ALARM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def read_alarms(problems: Problems, where: str, data: Any) -> tuple[AlarmRule, ...]:
    """The alarms of a list; what is wrong is noted. Ten at most, as SageMaker takes."""
    if not isinstance(data, Sequence) or isinstance(data, str):
        problems.add(where, f"a list of alarms, not {values.shown(data)}")
        return ()
    found = [_alarm(problems, f"{where}[{index}]", item) for index, item in enumerate(data)]
    alarms = tuple(alarm for alarm in found if alarm is not None)
    names = [alarm.name for alarm in alarms]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.add(where, f"two alarms are named {name}")
    if len(data) > 10:
        problems.add(where, f"{len(data)} alarms, at most 10")
    return alarms


def split_alarms(data: Any) -> tuple[Any, tuple[str, ...]]:
    """A list of alarms as its own rules, and the names of alarms of the workspace."""
    if not isinstance(data, Sequence) or isinstance(data, str):
        return ([] if data is None else data), ()
    names = tuple(item for item in data if isinstance(item, str))
    return [item for item in data if not isinstance(item, str)], names


def read_names(problems: Problems, where: str, names: Sequence[Any]) -> tuple[str, ...]:
    """Names of alarms of the workspace, each once; ten at most, as SageMaker takes."""
    for name in names:
        if not isinstance(name, str) or not _WORKSPACE_NAME.fullmatch(name):
            problems.add(where, f"not the name of an alarm: {values.shown(name)}")
    found = tuple(dict.fromkeys(name for name in names if isinstance(name, str)))
    if len(found) > 10:
        problems.add(where, f"{len(found)} alarms, at most 10")
    return found


def _alarm(problems: Problems, where: str, item: Any) -> AlarmRule | None:
    before = len(problems.found)
    data = values.known_keys(problems, where, item, [each.name for each in fields(AlarmRule)])
    if data is None:
        return None
    if missing := [key for key in ("metric", "threshold") if key not in data]:
        problems.add(where, f"no {' and no '.join(missing)}")
        return None
    metric = values.one_of(problems, f"{where}.metric", data["metric"], ALARM_METRICS)
    if metric is None:
        return None  # what a threshold may be depends on it
    read: dict[str, Any] = {"name": data.get("name", metric), "metric": metric}
    if not isinstance(read["name"], str) or not _ALARM_NAME.fullmatch(read["name"]):
        problems.add(f"{where}.name", f"a word, not {values.shown(read['name'])}")
    read["threshold"] = _threshold(problems, f"{where}.threshold", metric, data["threshold"])
    if "comparison" in data:
        read["comparison"] = _comparison(problems, f"{where}.comparison", data["comparison"])
    if "period" in data:
        read["period"] = values.seconds(problems, f"{where}.period", data["period"], least=1.0)
    read |= _points(problems, where, data)
    if "treat_missing_data" in data:
        place = f"{where}.treat_missing_data"
        word = values.one_of(problems, place, data["treat_missing_data"], [*MissingData])
        read["treat_missing_data"] = None if word is None else MissingData(word)
    if "variant" in data:
        read["variant"] = values.one_of(problems, f"{where}.variant", data["variant"], _VARIANTS)
    if "minimum_requests" in data:
        place = f"{where}.minimum_requests"
        read["minimum_requests"] = values.whole(problems, place, data["minimum_requests"], 0, 10**9)
    if "dry_run" in data:
        read["dry_run"] = values.flag(problems, f"{where}.dry_run", data["dry_run"])
    return None if len(problems.found) > before else AlarmRule(**read)


def _points(problems: Problems, where: str, data: Any) -> dict[str, Any]:
    """M of N; as with CloudWatch M is N where it is left out and N is given."""
    read: dict[str, Any] = {}
    key, many = "evaluation_periods", "datapoints_to_alarm"
    if key in data:
        read[key] = values.whole(problems, f"{where}.{key}", data[key], 1, 1000)
        read[many] = read[key]
    if many in data:
        most = read.get(key) or AlarmRule("", "", 0.0).evaluation_periods
        read[many] = values.whole(problems, f"{where}.{many}", data[many], 1, most)
    return read


def _threshold(problems: Problems, where: str, metric: str, value: Any) -> float | None:
    if metric.endswith("_rate"):
        return values.share(problems, where, value)
    if metric.startswith("latency") and isinstance(value, str):
        seconds = values.seconds(problems, where, value)
        return None if seconds is None else seconds * 1000
    return values.number(problems, where, value, -1e12, 1e12)


def _comparison(problems: Problems, where: str, value: Any) -> Comparison | None:
    if isinstance(value, str) and value in _SIGNS:
        return _SIGNS[value]
    word = values.one_of(problems, where, value, [*Comparison])
    return None if word is None else Comparison(word)


def read_analysis(problems: Problems, where: str, data: Any) -> AnalysisPlan:
    """How the arms are compared; what is wrong is noted."""
    found = values.known_keys(problems, where, data, ("metrics", "alpha", "minimum_requests"))
    if found is None:
        return AnalysisPlan()
    read: dict[str, Any] = {"metrics": DEFAULT_ANALYSIS.metrics}
    if "metrics" in found:
        read["metrics"] = _metrics(problems, f"{where}.metrics", found["metrics"])
    if "alpha" in found:
        alpha = values.number(problems, f"{where}.alpha", found["alpha"], 1e-6, 0.5)
        read |= {} if alpha is None else {"alpha": alpha}
    if "minimum_requests" in found:
        place = f"{where}.minimum_requests"
        least = values.whole(problems, place, found["minimum_requests"], 1, 10**9)
        read |= {} if least is None else {"minimum_requests": least}
    return AnalysisPlan(**read)


def _metrics(problems: Problems, where: str, data: Any) -> tuple[MetricRule, ...]:
    if not isinstance(data, Sequence) or isinstance(data, str):
        problems.add(where, f"a list of metrics, not {values.shown(data)}")
        return ()
    found = [_metric(problems, f"{where}[{index}]", item) for index, item in enumerate(data)]
    rules = tuple(rule for rule in found if rule is not None)
    names = [rule.metric for rule in rules]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.add(where, f"{name} stands there twice")
    return rules


def _metric(problems: Problems, where: str, item: Any) -> MetricRule | None:
    before = len(problems.found)
    item = {"metric": item} if isinstance(item, str) else item
    data = values.known_keys(
        problems, where, item, ("metric", "margin", "worse_when", "share", "dry_run")
    )
    if data is None:
        return None
    metric = values.one_of(problems, f"{where}.metric", data.get("metric"), ANALYSIS_METRICS)
    if metric is None:
        return None
    margin, relative, worse_when = _MARGINS[metric]
    read: dict[str, Any] = {"metric": metric, "margin": margin, "relative": relative}
    read["worse_when"] = worse_when
    if "margin" in data:
        given = values.margin(problems, f"{where}.margin", data["margin"])
        if given is not None:
            read["margin"], read["relative"] = given
    if "worse_when" in data:
        place = f"{where}.worse_when"
        words = ("higher", "lower", "both")
        read["worse_when"] = values.one_of(problems, place, data["worse_when"], words)
    if "share" in data:
        read["share"] = values.number(problems, f"{where}.share", data["share"], 1e-6, 1e6)
    if "dry_run" in data:
        read["dry_run"] = values.flag(problems, f"{where}.dry_run", data["dry_run"])
    return None if len(problems.found) > before else MetricRule(**read)
