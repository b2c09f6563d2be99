"""The kind `monitor-runs`: executions of a monitoring schedule, with their reports from S3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from core.aws import words
from core.aws.errors import AwsError
from core.aws.kind import Column, Detail, Item, Kind, Line, Section
from core.aws.kinds.monitors.places import definition_of, folder_of, read_files
from core.aws.kinds.monitors.reports import sections_of
from core.aws.kinds.monitors.schedules import NOTICE
from core.aws.logs import LogSource
from core.aws.partial import why
from core.aws.s3objects import try_json
from core.errors import NotFound

if TYPE_CHECKING:
    from core.aws.account import Account


def _item(execution: Mapping[str, Any]) -> Item:
    status = execution["MonitoringExecutionStatus"]
    at = words.epoch(execution["ScheduledTime"]) or 0.0
    return Item(
        id=f"{execution['MonitoringScheduleName']}/{int(at)}",
        cells=(
            execution["MonitoringScheduleName"],
            words.clock(at),
            status,
            execution.get("MonitoringType", ""),
            words.short(execution.get("FailureReason", "")),
        ),
        tone=words.tone(status),
        changed=words.epoch(execution["LastModifiedTime"]),
        raw=execution,
    )


def _list(account: Account, schedule: str) -> Iterator[Sequence[Item]]:
    of = {"MonitoringScheduleName": schedule} if schedule else {}
    pages = account.pages(
        "sagemaker",
        "list_monitoring_executions",
        SortBy="ScheduledTime",
        SortOrder="Descending",
        **of,
    )
    for page in pages:
        yield [_item(each) for each in page["MonitoringExecutionSummaries"]]


def _execution(account: Account, ref: str) -> Mapping[str, Any]:
    name, _, at = ref.rpartition("/")
    if not name or not at.isdigit():
        raise NotFound(f"{ref}: is not SCHEDULE/TIME", "opsdeck aws list monitor-runs")
    page = account.call(
        "sagemaker",
        "list_monitoring_executions",
        MonitoringScheduleName=name,
        ScheduledTimeAfter=datetime.fromtimestamp(int(at) - 1, UTC),
        ScheduledTimeBefore=datetime.fromtimestamp(int(at) + 2, UTC),
    )
    for each in page["MonitoringExecutionSummaries"]:
        if int(words.epoch(each["ScheduledTime"]) or 0) == int(at):
            found: Mapping[str, Any] = each
            return found
    raise NotFound(f"{ref}: {name} has no run of that time")


def _show(account: Account, ref: str) -> Detail:
    execution = _execution(account, ref)
    status = execution["MonitoringExecutionStatus"]
    lines: list[Line] = [("Status", status, words.tone(status))]
    if execution.get("FailureReason"):
        lines.append(("Failure", execution["FailureReason"], "bad"))
    lines += words.labelled(
        execution, "MonitoringScheduleName", "ScheduledTime", "CreationTime", "LastModifiedTime",
        "EndpointName", "MonitoringType", "ProcessingJobArn",
    )  # fmt: skip
    item = _item(execution)
    sections = [Section("Run", tuple(lines))]
    if status in ("Completed", "CompletedWithViolations"):
        sections += _reports(account, execution)
    title = f"{execution['MonitoringScheduleName']} {item.cells[1]}"
    return Detail(title, item.tone, tuple(sections), item=item, raw=execution)


def _reports(account: Account, execution: Mapping[str, Any]) -> list[Section]:
    try:
        schedule = account.call(
            "sagemaker",
            "describe_monitoring_schedule",
            MonitoringScheduleName=execution["MonitoringScheduleName"],
        )
        definition = definition_of(account, schedule)
        folder = folder_of(account, execution, definition)
        files = read_files(account, folder)
    except AwsError as error:
        return [Section("Reports", (("", why(error), "bad"),))]
    uri = definition.get("Baseline", {}).get("StatisticsResource", {}).get("S3Uri", "")
    baseline = try_json(account, uri)[0] if uri and "statistics.json" in files else None
    where = Section("Reports", (("Folder", folder), ("Files", ", ".join(files) or "none")))
    return [*sections_of(files, baseline), where]


def _logs(account: Account, ref: str) -> LogSource:
    execution = _execution(account, ref)
    job = words.last_of(execution.get("ProcessingJobArn", ""))
    return LogSource("/aws/sagemaker/ProcessingJobs", f"{job}/")


KIND = Kind(
    name="monitor-runs",
    title="Monitoring runs",
    service="SageMaker",
    about="Executions of monitoring schedules, what they found, and their reports.",
    columns=(
        Column("Schedule", 22, grow=1),
        Column("Of", 19),
        Column("Status", 23),
        Column("Type", 19, drop=1),
        Column("Failure", 12, grow=1, drop=2),
    ),
    list=_list,
    show=_show,
    operations=(
        "sagemaker:ListMonitoringExecutions", "sagemaker:DescribeMonitoringSchedule",
        "sagemaker:DescribeDataQualityJobDefinition", "sagemaker:DescribeModelQualityJobDefinition",
        "sagemaker:DescribeModelBiasJobDefinition",
        "sagemaker:DescribeModelExplainabilityJobDefinition", "sagemaker:DescribeProcessingJob",
        "s3:ListBucket", "s3:GetObject", "logs:FilterLogEvents",
    ),
    parent="schedules",
    logs=_logs,
    notice=NOTICE,
    every=15.0,
)  # fmt: skip
