"""Autopilot jobs (V2): analysing, training candidates, the best one, completed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.sagemaker.common import (
    find,
    keep,
    knob,
    sagemaker_arn,
    seconds,
    share,
    touch,
)
from core.simulated.handlers.sagemaker.training import lower_is_better
from core.simulated.listing import Record, described, fit, output_shape, page, select, summaries
from core.simulated.registry import operation
from core.simulated.state import Call, State

TABLE = "sagemaker.automl-jobs"
CANDIDATES, EACH = 6, 120.0
Done = Callable[[Record], None]
_PHASES = (
    ("Starting", 30.0),
    ("AnalyzingData", 60.0),
    ("FeatureEngineering", 90.0),
    ("ModelTuning", 0.0),
    ("GeneratingExplainabilityReport", 60.0),
)
_OBJECTIVES = {
    "TimeSeriesForecastingJobConfig": "AverageWeightedQuantileLoss",
    "TextGenerationJobConfig": "ValidationLoss",
}
_KINDS = {
    "ImageClassificationJobConfig": "ImageClassification",
    "TextClassificationJobConfig": "TextClassification",
    "TimeSeriesForecastingJobConfig": "TimeSeriesForecasting",
    "TabularJobConfig": "Tabular",
    "TextGenerationJobConfig": "TextGeneration",
}


@operation("sagemaker", "CreateAutoMLJobV2")
def create(state: State, call: Call) -> dict[str, Any]:
    return {"AutoMLJobArn": start(state, dict(call.params))["AutoMLJobArn"]}


def start(state: State, params: Record, done: Done | None = None) -> Record:
    """Start a job; `done` is called with its record once it is over."""
    name = str(params["AutoMLJobName"])
    arn = sagemaker_arn(state, "automl-job", name)
    if name in state.table(TABLE):
        raise Fault("ResourceInUse", f"An AutoML job of this name already exists: {arn}", 400)
    kind = next(iter(params["AutoMLProblemTypeConfig"]))
    metric = (params.get("AutoMLJobObjective") or {}).get("MetricName")
    record: Record = {
        **params,
        "AutoMLJobArn": arn,
        "AutoMLJobStatus": "InProgress",
        "AutoMLJobSecondaryStatus": "Starting",
        "AutoMLProblemTypeConfigName": _KINDS[kind],
        "AutoMLJobObjective": {"MetricName": metric or _OBJECTIVES.get(kind, "Accuracy")},
        "AutoMLJobInputDataConfig": params["AutoMLJobInputDataConfig"],
        "_candidates": [],
        "_done": done,
    }
    keep(state, TABLE, name, arn, record)
    _phase(state, record, 0)
    return record


def _phase(state: State, record: Record, number: int) -> None:
    if number == len(_PHASES):
        failed = knob(record, "outcome") == "Failed"
        _over(state, record, "Failed" if failed else "Completed")
        return
    name, length = _PHASES[number]
    touch(state, record, AutoMLJobSecondaryStatus=name)
    if name == "ModelTuning":
        record["_timer"] = state.after(0.0, _candidate, state, record, number)
    else:
        record["_timer"] = state.after(length, _phase, state, record, number + 1)


def _candidate(state: State, record: Record, number: int) -> None:
    """One candidate more; the last of them ends the phase."""
    held: list[Record] = record["_candidates"]
    if held:
        _finish(state, record, held[-1])
    if len(held) == CANDIDATES:
        _phase(state, record, number + 1)
        return
    name = f"{record['AutoMLJobName'][:20]}-trial-{len(held) + 1:03d}"
    held.append(
        {
            "CandidateName": name,
            "ObjectiveStatus": "Pending",
            "CandidateStatus": "InProgress",
            "CandidateSteps": [
                {
                    "CandidateStepType": "AWS::SageMaker::TrainingJob",
                    "CandidateStepArn": sagemaker_arn(state, "training-job", name),
                    "CandidateStepName": name,
                }
            ],
            "CreationTime": state.now,
            "LastModifiedTime": state.now,
        }
    )
    touch(state, record)
    record["_timer"] = state.after(seconds(record, EACH), _candidate, state, record, number)


def _finish(state: State, record: Record, candidate: Record) -> None:
    metric = record["AutoMLJobObjective"]["MetricName"]
    lower = lower_is_better(metric)
    drawn = share(candidate["CandidateName"], metric)
    value = 0.10 + 0.25 * drawn if lower else 0.75 + 0.2 * drawn
    root = record["OutputDataConfig"]["S3OutputPath"].rstrip("/")
    candidate.update(
        CandidateStatus="Completed",
        ObjectiveStatus="Succeeded",
        EndTime=state.now,
        LastModifiedTime=state.now,
        FinalAutoMLJobObjectiveMetric={
            "Type": "Minimize" if lower else "Maximize",
            "MetricName": metric,
            "Value": round(value, 6),
        },
        InferenceContainers=[
            {
                "Image": "simulated/autopilot",
                "ModelDataUrl": f"{root}/{candidate['CandidateName']}/model.tar.gz",
            }
        ],
    )
    best = record.get("BestCandidate")
    held = best and best["FinalAutoMLJobObjectiveMetric"]["Value"]
    if held is None or (value < held if lower else value > held):
        record["BestCandidate"] = candidate


def _over(state: State, record: Record, status: str) -> None:
    if status == "Failed":
        record["FailureReason"] = knob(record, "reason") or "The data could not be read."
    touch(state, record, AutoMLJobStatus=status, AutoMLJobSecondaryStatus=status, EndTime=state.now)
    done: Done | None = record.get("_done")
    if done is not None:
        done(record)


def stop(state: State, record: Record) -> None:
    """Stop a job that runs; it is Stopped some seconds later."""
    if record["AutoMLJobStatus"] != "InProgress":
        return
    state.cancel(record["_timer"])
    touch(state, record, AutoMLJobStatus="Stopping", AutoMLJobSecondaryStatus="Stopping")
    for each in record["_candidates"]:
        if each["CandidateStatus"] == "InProgress":
            each.update(CandidateStatus="Stopped", ObjectiveStatus="Failed", EndTime=state.now)
    record["_timer"] = state.after(15.0, _over, state, record, "Stopped")


def _job(state: State, call: Call) -> Record:
    name = call.params["AutoMLJobName"]
    missing = f"Could not find the AutoML job {name}."
    return find(state, TABLE, name, missing, "ResourceNotFound")


@operation("sagemaker", "StopAutoMLJob")
def stop_automl_job(state: State, call: Call) -> dict[str, Any]:
    stop(state, _job(state, call))
    return {}


@operation("sagemaker", "DescribeAutoMLJobV2")
def describe(state: State, call: Call) -> dict[str, Any]:
    return described(call, _job(state, call))


@operation("sagemaker", "ListAutoMLJobs")
def list_automl_jobs(state: State, call: Call) -> dict[str, Any]:
    rows = select(call, state.table(TABLE).values(), name="AutoMLJobName", status="AutoMLJobStatus")
    return summaries(call, "AutoMLJobSummaries", rows)


@operation("sagemaker", "ListCandidatesForAutoMLJob")
def list_candidates(state: State, call: Call) -> dict[str, Any]:
    rows = select(
        call,
        _job(state, call)["_candidates"],
        name="CandidateName",
        status="CandidateStatus",
        equal={"CandidateNameEquals": "CandidateName"},
    )
    member = output_shape("sagemaker", call.operation).members["Candidates"].member
    return page(call, "Candidates", [fit(row, member) for row in rows])
