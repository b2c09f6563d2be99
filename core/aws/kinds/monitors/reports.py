"""Model Monitor's and Clarify's files as lines for a person; the files that our own monitors
write are the same. Pure: what is read from S3 comes in, lines go out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.aws import words
from core.aws.kind import Line, Section
from core.domain.monitor import Violation

MOST_FEATURES = 200
STAGES = {"pre_training": "before training", "post_training": "after training"}
_TEXTS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_COMPARED = {"GreaterThanThreshold": "at most", "LessThanThreshold": "at least"}


def violations_in(content: Any) -> tuple[Violation, ...]:
    """constraint_violations.json, of any of the monitors: data quality names a feature, model
    quality a metric, bias a facet, explainability a label."""
    found = []
    for each in _listed(content, "violations"):
        facet = each.get("facet", "")
        if facet and each.get("facet_value") is not None:
            facet = f"{facet}={each['facet_value']}"
        found.append(
            Violation(
                feature=str(each.get("feature_name") or facet or each.get("label") or ""),
                check=str(each.get("constraint_check_type", "")),
                description=str(each.get("description", "")),
                metric=str(each.get("metric_name", "")),
            )
        )
    return tuple(found)


def violations(content: Any) -> Section:
    """The violations, one a line."""
    lines: list[Line] = [
        (
            " ".join(part for part in (each.feature, each.metric) if part) or each.check,
            f"{each.check}: {each.description}",
            "bad",
        )
        for each in violations_in(content)
    ]
    return Section("Violations", tuple(lines) or (("", "none", "ok"),))


def statistics(content: Any, baseline: Any = None) -> Section:
    """statistics.json: a line a feature, beside the baseline's where there is one."""
    if not isinstance(content, Mapping):
        return Section("Statistics", ())
    if "features" not in content:
        return Section("Statistics", tuple(_measured(content)))
    before = {each.get("name"): each for each in _listed(baseline, "features")}
    rows = content.get("dataset", {}).get("item_count")
    lines: list[Line] = [] if rows is None else [("rows", f"{rows:,.0f}")]
    for each in _listed(content, "features")[:MOST_FEATURES]:
        name = str(each.get("name", ""))
        text = _feature(each)
        if name in before:
            text += f"  (baseline: {_feature(before[name])})"
        lines.append((name, text))
    return Section("Statistics", tuple(lines))


def _feature(feature: Mapping[str, Any]) -> str:
    numbers = feature.get("numerical_statistics")
    texts = feature.get("string_statistics")
    common = (numbers or texts or {}).get("common", {})
    parts = [str(feature.get("inferred_type", ""))]
    if numbers:
        mean, deviation = _number(numbers.get("mean")), _number(numbers.get("std_dev"))
        if mean is not None:
            spread = "" if deviation is None else f" ± {deviation:.4g}"
            parts.append(f"mean {mean:.4g}{spread}")
        low, high = _number(numbers.get("min")), _number(numbers.get("max"))
        if low is not None and high is not None:
            parts.append(f"{low:.4g} to {high:.4g}")
    elif texts and texts.get("distinct_count") is not None:
        parts.append(f"{texts['distinct_count']:,.0f} values")
    if missing := common.get("num_missing"):
        parts.append(f"{missing:,.0f} missing")
    return ", ".join(part for part in parts if part)


def _measured(content: Mapping[str, Any]) -> Iterator[Line]:
    """The metrics of a model quality monitor: those that are a number with a deviation."""
    for section, metrics in content.items():
        if not section.endswith("_metrics") or not isinstance(metrics, Mapping):
            continue
        for name, each in metrics.items():
            if isinstance(each, Mapping) and (value := _number(each.get("value"))) is not None:
                spread = _number(each.get("standard_deviation"))
                known = spread is not None and math.isfinite(spread)
                yield str(name), f"{value:.6g}" + (f" ± {spread:.3g}" if known else "")


def constraints(content: Any) -> Section:
    """constraints.json: what is expected of each feature, or of each metric of the model."""
    if not isinstance(content, Mapping):
        return Section("Constraints", ())
    lines: list[Line] = [
        (str(each.get("name", "")), ", ".join(_expected(each)))
        for each in _listed(content, "features")[:MOST_FEATURES]
    ]
    for section, rules in content.items():
        if section.endswith("_constraints") and isinstance(rules, Mapping):
            for name, rule in rules.items():
                if isinstance(rule, Mapping) and "threshold" in rule:
                    how = str(rule.get("comparison_operator", ""))
                    lines.append((str(name), f"{_COMPARED.get(how, how)} {rule['threshold']}"))
    return Section("Constraints", tuple(lines))


def _expected(feature: Mapping[str, Any]) -> Iterator[str]:
    if kind := feature.get("inferred_type"):
        yield str(kind)
    complete = _number(feature.get("completeness"))
    if complete is not None:
        yield f"complete to {complete:.0%}"
    if feature.get("num_constraints", {}).get("is_non_negative"):
        yield "never below 0"
    if domain := feature.get("string_constraints", {}).get("domains"):
        yield f"one of {words.short(', '.join(map(str, domain)), 80)}"


def bias(content: Any) -> list[Section]:
    """Clarify's bias metrics of analysis.json (or of a bias baseline), a section a facet."""
    found = []
    for stage, word in STAGES.items():
        part = content.get(f"{stage}_bias_metrics") if isinstance(content, Mapping) else None
        if not isinstance(part, Mapping):
            continue
        for facet, groups in part.get("facets", {}).items():
            lines: list[Line] = []
            for group in groups:
                value = group.get("value_or_threshold", "")
                lines += [(f"{value} {_title(each)}", _bias(each)) for each in group["metrics"]]
            label = part.get("label", "")
            found.append(Section(f"Bias {word}: {facet} ({label})", tuple(lines)))
    return found


def _title(metric: Mapping[str, Any]) -> str:
    return str(metric.get("name", ""))


def _bias(metric: Mapping[str, Any]) -> str:
    value = _number(metric.get("value"))
    about = str(metric.get("description", ""))
    if value is None:
        return f"not defined: {metric.get('error') or about}"
    return f"{value:.4g}  {about}"


def attributions(content: Any) -> list[Section]:
    """Clarify's global SHAP values of analysis.json, the largest first, a section a label."""
    explained = content.get("explanations", {}) if isinstance(content, Mapping) else {}
    found = []
    for method, labels in explained.items():
        if not isinstance(labels, Mapping):
            continue
        for label, each in labels.items():
            shap = each.get("global_shap_values") if isinstance(each, Mapping) else None
            if not isinstance(shap, Mapping):
                continue
            values = {name: _number(value) or 0.0 for name, value in shap.items()}
            whole = sum(map(abs, values.values())) or 1.0
            ordered = sorted(values.items(), key=lambda pair: -abs(pair[1]))
            lines: list[Line] = [
                (name, f"{value:.4g}  {abs(value) / whole:.0%}") for name, value in ordered
            ]
            expected = _number(each.get("expected_value"))
            if expected is not None:
                lines.append(("expected value", f"{expected:.6g}"))
            found.append(Section(f"Attributions of {label} ({method})", tuple(lines)))
    return found


def sections_of(files: Mapping[str, Any], baseline: Any = None) -> list[Section]:
    """All that is in a run's files, by their names; `baseline` is its statistics.json."""
    found = []
    if "constraint_violations.json" in files:
        found.append(violations(files["constraint_violations.json"]))
    if "statistics.json" in files:
        found.append(statistics(files["statistics.json"], baseline))
    if "analysis.json" in files:
        found += [*bias(files["analysis.json"]), *attributions(files["analysis.json"])]
    if "constraints.json" in files:
        content = files["constraints.json"]
        found += [constraints(content), *bias(content), *attributions(content)]
    return [each for each in found if each.lines]


def _listed(content: Any, key: str) -> Sequence[Mapping[str, Any]]:
    found = content.get(key) if isinstance(content, Mapping) else None
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _number(value: Any) -> float | None:
    """A number as the files have it: what JSON has no number for is text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value)
    return _TEXTS.get(value) if isinstance(value, str) else None
