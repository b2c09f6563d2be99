"""Runs in Step Functions."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from typing import Any

from core.aws.account import Account
from core.aws.compile import Target, state_machine
from core.aws.compile.nodes import Lowered, Question, Registration
from core.aws.compile.template import tags
from core.aws.errors import BadRequest, Conflict, ResourceNotFound
from core.aws.running.errors import NotOurs
from core.aws.running.remote import Start
from core.aws.words import epoch
from core.domain.remote import Seen, SeenStep
from core.domain.run import StepStatus

_RUNS: Mapping[str, Any] = {
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "TIMED_OUT": "failed",
    "ABORTED": "stopped",
}
_KINDS = {"ProcessingJobName": "processing", "TrainingJobName": "training"}
LONGEST_NAME = 38
"""Of an execution: a job's name has the step's beside it, in 63 characters."""


class StepFunctionsRuns:
    """State machines and executions of one account and region."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def upsert(self, lowered: Lowered, target: Target, role: str) -> str:
        """Bring the state machine there to this definition; returns the ARN to start.

        Raises `NotOurs`.
        """
        call, text = self._account.call, json.dumps(state_machine(lowered, target))
        own = {each["Key"]: each["Value"] for each in tags(lowered)}
        arn = self._known(target.name)
        if arn is None:
            made = call(
                "stepfunctions",
                "create_state_machine",
                name=target.name,
                definition=text,
                roleArn=role,
                type="STANDARD",
                tags=[{"key": key, "value": value} for key, value in own.items()],
            )
            return str(made["stateMachineArn"])
        told = call("stepfunctions", "list_tags_for_resource", resourceArn=arn)["tags"]
        if {each["key"]: each["value"] for each in told}.items() < own.items() or not told:
            raise NotOurs(
                f"the state machine {target.name} there was not made from {lowered.spec.name}",
                "give yours another name: sagemaker: {name: …}",
            )
        known = call("stepfunctions", "describe_state_machine", stateMachineArn=arn)
        if known["definition"] == text and known["roleArn"] == role:
            return arn
        # An update takes seconds to be everywhere; its version is this definition and no other.
        updated = call(
            "stepfunctions",
            "update_state_machine",
            stateMachineArn=arn,
            definition=text,
            roleArn=role,
            publish=True,
        )
        return str(updated.get("stateMachineVersionArn") or arn)

    def _known(self, name: str) -> str | None:
        for page in self._account.pages("stepfunctions", "list_state_machines"):
            for each in page["stateMachines"]:
                if each["name"] == name:
                    return str(each["stateMachineArn"])
        return None

    def start(self, name: str, start: Start) -> str:
        """Start it once, however often this is called; returns the execution's ARN."""
        known = execution_name(name, start)
        document = {
            "params": dict(start.params),
            "source": start.source,
            "datasets": dict(start.datasets),
            "run": start.run,
        }
        try:
            answer = self._account.call(
                "stepfunctions",
                "start_execution",
                stateMachineArn=name,
                name=known,
                input=json.dumps(document, sort_keys=True),
            )
            return str(answer["executionArn"])
        except (BadRequest, Conflict) as error:
            if error.aws_code != "ExecutionAlreadyExists":
                raise
            machine = name.replace(":stateMachine:", ":execution:").split(":")[:7]
            return ":".join([*machine, known])

    def look(self, execution: str, lowered: Lowered) -> Seen:
        """How the execution stands, by its history."""
        whole = self._account.call("stepfunctions", "describe_execution", executionArn=execution)
        history = _History(lowered)
        for page in self._account.pages(
            "stepfunctions",
            "get_execution_history",
            executionArn=execution,
            includeExecutionData=True,
        ):
            for event in page["events"]:
                history.take(event)
        status = _RUNS.get(whole["status"], "running")
        message = ": ".join(str(whole[key]) for key in ("error", "cause") if whole.get(key))
        return Seen(status, message[:500], history.steps(status))

    def stop(self, execution: str, token: str) -> None:
        """End it; one that has ended already is no error."""
        with contextlib.suppress(BadRequest, Conflict):
            self._account.call(
                "stepfunctions",
                "stop_execution",
                executionArn=execution,
                error="Cancelled",
                cause="the run was cancelled",
            )

    def resume(self, execution: str, token: str) -> None:
        """Redrive it; one that goes on already is no error."""
        status = self._account.call("stepfunctions", "describe_execution", executionArn=execution)[
            "status"
        ]
        if status not in ("RUNNING", "SUCCEEDED"):
            self._account.call(
                "stepfunctions",
                "redrive_execution",
                executionArn=execution,
                clientToken=token,
            )

    def answer(self, question: str, package: str, approved: bool, by: str, words: str) -> None:
        """Say the decision of a gate; the machine marks the model package by itself."""
        decision = {"decision": "Approved" if approved else "Rejected", "by": by, "words": words}
        with contextlib.suppress(ResourceNotFound, BadRequest, Conflict):  # it has been answered
            self._account.call(
                "stepfunctions",
                "send_task_success",
                taskToken=question,
                output=json.dumps(decision),
            )


def execution_name(machine: str, start: Start) -> str:
    """The execution's name: by it the service knows that this start has been made."""
    slug = re.sub(r"[^A-Za-z0-9]+", "-", machine.split(":")[6] if ":" in machine else machine)
    tail = f"-{start.number}-{start.token[:8]}"
    return slug[: LONGEST_NAME - len(tail)].strip("-") + tail


class _History:
    """The events of an execution as they tell of steps: a state's first word is its step."""

    def __init__(self, lowered: Lowered) -> None:
        self._nodes = {node.name: node for node in lowered.nodes}
        self._of_event: dict[int, str] = {}
        self._told: dict[str, dict[str, Any]] = {}
        self._redriven = 0

    def take(self, event: Mapping[str, Any]) -> None:
        """The next event, in the order of their ids."""
        number, kind = int(event["id"]), str(event["type"])
        entered, left = event.get("stateEnteredEventDetails"), event.get("stateExitedEventDetails")
        state = (entered or left or {}).get("name")
        step = state.split(" ")[0] if state else self._of_event.get(event["previousEventId"], "")
        if step not in self._nodes:
            if kind == "ExecutionRedriven":
                self._redriven += 1
            return
        self._of_event[number] = step
        told = self._told.setdefault(step, {"started": epoch(event["timestamp"]), "attempt": 0})
        if kind == "FailStateEntered":
            words = "rejected" if str(state).endswith(" rejected") else str(state)
            told |= {"ended": epoch(event["timestamp"]), "exited": True, "failed": words}
        elif kind.endswith("StateEntered"):
            told |= {"ended": None, "exited": False, "failed": ""}
        elif kind.endswith("StateExited"):
            told |= {"ended": epoch(event["timestamp"]), "exited": True, "state": state}
        elif kind == "TaskScheduled":
            told |= {"attempt": told["attempt"] + 1, "failed": ""}
            self._read_job(told, event["taskScheduledEventDetails"].get("parameters"))
        elif kind in ("TaskFailed", "TaskTimedOut", "TaskSubmitFailed", "TaskStartFailed"):
            details = event.get(f"{kind[0].lower()}{kind[1:]}EventDetails", {})
            said = ": ".join(str(details[key]) for key in ("error", "cause") if details.get(key))
            told |= {"failed": said[:500] or kind, "ended": epoch(event["timestamp"])}
        elif kind == "TaskSucceeded":
            self._read_package(told, event["taskSucceededEventDetails"].get("output"))

    def _read_job(self, told: dict[str, Any], text: str | None) -> None:
        found = json.loads(text or "{}")
        for key, kind in _KINDS.items():
            if found.get(key):
                told["job"] = (kind, str(found[key]))
        body = found.get("MessageBody")
        if isinstance(body, str):
            body = json.loads(body)
        if isinstance(body, dict) and body.get("token"):
            told["question"] = str(body["token"])

    def _read_package(self, told: dict[str, Any], text: str | None) -> None:
        found = json.loads(text or "{}")
        if isinstance(found, dict) and found.get("ModelPackageArn"):
            told["package"] = str(found["ModelPackageArn"])

    def steps(self, status: str) -> dict[str, SeenStep]:
        """The steps that have begun."""
        return {name: self._step(name, told, status) for name, told in self._told.items()}

    def _step(self, name: str, told: Mapping[str, Any], status: str) -> SeenStep:
        node = self._nodes[name]
        waits = isinstance(node, Question) and not told.get("exited") and status == "running"
        if told.get("failed") and status != "running":
            state = StepStatus.REJECTED if told["failed"] == "rejected" else StepStatus.FAILED
        elif told.get("failed"):  # it is tried again, or the machine goes another way
            state = StepStatus.RUNNING if told.get("exited") else StepStatus.RETRYING
        elif told.get("exited"):
            state = StepStatus.SUCCEEDED if self._over(name, told) else StepStatus.RUNNING
        elif status == "running":
            state = StepStatus.WAITING if waits and told.get("question") else StepStatus.RUNNING
        else:
            state = StepStatus.CANCELLED if status == "stopped" else StepStatus.FAILED
        return SeenStep(
            status=state,
            started_at=told["started"],
            ended_at=told.get("ended") if state.ended else None,
            attempt=max(1, told["attempt"] if told.get("job") else 1),
            message=told.get("failed", ""),
            job=told.get("job"),
            question=told.get("question", ""),
            package=told.get("package", "") if isinstance(node, Registration) else "",
        )

    def _over(self, name: str, told: Mapping[str, Any]) -> bool:
        """Whether the state that was left is the step's last one."""
        node, state = self._nodes[name], str(told.get("state", ""))
        if isinstance(node, Question):
            return state in (f"{name} approve", f"{name} result")
        last = (f"{name} done", f"{name} result")
        return state in last or (state == name and not hasattr(node, "config"))
