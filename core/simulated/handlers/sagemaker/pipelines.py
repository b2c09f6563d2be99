"""Pipelines and their executions, as the API shows them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.sagemaker import executing, steps
from core.simulated.handlers.sagemaker.common import (
    drop,
    find,
    keep,
    read,
    sagemaker_arn,
    touch,
)
from core.simulated.listing import Record, described, fit, output_shape, page, select, summaries
from core.simulated.registry import operation
from core.simulated.state import Call, State

TABLE = "sagemaker.pipelines"
EXECUTIONS = "sagemaker.pipeline-executions"
_CASTS: dict[str, Callable[[str], Any]] = {
    "Integer": int,
    "Float": float,
    "Boolean": lambda text: text.lower() == "true",
}


def pipeline_of(state: State, name: str) -> Record:
    """The pipeline of this name or ARN, or AWS's answer that there is none."""
    arn = name if name.startswith("arn:") else sagemaker_arn(state, "pipeline", name)
    return find(state, TABLE, name, f"Pipeline '{arn}' does not exist.", "ResourceNotFound")


def execution_of(state: State, arn: str) -> Record:
    """The execution of this ARN, or AWS's answer that there is none."""
    missing = f"Pipeline execution with ARN {arn} does not exist."
    return find(state, EXECUTIONS, arn, missing, "ResourceNotFound")


def _text(state: State, params: Mapping[str, Any]) -> str:
    if "PipelineDefinition" in params:
        return str(params["PipelineDefinition"])
    where = params["PipelineDefinitionS3Location"]
    body = read(state, f"s3://{where['Bucket']}/{where['ObjectKey']}")
    if body is None:
        raise Fault(
            "ValidationException", f"No definition at {where['Bucket']}/{where['ObjectKey']}"
        )
    return body.decode()


def parsed(text: str) -> Record:
    """A definition, checked as SageMaker does when a pipeline is made."""
    try:
        definition = json.loads(text)
    except ValueError as error:
        raise Fault(
            "ValidationException", f"Invalid JSON in pipeline definition: {error}"
        ) from error
    if not isinstance(definition, dict) or definition.get("Version") != "2020-12-01":
        raise Fault("ValidationException", "The pipeline definition's Version must be 2020-12-01.")
    names: list[str] = []
    for spec in executing.every(definition):
        if not spec.get("Name") or spec.get("Type") not in steps.TYPES:
            raise Fault(
                "ValidationException",
                f"Step {spec.get('Name')!r} is of an unknown type: {spec.get('Type')!r}.",
            )
        names.append(spec["Name"])
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise Fault("ValidationException", f"Step names must be unique: {', '.join(sorted(twice))}")
    for spec in executing.every(definition):
        unknown = executing.needs(spec) - set(names)
        if unknown:
            raise Fault(
                "ValidationException",
                f"Step {spec['Name']} depends on unknown steps: {', '.join(sorted(unknown))}",
            )
    return definition


@operation("sagemaker", "CreatePipeline")
def create_pipeline(state: State, call: Call) -> dict[str, Any]:
    params = dict(call.params)
    name = str(params["PipelineName"])
    arn = sagemaker_arn(state, "pipeline", name)
    if name in state.table(TABLE):
        raise Fault(
            "ValidationException",
            f"Pipeline names must be unique within an AWS account and region. Pipeline with name "
            f"({name}) already exists.",
        )
    text = _text(state, params)
    parsed(text)
    record: Record = {
        "PipelineDisplayName": name,
        **params,
        "PipelineArn": arn,
        "PipelineDefinition": text,
        "PipelineStatus": "Active",
        "LastModifiedBy": {},
    }
    keep(state, TABLE, name, arn, record)
    return {"PipelineArn": arn}


@operation("sagemaker", "UpdatePipeline")
def update_pipeline(state: State, call: Call) -> dict[str, Any]:
    record = pipeline_of(state, call.params["PipelineName"])
    changes = {key: value for key, value in call.params.items() if key != "PipelineName"}
    if "PipelineDefinition" in changes or "PipelineDefinitionS3Location" in changes:
        text = _text(state, call.params)
        parsed(text)
        changes["PipelineDefinition"] = text
        changes.pop("PipelineDefinitionS3Location", None)
    touch(state, record, **changes)
    return {"PipelineArn": record["PipelineArn"]}


@operation("sagemaker", "DeletePipeline")
def delete_pipeline(state: State, call: Call) -> dict[str, Any]:
    record = pipeline_of(state, call.params["PipelineName"])
    for execution in _executions(state, record):
        if execution["PipelineExecutionStatus"] in ("Executing", "Stopping"):
            raise Fault("ConflictException", "The pipeline has an execution that runs.")
    drop(state, TABLE, record["PipelineName"])
    return {"PipelineArn": record["PipelineArn"]}


@operation("sagemaker", "DescribePipeline")
def describe_pipeline(state: State, call: Call) -> dict[str, Any]:
    return described(call, pipeline_of(state, call.params["PipelineName"]))


@operation("sagemaker", "ListPipelines")
def list_pipelines(state: State, call: Call) -> dict[str, Any]:
    prefix = str(call.params.get("PipelineNamePrefix", ""))
    found = [
        {**each, "LastExecutionTime": each.get("LastRunTime")}
        for each in state.table(TABLE).values()
        if each["PipelineName"].startswith(prefix)
    ]
    return summaries(call, "PipelineSummaries", select(call, found, name="PipelineName"))


# -- executions


def _executions(state: State, pipeline: Record) -> list[Record]:
    arn = pipeline["PipelineArn"]
    return [each for each in state.table(EXECUTIONS).values() if each["PipelineArn"] == arn]


def _parameters(definition: Record, given: list[Mapping[str, str]]) -> Record:
    """Every parameter's value, by its type; raises for one unknown, missing or not allowed."""
    asked = {each["Name"]: each["Value"] for each in given}
    known = {each["Name"]: each for each in definition.get("Parameters") or []}
    unknown = sorted(set(asked) - set(known))
    if unknown:
        raise Fault("ValidationException", f"Unknown parameter(s): {', '.join(unknown)}")
    missing = sorted(
        name for name, each in known.items() if name not in asked and "DefaultValue" not in each
    )
    if missing:
        raise Fault("ValidationException", f"Parameters [{', '.join(missing)}] are undefined.")
    values: Record = {}
    for name, each in known.items():
        value = asked.get(name, each.get("DefaultValue"))
        allowed = each.get("EnumValues")
        if allowed and str(value) not in [str(one) for one in allowed]:
            raise Fault("ValidationException", f"{name} must be one of {allowed}, not {value}.")
        try:
            cast = _CASTS.get(each["Type"])
            values[name] = cast(value) if cast is not None and isinstance(value, str) else value
        except ValueError as error:
            raise Fault("ValidationException", f"{name} is no {each['Type']}: {value}") from error
    return values


@operation("sagemaker", "StartPipelineExecution")
def start_pipeline_execution(state: State, call: Call) -> dict[str, Any]:
    params = call.params
    pipeline = pipeline_of(state, params["PipelineName"])
    definition = parsed(pipeline["PipelineDefinition"])
    values = _parameters(definition, params.get("PipelineParameters") or [])
    arn = f"{pipeline['PipelineArn']}/execution/{state.unique()}"
    record: Record = {
        "PipelineArn": pipeline["PipelineArn"],
        "PipelineExecutionArn": arn,
        "PipelineExecutionDisplayName": params.get("PipelineExecutionDisplayName")
        or f"execution-{int(state.now * 1000)}",
        "PipelineExecutionDescription": params.get("PipelineExecutionDescription"),
        "PipelineExecutionStatus": "Executing",
        "ParallelismConfiguration": params.get("ParallelismConfiguration")
        or pipeline.get("ParallelismConfiguration"),
        "SelectiveExecutionConfig": params.get("SelectiveExecutionConfig"),
        "LastModifiedBy": {},
        "_pipeline": pipeline["PipelineName"],
        "_definition": definition,
        "_text": pipeline["PipelineDefinition"],
        "_parameters": values,
        "_steps": {},
        "_attempts": {},
    }
    keep(state, EXECUTIONS, arn, arn, record)
    pipeline["LastRunTime"] = state.now
    if params.get("SelectiveExecutionConfig"):
        _select(state, pipeline, record, params["SelectiveExecutionConfig"])
    executing.advance(state, record)
    return {"PipelineExecutionArn": arn}


def _select(state: State, pipeline: Record, record: Record, config: Mapping[str, Any]) -> None:
    """Take over the results of the steps that are not selected from an earlier execution."""
    wanted = {each["StepName"] for each in config["SelectedSteps"]}
    arn = config.get("SourcePipelineExecutionArn")
    if arn is None:
        earlier = [each for each in _executions(state, pipeline) if each is not record]
        if not earlier:
            raise Fault("ValidationException", "There is no execution to take results from.")
        source = max(earlier, key=lambda each: each["CreationTime"])
    else:
        source = execution_of(state, arn)
    for spec in executing.every(record["_definition"]):
        done = source["_steps"].get(spec["Name"])
        if spec["Name"] in wanted or done is None or done["StepStatus"] != "Succeeded":
            continue
        record["_steps"][spec["Name"]] = {
            **done,
            "SelectiveExecutionResult": {
                "SourcePipelineExecutionArn": source["PipelineExecutionArn"]
            },
        }


@operation("sagemaker", "StopPipelineExecution")
def stop_pipeline_execution(state: State, call: Call) -> dict[str, Any]:
    record = execution_of(state, call.params["PipelineExecutionArn"])
    if record["PipelineExecutionStatus"] != "Executing":
        raise Fault(
            "ValidationException",
            f"Pipeline execution with ARN {record['PipelineExecutionArn']} is in status "
            f"{record['PipelineExecutionStatus']}. Only executing executions can be stopped.",
        )
    executing.stop(state, record)
    return {"PipelineExecutionArn": record["PipelineExecutionArn"]}


@operation("sagemaker", "RetryPipelineExecution")
def retry_pipeline_execution(state: State, call: Call) -> dict[str, Any]:
    record = execution_of(state, call.params["PipelineExecutionArn"])
    if record["PipelineExecutionStatus"] not in ("Failed", "Stopped"):
        raise Fault(
            "ValidationException",
            f"Pipeline execution with ARN {record['PipelineExecutionArn']} is in status "
            f"{record['PipelineExecutionStatus']}. Only failed or stopped ones can be retried.",
        )
    if call.params.get("ParallelismConfiguration"):
        record["ParallelismConfiguration"] = call.params["ParallelismConfiguration"]
    executing.retry(state, record)
    return {"PipelineExecutionArn": record["PipelineExecutionArn"]}


@operation("sagemaker", "UpdatePipelineExecution")
def update_pipeline_execution(state: State, call: Call) -> dict[str, Any]:
    record = execution_of(state, call.params["PipelineExecutionArn"])
    changes = {k: v for k, v in call.params.items() if k != "PipelineExecutionArn"}
    touch(state, record, **changes)
    return {"PipelineExecutionArn": record["PipelineExecutionArn"]}


@operation("sagemaker", "DescribePipelineExecution")
def describe_pipeline_execution(state: State, call: Call) -> dict[str, Any]:
    return described(call, execution_of(state, call.params["PipelineExecutionArn"]))


@operation("sagemaker", "ListPipelineExecutions")
def list_pipeline_executions(state: State, call: Call) -> dict[str, Any]:
    pipeline = pipeline_of(state, call.params["PipelineName"])
    rows = [
        {
            **each,
            "StartTime": each["CreationTime"],
            "PipelineExecutionFailureReason": each.get("FailureReason"),
        }
        for each in _executions(state, pipeline)
    ]
    ordered = select(call, rows, name="PipelineExecutionArn")
    return summaries(call, "PipelineExecutionSummaries", ordered)


@operation("sagemaker", "ListPipelineExecutionSteps")
def list_pipeline_execution_steps(state: State, call: Call) -> dict[str, Any]:
    record = execution_of(state, call.params.get("PipelineExecutionArn", ""))
    rows = list(record["_steps"].values())
    if call.params.get("SortOrder", "Descending") == "Descending":
        rows.reverse()
    member = output_shape("sagemaker", call.operation).members["PipelineExecutionSteps"].member
    return page(call, "PipelineExecutionSteps", [fit(row, member) for row in rows])


@operation("sagemaker", "ListPipelineParametersForExecution")
def list_pipeline_parameters(state: State, call: Call) -> dict[str, Any]:
    record = execution_of(state, call.params["PipelineExecutionArn"])
    rows = [{"Name": name, "Value": str(value)} for name, value in record["_parameters"].items()]
    return page(call, "PipelineParameters", rows)


@operation("sagemaker", "DescribePipelineDefinitionForExecution")
def describe_definition(state: State, call: Call) -> dict[str, Any]:
    record = execution_of(state, call.params["PipelineExecutionArn"])
    return {"PipelineDefinition": record["_text"], "CreationTime": record["CreationTime"]}


# -- callbacks


def _callback(state: State, token: str) -> Any:
    waiting = state.table("sagemaker.callbacks").get(token)
    if waiting is None:
        raise Fault("ResourceNotFound", "No step waits with this callback token.")
    return waiting


@operation("sagemaker", "SendPipelineExecutionStepSuccess")
def step_success(state: State, call: Call) -> dict[str, Any]:
    arn, answered = _callback(state, call.params["CallbackToken"])
    answered({each["Name"]: each["Value"] for each in call.params.get("OutputParameters", [])}, "")
    return {"PipelineExecutionArn": arn}


@operation("sagemaker", "SendPipelineExecutionStepFailure")
def step_failure(state: State, call: Call) -> dict[str, Any]:
    arn, answered = _callback(state, call.params["CallbackToken"])
    answered(None, call.params.get("FailureReason") or "The callback reported a failure.")
    return {"PipelineExecutionArn": arn}
