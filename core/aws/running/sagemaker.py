"""Runs in SageMaker Pipelines."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from core.aws.account import Account
from core.aws.compile import Target, pipeline_definition
from core.aws.compile.definition import ROWS, RUN, SOURCE
from core.aws.compile.nodes import Deployment, Lowered
from core.aws.compile.template import tags
from core.aws.errors import BadRequest, Conflict, ResourceNotFound
from core.aws.running.errors import NotOurs
from core.aws.running.remote import Start
from core.aws.words import epoch, last_of
from core.domain.remote import Seen, SeenStep
from core.domain.run import StepStatus

_STATES = {
    "Starting": StepStatus.RUNNING,
    "Executing": StepStatus.RUNNING,
    "Stopping": StepStatus.RUNNING,
    "Stopped": StepStatus.CANCELLED,
    "Failed": StepStatus.FAILED,
    "Succeeded": StepStatus.SUCCEEDED,
}
_RUNS: Mapping[str, Any] = {
    "Succeeded": "succeeded",
    "Failed": "failed",
    "CompletedWithFailures": "failed",
    "Stopped": "stopped",
}
_JOBS = {"ProcessingJob": "processing", "TrainingJob": "training"}


class SageMakerRuns:
    """Pipelines and executions of one account and region."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def upsert(self, lowered: Lowered, target: Target, role: str) -> str:
        """Bring the pipeline there to this definition; returns its name. Raises `NotOurs`."""
        text = json.dumps(pipeline_definition(lowered, target))
        settings = {
            "PipelineName": target.name,
            "PipelineDefinition": text,
            "PipelineDescription": lowered.spec.description[:3072] or lowered.spec.name,
            "RoleArn": role,
        }
        call = self._account.call
        try:
            known = call("sagemaker", "describe_pipeline", PipelineName=target.name)
        except ResourceNotFound:
            call("sagemaker", "create_pipeline", **settings, Tags=tags(lowered))
            return target.name
        told = call("sagemaker", "list_tags", ResourceArn=known["PipelineArn"])["Tags"]
        if tags(lowered)[0] not in told:
            raise NotOurs(
                f"the pipeline {target.name} there was not made from {lowered.spec.name}",
                "give yours another name: sagemaker: {name: …}",
            )
        if known["PipelineDefinition"] != text or known.get("RoleArn") != role:
            call("sagemaker", "update_pipeline", **settings)
        return target.name

    def start(self, name: str, start: Start) -> str:
        """Start it once, however often this is called; returns the execution's ARN."""
        shown = f"run-{start.number}-{start.token[:16]}"
        for page in self._account.pages(
            "sagemaker", "list_pipeline_executions", PipelineName=name, SortOrder="Descending"
        ):
            for each in page["PipelineExecutionSummaries"]:
                if each.get("PipelineExecutionDisplayName") == shown:
                    return str(each["PipelineExecutionArn"])
            break  # it can only be among the newest
        values = {key: _text(value) for key, value in start.params.items()}
        values |= {ROWS + key: uri for key, uri in start.datasets.items()}
        values |= {SOURCE: start.source, RUN: start.run}
        answer = self._account.call(
            "sagemaker",
            "start_pipeline_execution",
            PipelineName=name,
            PipelineExecutionDisplayName=shown,
            PipelineExecutionDescription=start.run,
            PipelineParameters=[{"Name": k, "Value": v} for k, v in values.items()],
            ClientRequestToken=start.token,
        )
        return str(answer["PipelineExecutionArn"])

    def look(self, execution: str, lowered: Lowered) -> Seen:
        """How the execution stands."""
        whole = self._account.call(
            "sagemaker", "describe_pipeline_execution", PipelineExecutionArn=execution
        )
        steps: dict[str, dict[str, Any]] = {}
        for page in self._account.pages(
            "sagemaker", "list_pipeline_execution_steps", PipelineExecutionArn=execution
        ):
            steps |= {each["StepName"]: each for each in page["PipelineExecutionSteps"]}
        found: dict[str, SeenStep] = {}
        for node in lowered.nodes:
            parts = [node.name]
            if isinstance(node, Deployment):
                parts = [f"{node.name}-model", f"{node.name}-config", node.name]
            seen = [_step(steps[part]) for part in parts if part in steps]
            if seen:
                found[node.name] = seen[0] if len(parts) == 1 else _together(seen, len(parts))
        status = _RUNS.get(whole["PipelineExecutionStatus"], "running")
        return Seen(status, str(whole.get("FailureReason", "")), found)

    def stop(self, execution: str, token: str) -> None:
        """End it; one that has ended already is no error."""
        with contextlib.suppress(BadRequest, Conflict):
            self._account.call(
                "sagemaker",
                "stop_pipeline_execution",
                PipelineExecutionArn=execution,
                ClientRequestToken=token,
            )

    def resume(self, execution: str, token: str) -> None:
        """Go on with what did not end well; one that goes on already is no error."""
        status = self._account.call(
            "sagemaker", "describe_pipeline_execution", PipelineExecutionArn=execution
        )["PipelineExecutionStatus"]
        if status in ("Executing", "Succeeded"):
            return
        self._account.call(
            "sagemaker",
            "retry_pipeline_execution",
            PipelineExecutionArn=execution,
            ClientRequestToken=token,
        )

    def answer(self, question: str, package: str, approved: bool, by: str, words: str) -> None:
        """Say the decision of a gate: to the model package, then to the step that waits."""
        status = "Approved" if approved else "Rejected"
        self._account.call(
            "sagemaker",
            "update_model_package",
            ModelPackageArn=package,
            ModelApprovalStatus=status,
            ApprovalDescription=f"{by}: {words}"[:1024],
        )
        with contextlib.suppress(ResourceNotFound, BadRequest):  # it has been answered
            if approved:
                told = {"decision": status, "by": by}
                self._account.call(
                    "sagemaker",
                    "send_pipeline_execution_step_success",
                    CallbackToken=question,
                    OutputParameters=[{"Name": k, "Value": v} for k, v in told.items()],
                )
            else:
                self._account.call(
                    "sagemaker",
                    "send_pipeline_execution_step_failure",
                    CallbackToken=question,
                    FailureReason=f"rejected by {by}: {words}"[:256],
                )


def _step(each: Mapping[str, Any]) -> SeenStep:
    told = each.get("Metadata", {})
    status = _STATES[each["StepStatus"]]
    job = next(
        ((kind, last_of(told[key]["Arn"])) for key, kind in _JOBS.items() if told.get(key)), None
    )
    callback = told.get("Callback", {})
    if status is StepStatus.RUNNING and callback:
        status = StepStatus.WAITING
    if status is StepStatus.SUCCEEDED and each.get("CacheHitResult"):
        status = StepStatus.CACHED
    return SeenStep(
        status=status,
        started_at=epoch(each.get("StartTime")),
        ended_at=epoch(each.get("EndTime")),
        attempt=max(1, int(each.get("AttemptCount") or 1)),
        message=str(each.get("FailureReason", "")),
        job=job,
        question=str(callback.get("CallbackToken", "")),
        package=str(told.get("RegisterModel", {}).get("Arn", "")),
    )


def _together(parts: list[SeenStep], count: int) -> SeenStep:
    """Several steps there that are one here: it has ended well when all have."""
    bad = next((each for each in parts if each.status.ended and not each.status.ended_well), None)
    last = parts[-1]
    done = len(parts) == count and all(each.status.ended_well for each in parts)
    status = bad.status if bad else (last.status if done else StepStatus.RUNNING)
    return SeenStep(
        status=status,
        started_at=parts[0].started_at,
        ended_at=(bad or last).ended_at if status.ended else None,
        attempt=last.attempt,
        message=bad.message if bad else last.message,
        job=last.job,
        question=last.question,
        package=last.package,
    )


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
