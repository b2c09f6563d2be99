"""The kind `schedules`: Model Monitor's and Clarify's monitoring schedules."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws import partial as parts
from core.aws import words
from core.aws.kind import Chart, Column, Detail, Item, Kind, Line, Section, Values, Verb
from core.aws.kinds.monitors.places import definition_of
from core.aws.metrics import Metric, several

if TYPE_CHECKING:
    from core.aws.account import Account

NOTICE = (
    "Model Monitor and Clarify take no new customers since 2026-07-30;"
    " monitors of a workspace write the same files"
)
NAMESPACE = "aws/sagemaker/Endpoints/data-metrics"
DRIFT = "feature_baseline_drift_"
MOST_LINES, BACK, PERIOD = 12, 14 * 86_400.0, 3_600


def _item(schedule: Mapping[str, Any]) -> Item:
    status = schedule["MonitoringScheduleStatus"]
    return Item(
        id=schedule["MonitoringScheduleName"],
        cells=(
            schedule["MonitoringScheduleName"],
            schedule.get("MonitoringType", ""),
            schedule.get("EndpointName", ""),
            status,
            words.clock(schedule["LastModifiedTime"]),
        ),
        tone=words.tone(status) if status != "Scheduled" else "ok",
        changed=words.epoch(schedule["LastModifiedTime"]),
        raw=schedule,
    )


def _list(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in account.pages(
        "sagemaker", "list_monitoring_schedules", SortBy="CreationTime", SortOrder="Descending"
    ):
        yield [_item(each) for each in page["MonitoringScheduleSummaries"]]


def _show(account: Account, name: str) -> Detail:
    found = account.call("sagemaker", "describe_monitoring_schedule", MonitoringScheduleName=name)
    sections = [
        _about(found),
        parts.section("Job", lambda: _job(account, found)),
        parts.section("Alerts", lambda: _alerts(account, name)),
        _last(found.get("LastMonitoringExecutionSummary")),
    ]
    none: tuple[Chart, ...] = ()
    charts, trouble = parts.tried(lambda: _charts(account, name), none)
    if trouble:
        sections.append(Section("Charts", (trouble,)))
    item = _item(found)
    return Detail(
        name, item.tone, tuple(each for each in sections if each.lines), charts, item, found
    )


def _about(found: Mapping[str, Any]) -> Section:
    status = found["MonitoringScheduleStatus"]
    config = found["MonitoringScheduleConfig"]
    every = config.get("ScheduleConfig", {}).get("ScheduleExpression", "")
    lines: list[Line] = [("Status", status, words.tone(status) if status != "Scheduled" else "ok")]
    if found.get("FailureReason"):
        lines.append(("Failure", found["FailureReason"], "bad"))
    if every:
        lines.append(("Runs", every))
    lines += words.labelled(
        found, "MonitoringType", "EndpointName", "MonitoringScheduleArn", "CreationTime",
        "LastModifiedTime",
    )  # fmt: skip
    return Section("Schedule", tuple(lines))


def _job(account: Account, found: Mapping[str, Any]) -> Section:
    job = definition_of(account, found)
    if not job:
        return Section("Job", ())
    cluster = job["Resources"].get("ClusterConfig", {})
    baseline = job["Baseline"]
    outputs = job["Output"].get("MonitoringOutputs", ())
    lines: list[Line] = list(words.labelled(job["App"], "ImageUri", "ProblemType"))
    lines += [
        (key.removesuffix("Resource"), baseline[key]["S3Uri"])
        for key in ("StatisticsResource", "ConstraintsResource")
        if baseline.get(key, {}).get("S3Uri")
    ]
    lines += words.labelled(baseline, "BaseliningJobName")
    lines += [("Output", each["S3Output"]["S3Uri"]) for each in outputs]
    if cluster:
        lines.append(("Instances", f"{cluster['InstanceCount']} × {cluster['InstanceType']}"))
    lines += words.labelled(job, "RoleArn")
    return Section("Job", tuple(lines))


def _alerts(account: Account, name: str) -> Section:
    lines: list[Line] = []
    for page in account.pages("sagemaker", "list_monitoring_alerts", MonitoringScheduleName=name):
        for each in page.get("MonitoringAlertSummaries", ()):
            rule = f"{each['DatapointsToAlert']} of {each['EvaluationPeriod']} runs"
            bad = each["AlertStatus"] == "InAlert"
            lines.append(
                (each["MonitoringAlertName"], f"{each['AlertStatus']} ({rule})",
                 "bad" if bad else "ok")
            )  # fmt: skip
    return Section("Alerts", tuple(lines))


def _last(execution: Mapping[str, Any] | None) -> Section:
    if not execution:
        return Section("Last run", ("none yet",))
    status = execution["MonitoringExecutionStatus"]
    lines: list[Line] = [("Status", status, words.tone(status))]
    lines += words.labelled(execution, "ScheduledTime", "FailureReason")
    return Section("Last run", tuple(lines))


def _charts(account: Account, name: str) -> tuple[Chart, ...]:
    """How far the features have drifted from the baseline, by the metrics that its runs emit."""
    wanted: dict[str, Metric] = {}
    for page in account.pages(
        "cloudwatch",
        "list_metrics",
        Namespace=NAMESPACE,
        Dimensions=[{"Name": "MonitoringSchedule", "Value": name}],
    ):
        for metric in page["Metrics"]:
            title = metric["MetricName"]
            if title.startswith(DRIFT) and len(wanted) < MOST_LINES:
                dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
                wanted[title.removeprefix(DRIFT)] = Metric(NAMESPACE, title, "Maximum", dimensions)
    if not wanted:
        return ()
    found = several(account, wanted, PERIOD, time.time() - BACK)
    series = {key: points for key, points in found.items() if points}
    return (Chart("Drift from the baseline", "distance", series),) if series else ()


def _start(account: Account, name: str, _values: Values) -> str:
    account.call("sagemaker", "start_monitoring_schedule", MonitoringScheduleName=name)
    return f"schedule {name} runs again"


def _stop(account: Account, name: str, _values: Values) -> str:
    account.call("sagemaker", "stop_monitoring_schedule", MonitoringScheduleName=name)
    return f"schedule {name} is stopped"


def _delete(account: Account, name: str, _values: Values) -> str:
    account.call("sagemaker", "delete_monitoring_schedule", MonitoringScheduleName=name)
    return f"schedule {name} is deleted"


def _only(status: str, words_: str) -> Any:
    def blocked(item: Item) -> str | None:
        now = item.raw.get("MonitoringScheduleStatus", status)
        return None if now == status else f"it is {now}, {words_}"

    return blocked


KIND = Kind(
    name="schedules",
    title="Monitoring schedules",
    service="SageMaker",
    about="What Model Monitor and Clarify look at, and when.",
    columns=(
        Column("Schedule", 26, grow=2),
        Column("Type", 19),
        Column("Endpoint", 16, grow=1, drop=2),
        Column("Status", 10),
        Column("Changed", 19, drop=1),
    ),
    list=_list,
    show=_show,
    operations=(
        "sagemaker:ListMonitoringSchedules", "sagemaker:DescribeMonitoringSchedule",
        "sagemaker:ListMonitoringAlerts", "sagemaker:DescribeDataQualityJobDefinition",
        "sagemaker:DescribeModelQualityJobDefinition", "sagemaker:DescribeModelBiasJobDefinition",
        "sagemaker:DescribeModelExplainabilityJobDefinition", "cloudwatch:ListMetrics",
        "cloudwatch:GetMetricData",
    ),
    child="monitor-runs",
    verbs=(
        Verb(
            "start", "u", "Start", "Let a stopped schedule run again.",
            ("sagemaker:StartMonitoringSchedule",),
            _start,
            lambda _account, name, _values: (f"{name} runs again at its next time",),
            blocked=_only("Stopped", "not stopped"),
        ),
        Verb(
            "stop", "s", "Stop", "Stop the schedule; what it has found stays.",
            ("sagemaker:StopMonitoringSchedule",),
            _stop,
            lambda _account, name, _values: (
                f"{name} stops: nobody watches its endpoint until it is started again",
            ),
            dangerous=True,
            blocked=_only("Scheduled", "not scheduled"),
        ),
        Verb(
            "delete", "x", "Delete", "Delete the schedule; its reports on S3 stay.",
            ("sagemaker:DeleteMonitoringSchedule",),
            _delete,
            lambda _account, name, _values: (
                f"{name} is deleted; an account that is no customer yet can't make it again",
            ),
            dangerous=True,
            typed=True,
        ),
    ),
    notice=NOTICE,
    every=15.0,
)  # fmt: skip
