"""What each type of pipeline step does: it starts a job, and says when that is over."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from core.simulated import models
from core.simulated.faults import Fault
from core.simulated.handlers.sagemaker import automl, jobs, packages, training, tuning
from core.simulated.handlers.sagemaker.common import KNOB, by_arn, knob
from core.simulated.listing import Record
from core.simulated.state import State
from core.simulated.validate import check_input

AT_ONCE, EXTERNAL = 4.0, 60.0


@dataclass
class Outcome:
    """How a step ended: `outputs` are the properties that other steps can ask of it."""

    status: str
    outputs: Record
    reason: str = ""


Finish = Callable[[Outcome], None]


@dataclass
class Started:
    """A step that runs: its metadata, and how it is stopped."""

    metadata: Record
    stop: Callable[[], None]


def _checked(operation: str, params: Mapping[str, Any]) -> Record:
    check_input(params, models.model("sagemaker").operation_model(operation))
    return dict(params)


def run(
    state: State, step: Record, kind: str, name: str, arguments: Record, finish: Finish
) -> Started:
    """Start a step of a type; raises `Fault` if its arguments are refused."""
    arguments = _attempted(step, arguments)
    runner = _RUNNERS.get(kind, _external)
    return runner(state, step, name, arguments, finish)


def _attempted(step: Record, arguments: Record) -> Record:
    """With `simulate-attempts: N`, only the first N attempts fail."""
    limit = knob(arguments, "attempts")
    if limit is None or step["AttemptCount"] <= int(limit):
        return arguments
    kept = dict(arguments)
    for place in ("Environment", "HyperParameters"):
        if place in arguments:
            kept[place] = {
                key: value
                for key, value in arguments[place].items()
                if key not in (f"{KNOB}outcome", "SIMULATE_OUTCOME")
            }
    return kept


def _training(state: State, step: Record, name: str, arguments: Record, finish: Finish) -> Started:
    params = _checked("CreateTrainingJob", {"TrainingJobName": name, **arguments})
    record = training.start(state, params, lambda job: finish(_ended(job, "TrainingJobStatus")))
    return Started(
        {"TrainingJob": {"Arn": record["TrainingJobArn"]}}, lambda: training.stop(state, record)
    )


def _ended(record: Record, status: str) -> Outcome:
    known = {"Completed": "Succeeded", "Stopped": "Stopped"}
    reason = str(record.get("FailureReason", ""))
    return Outcome(known.get(record[status], "Failed"), record, reason)


def _processing(
    state: State, step: Record, name: str, arguments: Record, finish: Finish
) -> Started:
    params = _checked("CreateProcessingJob", {"ProcessingJobName": name, **arguments})
    record = jobs.start(
        state, jobs.PROCESSING, params, lambda job: finish(_ended(job, "ProcessingJobStatus"))
    )
    return Started(
        {"ProcessingJob": {"Arn": record["ProcessingJobArn"]}},
        lambda: jobs.stop(state, jobs.PROCESSING, record),
    )


def _check(kind: str) -> Callable[..., Started]:
    def start(state: State, step: Record, name: str, arguments: Record, finish: Finish) -> Started:
        started = _processing(state, step, name, arguments, finish)
        arn = started.metadata["ProcessingJob"]["Arn"]
        more = {"CheckJobArn": arn, "CheckType": step["_spec"].get("CheckType", "DATA_QUALITY")}
        for member in ("RegisterNewBaseline", "SkipCheck", "ModelPackageGroupName"):
            if isinstance(step["_spec"].get(member), (bool, str)):
                more[member] = step["_spec"][member]
        return Started({kind: more}, started.stop)

    return start


def _transform(state: State, step: Record, name: str, arguments: Record, finish: Finish) -> Started:
    params = _checked("CreateTransformJob", {"TransformJobName": name, **arguments})
    record = jobs.start(
        state, jobs.TRANSFORM, params, lambda job: finish(_ended(job, "TransformJobStatus"))
    )
    return Started(
        {"TransformJob": {"Arn": record["TransformJobArn"]}},
        lambda: jobs.stop(state, jobs.TRANSFORM, record),
    )


def _tuning(state: State, step: Record, name: str, arguments: Record, finish: Finish) -> Started:
    params = _checked(
        "CreateHyperParameterTuningJob", {"HyperParameterTuningJobName": name[:32], **arguments}
    )

    def ended(job: Record) -> None:
        found = _ended(job, "HyperParameterTuningJobStatus")
        best = sorted(
            job["_jobs"],
            key=lambda each: each is not _best(job),
        )
        found.outputs = {**job, "TrainingJobSummaries": best}
        finish(found)

    record = tuning.start(state, params, ended)
    return Started(
        {"TuningJob": {"Arn": record["HyperParameterTuningJobArn"]}},
        lambda: tuning.stop(state, record),
    )


def _best(job: Record) -> Record | None:
    name = (job.get("BestTrainingJob") or {}).get("TrainingJobName")
    return next((each for each in job["_jobs"] if each["TrainingJobName"] == name), None)


def _automl(state: State, step: Record, name: str, arguments: Record, finish: Finish) -> Started:
    params = _checked("CreateAutoMLJobV2", {"AutoMLJobName": name[:32], **arguments})
    record = automl.start(state, params, lambda job: finish(_ended(job, "AutoMLJobStatus")))
    return Started(
        {"AutoMLJob": {"Arn": record["AutoMLJobArn"]}}, lambda: automl.stop(state, record)
    )


def _later(
    state: State, seconds: float, metadata: Record, finish: Finish, outputs: Record
) -> Started:
    timer = state.after(seconds, finish, Outcome("Succeeded", outputs))

    def stop() -> None:
        state.cancel(timer)
        finish(Outcome("Stopped", {}))

    return Started(metadata, stop)


def _model(state: State, step: Record, name: str, arguments: Record, finish: Finish) -> Started:
    params = _checked("CreateModel", {"ModelName": name, **arguments})
    arn = state.call("sagemaker", "CreateModel", **params)["ModelArn"]
    outputs = {**params, "ModelArn": arn}
    return _later(state, AT_ONCE, {"Model": {"Arn": arn}}, finish, outputs)


def _register(state: State, step: Record, name: str, arguments: Record, finish: Finish) -> Started:
    params = dict(arguments)
    owner = params.get("ModelPackageGroupName")
    if owner is None:
        params.setdefault("ModelPackageName", name)
    elif not str(owner).startswith("arn:"):
        packages.group(state, str(owner))  # a pipeline makes the group if it is new
    arn = state.call("sagemaker", "CreateModelPackage", **params)["ModelPackageArn"]
    outputs = {"ModelPackageArn": arn, **(by_arn(state, arn) or {})}
    return _later(state, AT_ONCE, {"RegisterModel": {"Arn": arn}}, finish, outputs)


def _endpoint_config(
    state: State, step: Record, name: str, arguments: Record, finish: Finish
) -> Started:
    params = {"EndpointConfigName": name, **arguments}
    arn = state.call("sagemaker", "CreateEndpointConfig", **params)["EndpointConfigArn"]
    outputs = {**params, "EndpointConfigArn": arn}
    return _later(state, AT_ONCE, {"EndpointConfig": {"Arn": arn}}, finish, outputs)


def _endpoint(state: State, step: Record, name: str, arguments: Record, finish: Finish) -> Started:
    params = {"EndpointName": name, **arguments}
    known = params["EndpointName"] in state.table("sagemaker.endpoints")
    arn = state.call("sagemaker", "UpdateEndpoint" if known else "CreateEndpoint", **params)[
        "EndpointArn"
    ]
    record = by_arn(state, arn) or {}
    stopped: list[bool] = []

    def look() -> None:
        status = record["EndpointStatus"]
        if stopped:
            finish(Outcome("Stopped", {}))
        elif status == "InService" and record["EndpointConfigName"] == params["EndpointConfigName"]:
            finish(Outcome("Succeeded", {**params, "EndpointArn": arn}))
        elif status in ("Failed", "InService"):
            finish(Outcome("Failed", {}, str(record.get("FailureReason", status))))
        else:
            state.after(15.0, look)

    state.after(15.0, look)
    return Started({"Endpoint": {"Arn": arn}}, lambda: stopped.append(True))


def _callback(state: State, step: Record, name: str, arguments: Record, finish: Finish) -> Started:
    queue = str(step["_spec"].get("SqsQueueUrl", ""))
    token = state.unique()[:10]
    wanted = [each["OutputName"] for each in step["_spec"].get("OutputParameters", [])]
    body = {
        "token": token,
        "pipelineExecutionArn": step["_execution"],
        "status": "Executing",
        "arguments": arguments,
    }
    state.call("sqs", "SendMessage", QueueUrl=queue, MessageBody=json.dumps(body))
    waiting = state.table("sagemaker.callbacks")
    metadata: Record = {
        "Callback": {"CallbackToken": token, "SqsQueueUrl": queue, "OutputParameters": []}
    }

    def answered(outputs: Mapping[str, str] | None, reason: str) -> None:
        waiting.pop(token, None)
        if outputs is None:
            finish(Outcome("Failed", {}, reason))
            return
        missing = [each for each in wanted if each not in outputs]
        if missing:
            finish(Outcome("Failed", {}, f"Output parameters are missing: {', '.join(missing)}"))
            return
        said = [{"Name": key, "Value": str(value)} for key, value in outputs.items()]
        metadata["Callback"]["OutputParameters"] = said
        finish(Outcome("Succeeded", {"OutputParameters": dict(outputs)}))

    waiting[token] = (step["_execution"], answered)

    def stop() -> None:
        waiting.pop(token, None)
        finish(Outcome("Stopped", {}))

    return Started(metadata, stop)


def _lambda(state: State, step: Record, name: str, arguments: Record, finish: Finish) -> Started:
    """No code runs: an output is what the arguments hold under its name, else empty."""
    arn = str(step["_spec"].get("FunctionArn", state.arn("lambda", "function:unnamed")))
    names = [each["OutputName"] for each in step["_spec"].get("OutputParameters", [])]
    outputs = {each: str(arguments.get(each, "")) for each in names}
    said = [{"Name": key, "Value": value} for key, value in outputs.items()]
    metadata: Record = {"Lambda": {"Arn": arn, "OutputParameters": said}}
    return _later(state, EXTERNAL / 4, metadata, finish, {"OutputParameters": outputs})


def _external(state: State, step: Record, name: str, arguments: Record, finish: Finish) -> Started:
    """A step in a service that is not simulated: it takes its time and succeeds."""
    return _later(state, EXTERNAL, {}, finish, dict(arguments))


_RUNNERS: dict[str, Callable[..., Started]] = {
    "Training": _training,
    "Processing": _processing,
    "QualityCheck": _check("QualityCheck"),
    "ClarifyCheck": _check("ClarifyCheck"),
    "Transform": _transform,
    "Tuning": _tuning,
    "AutoML": _automl,
    "Model": _model,
    "RegisterModel": _register,
    "EndpointConfig": _endpoint_config,
    "Endpoint": _endpoint,
    "Callback": _callback,
    "Lambda": _lambda,
}
# Types that are known to SageMaker; those without a runner take their time and succeed.
TYPES = frozenset({*_RUNNERS, "Condition", "Fail", "EMR", "EMRServerless", "Job", "Lineage"})


def refused(fault: Fault) -> str:
    """A refused call as a step's reason of failure."""
    return (
        f"ClientError: Failed to invoke the service. Error Details: {fault.code}: {fault.message}"
    )
