"""The kind `metrics`: namespaces, and below them their metrics, each with its chart."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.kind import Chart, Column, Detail, Field, Item, Kind, Section, Verb
from core.aws.kinds.cloudwatch.loggroups import seconds_of
from core.aws.metrics import Metric, several
from core.aws.words import number, span
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

LOOK_BACK = 6 * 3600.0
STATS = ("Average", "p50", "p90", "p99", "Maximum", "Minimum", "Sum", "SampleCount")
SHOWN = ("Average", "p99", "Maximum")
PARTS = "|"
LINE = 60
LONG_BACK, LONG_LINE = 60 * 86_400.0, 3600


def id_of(namespace: str, name: str, dimensions: Mapping[str, str]) -> str:
    """A metric's id: `NAMESPACE|NAME|KEY=VALUE|…`."""
    return PARTS.join([namespace, name, *(f"{key}={value}" for key, value in dimensions.items())])


def metric_of(id: str, stat: str = "Average") -> Metric:
    """The metric of an id; raises `BadInput`."""
    parts = id.split(PARTS)
    if len(parts) < 2 or any("=" not in each for each in parts[2:]):
        raise BadInput(f"{id}: is no metric", "write NAMESPACE|NAME|DIMENSION=VALUE|…")
    dimensions = dict(each.split("=", 1) for each in parts[2:])
    return Metric(parts[0], parts[1], stat, dimensions)


def _listed(account: Account, namespace: str) -> Iterator[Sequence[Item]]:
    asked = {"Namespace": namespace} if namespace else {}
    for page in account.pages("cloudwatch", "list_metrics", **asked):
        yield tuple(_item(each) for each in page.get("Metrics", ()))


def _item(metric: Mapping[str, Any]) -> Item:
    dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions", ())}
    shown = ", ".join(f"{key}={value}" for key, value in dimensions.items())
    id = id_of(metric["Namespace"], metric["MetricName"], dimensions)
    return Item(id, (metric["MetricName"], metric["Namespace"], shown), raw=metric)


def _shown(account: Account, id: str) -> Detail:
    now = time.time()
    lines = {stat: metric_of(id, stat) for stat in (*SHOWN, "Sum", "SampleCount")}
    back = LOOK_BACK
    points = several(account, lines, LINE, now - back, now)
    if not any(points.values()):  # nothing lately: what it was in the last days
        back = LONG_BACK
        points = several(account, lines, LONG_LINE, now - back, now)
    metric = metric_of(id)
    newest = tuple((stat, number(found[-1][1])) for stat, found in points.items() if found)
    about = Section(
        "Metric",
        (
            ("namespace", metric.namespace),
            ("name", metric.name),
            *metric.dimensions.items(),
            ("shown", f"the last {span(back)}"),
        ),
    )
    chart = Chart(metric.name, "", {stat: points[stat] for stat in SHOWN})
    last = Section("Newest", newest or ("no points",))
    return Detail(metric.name, sections=(about, last), charts=(chart,))


def _read(account: Account, id: str, values: Mapping[str, str]) -> str:
    stat = values.get("stat") or "Average"
    now = time.time()
    since = now - seconds_of(values.get("since") or "1h")
    points = several(account, {"it": metric_of(id, stat)}, LINE, since, now)["it"]
    if not points:
        return f"{id}: no points"
    low, high = min(value for _, value in points), max(value for _, value in points)
    last = points[-1][1]
    return f"{stat} of {len(points)} points: {number(low)} to {number(high)}, last {number(last)}"


READ = Verb(
    name="read",
    key="s",
    label="Read",
    help="one statistic over a time of your choice",
    operations=("cloudwatch:GetMetricData",),
    do=_read,
    consequence=lambda _account, id, _values: (f"reads {id}",),
    fields=(
        Field("stat", "statistic (or p99.9, tm90 …)", "Average"),
        Field("since", "how far back", "1h"),
    ),
)
KIND = Kind(
    name="metrics",
    title="Metrics",
    service="cloudwatch",
    about="every metric of the account, with its chart",
    columns=(
        Column("METRIC", 22, grow=1),
        Column("NAMESPACE", 20, grow=1, drop=1),
        Column("OF", 20, grow=3, drop=2),
    ),
    list=_listed,
    show=_shown,
    operations=("cloudwatch:ListMetrics", "cloudwatch:GetMetricData"),
    verbs=(READ,),
    every=60.0,
)
