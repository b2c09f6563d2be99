"""The kind `training`: training jobs with their timeline, inputs, cost and live metrics."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.kind import Chart, Column, Detail, Item, Kind, Line, Section
from core.aws.kinds.jobs.common import (
    PRICE,
    TRAINING,
    channels,
    cost,
    mapping,
    resources,
    seconds_between,
    status_lines,
)
from core.aws.kinds.jobs.live import charts
from core.aws.kinds.jobs.train import TRAIN, TRAIN_IMAGE, TRAIN_SCRIPT
from core.aws.kinds.shared import found, lasted
from core.aws.partial import tried
from core.aws.words import clock, epoch, last_of, number, span, tone

if TYPE_CHECKING:
    from core.aws.account import Account


def _listed(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in TRAINING.pages(account):
        yield tuple(_item(each) for each in page)


def _item(summary: Mapping[str, Any]) -> Item:
    status = summary["TrainingJobStatus"]
    second = summary.get("SecondaryStatus", "")
    return Item(
        id=summary["TrainingJobName"],
        cells=(
            summary["TrainingJobName"],
            second if status == "InProgress" and second else status,
            lasted(summary.get("CreationTime"), summary.get("TrainingEndTime"), time.time()),
        ),
        tone=tone(status),
        changed=epoch(summary.get("CreationTime")),
        raw={**summary, "state": status},
    )


def _shown(account: Account, name: str) -> Detail:
    job = TRAINING.describe(account, name)
    status = job["TrainingJobStatus"]
    none: tuple[Chart, ...] = ()
    lines, refused = tried(lambda: charts(account, job), none)
    note = (Section("Live metrics", (("", refused, "bad"),)),) if refused else ()
    return Detail(
        title=name,
        tone=tone(status),
        sections=(
            Section("Training job", _about(account, job)),
            _timeline(job),
            *_finals(job),
            *_rules(job),
            channels(job.get("InputDataConfig") or ()),
            *mapping("Hyperparameters", job.get("HyperParameters") or {}),
            *mapping("Environment", job.get("Environment") or {}),
            *note,
        ),
        charts=lines,
        item=_item(job),
        raw=job,
    )


def _about(account: Account, job: Mapping[str, Any]) -> tuple[Line, ...]:
    algorithm = job.get("AlgorithmSpecification") or {}
    output = (job.get("OutputDataConfig") or {}).get("S3OutputPath")
    stopping = job.get("StoppingCondition") or {}
    longest = stopping.get("MaxRuntimeInSeconds")
    network = job.get("EnableNetworkIsolation")
    return (
        *status_lines(job, "TrainingJob", "TrainingStartTime", "TrainingEndTime"),
        *_progress(job),
        *found("image", algorithm.get("TrainingImage") or algorithm.get("AlgorithmName")),
        *found("instances", resources(job.get("ResourceConfig") or {})),
        *found("at most", span(longest) if longest else ""),
        *_spot(job, stopping),
        *cost(account, job.get("ResourceConfig") or {}, _billed(job), "Training"),
        *found("model", _model(job)),
        *found("output", output),
        *found("checkpoints", (job.get("CheckpointConfig") or {}).get("S3Uri")),
        *found("encrypted by", (job.get("OutputDataConfig") or {}).get("KmsKeyId")),
        *found("network", "isolated" if network else ""),
        *found("warm pool", (job.get("WarmPoolStatus") or {}).get("Status")),
        *found("tuning job", last_of(job.get("TuningJobArn") or "")),
        *found("Autopilot job", last_of(job.get("AutoMLJobArn") or "")),
        *found("role", job.get("RoleArn")),
    )


def _model(job: Mapping[str, Any]) -> str:
    """Where the model is; AWS names the place of one that was never written, too."""
    artifacts = job.get("ModelArtifacts") or {}
    written = job["TrainingJobStatus"] in ("Completed", "Stopped")
    return str(artifacts.get("S3ModelArtifacts", "")) if written else ""


def _progress(job: Mapping[str, Any]) -> tuple[Line, ...]:
    told = job.get("ProgressInfo") or {}
    if "CurrentEpoch" not in told:
        return ()
    return (("progress", f"epoch {told['CurrentEpoch']} of {told.get('MaxEpoch', '?')}"),)


def _billed(job: Mapping[str, Any]) -> float | None:
    if job.get("BillableTimeInSeconds") is not None:
        return float(job["BillableTimeInSeconds"])
    return seconds_between(job.get("TrainingStartTime"), job.get("TrainingEndTime"))


def _spot(job: Mapping[str, Any], stopping: Mapping[str, Any]) -> tuple[Line, ...]:
    """Managed spot: what was billed of the time that it took."""
    if not job.get("EnableManagedSpotTraining"):
        return ()
    wait = stopping.get("MaxWaitTimeInSeconds")
    words = f"yes, waits at most {span(wait)}" if wait else "yes"
    took, billed = job.get("TrainingTimeInSeconds"), job.get("BillableTimeInSeconds")
    if took and billed is not None:
        saved = 100 * (1 - billed / took)
        words += f"; billed {span(billed)} of {span(took)}: saves {saved:.0f} %"
    return (("spot", words),)


def _timeline(job: Mapping[str, Any]) -> Section:
    lines: list[Line] = []
    for each in job.get("SecondaryStatusTransitions") or ():
        took = lasted(each.get("StartTime"), each.get("EndTime"), time.time())
        if each["Status"] in ("Completed", "Failed", "Stopped"):
            took = ""
        parts = (each["Status"], took, " ".join(each.get("StatusMessage", "").split()))
        words = " · ".join(part for part in parts if part)
        lines.append((clock(each.get("StartTime"))[5:], words, _moved(each, job)))
    return Section("Timeline", tuple(lines) or ("nothing has happened yet",))


def _moved(each: Mapping[str, Any], job: Mapping[str, Any]) -> str:
    if each["Status"] in ("Failed", "Stopped"):
        return tone(each["Status"])
    return "run" if "EndTime" not in each and job["TrainingJobStatus"] == "InProgress" else "ok"


def _finals(job: Mapping[str, Any]) -> tuple[Section, ...]:
    finals = job.get("FinalMetricDataList") or ()
    if not finals:
        return ()
    return (
        Section(
            "Final metrics", tuple((each["MetricName"], number(each["Value"])) for each in finals)
        ),
    )


CLOSED = "Debugger and the profiler take no new customers since 2026-07-30"
_RULE_TONES = {"IssuesFound": "bad", "Error": "bad", "InProgress": "run", "NoIssuesFound": "ok"}


def _rules(job: Mapping[str, Any]) -> tuple[Section, ...]:
    """What Debugger's and the profiler's rules found."""
    sections = []
    for title, key in (
        ("Debugger rules", "DebugRuleEvaluationStatuses"),
        ("Profiler rules", "ProfilerRuleEvaluationStatuses"),
    ):
        lines: tuple[Line, ...] = tuple(
            (
                str(each.get("RuleConfigurationName", "")),
                " · ".join(
                    part
                    for part in (
                        str(each.get("RuleEvaluationStatus", "")),
                        " ".join(str(each.get("StatusDetails", "")).split()),
                    )
                    if part
                ),
                _RULE_TONES.get(str(each.get("RuleEvaluationStatus", "")), "dim"),
            )
            for each in job.get(key) or ()
        )
        if lines:
            sections.append(Section(title, (*lines, CLOSED)))
    return tuple(sections)


KIND = Kind(
    name="training",
    title="Training",
    service="sagemaker",
    about="training jobs, with live metrics",
    columns=(
        Column("JOB", 24, grow=3),
        Column("STATUS", 14),
        Column("TOOK", 9, align="right"),
    ),
    list=_listed,
    show=_shown,
    operations=(
        "sagemaker:ListTrainingJobs",
        "sagemaker:DescribeTrainingJob",
        "cloudwatch:GetMetricData",
        "logs:FilterLogEvents",
        PRICE,
    ),
    verbs=(
        TRAINING.stop(
            "it is given 120 s to save its model; what it has written to its output stays"
        ),
    ),
    create=(TRAIN, TRAIN_SCRIPT, TRAIN_IMAGE),
    logs=TRAINING.logs,
)
