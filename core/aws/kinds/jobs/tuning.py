"""The kinds `tuning` and `tuning-trials`: searches over hyperparameters, and their jobs by rank."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.kind import Column, Detail, Item, Kind, Line, Section
from core.aws.kinds.jobs import training
from core.aws.kinds.jobs.common import PRICE, TRAINING, Job, cost, resources
from core.aws.kinds.jobs.tune import TUNE
from core.aws.kinds.shared import PAGE, found, lasted
from core.aws.logs import LogSource
from core.aws.partial import section
from core.aws.words import clock, epoch, number, short, span, tone
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

TUNING = Job("hyper_parameter_tuning_job", "HyperParameterTuningJob")
RANKED = 15
_RANGES = {"Continuous": "MinValue MaxValue", "Integer": "MinValue MaxValue", "Categorical": ""}


def _listed(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in TUNING.pages(account):
        yield tuple(_item(each) for each in page)


def _item(summary: Mapping[str, Any]) -> Item:
    status = summary["HyperParameterTuningJobStatus"]
    limits = summary.get("ResourceLimits") or {}
    done, most = _done(summary), limits.get("MaxNumberOfTrainingJobs")
    end = summary.get("HyperParameterTuningEndTime")
    return Item(
        id=summary["HyperParameterTuningJobName"],
        cells=(
            summary["HyperParameterTuningJobName"],
            status,
            summary.get("Strategy", ""),
            f"{done} of {most}" if most else str(done),
            lasted(summary.get("CreationTime"), end, time.time()),
        ),
        tone=tone(status),
        changed=epoch(summary.get("CreationTime")),
        raw={**summary, "state": status},
    )


def _done(job: Mapping[str, Any]) -> int:
    counts = job.get("TrainingJobStatusCounters") or {}
    return sum(counts.get(key, 0) for key in ("Completed", "NonRetryableError", "Stopped"))


def _shown(account: Account, name: str) -> Detail:
    job = TUNING.describe(account, name)
    status = job["HyperParameterTuningJobStatus"]
    config = job["HyperParameterTuningJobConfig"]
    summary = {**job, "Strategy": config["Strategy"], "ResourceLimits": config["ResourceLimits"]}
    return Detail(
        title=name,
        tone=tone(status),
        sections=(
            Section("Tuning job", (*_about(job, config), *_cost(account, job))),
            _counted(job),
            *_best(job),
            section("Jobs by rank", lambda: _ranked(account, name)),
            _ranges(config.get("ParameterRanges") or _definition(job).get("HyperParameterRanges")),
            _definition_section(job),
        ),
        item=_item(summary),
        raw=job,
    )


def _about(job: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[Line, ...]:
    status = job["HyperParameterTuningJobStatus"]
    limits, objective = config["ResourceLimits"], _objective(job, config)
    band = (config.get("StrategyConfig") or {}).get("HyperbandStrategyConfig") or {}
    longest = limits.get("MaxRuntimeInSeconds")
    end = job.get("HyperParameterTuningEndTime")
    return (
        ("status", status, tone(status)),
        ("strategy", config["Strategy"]),
        *found(
            "resource", f"{band.get('MinResource')} to {band.get('MaxResource')}" if band else ""
        ),
        *found("objective", objective),
        ("limits", _limits(limits) + (f", {span(longest)}" if longest else "")),
        *found("stops jobs early", config.get("TrainingJobEarlyStoppingType")),
        ("made", clock(job.get("CreationTime"))),
        *found("ended", clock(end)),
        ("took", lasted(job.get("CreationTime"), end, time.time())),
        *found("warm start", (job.get("WarmStartConfig") or {}).get("WarmStartType")),
        *((("why", job["FailureReason"], "bad"),) if job.get("FailureReason") else ()),
    )


def _cost(account: Account, job: Mapping[str, Any]) -> tuple[Line, ...]:
    """What all its training jobs have cost together."""
    ran = (job.get("ConsumedResources") or {}).get("RuntimeInSeconds")
    return cost(account, _resources(_definition(job)), ran, "Training")


def _resources(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    several: Mapping[str, Any] = definition.get("HyperParameterTuningResourceConfig") or {}
    one: Mapping[str, Any] = definition.get("ResourceConfig") or several
    return one


def _limits(limits: Mapping[str, Any]) -> str:
    most = limits.get("MaxNumberOfTrainingJobs")
    at_once = limits.get("MaxParallelTrainingJobs", 1)
    return (f"{most} jobs, " if most else "") + f"{at_once} at once"


def _objective(job: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    asked = config.get("HyperParameterTuningJobObjective") or _definition(job).get(
        "TuningObjective"
    )
    return f"{asked['Type']} {asked['MetricName']}" if asked else ""


def _definition(job: Mapping[str, Any]) -> Mapping[str, Any]:
    several = job.get("TrainingJobDefinitions") or ()
    one: Mapping[str, Any] = job.get("TrainingJobDefinition") or (several[0] if several else {})
    return one


def _counted(job: Mapping[str, Any]) -> Section:
    counts = job.get("TrainingJobStatusCounters") or {}
    measured = job.get("ObjectiveStatusCounters") or {}
    words = (
        ("Completed", "completed", "ok"),
        ("InProgress", "in progress", "run"),
        ("Stopped", "stopped", "dim"),
        ("RetryableError", "failed, tried again", "wait"),
        ("NonRetryableError", "failed", "bad"),
    )
    lines: list[Line] = [
        (word, str(counts[key]), kind if counts[key] else "")
        for key, word, kind in words
        if counts.get(key) or (key == "Completed" and key in counts)
    ]
    lines.append(
        (
            "objective",
            f"{measured.get('Succeeded', 0)} measured, {measured.get('Pending', 0)} pending, "
            f"{measured.get('Failed', 0)} failed",
        )
    )
    return Section("Training jobs", tuple(lines))


def _best(job: Mapping[str, Any]) -> tuple[Section, ...]:
    best = job.get("BestTrainingJob") or {}
    if not best:
        return ()
    metric = best.get("FinalHyperParameterTuningJobObjectiveMetric") or {}
    lines: list[Line] = [("job", best["TrainingJobName"], "ok")]
    if metric:
        lines.append((metric["MetricName"], number(metric["Value"])))
    lines += [(key, str(value)) for key, value in (best.get("TunedHyperParameters") or {}).items()]
    return (Section("Best", tuple(lines)),)


def _pages(account: Account, name: str) -> Iterator[Sequence[Mapping[str, Any]]]:
    """The training jobs, best first; those not measured yet come last."""
    job = TUNING.describe(account, name)
    config = job["HyperParameterTuningJobConfig"]
    lower = _objective(job, config).startswith("Minimize")
    pages = account.pages(
        "sagemaker",
        "list_training_jobs_for_hyper_parameter_tuning_job",
        HyperParameterTuningJobName=name,
        SortBy="FinalObjectiveMetricValue",
        SortOrder="Ascending" if lower else "Descending",
        MaxResults=PAGE,
    )
    for page in pages:
        yield page.get("TrainingJobSummaries", ())


def _value(trial: Mapping[str, Any]) -> str:
    metric = trial.get("FinalHyperParameterTuningJobObjectiveMetric") or {}
    return number(metric["Value"]) if metric else ""


def _tuned(trial: Mapping[str, Any]) -> str:
    return ", ".join(f"{k}={v}" for k, v in (trial.get("TunedHyperParameters") or {}).items())


def _ranked(account: Account, name: str) -> Section:
    best = next(_pages(account, name), ())
    lines: list[Line] = [
        (
            f"{rank}. {each['TrainingJobName']}",
            " · ".join(part for part in (_value(each), _tuned(each)) if part) or "not measured yet",
            tone(each["TrainingJobStatus"]),
        )
        for rank, each in enumerate(best[:RANKED], 1)
    ]
    if len(best) > RANKED:
        lines.append("the rest stands in the kind tuning-trials")
    return Section("Jobs by rank", tuple(lines) or ("none has begun",))


def _ranges(found_ranges: Mapping[str, Any] | None) -> Section:
    lines: list[Line] = []
    for kind in _RANGES:
        for each in (found_ranges or {}).get(f"{kind}ParameterRanges") or ():
            words = (
                " | ".join(each["Values"])
                if kind == "Categorical"
                else f"{each['MinValue']} to {each['MaxValue']}, {each.get('ScalingType', 'Auto')}"
            )
            lines.append((each["Name"], words))
    for each in (found_ranges or {}).get("AutoParameters") or ():
        lines.append((each["Name"], f"by itself, from {each['ValueHint']}"))
    return Section("Ranges", tuple(lines) or ("chosen by SageMaker",))


def _definition_section(job: Mapping[str, Any]) -> Section:
    definition = _definition(job)
    static = definition.get("StaticHyperParameters") or {}
    return Section(
        "Each job",
        (
            *found("image", (definition.get("AlgorithmSpecification") or {}).get("TrainingImage")),
            *found("instances", resources(_resources(definition))),
            *found("spot", "yes" if definition.get("EnableManagedSpotTraining") else ""),
            *found("output", (definition.get("OutputDataConfig") or {}).get("S3OutputPath")),
            *((key, str(value)) for key, value in sorted(static.items())),
            *found("role", definition.get("RoleArn")),
        ),
    )


def _logs(_account: Account, name: str) -> LogSource:
    """Those of all its training jobs, whose names begin with its own."""
    return LogSource(TRAINING.group, prefix=f"{name}-")


def _trials(account: Account, name: str) -> Iterator[Sequence[Item]]:
    if not name:
        raise BadInput("tuning-trials: of which tuning job?", "opsdeck aws list tuning shows them")
    rank = 0
    for page in _pages(account, name):
        items = []
        for each in page:
            rank += 1
            items.append(_trial(name, rank, each))
        yield tuple(items)


def _trial(name: str, rank: int, each: Mapping[str, Any]) -> Item:
    status = each["TrainingJobStatus"]
    value = _value(each)
    return Item(
        id=each["TrainingJobName"],
        cells=(
            str(rank) if value else "",
            each["TrainingJobName"].removeprefix(f"{name}-"),
            status,
            value,
            _tuned(each) or short(each.get("FailureReason", "")),
            lasted(each.get("TrainingStartTime"), each.get("TrainingEndTime"), time.time()),
        ),
        tone=tone(status),
        changed=epoch(each.get("CreationTime")),
        raw={**each, "state": status},
    )


KIND = Kind(
    name="tuning",
    title="Tuning",
    service="sagemaker",
    about="searches over hyperparameters",
    columns=(
        Column("JOB", 20, grow=2),
        Column("STATUS", 11),
        Column("STRATEGY", 10, drop=1),
        Column("JOBS DONE", 10, align="right"),
        Column("TOOK", 9, align="right", drop=2),
    ),
    list=_listed,
    show=_shown,
    operations=(
        "sagemaker:ListHyperParameterTuningJobs",
        "sagemaker:DescribeHyperParameterTuningJob",
        "sagemaker:ListTrainingJobsForHyperParameterTuningJob",
        "logs:FilterLogEvents",
        PRICE,
    ),
    child="tuning-trials",
    verbs=(TUNING.stop("its training jobs are stopped; those that have ended are kept"),),
    create=(TUNE,),
    logs=_logs,
)
TRIALS = Kind(
    name="tuning-trials",
    title="Trials",
    service="sagemaker",
    about="training jobs of a tuning job, best first",
    columns=(
        Column("RANK", 4, align="right"),
        Column("JOB", 20, grow=1),
        Column("STATUS", 11, drop=2),
        Column("OBJECTIVE", 10, align="right"),
        Column("HYPERPARAMETERS", 16, grow=2, drop=1),
        Column("TOOK", 8, align="right", drop=3),
    ),
    list=_trials,
    show=training.KIND.show,
    operations=(
        "sagemaker:DescribeHyperParameterTuningJob",
        "sagemaker:ListTrainingJobsForHyperParameterTuningJob",
        *training.KIND.operations[1:],
    ),
    parent="tuning",
    verbs=training.KIND.verbs,
    logs=TRAINING.logs,
)
