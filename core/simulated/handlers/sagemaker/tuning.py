"""Hyperparameter tuning: training jobs one after another, the best of them kept."""

from __future__ import annotations

import math
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.sagemaker import training
from core.simulated.handlers.sagemaker.common import drop, find, keep, sagemaker_arn, share, touch
from core.simulated.listing import Record, described, fit, output_shape, page, select, summaries
from core.simulated.registry import operation
from core.simulated.state import Call, State

TABLE = "sagemaker.tuning-jobs"
_NAME = "HyperParameterTuningJobName"
_STATUS = "HyperParameterTuningJobStatus"
Done = Any


@operation("sagemaker", "CreateHyperParameterTuningJob")
def create(state: State, call: Call) -> dict[str, Any]:
    record = start(state, dict(call.params))
    return {"HyperParameterTuningJobArn": record["HyperParameterTuningJobArn"]}


def start(state: State, params: Record, done: Done = None) -> Record:
    """Start a tuning job; `done` is called with its record once it is over."""
    name = str(params[_NAME])
    arn = sagemaker_arn(state, "hyper-parameter-tuning-job", name)
    if name in state.table(TABLE):
        raise Fault("ResourceInUse", f"A tuning job of this name already exists: {arn}", 400)
    if "TrainingJobDefinition" not in params and "TrainingJobDefinitions" not in params:
        raise Fault("ValidationException", "Specify a TrainingJobDefinition.", 400)
    record: Record = {
        **params,
        "HyperParameterTuningJobArn": arn,
        _STATUS: "InProgress",
        "_jobs": [],
        "_done": done,
    }
    keep(state, TABLE, name, arn, record)
    _count(record)
    _launch(state, record)
    return record


def _config(record: Record) -> Record:
    return dict(record["HyperParameterTuningJobConfig"])


def _definition(record: Record, number: int) -> Record:
    many = record.get("TrainingJobDefinitions")
    return dict(many[number % len(many)] if many else record["TrainingJobDefinition"])


def _launch(state: State, record: Record) -> None:
    """Start as many training jobs as may run at a time."""
    limits = _config(record)["ResourceLimits"]
    most = int(limits.get("MaxNumberOfTrainingJobs") or 10)
    jobs: list[Record] = record["_jobs"]
    running = [each for each in jobs if each["TrainingJobStatus"] not in training.OVER]
    free = int(limits["MaxParallelTrainingJobs"]) - len(running)
    while free > 0 and len(jobs) < most and record[_STATUS] == "InProgress":
        _one(state, record)
        free -= 1
    _count(record)
    done = len(jobs) >= most or record[_STATUS] == "Stopping"
    if done and all(each["TrainingJobStatus"] in training.OVER for each in jobs):
        _over(state, record)


def _one(state: State, record: Record) -> None:
    number = len(record["_jobs"])
    definition = _definition(record, number)
    tuned = _pick(record, definition, number)
    params = {
        **{k: v for k, v in definition.items() if k in _PASSED},
        "TrainingJobName": f"{record[_NAME][:40]}-{number + 1:03d}-{state.unique()[:8]}",
        "HyperParameters": {**definition.get("StaticHyperParameters", {}), **tuned},
        "AlgorithmSpecification": dict(definition["AlgorithmSpecification"]),
        "ResourceConfig": definition.get("ResourceConfig") or _resources(definition),
        "Tags": [tag for tag in record["_tags"] if not tag["Key"].startswith("simulate-outcome")],
    }
    metric = _objective(record, definition)["MetricName"]
    metrics = list(params["AlgorithmSpecification"].get("MetricDefinitions") or [])
    if not any(each["Name"] == metric for each in metrics):
        metrics.append({"Name": metric, "Regex": ".*"})
    params["AlgorithmSpecification"]["MetricDefinitions"] = metrics
    job = training.start(state, params, done=lambda each: _ended(state, record, each))
    job["TuningJobArn"] = record["HyperParameterTuningJobArn"]
    job["_tuned"] = tuned
    job["_definition"] = definition.get("DefinitionName")
    record["_jobs"].append(job)


_PASSED = frozenset(
    {
        "RoleArn", "InputDataConfig", "VpcConfig", "OutputDataConfig", "StoppingCondition",
        "EnableNetworkIsolation", "EnableManagedSpotTraining", "CheckpointConfig", "Environment",
        "EnableInterContainerTrafficEncryption", "RetryStrategy",
    }
)  # fmt: skip


def _resources(definition: Record) -> Record:
    config = dict(definition.get("HyperParameterTuningResourceConfig") or {})
    return {
        "InstanceType": config.get("InstanceType", "ml.m5.large"),
        "InstanceCount": config.get("InstanceCount", 1),
        "VolumeSizeInGB": config.get("VolumeSizeInGB", 30),
    }


def _objective(record: Record, definition: Record) -> Record:
    found = definition.get("TuningObjective") or _config(record).get(
        "HyperParameterTuningJobObjective"
    )
    return dict(found or {"Type": "Minimize", "MetricName": "validation:rmse"})


def _pick(record: Record, definition: Record, number: int) -> dict[str, str]:
    """Values for one training job: spread at random; by Bayes, nearer the best so far."""
    ranges = definition.get("HyperParameterRanges") or _config(record).get("ParameterRanges") or {}
    best = (record.get("BestTrainingJob") or {}).get("TunedHyperParameters") or {}
    bayes = _config(record)["Strategy"] == "Bayesian" and number >= 3
    values: dict[str, str] = {}
    for each in ranges.get("ContinuousParameterRanges") or []:
        values[each["Name"]] = f"{_number(record, each, number, best if bayes else {}):.6g}"
    for each in ranges.get("IntegerParameterRanges") or []:
        values[each["Name"]] = str(round(_number(record, each, number, best if bayes else {})))
    for each in ranges.get("CategoricalParameterRanges") or []:
        choices = each["Values"]
        at = int(share(record[_NAME], each["Name"], number) * len(choices))
        values[each["Name"]] = str(choices[at])
    return values


def _number(record: Record, each: Record, number: int, best: Record) -> float:
    low, high = float(each["MinValue"]), float(each["MaxValue"])
    drawn = share(record[_NAME], each["Name"], number)
    logarithmic = each.get("ScalingType") == "Logarithmic" and low > 0
    if each["Name"] in best:
        centre = float(best[each["Name"]])
        width = (high - low) * 0.25 / math.sqrt(number)
        value = centre + (drawn - 0.5) * 2 * width
        return min(high, max(low, value))
    if logarithmic:
        return float(math.exp(math.log(low) + drawn * (math.log(high) - math.log(low))))
    return low + drawn * (high - low)


def _ended(state: State, record: Record, job: Record) -> None:
    """A training job is over: count it, keep it if it is the best, start the next."""
    best = record.get("BestTrainingJob")
    mine = _summary(record, job)
    value = (mine.get("FinalHyperParameterTuningJobObjectiveMetric") or {}).get("Value")
    if value is not None and job["TrainingJobStatus"] == "Completed":
        objective = _objective(record, _definition(record, 0))
        held = (best or {}).get("FinalHyperParameterTuningJobObjectiveMetric", {}).get("Value")
        better = held is None or (value < held if objective["Type"] == "Minimize" else value > held)
        if better:
            record["BestTrainingJob"] = mine
    touch(state, record)
    _launch(state, record)


def _summary(record: Record, job: Record) -> Record:
    definition = _definition(record, 0)
    objective = _objective(record, definition)
    final = next(
        (
            each["Value"]
            for each in job.get("FinalMetricDataList") or []
            if each["MetricName"] == objective["MetricName"]
        ),
        None,
    )
    over = job["TrainingJobStatus"] in training.OVER
    found: Record = {
        **{key: job[key] for key in _JOB if job.get(key) is not None},
        "TuningJobName": record[_NAME],
        "TunedHyperParameters": job["_tuned"],
        "ObjectiveStatus": "Succeeded" if final is not None else "Failed" if over else "Pending",
    }
    if job.get("_definition"):
        found["TrainingJobDefinitionName"] = job["_definition"]
    if final is not None:
        found["FinalHyperParameterTuningJobObjectiveMetric"] = {
            "Type": objective["Type"],
            "MetricName": objective["MetricName"],
            "Value": final,
        }
    return found


_JOB = (
    "TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingStartTime", "TrainingEndTime",
    "TrainingJobStatus", "FailureReason",
)  # fmt: skip


def _count(record: Record) -> None:
    states = [job["TrainingJobStatus"] for job in record["_jobs"]]
    record["TrainingJobStatusCounters"] = {
        "Completed": states.count("Completed"),
        "InProgress": states.count("InProgress") + states.count("Stopping"),
        "RetryableError": 0,
        "NonRetryableError": states.count("Failed"),
        "Stopped": states.count("Stopped"),
    }
    record["ObjectiveStatusCounters"] = {
        "Succeeded": states.count("Completed"),
        "Pending": states.count("InProgress") + states.count("Stopping"),
        "Failed": states.count("Failed") + states.count("Stopped"),
    }


def _over(state: State, record: Record) -> None:
    if record[_STATUS] == "Stopping":
        status = "Stopped"
    elif any(job["TrainingJobStatus"] == "Completed" for job in record["_jobs"]):
        status = "Completed"
    else:
        status = "Failed"
        record["FailureReason"] = "All training jobs of the tuning job failed."
    if record.get("BestTrainingJob"):
        record["OverallBestTrainingJob"] = record["BestTrainingJob"]
    touch(state, record, **{_STATUS: status, "HyperParameterTuningEndTime": state.now})
    if record.get("_done") is not None:
        record["_done"](record)


def stop(state: State, record: Record) -> None:
    """Stop what runs of a tuning job."""
    if record[_STATUS] != "InProgress":
        return
    touch(state, record, **{_STATUS: "Stopping"})
    for job in record["_jobs"]:
        training.stop(state, job)
    if all(job["TrainingJobStatus"] in training.OVER for job in record["_jobs"]):
        _over(state, record)


def _job(state: State, call: Call) -> Record:
    name = call.params[_NAME]
    missing = f"Amazon SageMaker can't find a tuning job with the name {name}."
    return find(state, TABLE, name, missing, "ResourceNotFound")


@operation("sagemaker", "StopHyperParameterTuningJob")
def stop_tuning_job(state: State, call: Call) -> dict[str, Any]:
    stop(state, _job(state, call))
    return {}


@operation("sagemaker", "DeleteHyperParameterTuningJob")
def delete_tuning_job(state: State, call: Call) -> dict[str, Any]:
    record = _job(state, call)
    if record[_STATUS] in ("InProgress", "Stopping"):
        raise Fault("ValidationException", "A tuning job that runs cannot be deleted.", 400)
    drop(state, TABLE, record[_NAME])
    return {}


@operation("sagemaker", "DescribeHyperParameterTuningJob")
def describe(state: State, call: Call) -> dict[str, Any]:
    record = _job(state, call)
    _count(record)
    return described(call, record)


@operation("sagemaker", "ListHyperParameterTuningJobs")
def list_tuning_jobs(state: State, call: Call) -> dict[str, Any]:
    rows = select(call, state.table(TABLE).values(), name=_NAME, status=_STATUS)
    for row in rows:
        _count(row)
    flat = [
        {
            **row,
            "Strategy": _config(row)["Strategy"],
            "ResourceLimits": _config(row)["ResourceLimits"],
        }
        for row in rows
    ]
    return summaries(call, "HyperParameterTuningJobSummaries", flat)


@operation("sagemaker", "ListTrainingJobsForHyperParameterTuningJob")
def list_training_jobs(state: State, call: Call) -> dict[str, Any]:
    record = _job(state, call)
    rows = [_summary(record, job) for job in record["_jobs"]]
    wanted = call.params.get("StatusEquals")
    rows = [row for row in rows if wanted in (None, row["TrainingJobStatus"])]
    if call.params.get("SortBy") == "FinalObjectiveMetricValue":
        rows = [row for row in rows if "FinalHyperParameterTuningJobObjectiveMetric" in row]
        key = lambda row: row["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]  # noqa: E731
    else:
        key = lambda row: row["CreationTime"]  # noqa: E731
    rows.sort(key=key, reverse=call.params.get("SortOrder", "Ascending") == "Descending")
    member = output_shape("sagemaker", call.operation).members["TrainingJobSummaries"].member
    return page(call, "TrainingJobSummaries", [fit(row, member) for row in rows])
