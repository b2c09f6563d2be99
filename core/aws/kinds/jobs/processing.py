"""The kind `processing`: jobs that prepare data, evaluate, or watch models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.kind import Column, Detail, Item, Kind, Line, Section
from core.aws.kinds.jobs.common import (
    PRICE,
    PROCESSING,
    cost,
    mapping,
    plain_item,
    resources,
    seconds_between,
    status_lines,
)
from core.aws.kinds.shared import found
from core.aws.words import last_of, span, tone

if TYPE_CHECKING:
    from core.aws.account import Account


def _listed(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in PROCESSING.pages(account):
        yield tuple(plain_item(each, "ProcessingJob", "ProcessingEndTime") for each in page)


def _shown(account: Account, name: str) -> Detail:
    job = PROCESSING.describe(account, name)
    return Detail(
        title=name,
        tone=tone(job["ProcessingJobStatus"]),
        sections=(
            Section("Processing job", _about(account, job)),
            _runs(job),
            _inputs(job),
            _outputs(job),
            *mapping("Environment", job.get("Environment") or {}),
        ),
        item=plain_item(job, "ProcessingJob", "ProcessingEndTime"),
        raw=job,
    )


def _about(account: Account, job: Mapping[str, Any]) -> tuple[Line, ...]:
    config = (job.get("ProcessingResources") or {}).get("ClusterConfig") or {}
    longest = (job.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds")
    ran = seconds_between(job.get("ProcessingStartTime"), job.get("ProcessingEndTime"))
    return (
        *status_lines(job, "ProcessingJob", "ProcessingStartTime", "ProcessingEndTime"),
        *found("said", job.get("ExitMessage")),
        *found("instances", resources(config)),
        *found("at most", span(longest) if longest else ""),
        *cost(account, config, ran, "Processing"),
        *found("for the schedule", last_of(job.get("MonitoringScheduleArn") or "")),
        *found("of the training job", last_of(job.get("TrainingJobArn") or "")),
        *found("of the Autopilot job", last_of(job.get("AutoMLJobArn") or "")),
        *found("role", job.get("RoleArn")),
    )


def _runs(job: Mapping[str, Any]) -> Section:
    app = job["AppSpecification"]
    return Section(
        "Runs",
        (
            ("image", app["ImageUri"]),
            *found("entry point", " ".join(app.get("ContainerEntrypoint") or ())),
            *found("arguments", " ".join(app.get("ContainerArguments") or ())),
        ),
    )


def _inputs(job: Mapping[str, Any]) -> Section:
    lines: list[Line] = []
    for each in job.get("ProcessingInputs") or ():
        source = each.get("S3Input") or {}
        place = source.get("S3Uri")
        if not place:
            definition = each.get("DatasetDefinition") or {}
            made = next((key for key in definition if key.endswith("DatasetDefinition")), "")
            place, source = made, definition
        lines.append((each["InputName"], f"{place} → {source.get('LocalPath', '')}"))
    return Section("Input", tuple(lines) or ("none",))


def _outputs(job: Mapping[str, Any]) -> Section:
    lines: list[Line] = []
    for each in (job.get("ProcessingOutputConfig") or {}).get("Outputs") or ():
        place = each.get("S3Output") or {}
        group = (each.get("FeatureStoreOutput") or {}).get("FeatureGroupName")
        target = f"feature group {group}" if group else place.get("S3Uri", "")
        lines.append((each["OutputName"], f"{place.get('LocalPath', '')} → {target}".lstrip(" →")))
    return Section("Output", tuple(lines) or ("none",))


KIND = Kind(
    name="processing",
    title="Processing",
    service="sagemaker",
    about="processing jobs",
    columns=(
        Column("JOB", 24, grow=2),
        Column("STATUS", 11),
        Column("TOOK", 9, align="right"),
        Column("WHY", 10, grow=3, drop=1),
    ),
    list=_listed,
    show=_shown,
    operations=(
        "sagemaker:ListProcessingJobs",
        "sagemaker:DescribeProcessingJob",
        "logs:FilterLogEvents",
        PRICE,
    ),
    verbs=(PROCESSING.stop("what it has not uploaded yet is lost"),),
    logs=PROCESSING.logs,
)
