"""How an execution moves: into stages, through the actions of a stage, to its end.

A stage holds one execution at a time, except in the mode PARALLEL. Who comes to a stage that
is taken or closed waits in front of it; in the mode SUPERSEDED the newest of them stays.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers._shared import uid
from core.simulated.handlers.codepipeline.records import ActionRun, Execution, Pipeline
from core.simulated.state import State

_LOG = logging.getLogger(__name__)
SECONDS = {
    "Source": 5.0,
    "Build": 60.0,
    "Test": 60.0,
    "Deploy": 90.0,
    "Invoke": 20.0,
    "Compute": 30.0,
}
APPROVAL_MINUTES = 7 * 24 * 60


def enter(state: State, pipeline: Pipeline, run: Execution, number: int) -> None:
    """Go into stage `number`, or wait in front of it, or be over."""
    if not run.live:
        return
    if run.status == "Stopping":
        _end(state, pipeline, run, "Stopped")
        return
    if number >= len(run.stages) or (run.rollback_of and number > run.index(run.summary)):
        _end(state, pipeline, run, "Succeeded")
        return
    stage = str(run.stages[number]["name"])
    if stage in pipeline.disabled or _taken(pipeline, run, stage):
        _wait(state, pipeline, run, stage)
        return
    pipeline.inside[stage] = run.id
    run.stage_status[stage] = "InProgress"
    run.updated = state.now
    _next_actions(state, pipeline, run, stage)


def _taken(pipeline: Pipeline, run: Execution, stage: str) -> bool:
    if run.mode == "PARALLEL":
        return False
    holder = pipeline.executions.get(pipeline.inside.get(stage, ""))
    return (
        holder is not None
        and holder is not run
        and holder.live
        and holder.stage_status.get(stage) == "InProgress"
    )


def _wait(state: State, pipeline: Pipeline, run: Execution, stage: str) -> None:
    queue = pipeline.waiting.setdefault(stage, [])
    if run.id in queue:
        return
    if run.mode == "SUPERSEDED":
        for other in queue:
            _end(state, pipeline, pipeline.executions[other], "Superseded")
        queue.clear()
    queue.append(run.id)


def admit(state: State, pipeline: Pipeline, stage: str) -> None:
    """Let the first that waits in front of `stage` in, if it may."""
    queue = pipeline.waiting.get(stage, [])
    while queue:
        run = pipeline.executions[queue[0]]
        if run.live and (stage in pipeline.disabled or _taken(pipeline, run, stage)):
            return
        queue.pop(0)
        if run.live:
            enter(state, pipeline, run, run.index(stage))
            return


def _next_actions(state: State, pipeline: Pipeline, run: Execution, stage: str) -> None:
    """Start the actions of the lowest run order that are not done, or leave the stage."""
    definition = run.stages[run.index(stage)]
    left = [
        each
        for each in definition["actions"]
        if (last := run.latest(stage, each["name"])) is None or last.status != "Succeeded"
    ]
    if run.status == "Stopping":
        _end(state, pipeline, run, "Stopped")
        return
    if not left:
        run.stage_status[stage] = "Succeeded"
        run.updated = state.now
        number = run.index(stage)
        enter(state, pipeline, run, number + 1)
        admit(state, pipeline, stage)
        return
    order = min(int(each.get("runOrder", 1)) for each in left)
    for each in left:
        if int(each.get("runOrder", 1)) == order:
            _start_action(state, pipeline, run, stage, each)


def _start_action(
    state: State, pipeline: Pipeline, run: Execution, stage: str, definition: dict[str, Any]
) -> None:
    action = ActionRun(stage, definition, state.now, run.id, run.version, updated=state.now)
    run.actions.append(action)
    run.updated = state.now
    if action.category == "Approval":
        _ask(state, pipeline, run, action)
    elif definition["actionTypeId"]["provider"] == "CodeBuild":
        _build(state, pipeline, run, action)
    else:
        seconds = SECONDS.get(action.category, 30.0)
        action.timer = state.after(seconds, _done, state, pipeline, run, action)


def _done(state: State, pipeline: Pipeline, run: Execution, action: ActionRun) -> None:
    if action.category == "Source":
        revision = uid().replace("-", "")
        given = next((each for each in run.revisions if each["actionName"] == action.name), None)
        if given is None:
            given = {"actionName": action.name, "revisionId": revision, **_tip(state, action)}
            run.revisions.append(given)
        action.summary = str(given.get("revisionSummary", ""))
        action.external = str(given["revisionId"])
    finish(state, pipeline, run, action, "Succeeded")


def _tip(state: State, action: ActionRun) -> dict[str, str]:
    """The newest commit of a source's branch, where CodeCommit has it."""
    where = action.definition.get("configuration") or {}
    if action.definition["actionTypeId"]["provider"] != "CodeCommit" or "BranchName" not in where:
        return {}
    name = {"repositoryName": where.get("RepositoryName", "")}
    try:
        tip = state.call("codecommit", "GetBranch", branchName=where["BranchName"], **name)
        ident = tip["branch"]["commitId"]
        commit = state.call("codecommit", "GetCommit", commitId=ident, **name)["commit"]
    except Fault:
        return {}  # the repository is elsewhere or empty: the revision is made up
    return {"revisionId": ident, "revisionSummary": str(commit["message"])}


def finish(
    state: State,
    pipeline: Pipeline,
    run: Execution,
    action: ActionRun,
    status: str,
    error: dict[str, str] | None = None,
) -> None:
    """An action is over: Succeeded, Failed or Abandoned; the stage goes on or fails."""
    if action.status != "InProgress":
        return
    action.status, action.updated, run.updated = status, state.now, state.now
    action.error = error or {}
    if action.timer is not None:
        state.cancel(action.timer)
        action.timer = None
    beside = [
        each for each in run.actions if each.stage == action.stage and each.status == "InProgress"
    ]
    if beside or not run.live:
        return
    tried = {
        each["name"]: run.latest(action.stage, each["name"])
        for each in run.stages[run.index(action.stage)]["actions"]
    }
    if any(each is not None and each.status == "Failed" for each in tried.values()):
        run.stage_status[action.stage] = "Failed"
        _end(state, pipeline, run, "Stopped" if run.status == "Stopping" else "Failed")
    else:
        _next_actions(state, pipeline, run, action.stage)


def _end(state: State, pipeline: Pipeline, run: Execution, status: str) -> None:
    run.status, run.updated = status, state.now
    for stage, at in list(run.stage_status.items()):
        if at == "InProgress":
            run.stage_status[stage] = "Stopped" if status == "Stopped" else "Failed"
    for stage, queue in pipeline.waiting.items():
        if run.id in queue:
            queue.remove(run.id)
            run.stage_status.pop(stage, None)
    tell(state, run)
    for stage, holder in list(pipeline.inside.items()):
        if holder == run.id:
            admit(state, pipeline, stage)


def tell(state: State, run: Execution) -> None:
    """The event EventBridge gets of an execution's new state."""
    names = {
        "InProgress": "STARTED",
        "Succeeded": "SUCCEEDED",
        "Failed": "FAILED",
        "Stopped": "STOPPED",
        "Stopping": "STOPPING",
        "Superseded": "SUPERSEDED",
    }
    detail = {
        "pipeline": run.pipeline,
        "execution-id": run.id,
        "state": names[run.status],
        "version": run.version,
    }
    entry = {
        "Source": "aws.codepipeline",
        "DetailType": "CodePipeline Pipeline Execution State Change",
        "Detail": json.dumps(detail),
        "Resources": [state.arn("codepipeline", run.pipeline)],
    }
    state.call("events", "PutEvents", Entries=[entry])


# -- approvals


def _ask(state: State, pipeline: Pipeline, run: Execution, action: ActionRun) -> None:
    action.token = uid()
    configuration = action.definition.get("configuration") or {}
    minutes = float(action.definition.get("timeoutInMinutes") or APPROVAL_MINUTES)
    action.timer = state.after(minutes * 60, _expired, state, pipeline, run, action)
    topic = configuration.get("NotificationArn")
    if not topic:
        return
    expires = state.clock.when(state.now, minutes * 60)
    said = {
        "region": state.region,
        "approval": {
            "pipelineName": run.pipeline,
            "stageName": action.stage,
            "actionName": action.name,
            "token": action.token,
            "expires": _stamp(expires),
            "externalEntityLink": configuration.get("ExternalEntityLink"),
            "customData": configuration.get("CustomData"),
        },
    }
    try:
        state.call(
            "sns",
            "Publish",
            TopicArn=topic,
            Subject=f"APPROVAL NEEDED: AWS CodePipeline {run.pipeline} for action {action.name}",
            Message=json.dumps(said),
        )
    except Fault as fault:
        finish(
            state, pipeline, run, action, "Failed", {"code": fault.code, "message": fault.message}
        )


def _stamp(at: float) -> str:
    import datetime as dt

    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%dT%H:%MZ")


def _expired(state: State, pipeline: Pipeline, run: Execution, action: ActionRun) -> None:
    error = {"code": "TimeoutError", "message": "The approval action has expired."}
    finish(state, pipeline, run, action, "Failed", error)


# -- builds


def _build(state: State, pipeline: Pipeline, run: Execution, action: ActionRun) -> None:
    project = (action.definition.get("configuration") or {}).get("ProjectName", "")
    try:
        build = state.call("codebuild", "StartBuild", projectName=project)["build"]
    except Fault as fault:
        error = {"code": "JobFailed", "message": f"Error calling startBuild: {fault.message}"}
        finish(state, pipeline, run, action, "Failed", error)
        return
    action.external = build["id"]
    action.external_url = (
        f"https://console.aws.amazon.com/codebuild/home?region={state.region}"
        f"#/builds/{build['id']}/view/new"
    )
    action.timer = state.after(1.0, _look, state, pipeline, run, action)


def _look(state: State, pipeline: Pipeline, run: Execution, action: ActionRun) -> None:
    """See how far the build of an action is."""
    found = state.call("codebuild", "BatchGetBuilds", ids=[action.external])["builds"]
    status = found[0]["buildStatus"] if found else "FAILED"
    if status == "IN_PROGRESS":
        action.timer = state.after(5.0, _look, state, pipeline, run, action)
        return
    action.timer = None
    if status == "SUCCEEDED":
        finish(state, pipeline, run, action, "Succeeded")
        return
    phases: list[dict[str, Any]] = found[0]["phases"] if found else []
    failed = next((each for each in phases if each.get("phaseStatus") == "FAILED"), {})
    why = "; ".join(each.get("message", "") for each in failed.get("contexts", []))
    message = f"Build terminated with state: {status}. Phase: {failed.get('phaseType', 'BUILD')}"
    error = {"code": "JobFailed", "message": f"{message}, Code: {status}, Message: {why}"}
    finish(state, pipeline, run, action, "Failed", error)
