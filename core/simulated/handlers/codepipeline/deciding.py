"""CodePipeline's writes: start, stop, retry, roll back, approve, open and close transitions."""

from __future__ import annotations

from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.codepipeline import running
from core.simulated.handlers.codepipeline.records import (
    Execution,
    definition_of,
    execution_of,
    pipeline_of,
    stage_of,
)
from core.simulated.registry import operation
from core.simulated.state import Call, State


@operation("codepipeline", "StartPipelineExecution")
def start(state: State, call: Call) -> dict[str, Any]:
    name = call.params["name"]
    pipeline = pipeline_of(state, name)
    definition, _ = definition_of(state, name)
    declared = {each["name"]: each.get("defaultValue") for each in definition.get("variables", [])}
    given = {each["name"]: each["value"] for each in call.params.get("variables", [])}
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise Fault(
            "ValidationException",
            f"The pipeline '{name}' declares no variables named {', '.join(unknown)}",
            400,
        )
    missing = sorted(each for each in declared if given.get(each, declared[each]) is None)
    if missing:
        raise Fault("ValidationException", f"Variables without a value: {', '.join(missing)}", 400)
    run = Execution(
        name,
        int(definition.get("version", 1)),
        definition["stages"],
        state.now,
        {"triggerType": "StartPipelineExecution", "triggerDetail": call.caller or "simulated"},
        definition.get("executionMode") or "SUPERSEDED",
        updated=state.now,
        variables=[
            {"name": key, "resolvedValue": given.get(key, default)}
            for key, default in declared.items()
        ],
        revisions=[
            {"actionName": each["actionName"], "revisionId": each["revisionValue"]}
            for each in call.params.get("sourceRevisions", [])
        ],
    )
    pipeline.executions[run.id] = run
    running.tell(state, run)
    running.enter(state, pipeline, run, 0)
    return {"pipelineExecutionId": run.id}


@operation("codepipeline", "StopPipelineExecution")
def stop(state: State, call: Call) -> dict[str, Any]:
    pipeline = pipeline_of(state, call.params["pipelineName"])
    run = pipeline.executions.get(call.params["pipelineExecutionId"])
    if run is None or not run.live:
        raise Fault(
            "PipelineExecutionNotStoppableException",
            f"The pipeline execution '{call.params['pipelineExecutionId']}' cannot be stopped: "
            f"it is {run.status if run else 'not there'}.",
            400,
        )
    abandon = bool(call.params.get("abandon"))
    if run.status == "Stopping" and not abandon:
        raise Fault(
            "DuplicatedStopRequestException",
            f"The pipeline execution '{run.id}' is already being stopped.",
            400,
        )
    run.stop_reason = call.params.get("reason", "")
    run.status, run.updated = "Stopping", state.now
    underway = [each for each in run.actions if each.status == "InProgress"]
    if abandon:
        for action in underway:
            running.finish(state, pipeline, run, action, "Abandoned")
    if run.live and (abandon or not underway):
        running._end(state, pipeline, run, "Stopped")
    return {"pipelineExecutionId": run.id}


@operation("codepipeline", "RetryStageExecution")
def retry(state: State, call: Call) -> dict[str, Any]:
    pipeline = pipeline_of(state, call.params["pipelineName"])
    stage = stage_of(state, pipeline, call.params["stageName"])["name"]
    run = pipeline.executions.get(call.params["pipelineExecutionId"])
    if run is None or pipeline.inside.get(stage) != run.id:
        raise Fault(
            "NotLatestPipelineExecutionException",
            f"The execution '{call.params['pipelineExecutionId']}' is not the latest in the "
            f"stage '{stage}'.",
            400,
        )
    if run.stage_status.get(stage) not in ("Failed", "Stopped"):
        raise Fault(
            "StageNotRetryableException",
            f"The stage '{stage}' cannot be retried: it is {run.stage_status.get(stage)}.",
            400,
        )
    definition, _ = definition_of(state, pipeline.name)
    if int(definition.get("version", 1)) != run.version:
        raise Fault(
            "StageNotRetryableException",
            f"The structure of '{pipeline.name}' changed since the execution began.",
            400,
        )
    if call.params["retryMode"] == "ALL_ACTIONS":
        for action in run.actions:
            if action.stage == stage and action.status == "Succeeded":
                action.status = "Abandoned"
    run.status, run.stop_reason = "InProgress", None
    run.retries[stage] = run.retries.get(stage, 0) + 1
    running.enter(state, pipeline, run, run.index(stage))
    return {"pipelineExecutionId": run.id}


@operation("codepipeline", "RollbackStage")
def roll_back(state: State, call: Call) -> dict[str, Any]:
    pipeline = pipeline_of(state, call.params["pipelineName"])
    stage = stage_of(state, pipeline, call.params["stageName"])["name"]
    target = execution_of(pipeline, call.params["targetPipelineExecutionId"])
    inside = pipeline.executions.get(pipeline.inside.get(stage, ""))
    if target.stage_status.get(stage) != "Succeeded" or stage == target.stages[0]["name"]:
        raise Fault(
            "UnableToRollbackStageException",
            f"The stage '{stage}' did not succeed in '{target.id}', or reads sources.",
            400,
        )
    if inside is not None and inside.stage_status.get(stage) == "InProgress":
        raise Fault("ConflictException", f"The stage '{stage}' is running.", 400)
    run = Execution(
        pipeline.name,
        target.version,
        target.stages,
        state.now,
        {"triggerType": "ManualRollback", "triggerDetail": call.caller or "simulated"},
        target.mode,
        updated=state.now,
        variables=target.variables,
        revisions=target.revisions,
        rollback_of=target.id,
        summary=stage,
    )
    pipeline.executions[run.id] = run
    running.tell(state, run)
    running.enter(state, pipeline, run, run.index(stage))
    return {"pipelineExecutionId": run.id}


@operation("codepipeline", "PutApprovalResult")
def approve(state: State, call: Call) -> dict[str, Any]:
    pipeline = pipeline_of(state, call.params["pipelineName"])
    stage = stage_of(state, pipeline, call.params["stageName"])
    name = call.params["actionName"]
    if name not in [each["name"] for each in stage["actions"]]:
        raise Fault(
            "ActionNotFoundException",
            f"The stage '{stage['name']}' does not have an action named '{name}'.",
            400,
        )
    for run in reversed(pipeline.executions.values()):
        for action in reversed(run.actions):
            if (action.stage, action.name) != (stage["name"], name):
                continue
            if action.token != call.params["token"]:
                continue
            if action.status != "InProgress":
                raise Fault(
                    "ApprovalAlreadyCompletedException",
                    "The approval action has already been approved or rejected.",
                    400,
                )
            result = call.params["result"]
            action.summary = result["summary"]
            action.by = f"arn:aws:iam::{state.account_id}:user/simulated"
            approved = result["status"] == "Approved"
            error = {"code": "ActionFailed", "message": result["summary"] or "Rejected"}
            running.finish(
                state,
                pipeline,
                run,
                action,
                "Succeeded" if approved else "Failed",
                None if approved else error,
            )
            return {"approvedAt": state.now}
    raise Fault("InvalidApprovalTokenException", "The approval token is invalid.", 400)


@operation("codepipeline", "DisableStageTransition")
def close(state: State, call: Call) -> dict[str, Any]:
    pipeline = pipeline_of(state, call.params["pipelineName"])
    for stage in _beyond(state, call):
        pipeline.disabled[stage] = {
            "enabled": False,
            "lastChangedBy": f"arn:aws:iam::{state.account_id}:user/simulated",
            "lastChangedAt": state.now,
            "disabledReason": call.params["reason"],
        }
    return {}


@operation("codepipeline", "EnableStageTransition")
def open_again(state: State, call: Call) -> dict[str, Any]:
    pipeline = pipeline_of(state, call.params["pipelineName"])
    for stage in _beyond(state, call):
        pipeline.disabled.pop(stage, None)
        running.admit(state, pipeline, stage)
    return {}


def _beyond(state: State, call: Call) -> list[str]:
    """The stage whose entrance is meant: itself (Inbound) or the one after (Outbound)."""
    pipeline = pipeline_of(state, call.params["pipelineName"])
    stage = stage_of(state, pipeline, call.params["stageName"])
    if call.params["transitionType"] == "Inbound":
        return [stage["name"]]
    definition, _ = definition_of(state, pipeline.name)
    names = [each["name"] for each in definition["stages"]]
    after = names.index(stage["name"]) + 1
    return names[after : after + 1]


@operation("codepipeline", "DeletePipeline")
def delete(state: State, call: Call) -> dict[str, Any]:
    gone = state.table("codepipeline.pipelines").pop(call.params["name"], None)
    for run in gone.executions.values() if gone else ():
        run.status = "Stopped" if run.live else run.status
        for action in run.actions:
            if action.timer is not None:
                state.cancel(action.timer)
    call.moto()
    return {}
