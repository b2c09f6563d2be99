"""Manual approvals of CodePipeline."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from core.aws import words
from core.aws.errors import AwsError, ResourceNotFound
from core.aws.kinds.approvals.waiting import Source, Waiting, request
from core.aws.partial import side_by_side
from core.domain.gate import Approval, ApprovalStatus
from core.errors import BadInput, NotFound, WrongState

if TYPE_CHECKING:
    from core.aws.account import Account

NAME = "pipeline"
EXPIRES = 7 * 86_400.0
MOST_SUMMARY = 512
AT_ONCE = 8
_ENDED = {
    "InProgress": ApprovalStatus.OPEN,
    "Succeeded": ApprovalStatus.APPROVED,
    "Failed": ApprovalStatus.REJECTED,
    "Abandoned": ApprovalStatus.VOID,
}
_GITHUB = re.compile(r"(https://github\.com/[^/]+/[^/]+)/commit/[0-9a-f]+")


def _list(account: Account) -> Iterator[Waiting]:
    for page in account.pages("codepipeline", "list_pipelines"):
        names = [each["name"] for each in page.get("pipelines", ())]
        for first in range(0, len(names), AT_ONCE):
            part = names[first : first + AT_ONCE]
            for found in side_by_side([partial(_of, account, name) for name in part]):
                yield from found


def _of(account: Account, pipeline: str) -> list[Waiting]:
    """The approvals that wait in one pipeline; a token is what only an approval has."""
    try:
        state = account.call("codepipeline", "get_pipeline_state", name=pipeline)
    except ResourceNotFound:
        return []  # it was deleted after it had been listed
    return [
        _waiting(pipeline, stage, action)
        for stage in state.get("stageStates", ())
        for action in stage.get("actionStates", ())
        if action.get("latestExecution", {}).get("status") == "InProgress"
        and action["latestExecution"].get("token")
    ]


def _waiting(
    pipeline: str, stage: Mapping[str, Any], action: Mapping[str, Any], limit: float = EXPIRES
) -> Waiting:
    asked = words.epoch(action.get("latestExecution", {}).get("lastStatusChange")) or 0.0
    execution = stage.get("latestExecution", {}).get("pipelineExecutionId", "")
    return Waiting(
        f"{NAME}:{pipeline}/{stage['stageName']}/{action['actionName']}/{execution}",
        "codepipeline",
        f"{pipeline} {stage['stageName']}/{action['actionName']}",
        asked,
        asked + limit,
    )


def _find(account: Account, ref: str) -> Approval:
    pipeline, stage_name, action_name, execution = _parts(ref)
    stage, action = _state(account, ref, pipeline, stage_name, action_name)
    now = stage.get("latestExecution", {}).get("pipelineExecutionId", "")
    latest = action.get("latestExecution", {})
    status = _ENDED.get(latest.get("status", ""), ApprovalStatus.VOID)
    if now != execution:  # another execution is in this stage: this question is over
        status = ApprovalStatus.VOID
    declared = _declared(account, pipeline, stage_name, action_name)
    limit = declared.get("timeoutInMinutes")
    waiting = _waiting(pipeline, stage, action, EXPIRES if limit is None else limit * 60.0)
    run = _execution(account, ref, pipeline, execution)
    by = words.last_of(run.get("trigger", {}).get("triggerDetail", ""))
    return request(
        Waiting(ref, waiting.source, waiting.what, waiting.asked_at, waiting.expires_at, by),
        account,
        status,
        _evidence(account, pipeline, run, declared, action),
        model=pipeline,
        version=int(run.get("pipelineVersion") or 0),
        pipeline=pipeline,
        step=f"{stage_name}/{action_name}",
        run=execution,
    )


def _execution(account: Account, ref: str, pipeline: str, execution: str) -> Mapping[str, Any]:
    try:
        found = account.call(
            "codepipeline",
            "get_pipeline_execution",
            pipelineName=pipeline,
            pipelineExecutionId=execution,
        )
    except ResourceNotFound as error:
        raise NotFound(f"approval {ref}: {pipeline} has no such execution") from error
    run: Mapping[str, Any] = found["pipelineExecution"]
    return run


def _parts(ref: str) -> list[str]:
    parts = ref.removeprefix(f"{NAME}:").split("/")
    if len(parts) != 4 or not all(parts):
        raise NotFound(f"approval {ref}: is not {NAME}:PIPELINE/STAGE/ACTION/EXECUTION")
    return parts


def _state(
    account: Account, ref: str, pipeline: str, stage_name: str, action_name: str
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    try:
        state = account.call("codepipeline", "get_pipeline_state", name=pipeline)
    except ResourceNotFound as error:
        raise NotFound(f"approval {ref}: there is no pipeline {pipeline}") from error
    for stage in state.get("stageStates", ()):
        for action in stage.get("actionStates", ()):
            if (stage["stageName"], action["actionName"]) == (stage_name, action_name):
                return stage, action
    raise NotFound(f"approval {ref}: {pipeline} has no such action")


def _declared(account: Account, pipeline: str, stage: str, action: str) -> Mapping[str, Any]:
    """The action as the pipeline defines it; nothing where that may not be read."""
    try:
        found = account.call("codepipeline", "get_pipeline", name=pipeline)["pipeline"]
    except AwsError:
        return {}
    for each in found["stages"]:
        for declared in each["actions"]:
            if (each["name"], declared["name"]) == (stage, action):
                known: Mapping[str, Any] = declared
                return known
    return {}


def _evidence(
    account: Account,
    pipeline: str,
    run: Mapping[str, Any],
    declared: Mapping[str, Any],
    action: Mapping[str, Any],
) -> dict[str, Any]:
    settings = declared.get("configuration", {})
    revisions = [
        {
            "source": each.get("name", ""),
            "revision": each.get("revisionId", ""),
            "summary": words.short(each.get("revisionSummary", ""), 200),
            "url": each.get("revisionUrl", ""),
        }
        for each in run.get("artifactRevisions", ())
    ]
    before = _succeeded(account, pipeline, run["pipelineExecutionId"])
    found: dict[str, Any] = {
        "execution": run["pipelineExecutionId"],
        "question": settings.get("CustomData", ""),
        "link": settings.get("ExternalEntityLink") or action.get("entityUrl", ""),
        "revisions": revisions,
        "before": before,
        "compare": [url for each in revisions if (url := _compare(each, before))],
        "variables": {each["name"]: each["resolvedValue"] for each in run.get("variables", ())},
    }
    return {key: value for key, value in found.items() if value}


def _succeeded(account: Account, pipeline: str, execution: str) -> dict[str, str]:
    """The revisions of the last execution that succeeded, by action."""
    page = account.call(
        "codepipeline", "list_pipeline_executions", pipelineName=pipeline, maxResults=50
    )
    for each in page.get("pipelineExecutionSummaries", ()):
        if each["status"] == "Succeeded" and each["pipelineExecutionId"] != execution:
            return {
                revision["actionName"]: revision.get("revisionId", "")
                for revision in each.get("sourceRevisions", ())
            }
    return {}


def _compare(revision: Mapping[str, str], before: Mapping[str, str]) -> str:
    """Where the change since the last success can be read, where that is known."""
    found = _GITHUB.match(revision["url"])
    old = next((each for each in before.values() if each != revision["revision"]), "")
    return f"{found[1]}/compare/{old}...{revision['revision']}" if found and old else ""


def _answer(account: Account, found: Approval, approved: bool, comment: str, _output: str) -> None:
    if len(comment) > MOST_SUMMARY:
        raise BadInput(f"comment: has {len(comment)} characters, CodePipeline keeps {MOST_SUMMARY}")
    pipeline, stage_name, action_name, _ = _parts(found.id)
    _, action = _state(account, found.id, pipeline, stage_name, action_name)
    token = action.get("latestExecution", {}).get("token")
    if not token:
        raise WrongState(f"approval {found.id}: it does not wait any more")
    account.call(
        "codepipeline",
        "put_approval_result",
        pipelineName=pipeline,
        stageName=stage_name,
        actionName=action_name,
        result={"summary": comment, "status": "Approved" if approved else "Rejected"},
        token=token,
    )


SOURCE = Source(NAME, "CodePipeline", _list, _find, _answer)
