"""The kind `steps`: what an execution of a SageMaker pipeline did, each with the job it ran."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.errors import ResourceNotFound
from core.aws.kind import Chart, Column, Detail, Item, Kind, Section
from core.aws.kinds.shared import PAGE, found, lasted
from core.aws.logs import LogSource
from core.aws.partial import tried
from core.aws.words import clock, epoch, last_of, short, tone
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

JOBS = {
    "TrainingJob": "training",
    "ProcessingJob": "processing",
    "TransformJob": "transform",
    "TuningJob": "tuning",
    "AutoMLJob": "automl",
}
"""The kind of the job that a step ran, by the key of its metadata."""
_CHECKS = ("QualityCheck", "ClarifyCheck")


def pages_of_steps(account: Account, execution: str) -> Iterator[Sequence[Mapping[str, Any]]]:
    """The steps of an execution as AWS tells them, in the order in which they started."""
    asked = {"PipelineExecutionArn": execution, "SortOrder": "Ascending", "MaxResults": PAGE}
    for page in account.pages("sagemaker", "list_pipeline_execution_steps", **asked):
        yield page.get("PipelineExecutionSteps", ())


def job_of(step: Mapping[str, Any]) -> tuple[str, str]:
    """The kind and the name of the job that a step ran; ("", "") where it ran none."""
    metadata = step.get("Metadata") or {}
    for key, kind in JOBS.items():
        arn = (metadata.get(key) or {}).get("Arn")
        if arn:
            return kind, last_of(arn)
    for key in _CHECKS:
        arn = (metadata.get(key) or {}).get("CheckJobArn")
        if arn:
            return "processing", last_of(arn)
    return "", ""


def type_of(step: Mapping[str, Any]) -> str:
    """What a step is, by the key of its metadata; "" before it has one."""
    return next(iter(step.get("Metadata") or {}), "")


def full_name(step: Mapping[str, Any]) -> str:
    """A step's name, with the number of its iteration where it has one."""
    index = (step.get("IterationContext") or {}).get("Index")
    name = str(step["StepName"])
    return name if index is None else f"{name}[{index}]"


def source_of(step: Mapping[str, Any]) -> str:
    """The ARN of the execution that a cached or kept step's outputs are of."""
    for key in ("CacheHitResult", "SelectiveExecutionResult"):
        arn = (step.get(key) or {}).get("SourcePipelineExecutionArn")
        if arn:
            return str(arn)
    return ""


def step_line(step: Mapping[str, Any]) -> tuple[str, str, str]:
    """A step as a line of its execution's description."""
    status = step.get("StepStatus", "")
    took = lasted(step.get("StartTime"), step.get("EndTime"), time.time())
    _kind, job = job_of(step)
    parts = (
        status, took, "cached" if source_of(step) else "", job,
        short(step.get("FailureReason", ""), 400),
    )  # fmt: skip
    return full_name(step), " · ".join(part for part in parts if part), tone(status)


def _listed(account: Account, execution: str) -> Iterator[Sequence[Item]]:
    if not execution:
        raise BadInput("steps: of which execution?", "opsdeck aws list executions shows them")
    for page in pages_of_steps(account, execution):
        yield tuple(_item(execution, each) for each in page)


def _item(execution: str, step: Mapping[str, Any]) -> Item:
    kind, job = job_of(step)
    status = step.get("StepStatus", "")
    opens = {"opens": (kind, job)} if kind else {}
    return Item(
        id=f"{execution}#{full_name(step)}",
        cells=(
            full_name(step),
            status,
            type_of(step),
            lasted(step.get("StartTime"), step.get("EndTime"), time.time()),
            "cached" if source_of(step) else "",
            job,
            short(step.get("FailureReason", "")),
        ),
        tone=tone(status),
        changed=epoch(step.get("EndTime") or step.get("StartTime")),
        raw={**step, "state": status, **opens},
    )


def find_step(account: Account, id: str) -> tuple[str, Mapping[str, Any]]:
    """The execution and the step of an id `EXECUTION-ARN#STEP`; raises `ResourceNotFound`."""
    execution, _, name = id.rpartition("#")
    if not execution:
        raise BadInput(f"{id}: no step is called so", "EXECUTION-ARN#STEP")
    for page in pages_of_steps(account, execution):
        for step in page:
            if full_name(step) == name:
                return execution, step
    raise ResourceNotFound(f"{name}: {last_of(execution)} has run no such step (yet)")


def _shown(account: Account, id: str) -> Detail:
    execution, step = find_step(account, id)
    kind, job = job_of(step)
    status = step.get("StepStatus", "")
    metadata = (step.get("Metadata") or {}).get(type_of(step)) or {}
    about = Section(
        "Step",
        (
            ("status", status, tone(status)),
            *found("type", type_of(step)),
            *found("about", step.get("StepDescription")),
            ("started", clock(step.get("StartTime"))),
            ("ended", clock(step.get("EndTime"))),
            ("duration", lasted(step.get("StartTime"), step.get("EndTime"), time.time())),
            *found("outputs kept from", source_of(step)),
            *found("attempts", step.get("AttemptCount")),
            *found("job", f"{kind} {job}".strip()),
            *found("outcome", metadata.get("Outcome")),
            *found("says", metadata.get("ErrorMessage")),
            *((("why", step["FailureReason"], "bad"),) if step.get("FailureReason") else ()),
        ),
    )
    below: tuple[Section, ...] = ()
    charts: tuple[Chart, ...] = ()
    if kind:
        detail, refused = tried(lambda: _job(account, kind, job), None)
        if detail is None:
            below = (Section("Job", (("", refused, "bad"),)),)
        else:
            below, charts = detail.sections, detail.charts
    return Detail(
        title=f"{full_name(step)} of {last_of(execution)}",
        tone=tone(status),
        sections=(about, *below),
        charts=charts,
        item=_item(execution, step),
        raw=step,
    )


def _job(account: Account, kind: str, name: str) -> Detail | None:
    from core.aws.registry import kind as find

    return find(kind).show(account, name)


def _logs(account: Account, id: str) -> LogSource:
    from core.aws.registry import kind as find

    _execution, step = find_step(account, id)
    kind, job = job_of(step)
    logs = find(kind).logs if kind else None
    if logs is None:
        raise BadInput(f"{full_name(step)}: ran no job, so it has printed nothing")
    return logs(account, job)


KIND = Kind(
    name="steps",
    title="Steps",
    service="sagemaker",
    about="steps of an execution, each with its job",
    columns=(
        Column("STEP", 18, grow=1),
        Column("STATUS", 10),
        Column("TYPE", 13, drop=3),
        Column("TOOK", 8, align="right"),
        Column("KEPT", 6, drop=2),
        Column("JOB", 14, grow=1, drop=4),
        Column("WHY", 8, grow=2, drop=1),
    ),
    list=_listed,
    show=_shown,
    operations=(
        "sagemaker:ListPipelineExecutionSteps",
        "sagemaker:DescribeTrainingJob",
        "sagemaker:ListTrainingJobs",
        "sagemaker:DescribeProcessingJob",
        "sagemaker:ListProcessingJobs",
        "sagemaker:DescribeTransformJob",
        "sagemaker:ListTransformJobs",
        "sagemaker:DescribeHyperParameterTuningJob",
        "sagemaker:ListHyperParameterTuningJobs",
        "sagemaker:ListTrainingJobsForHyperParameterTuningJob",
        "sagemaker:DescribeAutoMLJobV2",
        "sagemaker:ListAutoMLJobs",
        "sagemaker:ListCandidatesForAutoMLJob",
        "cloudwatch:GetMetricData",
        "logs:FilterLogEvents",
        "pricing:GetProducts",
    ),
    parent="executions",
    logs=_logs,
)
