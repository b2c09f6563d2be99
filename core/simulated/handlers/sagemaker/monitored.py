"""What a Model Monitor job computes: statistics of captured rows, and violations of constraints.

The files have Model Monitor's names and members. Captured rows of CSV have columns `_c0`,
`_c1` and so on, as there.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.sagemaker.common import place, read
from core.simulated.listing import Record
from core.simulated.state import State

MOST_FILES = 2000
BUCKETS = 10


def captured(
    state: State, root: str, endpoint: str, since: float, until: float
) -> list[dict[str, str]]:
    """The rows of the requests captured for an endpoint between two times."""
    bucket, prefix = place(f"{root.rstrip('/')}/{endpoint}/")
    rows: list[dict[str, str]] = []
    for key in _keys(state, bucket, prefix):
        hour = _hour(key)
        if hour is None or not since - 3600 < hour < until:
            continue
        body = read(state, f"s3://{bucket}/{key}") or b""
        for line in body.decode().splitlines():
            rows += _rows(json.loads(line), since, until)
    return rows


def _keys(state: State, bucket: str, prefix: str) -> Iterator[str]:
    token: Record = {}
    seen = 0
    while seen < MOST_FILES:
        try:
            found = state.call("s3", "ListObjectsV2", Bucket=bucket, Prefix=prefix, **token)
        except Fault as fault:
            if fault.code == "NoSuchBucket":
                return
            raise
        for each in found.get("Contents", []):
            seen += 1
            yield each["Key"]
        if not found.get("NextContinuationToken"):
            return
        token = {"ContinuationToken": found["NextContinuationToken"]}


def _hour(key: str) -> float | None:
    parts = key.split("/")[-5:-1]
    try:
        return dt.datetime(*(int(part) for part in parts), tzinfo=dt.UTC).timestamp()  # type: ignore[arg-type, misc]
    except (TypeError, ValueError):
        return None


def _rows(line: Record, since: float, until: float) -> Iterator[dict[str, str]]:
    at = dt.datetime.fromisoformat(
        line["eventMetadata"]["inferenceTime"].replace("Z", "+00:00")
    ).timestamp()
    asked = line["captureData"].get("endpointInput")
    if asked is None or not since - 1 <= at < until:
        return
    if asked["encoding"] == "CSV":
        for text in asked["data"].splitlines():
            yield {f"_c{number}": value.strip() for number, value in enumerate(text.split(","))}
    elif asked["encoding"] == "JSON":
        found = json.loads(asked["data"])
        many = found.get("instances", [found]) if isinstance(found, dict) else found
        for each in many:
            pairs = each.items() if isinstance(each, dict) else enumerate(each)
            yield {str(k): "" if v is None else str(v) for k, v in pairs}


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def statistics(rows: Sequence[dict[str, str]]) -> Record:
    """statistics.json of some rows."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {
        "version": 0.0,
        "dataset": {"item_count": len(rows)},
        "features": [_feature(name, [row.get(name, "") for row in rows]) for name in names],
    }


def _feature(name: str, texts: list[str]) -> Record:
    present = [text for text in texts if text != ""]
    numbers = [value for value in map(_number, present) if value is not None]
    common = {"num_present": len(present), "num_missing": len(texts) - len(present)}
    if len(numbers) == len(present) and numbers:
        whole = all(value == int(value) for value in numbers)
        mean = sum(numbers) / len(numbers)
        return {
            "name": name,
            "inferred_type": "Integral" if whole else "Fractional",
            "numerical_statistics": {
                "common": common,
                "mean": mean,
                "sum": sum(numbers),
                "std_dev": math.sqrt(sum((v - mean) ** 2 for v in numbers) / len(numbers)),
                "min": min(numbers),
                "max": max(numbers),
                "distribution": {"kll": _kll(numbers)},
            },
        }
    kinds = [{"value": each, "count": present.count(each)} for each in sorted(set(present))[:50]]
    return {
        "name": name,
        "inferred_type": "String" if present else "Unknown",
        "string_statistics": {
            "common": common,
            "distinct_count": len(set(present)),
            "distribution": {"categorical": {"buckets": kinds}},
        },
    }


def _kll(numbers: list[float]) -> Record:
    low, high = min(numbers), max(numbers)
    step = (high - low) / BUCKETS or 1.0
    counts = [0] * BUCKETS
    for value in numbers:
        counts[min(BUCKETS - 1, int((value - low) / step))] += 1
    return {
        "buckets": [
            {"lower_bound": low + i * step, "upper_bound": low + (i + 1) * step, "count": count}
            for i, count in enumerate(counts)
        ],
        "sketch": {"parameters": {"c": 0.64, "k": 2048.0}, "data": [sorted(numbers)[:200]]},
    }


def constraints(found: Record) -> Record:
    """constraints.json suggested by statistics."""
    features = []
    for each in found["features"]:
        stats = each.get("numerical_statistics") or each["string_statistics"]
        common = stats["common"]
        total = common["num_present"] + common["num_missing"] or 1
        one: Record = {
            "name": each["name"],
            "inferred_type": each["inferred_type"],
            "completeness": common["num_present"] / total,
        }
        if "numerical_statistics" in each:
            one["num_constraints"] = {"is_non_negative": stats["min"] >= 0}
        else:
            domain = [kind["value"] for kind in stats["distribution"]["categorical"]["buckets"]]
            one["string_constraints"] = {"domains": domain}
        features.append(one)
    return {"version": 0.0, "features": features, "monitoring_config": dict(CONFIG)}


CONFIG: Record = {
    "evaluate_constraints": "Enabled",
    "emit_metrics": "Enabled",
    "datatype_check_threshold": 1.0,
    "domain_content_threshold": 1.0,
    "distribution_constraints": {
        "perform_comparison": "Enabled",
        "comparison_threshold": 0.1,
        "comparison_method": "Robust",
        "categorical_comparison_threshold": 0.1,
        "categorical_drift_method": "LInfinity",
    },
}


def violations(
    found: Record, baseline: Record | None, wanted: Record | None
) -> Iterator[dict[str, str]]:
    """What of `wanted` (constraints.json) and `baseline` (statistics.json) does not hold."""
    now = {each["name"]: each for each in found["features"]}
    known = {each["name"]: each for each in (wanted or {}).get("features", [])}
    for name in sorted(known.keys() - now.keys()):
        yield _said(name, "missing_column_check", f"There is no column {name} in the data.")
    if known:
        for name in sorted(now.keys() - known.keys()):
            yield _said(name, "extra_column_check", f"The column {name} is not in the baseline.")
    for name, rule in known.items():
        if name in now:
            yield from _of_one(now[name], rule)
    settings = {**CONFIG, **((wanted or {}).get("monitoring_config") or {})}
    limit = settings["distribution_constraints"].get("comparison_threshold", 0.1)
    for each in (baseline or {}).get("features", []):
        far = distance(each, now.get(each["name"]))
        if far is not None and far > limit:
            yield _said(
                each["name"],
                "baseline_drift_check",
                f"Baseline drift distance: {far:.4f} exceeds threshold: {limit}",
            )


def _of_one(each: Record, rule: Record) -> Iterator[dict[str, str]]:
    name = each["name"]
    kind, wanted = each["inferred_type"], rule.get("inferred_type", "Unknown")
    fits = kind == wanted or (kind, wanted) == ("Integral", "Fractional")
    if not fits and "Unknown" not in (kind, wanted):
        yield _said(name, "data_type_check", f"Data type is {kind}, and not {wanted} as expected.")
    stats = each.get("numerical_statistics") or each["string_statistics"]
    common = stats["common"]
    complete = common["num_present"] / ((common["num_present"] + common["num_missing"]) or 1)
    if complete < float(rule.get("completeness", 0.0)):
        yield _said(
            name,
            "completeness_check",
            f"Completeness is {complete:.4f}, below the {rule['completeness']} of the baseline.",
        )
    domain = set((rule.get("string_constraints") or {}).get("domains") or [])
    buckets = stats["distribution"].get("categorical", {}).get("buckets", [])
    outside = [kind["value"] for kind in buckets if domain and kind["value"] not in domain]
    if outside:
        yield _said(
            name, "categorical_values_check", f"Values outside the domain: {', '.join(outside[:5])}"
        )


def distance(baseline: Record, found: Record | None) -> float | None:
    """The greatest difference of the two cumulated distributions, from 0 to 1."""
    old = ((baseline.get("numerical_statistics") or {}).get("distribution") or {}).get("kll")
    new = ((found or {}).get("numerical_statistics") or {}).get("distribution", {}).get("kll")
    if not old or not new:
        return None
    edges = sorted({b["upper_bound"] for each in (old, new) for b in each["buckets"]})
    return max(abs(_cdf(old["buckets"], at) - _cdf(new["buckets"], at)) for at in edges)


def _cdf(buckets: list[Record], at: float) -> float:
    total = sum(float(b["count"]) for b in buckets) or 1.0
    below = 0.0
    for bucket in buckets:
        low, high = bucket["lower_bound"], bucket["upper_bound"]
        if at >= high:
            below += bucket["count"]
        elif at > low:
            below += bucket["count"] * (at - low) / (high - low)
    return below / total


def _said(name: str, check: str, text: str) -> dict[str, str]:
    return {"feature_name": name, "constraint_check_type": check, "description": text}


def metric_of(check: Any) -> str:
    """A feature's name as it can stand in the name of a metric."""
    return "".join(c if c.isalnum() or c in "_-" else "_" for c in str(check))
