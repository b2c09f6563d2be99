"""CodePipeline's reads of executions: state, executions, action executions."""

from __future__ import annotations

from typing import Any

from core.simulated.handlers._shared import page, with_token
from core.simulated.handlers.codepipeline.records import (
    ActionRun,
    Execution,
    Pipeline,
    definition_of,
    execution_of,
    pipeline_of,
)
from core.simulated.registry import operation
from core.simulated.state import Call, State


@operation("codepipeline", "GetPipelineState")
def state_of(state: State, call: Call) -> dict[str, Any]:
    name = call.params["name"]
    pipeline = pipeline_of(state, name)
    definition, metadata = definition_of(state, name)
    return {
        "pipelineName": name,
        "pipelineVersion": definition.get("version", 1),
        "stageStates": [_stage(pipeline, each) for each in definition["stages"]],
        "created": metadata["created"],
        "updated": metadata["updated"],
    }


def _stage(pipeline: Pipeline, stage: dict[str, Any]) -> dict[str, Any]:
    name = stage["name"]
    run = pipeline.executions.get(pipeline.inside.get(name, ""))
    told: dict[str, Any] = {
        "stageName": name,
        "inboundTransitionState": pipeline.disabled.get(name, {"enabled": True}),
        "actionStates": [_action(pipeline, name, each) for each in stage["actions"]],
    }
    waiting = [
        {"pipelineExecutionId": each, "status": "InProgress"}
        for each in pipeline.waiting.get(name, [])
    ]
    if waiting:
        told["inboundExecution"], told["inboundExecutions"] = waiting[-1], waiting
    else:
        told["inboundExecutions"] = []
    if run is not None and name in run.stage_status:
        told["latestExecution"] = {
            "pipelineExecutionId": run.id,
            "status": "Stopping" if run.status == "Stopping" else run.stage_status[name],
            "type": _type(run),
        }
        if run.retries.get(name):
            told["retryStageMetadata"] = {
                "manualStageRetryAttempt": run.retries[name],
                "latestRetryTrigger": "ManualStageRetry",
            }
    return told


def _action(pipeline: Pipeline, stage: str, definition: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"actionName": definition["name"]}
    run, action = _last(pipeline, stage, definition["name"])
    if action is None or run is None:
        return told
    latest: dict[str, Any] = {
        "actionExecutionId": action.id,
        "status": action.status,
        "lastStatusChange": action.updated or action.started,
    }
    if action.summary:
        latest["summary"] = action.summary
    if action.token and action.status == "InProgress":
        latest["token"] = action.token
    if action.by:
        latest["lastUpdatedBy"] = action.by
    if action.external:
        latest["externalExecutionId"] = action.external
    if action.external_url:
        latest["externalExecutionUrl"] = action.external_url
    if action.error:
        latest["errorDetails"] = action.error
    told["latestExecution"] = latest
    for revision in run.revisions:
        if revision["actionName"] == action.name:
            told["currentRevision"] = {
                "revisionId": revision["revisionId"],
                "revisionChangeId": revision["revisionId"],
                "created": action.updated,
            }
    return told


def _last(pipeline: Pipeline, stage: str, action: str) -> tuple[Execution | None, ActionRun | None]:
    """The latest try of an action in the execution that was last in its stage."""
    run = pipeline.executions.get(pipeline.inside.get(stage, ""))
    found = run.latest(stage, action) if run is not None else None
    if found is not None:
        return run, found
    for earlier in reversed(pipeline.executions.values()):
        found = earlier.latest(stage, action)
        if found is not None:
            return earlier, found
    return None, None


def _type(run: Execution) -> str:
    return "ROLLBACK" if run.rollback_of else "STANDARD"


def _common(run: Execution) -> dict[str, Any]:
    told: dict[str, Any] = {
        "pipelineExecutionId": run.id,
        "status": run.status,
        "trigger": run.trigger,
        "executionMode": run.mode,
        "executionType": _type(run),
    }
    if run.rollback_of:
        told["rollbackMetadata"] = {"rollbackTargetPipelineExecutionId": run.rollback_of}
    return told


@operation("codepipeline", "ListPipelineExecutions")
def executions(state: State, call: Call) -> dict[str, Any]:
    pipeline = pipeline_of(state, call.params["pipelineName"])
    stage = call.params.get("filter", {}).get("succeededInStage", {}).get("stageName")
    found = [
        run
        for run in reversed(pipeline.executions.values())
        if stage is None or run.stage_status.get(stage) == "Succeeded"
    ]
    some, token = page(found, call.params.get("nextToken"), call.params.get("maxResults"))
    told = []
    for run in some:
        each = _common(run) | {
            "startTime": run.started,
            "lastUpdateTime": run.updated,
            "sourceRevisions": run.revisions,
        }
        if run.stop_reason is not None:
            each["stopTrigger"] = {"reason": run.stop_reason}
        told.append(each)
    return with_token({"pipelineExecutionSummaries": told}, token)


@operation("codepipeline", "GetPipelineExecution")
def execution(state: State, call: Call) -> dict[str, Any]:
    pipeline = pipeline_of(state, call.params["pipelineName"])
    run = execution_of(pipeline, call.params["pipelineExecutionId"])
    revisions = [
        {key: value for key, value in each.items() if key.startswith("revision")}
        | {"name": each["actionName"]}
        for each in run.revisions
    ]
    told = _common(run) | {
        "pipelineName": run.pipeline,
        "pipelineVersion": run.version,
        "artifactRevisions": revisions,
        "variables": run.variables,
    }
    return {"pipelineExecution": told}


@operation("codepipeline", "ListActionExecutions")
def action_executions(state: State, call: Call) -> dict[str, Any]:
    pipeline = pipeline_of(state, call.params["pipelineName"])
    asked = call.params.get("filter", {})
    latest = asked.get("latestInPipelineExecution")
    only = asked.get("pipelineExecutionId") or (latest or {}).get("pipelineExecutionId")
    runs = [execution_of(pipeline, only)] if only else list(pipeline.executions.values())
    found = [action for run in runs for action in run.actions]
    found.sort(key=lambda each: each.started)
    found.reverse()
    if latest is not None:
        seen: set[tuple[str, str]] = set()
        newest = []
        for action in found:
            if (action.stage, action.name) not in seen:
                seen.add((action.stage, action.name))
                newest.append(action)
        found = newest
    some, token = page(found, call.params.get("nextToken"), call.params.get("maxResults"))
    told = [_detail(state, action) for action in some]
    return with_token({"actionExecutionDetails": told}, token)


def _detail(state: State, action: ActionRun) -> dict[str, Any]:
    definition = action.definition
    result: dict[str, Any] = {}
    if action.external:
        result["externalExecutionId"] = action.external
    if action.summary:
        result["externalExecutionSummary"] = action.summary
    if action.external_url:
        result["externalExecutionUrl"] = action.external_url
    if action.error:
        result["errorDetails"] = action.error
    told: dict[str, Any] = {
        "pipelineExecutionId": action.execution,
        "actionExecutionId": action.id,
        "pipelineVersion": action.version,
        "stageName": action.stage,
        "actionName": action.name,
        "startTime": action.started,
        "lastUpdateTime": action.updated or action.started,
        "status": action.status,
        "input": {
            "actionTypeId": definition["actionTypeId"],
            "configuration": definition.get("configuration") or {},
            "resolvedConfiguration": definition.get("configuration") or {},
            "region": definition.get("region") or state.region,
            "inputArtifacts": definition.get("inputArtifacts") or [],
        },
        "output": {
            "outputArtifacts": [
                {"name": each["name"]} for each in definition.get("outputArtifacts") or []
            ],
            "executionResult": result,
            "outputVariables": {},
        },
    }
    if action.by:
        told["updatedBy"] = action.by
    return told
