"""Whatever is done to a pipeline, no execution gets stuck and no stage holds two."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.simulated.faults import Fault
from core.simulated.server import REGION, SimulatedAccount
from core.simulated.state import State

NAME = "deliver"
STAGES = ("Source", "Approve", "Deploy")
STEPS = st.one_of(
    st.just(("start",)),
    st.tuples(st.just("advance"), st.sampled_from([3, 20, 100, 700_000])),
    st.tuples(st.just("decide"), st.sampled_from(["Approved", "Rejected"])),
    st.tuples(st.just("stop"), st.booleans()),
    st.tuples(st.just("retry"), st.sampled_from(STAGES)),
    st.tuples(st.just("close"), st.sampled_from(STAGES)),
    st.tuples(st.just("open"), st.sampled_from(STAGES)),
    st.tuples(st.just("back"), st.sampled_from(STAGES)),
)


def _action(name: str, category: str, provider: str, order: int = 1) -> dict[str, Any]:
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": kind, "runOrder": order}


def _made(aws: SimulatedAccount, mode: str) -> State:
    state = aws.world.state("123456789012", REGION)
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "codepipeline.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    state.call("iam", "CreateRole", RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))
    deploys = [
        _action("one", "Deploy", "S3"),
        _action("two", "Invoke", "StepFunctions"),
        _action("last", "Deploy", "S3", 2),
    ]
    stages = [
        {"name": "Source", "actions": [_action("fetch", "Source", "S3")]},
        {"name": "Approve", "actions": [_action("decide", "Approval", "Manual")]},
        {"name": "Deploy", "actions": deploys},
    ]
    state.call(
        "codepipeline",
        "CreatePipeline",
        pipeline={
            "name": NAME,
            "roleArn": "arn:aws:iam::123456789012:role/r",
            "artifactStore": {"type": "S3", "location": "b"},
            "stages": stages,
            "executionMode": mode,
            "pipelineType": "V2",
        },
    )
    return state


def _do(aws: SimulatedAccount, state: State, step: tuple[Any, ...]) -> None:
    listed = state.call("codepipeline", "ListPipelineExecutions", pipelineName=NAME)
    newest = next(iter(listed["pipelineExecutionSummaries"]), {}).get("pipelineExecutionId")
    told = state.call("codepipeline", "GetPipelineState", name=NAME)["stageStates"]
    match step:
        case ("start",):
            state.call("codepipeline", "StartPipelineExecution", name=NAME)
        case ("advance", seconds):
            aws.advance(seconds)
        case ("decide", status):
            token = told[1]["actionStates"][0].get("latestExecution", {}).get("token")
            if token:
                state.call(
                    "codepipeline", "PutApprovalResult", pipelineName=NAME, stageName="Approve",
                    actionName="decide", token=token, result={"summary": "", "status": status},
                )  # fmt: skip
        case ("stop", abandon) if newest:
            state.call(
                "codepipeline", "StopPipelineExecution", pipelineName=NAME,
                pipelineExecutionId=newest, abandon=abandon,
            )  # fmt: skip
        case ("retry", stage) if newest:
            state.call(
                "codepipeline", "RetryStageExecution", pipelineName=NAME, stageName=stage,
                pipelineExecutionId=newest, retryMode="FAILED_ACTIONS",
            )  # fmt: skip
        case ("back", stage) if newest:
            state.call(
                "codepipeline", "RollbackStage", pipelineName=NAME, stageName=stage,
                targetPipelineExecutionId=newest,
            )  # fmt: skip
        case ("close" | "open", stage):
            name = "DisableStageTransition" if step[0] == "close" else "EnableStageTransition"
            why = {"reason": "x"} if step[0] == "close" else {}
            state.call(
                "codepipeline", name, pipelineName=NAME, stageName=stage,
                transitionType="Inbound", **why,
            )  # fmt: skip


def _sound(state: State, mode: str) -> None:
    pipeline = state.table("codepipeline.pipelines").get(NAME)
    if pipeline is None:
        return
    waiting = {each for queue in pipeline.waiting.values() for each in queue}
    for run in pipeline.executions.values():
        busy = [each for each in run.actions if each.status == "InProgress"]
        if run.live:
            assert busy or run.id in waiting, f"{run.status} and stuck: {run.stage_status}"
        else:
            assert not [each for each in run.stage_status.values() if each == "InProgress"]
            assert run.id not in waiting
    for stage in STAGES:
        inside = [
            run
            for run in pipeline.executions.values()
            if run.live and run.stage_status.get(stage) == "InProgress"
        ]
        assert len(inside) <= 1, f"{stage} holds {len(inside)}"
        if pipeline.waiting.get(stage):
            assert inside or stage in pipeline.disabled, f"nobody bars {stage}"
        if mode == "SUPERSEDED":
            assert len(pipeline.waiting.get(stage, [])) <= 1


@given(st.sampled_from(["SUPERSEDED", "QUEUED"]), st.lists(STEPS, max_size=14))
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_executions_go_on_or_are_over(
    aws: SimulatedAccount, mode: str, steps: list[tuple[Any, ...]]
) -> None:
    aws.reset()
    state = _made(aws, mode)
    for step in steps:
        try:
            _do(aws, state, step)
        except Fault as fault:
            assert fault.code not in ("SimulationError", "InternalFailure"), fault
        _sound(state, mode)
