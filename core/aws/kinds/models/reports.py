"""What is measured of a version: the reports on S3 that the registry points to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from core.aws import words
from core.aws.kind import Line, Section
from core.aws.s3objects import try_json

if TYPE_CHECKING:
    from core.aws.account import Account

_PLACES = (
    ("ModelQuality", "Statistics"), ("ModelQuality", "Constraints"),
    ("ModelDataQuality", "Statistics"), ("ModelDataQuality", "Constraints"),
    ("Bias", "Report"), ("Bias", "PreTrainingReport"), ("Bias", "PostTrainingReport"),
    ("Explainability", "Report"),
)  # fmt: skip
MOST_NUMBERS = 40


def report_uris(package: Mapping[str, Any]) -> dict[str, str]:
    """The reports by what they are, such as "ModelQuality Statistics"."""
    metrics = package.get("ModelMetrics", {})
    return {
        f"{area} {part}": metrics[area][part]["S3Uri"]
        for area, part in _PLACES
        if metrics.get(area, {}).get(part)
    }


def metrics_of(account: Account, package: Mapping[str, Any]) -> Section:
    """The numbers of the model's quality, and where the other reports are."""
    uris = report_uris(package)
    numbers, trouble = quality_numbers(account, package)
    lines: list[Line] = [(name, words.number(value)) for name, value in numbers.items()]
    if trouble:
        lines.append(("model quality", trouble, "bad"))
    lines += list(uris.items())
    return Section("Metrics", tuple(lines))


def quality_numbers(account: Account, package: Mapping[str, Any]) -> tuple[dict[str, float], str]:
    """The numbers of ModelQuality.Statistics by name, at most 40; and why there are none."""
    statistics = package.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics")
    if not statistics:
        return {}, ""
    report, trouble = try_json(account, statistics["S3Uri"])
    found = list(islice(numbers_in(report), MOST_NUMBERS))
    last = Counter(path[-1] for path, _ in found)
    # Of two that are called alike, what they are part of tells which is which.
    return {
        path[-1] if last[path[-1]] == 1 else ".".join(path[-2:]): value for path, value in found
    }, trouble


def clarified(account: Account, package: Mapping[str, Any]) -> list[Section]:
    """Clarify's reports of a version: bias and attributions, as those of a monitor are shown."""
    from core.aws.kinds.monitors.reports import attributions, bias

    found: list[Section] = []
    for name, uri in report_uris(package).items():
        if name.startswith(("Bias", "Explainability")):
            report, trouble = try_json(account, uri)
            found += [*bias(report), *attributions(report)]
            if trouble:
                found.append(Section(name, ((("", trouble, "bad")),)))
    return found


def numbers_in(report: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    """The numbers of a report by their path; `{"mae": {"value": 1}}` is mae."""
    if isinstance(report, bool):
        return
    if isinstance(report, (int, float)):
        yield tuple(name for name in path if name != "value") or ("value",), float(report)
    elif isinstance(report, Mapping):
        for name, value in report.items():
            if name not in ("version", "item_count"):
                yield from numbers_in(value, (*path, str(name)))
