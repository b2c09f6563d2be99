"""The kinds `automl` and `candidates`: Autopilot's jobs (V2), and the models they tried."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.errors import ResourceNotFound
from core.aws.kind import Column, Detail, Item, Kind, Line, Section
from core.aws.kinds.jobs.autopilot import AUTOPILOT
from core.aws.kinds.jobs.common import TRAINING, Job, status_lines
from core.aws.kinds.shared import PAGE, found, lasted
from core.aws.logs import LogSource
from core.aws.partial import section
from core.aws.words import clock, epoch, number, short, tone
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account


class AutoMLJob(Job):
    """Autopilot's jobs are described by the second version of the operation."""

    def described(self, account: Account, name: str) -> Mapping[str, Any]:
        """The job of exactly this name."""
        told: Mapping[str, Any] = account.call(
            "sagemaker", "describe_auto_ml_job_v2", AutoMLJobName=name
        )
        return told


AUTOML = AutoMLJob("auto_ml_job", "AutoMLJob", TRAINING.group)
TOP = 10
PROBLEMS = {
    "Tabular": "tabular",
    "TimeSeriesForecasting": "time series",
    "TextClassification": "text",
    "ImageClassification": "images",
    "TextGeneration": "text generation",
}


def _listed(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in AUTOML.pages(account):
        yield tuple(_item(each) for each in page)


def _item(summary: Mapping[str, Any]) -> Item:
    status = summary["AutoMLJobStatus"]
    return Item(
        id=summary["AutoMLJobName"],
        cells=(
            summary["AutoMLJobName"],
            status,
            summary.get("AutoMLJobSecondaryStatus", ""),
            lasted(summary.get("CreationTime"), summary.get("EndTime"), time.time()),
            short(summary.get("FailureReason", "")),
        ),
        tone=tone(status),
        changed=epoch(summary.get("CreationTime")),
        raw={**summary, "state": status},
    )


def _shown(account: Account, name: str) -> Detail:
    job = AUTOML.describe(account, name)
    status = job["AutoMLJobStatus"]
    return Detail(
        title=name,
        tone=tone(status),
        sections=(
            Section("Autopilot job", _about(job)),
            _problem(job),
            *_best(job),
            section("Candidates", lambda: _ranked(account, name)),
            _input(job),
            *_partly(job),
        ),
        item=_item(job),
        raw=job,
    )


def _about(job: Mapping[str, Any]) -> tuple[Line, ...]:
    artifacts = job.get("AutoMLJobArtifacts") or {}
    deploys = (job.get("ModelDeployResult") or {}).get("EndpointName")
    return (
        *status_lines(job, "AutoMLJob", "CreationTime", "EndTime"),
        *found("deploys to", deploys),
        *found("output", (job.get("OutputDataConfig") or {}).get("S3OutputPath")),
        *found("data exploration", artifacts.get("DataExplorationNotebookLocation")),
        *found("definitions", artifacts.get("CandidateDefinitionNotebookLocation")),
        *found("role", job.get("RoleArn")),
    )


def _problem(job: Mapping[str, Any]) -> Section:
    name = str(job.get("AutoMLProblemTypeConfigName", ""))
    config: Mapping[str, Any] = next(iter((job.get("AutoMLProblemTypeConfig") or {}).values()), {})
    series = config.get("TimeSeriesConfig") or {}
    limits = config.get("CompletionCriteria") or {}
    metric = (job.get("AutoMLJobObjective") or {}).get("MetricName")
    resolved = job.get("ResolvedAttributes") or {}
    metric = metric or (resolved.get("AutoMLJobObjective") or {}).get("MetricName")
    kind = config.get("ProblemType") or _resolved_type(resolved)
    target = config.get("TargetAttributeName") or series.get("TargetAttributeName")
    return Section(
        "Problem",
        (
            ("type", PROBLEMS.get(name, name) + (f", {kind}" if kind else "")),
            *found("target", target or config.get("TargetLabelColumn")),
            *found("text in", config.get("ContentColumn")),
            *found("times in", series.get("TimestampAttributeName")),
            *found("items in", series.get("ItemIdentifierAttributeName")),
            *found("each", config.get("ForecastFrequency")),
            *found("ahead", config.get("ForecastHorizon")),
            *found("quantiles", ", ".join(config.get("ForecastQuantiles") or ())),
            *found("mode", config.get("Mode")),
            *found("objective", metric),
            *found("at most", _limits(limits)),
        ),
    )


def _resolved_type(resolved: Mapping[str, Any]) -> str:
    inner = resolved.get("AutoMLProblemTypeResolvedAttributes") or {}
    return str((inner.get("TabularResolvedAttributes") or {}).get("ProblemType", ""))


def _limits(limits: Mapping[str, Any]) -> str:
    most, longest = limits.get("MaxCandidates"), limits.get("MaxAutoMLJobRuntimeInSeconds")
    parts = (f"{most} candidates" if most else "", f"{longest / 3600:g} h" if longest else "")
    return ", ".join(part for part in parts if part)


def _metric(candidate: Mapping[str, Any]) -> tuple[str, str]:
    metric = candidate.get("FinalAutoMLJobObjectiveMetric") or {}
    return (metric["MetricName"], number(metric["Value"])) if metric else ("", "")


def _best(job: Mapping[str, Any]) -> tuple[Section, ...]:
    best = job.get("BestCandidate") or {}
    if not best:
        return ()
    return (Section("Best candidate", (("name", best["CandidateName"], "ok"), *_measured(best))),)


def _measured(candidate: Mapping[str, Any]) -> tuple[Line, ...]:
    lines: list[Line] = []
    name, value = _metric(candidate)
    if name:
        lines.append((name, value))
    for each in (candidate.get("CandidateProperties") or {}).get("CandidateMetrics") or ():
        lines.append((f"{each.get('MetricName')} ({each.get('Set')})", number(each.get("Value"))))
    return tuple(lines)


_LOWER = ("MSE", "RMSE", "MAE", "MAPE", "MASE", "WAPE", "LogLoss", "AverageWeightedQuantileLoss")


def _falls(job: Mapping[str, Any]) -> bool:
    """Whether less is better: the best candidate says so, else the metric's name does."""
    best = (job.get("BestCandidate") or {}).get("FinalAutoMLJobObjectiveMetric") or {}
    if best.get("Type"):
        return bool(best["Type"] == "Minimize")
    resolved = (job.get("ResolvedAttributes") or {}).get("AutoMLJobObjective") or {}
    asked = (job.get("AutoMLJobObjective") or resolved).get("MetricName", "")
    return asked in _LOWER


def _pages(account: Account, name: str) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Candidates, best first; those not measured yet come last."""
    falls = _falls(AUTOML.describe(account, name))

    def rank(candidate: Mapping[str, Any]) -> tuple[bool, float]:
        metric = candidate.get("FinalAutoMLJobObjectiveMetric") or {}
        value = float(metric.get("Value", 0.0))
        return not metric, value if falls else -value

    pages = account.pages(
        "sagemaker",
        "list_candidates_for_auto_ml_job",
        AutoMLJobName=name,
        SortBy="FinalObjectiveMetricValue",
        SortOrder="Ascending" if falls else "Descending",
        MaxResults=PAGE,
    )
    for page in pages:
        yield sorted(page.get("Candidates", ()), key=rank)


def _ranked(account: Account, name: str) -> Section:
    first = next(_pages(account, name), ())
    lines: list[Line] = [
        (each["CandidateName"], " ".join(_metric(each)).strip() or "not measured yet",
         tone(each["CandidateStatus"]))
        for each in first[:TOP]
    ]  # fmt: skip
    if len(first) > TOP:
        lines.append("the rest stands in the kind candidates")
    return Section("Candidates", tuple(lines) or ("none has begun",))


def _input(job: Mapping[str, Any]) -> Section:
    lines: list[Line] = []
    for each in job.get("AutoMLJobInputDataConfig") or ():
        source = (each.get("DataSource") or {}).get("S3DataSource") or {}
        lines.append((each.get("ChannelType", "training"), source.get("S3Uri", "")))
    return Section("Input", tuple(lines) or ("none",))


def _partly(job: Mapping[str, Any]) -> tuple[Section, ...]:
    reasons = [each["PartialFailureMessage"] for each in job.get("PartialFailureReasons") or ()]
    return (Section("Failed in part", tuple(("", r, "bad") for r in reasons)),) if reasons else ()


def _logs(_account: Account, name: str) -> LogSource:
    """Those of its training jobs, whose names begin with its own."""
    return LogSource(TRAINING.group, prefix=name)


def _candidates(account: Account, name: str) -> Iterator[Sequence[Item]]:
    if not name:
        raise BadInput("candidates: of which Autopilot job?", "opsdeck aws list automl shows them")
    for page in _pages(account, name):
        yield tuple(_candidate(name, each) for each in page)


def _candidate(job: str, each: Mapping[str, Any]) -> Item:
    status = each["CandidateStatus"]
    metric, value = _metric(each)
    return Item(
        id=f"{job}#{each['CandidateName']}",
        cells=(
            each["CandidateName"],
            status,
            metric,
            value,
            lasted(each.get("CreationTime"), each.get("EndTime"), time.time()),
        ),
        tone=tone(status),
        changed=epoch(each.get("CreationTime")),
        raw={**each, "state": status},
    )


def _candidate_shown(account: Account, id: str) -> Detail:
    job, _, name = id.partition("#")
    told = account.call(
        "sagemaker", "list_candidates_for_auto_ml_job", AutoMLJobName=job, CandidateNameEquals=name
    )
    each = next(iter(told.get("Candidates", ())), None)
    if each is None:
        raise ResourceNotFound(f"{name}: {job} has no such candidate")
    steps = tuple(
        (step["CandidateStepType"].rpartition("::")[2], step["CandidateStepName"])
        for step in each.get("CandidateSteps", ())
    )
    containers = tuple(
        (str(number), f"{c['Image']} · {c['ModelDataUrl']}")
        for number, c in enumerate(each.get("InferenceContainers") or (), 1)
    )
    artifacts = (each.get("CandidateProperties") or {}).get("CandidateArtifactLocations") or {}
    return Detail(
        title=f"{name} of {job}",
        tone=tone(each["CandidateStatus"]),
        sections=(
            Section(
                "Candidate",
                (
                    ("status", each["CandidateStatus"], tone(each["CandidateStatus"])),
                    ("made", clock(each.get("CreationTime"))),
                    *found("ended", clock(each.get("EndTime"))),
                    *found("why", each.get("FailureReason")),
                ),
            ),
            Section("Metrics", _measured(each) or ("not measured yet",)),
            Section("Steps", steps or ("none",)),
            Section("To serve it", containers or ("not there yet",)),
            *((Section("Reports", tuple(artifacts.items())),) if artifacts else ()),
        ),
        item=_candidate(job, each),
        raw=each,
    )


KIND = Kind(
    name="automl",
    title="Autopilot",
    service="sagemaker",
    about="Autopilot: models found by themselves",
    columns=(
        Column("JOB", 20, grow=2),
        Column("STATUS", 11),
        Column("DOING", 18, grow=1, drop=1),
        Column("TOOK", 9, align="right"),
        Column("WHY", 8, grow=2, drop=2),
    ),
    list=_listed,
    show=_shown,
    operations=(
        "sagemaker:ListAutoMLJobs",
        "sagemaker:DescribeAutoMLJobV2",
        "sagemaker:ListCandidatesForAutoMLJob",
        "logs:FilterLogEvents",
    ),
    child="candidates",
    verbs=(AUTOML.stop("no further candidate is tried; those that have ended are kept"),),
    create=(AUTOPILOT,),
    logs=_logs,
)
CANDIDATES = Kind(
    name="candidates",
    title="Candidates",
    service="sagemaker",
    about="models that an Autopilot job tried, best first",
    columns=(
        Column("CANDIDATE", 20, grow=2),
        Column("STATUS", 11),
        Column("METRIC", 12, grow=1, drop=1),
        Column("VALUE", 10, align="right"),
        Column("TOOK", 9, align="right", drop=2),
    ),
    list=_candidates,
    show=_candidate_shown,
    operations=("sagemaker:ListCandidatesForAutoMLJob", "sagemaker:DescribeAutoMLJobV2"),
    parent="automl",
)
