"""Training jobs: Starting, Downloading, Training, Uploading, then Completed, Failed or Stopped."""

from __future__ import annotations

import io
import json
import math
import tarfile
from collections.abc import Callable
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.sagemaker import lineage
from core.simulated.handlers.sagemaker.common import (
    drop,
    find,
    keep,
    knob,
    knobs,
    log,
    measure,
    sagemaker_arn,
    seconds,
    share,
    stamp,
    tell,
    touch,
    write,
)
from core.simulated.listing import Record, described, select, summaries
from core.simulated.registry import operation
from core.simulated.state import Call, State

TABLE = "sagemaker.training-jobs"
LOGS = "/aws/sagemaker/TrainingJobs"
METRICS = "/aws/sagemaker/TrainingJobs"
STARTING, DOWNLOADING, TRAINING, UPLOADING, STOPPING = 45.0, 20.0, 240.0, 15.0, 20.0
EPOCHS = 12
_SAID = {
    "Starting": "Preparing the instances for training",
    "Downloading": "Downloading the training image",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Completed": "Training job completed",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "Failed": "Training job failed",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
}
OVER = frozenset({"Completed", "Failed", "Stopped"})
Done = Callable[[Record], None]


@operation("sagemaker", "CreateTrainingJob")
def create_training_job(state: State, call: Call) -> dict[str, Any]:
    record = start(state, dict(call.params))
    return {"TrainingJobArn": record["TrainingJobArn"]}


def start(state: State, params: Record, done: Done | None = None) -> Record:
    """Start a training job; `done` is called with its record once it is over."""
    name = str(params["TrainingJobName"])
    arn = sagemaker_arn(state, "training-job", name)
    if name in state.table(TABLE):
        raise Fault(
            "ResourceInUse",
            "Training job names must be unique within an AWS account and region, and a training "
            f"job with this name already exists ({arn})",
            400,
        )
    record: Record = {
        **params,
        "TrainingJobArn": arn,
        "TrainingJobStatus": "InProgress",
        "SecondaryStatusTransitions": [],
        "ModelArtifacts": {"S3ModelArtifacts": _artifact(params)},
        "_done": done,
    }
    keep(state, TABLE, name, arn, record)
    _rules(state, record, "InProgress")
    _second(state, record, "Starting")
    record["_timer"] = state.after(STARTING, _download, state, record)
    return record


def _artifact(params: Record) -> str:
    root = str((params.get("OutputDataConfig") or {}).get("S3OutputPath", "s3://models")).rstrip(
        "/"
    )
    return f"{root}/{params['TrainingJobName']}/output/model.tar.gz"


def _second(state: State, record: Record, status: str, message: str = "") -> None:
    """Enter a secondary status, which ends the one before."""
    moves: list[Record] = record["SecondaryStatusTransitions"]
    if moves:
        moves[-1]["EndTime"] = state.now
    moves.append(
        {"Status": status, "StartTime": state.now, "StatusMessage": message or _SAID[status]}
    )
    touch(state, record, SecondaryStatus=status)
    _log(state, record, message or _SAID[status])


def _log(state: State, record: Record, *lines: str) -> None:
    stream = f"{record['TrainingJobName']}/algo-1-{stamp(record['CreationTime'])}"
    log(state, LOGS, stream, *lines)


def _download(state: State, record: Record) -> None:
    record["TrainingStartTime"] = state.now
    _second(state, record, "Downloading")
    record["_timer"] = state.after(DOWNLOADING, _train, state, record)


def _train(state: State, record: Record) -> None:
    _second(state, record, "Training")
    wanted = seconds(record, TRAINING)
    limit = float((record.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds") or math.inf)
    record["_length"], record["_epoch"] = wanted, 0
    record["_limit"] = state.after(limit, _too_long, state, record) if limit < wanted else None
    record["_timer"] = state.after(wanted / EPOCHS, _one_epoch, state, record)


def _one_epoch(state: State, record: Record) -> None:
    """One of the steps of training: its metrics go to CloudWatch and the log."""
    record["_epoch"] += 1
    passed = record["_epoch"] / EPOCHS
    said = []
    for name, final in finals(record).items():
        value = curve(name, final, passed)
        said.append(f"{name}={value:.5f}")
        measure(state, METRICS, name, value, "None", TrainingJobName=record["TrainingJobName"])
    _log(state, record, f"[{record['_epoch']}/{EPOCHS}] " + " ".join(said))
    _utilization(state, record)
    if record["_epoch"] < EPOCHS:
        record["_timer"] = state.after(record["_length"] / EPOCHS, _one_epoch, state, record)
    elif knob(record, "outcome") == "Failed":
        _fail(state, record, knob(record, "reason") or "AlgorithmError: ExecuteUserScriptError")
    else:
        _upload(state, record)


def _utilization(state: State, record: Record) -> None:
    host = f"{record['TrainingJobName']}/algo-1"
    for name, low, high in (("CPUUtilization", 55, 95), ("MemoryUtilization", 30, 60)):
        value = low + (high - low) * share(host, name, record["_epoch"])
        measure(state, METRICS, name, value, "Percent", Host=host)


def _upload(state: State, record: Record) -> None:
    _second(state, record, "Uploading")
    record["_timer"] = state.after(UPLOADING, _complete, state, record)


def _complete(state: State, record: Record) -> None:
    trouble = write(state, record["ModelArtifacts"]["S3ModelArtifacts"], _model(record))
    if trouble is not None:
        _fail(state, record, f"ClientError: {trouble}")
        return
    record["FinalMetricDataList"] = [
        {"MetricName": name, "Value": value, "Timestamp": state.now}
        for name, value in finals(record).items()
    ]
    lineage.trained(state, record)
    _over(state, record, "Completed", "Completed")


def _model(record: Record) -> bytes:
    """model.tar.gz: what was trained, as a small file that can be read."""
    body = json.dumps({"trained_by": record["TrainingJobName"], "metrics": finals(record)}).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        member = tarfile.TarInfo("model.json")
        member.size = len(body)
        archive.addfile(member, io.BytesIO(body))
    return out.getvalue()


def _fail(state: State, record: Record, reason: str) -> None:
    record["FailureReason"] = reason
    _log(state, record, f"ERROR {reason}")
    _over(state, record, "Failed", "Failed", reason)


def _too_long(state: State, record: Record) -> None:
    state.cancel(record["_timer"])
    _over(state, record, "Stopped", "MaxRuntimeExceeded")


def _over(state: State, record: Record, status: str, second: str, message: str = "") -> None:
    if record.get("_limit") is not None:
        state.cancel(record["_limit"])
    _second(state, record, second, message)
    record["SecondaryStatusTransitions"][-1]["EndTime"] = state.now
    begun = record.get("TrainingStartTime")
    if begun is not None:
        length = max(1, round(state.clock.nominal(state.now) - state.clock.nominal(begun)))
        spot = 0.35 if record.get("EnableManagedSpotTraining") else 1.0
        record["TrainingTimeInSeconds"] = length
        record["BillableTimeInSeconds"] = max(1, round(length * spot))
    touch(state, record, TrainingJobStatus=status, TrainingEndTime=state.now)
    _rules(state, record, "Stopped" if status == "Stopped" else "NoIssuesFound")
    names = ("TrainingJobName", "TrainingJobArn", "TrainingJobStatus", "SecondaryStatus")
    detail = {name: record.get(name) for name in (*names, "FailureReason")}
    tell(state, "Training Job State Change", record["TrainingJobArn"], detail)
    done: Done | None = record.get("_done")
    if done is not None:
        done(record)


def _rules(state: State, record: Record, status: str) -> None:
    """The states of Debugger's rules; one named in `simulate-issues` has found something."""
    rules = record.get("DebugRuleConfigurations") or []
    issues = (knob(record, "issues") or "").split(",")
    if rules:
        record["DebugRuleEvaluationStatuses"] = [
            {
                "RuleConfigurationName": rule["RuleConfigurationName"],
                "RuleEvaluationJobArn": sagemaker_arn(
                    state,
                    "processing-job",
                    f"{record['TrainingJobName'][:26]}-{rule['RuleConfigurationName'][:26]}",
                ),
                "RuleEvaluationStatus": "IssuesFound"
                if status == "NoIssuesFound" and rule["RuleConfigurationName"] in issues
                else status,
                "LastModifiedTime": state.now,
            }
            for rule in rules
        ]


@operation("sagemaker", "StopTrainingJob")
def stop_training_job(state: State, call: Call) -> dict[str, Any]:
    record = find(state, TABLE, call.params["TrainingJobName"], "Requested resource not found.")
    if record["TrainingJobStatus"] != "InProgress":
        raise Fault(
            "ValidationException",
            f"The request was rejected because the training job is in status "
            f"{record['TrainingJobStatus']}.",
        )
    stop(state, record)
    return {}


def stop(state: State, record: Record) -> None:
    """Stop a job that runs; it is Stopped some seconds later."""
    if record["TrainingJobStatus"] != "InProgress":
        return
    state.cancel(record["_timer"])
    touch(state, record, TrainingJobStatus="Stopping")
    _second(state, record, "Stopping")
    record["_timer"] = state.after(STOPPING, _over, state, record, "Stopped", "Stopped")


@operation("sagemaker", "DeleteTrainingJob")
def delete_training_job(state: State, call: Call) -> dict[str, Any]:
    record = find(state, TABLE, call.params["TrainingJobName"], "Requested resource not found.")
    if record["TrainingJobStatus"] not in OVER:
        raise Fault("ValidationException", "A training job that runs cannot be deleted.")
    drop(state, TABLE, record["TrainingJobName"])
    return {}


@operation("sagemaker", "DescribeTrainingJob")
def describe_training_job(state: State, call: Call) -> dict[str, Any]:
    record = find(state, TABLE, call.params["TrainingJobName"], "Requested resource not found.")
    return described(call, record)


@operation("sagemaker", "ListTrainingJobs")
def list_training_jobs(state: State, call: Call) -> dict[str, Any]:
    rows = select(
        call,
        state.table(TABLE).values(),
        name="TrainingJobName",
        status="TrainingJobStatus",
    )
    return summaries(call, "TrainingJobSummaries", rows)


# -- what is learned


def lower_is_better(metric: str) -> bool:
    """Whether a metric of this name falls as a model learns."""
    name = metric.lower()
    return any(word in name for word in ("loss", "error", "rmse", "mae", "mse", "mape"))


def finals(record: Record) -> dict[str, float]:
    """The final value of each metric: what was asked for, else from the hyperparameters."""
    asked = {name: float(value) for name, value in knobs(record, "metric").items()}
    defined = [
        each["Name"] for each in record["AlgorithmSpecification"].get("MetricDefinitions") or []
    ]
    names = list(dict.fromkeys([*defined, *asked]))
    if not names:
        image = str(record["AlgorithmSpecification"].get("TrainingImage", ""))
        names = (
            ["train:rmse", "validation:rmse"] if "xgboost" in image else ["train:loss", "accuracy"]
        )
    return {name: round(asked.get(name, _reached(record, name)), 6) for name in names}


def _reached(record: Record, metric: str) -> float:
    """How good the hyperparameters are: each number has a best value of its own."""
    far = 0.0
    for name, text in sorted((record.get("HyperParameters") or {}).items()):
        try:
            value = float(text)
        except ValueError:
            continue
        best = 10 ** (4 * share(name, "best") - 3)
        far += min(9.0, math.log10((abs(value) + 1e-6) / best) ** 2)
    loss = 0.12 + 0.04 * far + 0.03 * share(metric, "metric")
    return loss if lower_is_better(metric) else max(0.02, 1.0 - loss)


def curve(metric: str, final: float, passed: float) -> float:
    """A metric at a part of its training: from far off to `final`, quickly and then slowly."""
    start = final * 3 + 0.3 if lower_is_better(metric) else final * 0.5
    return (
        final
        + (start - final) * math.exp(-4.5 * passed)
        - (start - final) * math.exp(-4.5) * (passed)
    )
