"""Step Functions' tasks that wait for their token, answered as approvals.

A state whose resource ends in `.waitForTaskToken` waits until somebody sends its token back. The
token is in the parameters that the history keeps; where it isn't (encrypted, or left out), it is
looked for in the queue that it was sent to. It is part of no evidence and of nothing shown.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from core.aws import words
from core.aws.errors import BadRequest, ResourceNotFound
from core.aws.kinds.approvals.taskhistory import (
    WAITS,
    events_of,
    hide,
    parsed,
    tasks_of,
    token_in,
)
from core.aws.kinds.approvals.waiting import Source, Waiting, request
from core.aws.kinds.stepfunctions.asl import parse, token_keys
from core.aws.partial import side_by_side, tried
from core.domain.gate import Approval, ApprovalStatus
from core.errors import BadInput, NotFound, WrongState

if TYPE_CHECKING:
    from core.aws.account import Account

NAME = "task"
REJECTED = "Rejected"
AT_ONCE = 8
MOST_INPUT = 20_000
KNOWN_FOR = 300.0
MOST_RUNNING = 200
"""Executions of one state machine whose histories are looked into, the newest."""
_waiters: WeakKeyDictionary[Account, dict[str, tuple[float, bool]]] = WeakKeyDictionary()
_lock = threading.Lock()


# which state machines and executions can wait


def _list(account: Account) -> Iterator[Waiting]:
    for page in account.pages("stepfunctions", "list_state_machines"):
        arns = [each["stateMachineArn"] for each in page.get("stateMachines", ())
                if each.get("type") != "EXPRESS"]  # fmt: skip
        for first in range(0, len(arns), AT_ONCE):
            part = arns[first : first + AT_ONCE]
            for found in side_by_side([partial(_of_machine, account, arn) for arn in part]):
                yield from found


def _of_machine(account: Account, arn: str) -> list[Waiting]:
    try:
        if not _can_wait(account, arn):
            return []
        pages = account.pages(
            "stepfunctions", "list_executions", stateMachineArn=arn, statusFilter="RUNNING"
        )
        listed = (each for page in pages for each in page["executions"])
        running = list(islice(listed, MOST_RUNNING))
    except ResourceNotFound:
        return []  # it was deleted after it had been listed
    return [
        _waiting(each["executionArn"], scheduled, state)
        for each in running
        for scheduled, state, status in tasks_of(events_of(account, each["executionArn"]))
        if status is ApprovalStatus.OPEN
    ]


def _can_wait(account: Account, arn: str) -> bool:
    """Whether a state machine has such a state; asked anew every five minutes."""
    now = time.monotonic()
    with _lock:
        at, known = _waiters.setdefault(account, {}).get(arn, (-KNOWN_FOR, False))
    if now - at < KNOWN_FOR:
        return known
    found = account.call("stepfunctions", "describe_state_machine", stateMachineArn=arn)
    # A definition that is encrypted with a key that may not be used is not told: it may wait.
    waits = WAITS in found.get("definition", WAITS)
    with _lock:
        _waiters.setdefault(account, {})[arn] = (now, waits)
    return waits


def _waiting(execution: str, scheduled: Mapping[str, Any], state: str) -> Waiting:
    machine, name = execution.split(":")[-2:]
    at = words.epoch(scheduled["timestamp"]) or 0.0
    limit = scheduled["taskScheduledEventDetails"].get("timeoutInSeconds")
    # Without a limit of its own a task has 99,999,999 s: the execution's year ends first.
    expires = at + limit if limit and limit < 366 * 86_400 else None
    return Waiting(
        f"{NAME}:{machine}/{name}/{scheduled['id']}",
        "stepfunctions",
        f"{machine} {state}",
        at,
        expires,
    )


# one question


@dataclass(frozen=True, slots=True)
class _Task:
    """One task of one execution, with what its state machine does with the answer."""

    run: Mapping[str, Any]
    scheduled: Mapping[str, Any]
    state: str
    status: ApprovalStatus
    keys: frozenset[str]
    judges: bool

    @property
    def parameters(self) -> Any:
        return parsed(self.scheduled["taskScheduledEventDetails"].get("parameters", ""))


def _find(account: Account, ref: str) -> Approval:
    execution, _ = _arn(account, ref)
    task = _task(account, ref)
    machine, name = execution.split(":")[-2:]
    status = task.status
    if task.run["status"] != "RUNNING" and status is ApprovalStatus.OPEN:
        status = ApprovalStatus.VOID
    parameters = task.parameters
    evidence = {
        "state machine": machine,
        "execution": name,
        "state": task.state,
        "input": _shortened(parsed(task.run.get("input", ""))),
        "asked": hide(parameters, token_in(parameters, task.keys)),
        "a rejection": _rejection(task),
    }
    return request(
        _waiting(execution, task.scheduled, task.state), account, status,
        {key: value for key, value in evidence.items() if value},
        model=machine, pipeline=machine, step=task.state, run=name,
    )  # fmt: skip


def _rejection(task: _Task) -> str:
    if task.judges:
        return "is an answer that the next state judges"
    return f"fails the task with the error {REJECTED}"


def _task(account: Account, ref: str) -> _Task:
    execution, number = _arn(account, ref)
    reads: list[Callable[[], Any]] = [
        partial(account.call, "stepfunctions", "describe_execution", executionArn=execution),
        partial(events_of, account, execution),
        partial(_machine, account, execution),
    ]
    try:
        run, events, machine = side_by_side(reads)
    except ResourceNotFound as error:
        raise NotFound(f"approval {ref}: there is no such execution") from error
    for scheduled, state, status in tasks_of(events):
        if scheduled["id"] == number:
            judges = _judges(machine, state)
            return _Task(run, scheduled, state, status, token_keys(machine), judges)
    raise NotFound(f"approval {ref}: the execution has no such task")


def _machine(account: Account, execution: str) -> Mapping[str, Any]:
    """The definition that the execution runs by; empty where it may not be read."""
    nothing: Mapping[str, Any] = {}

    def read() -> Mapping[str, Any]:
        told = account.call(
            "stepfunctions", "describe_state_machine_for_execution", executionArn=execution
        )
        try:
            return parse(told["definition"])
        except BadInput:
            return nothing

    return tried(read, nothing)[0]


def _judges(machine: Any, state: str) -> bool:
    """Whether the state after this one is a choice: it decides by what the task answered."""
    if isinstance(machine, Mapping):
        states = machine.get("States")
        if isinstance(states, Mapping) and isinstance(states.get(state), Mapping):
            after = states.get(states[state].get("Next", ""))
            return isinstance(after, Mapping) and after.get("Type") == "Choice"
        return any(_judges(inner, state) for inner in machine.values())
    if isinstance(machine, list):
        return any(_judges(inner, state) for inner in machine)
    return False


def _arn(account: Account, ref: str) -> tuple[str, int]:
    parts = ref.removeprefix(f"{NAME}:").split("/")
    if len(parts) != 3 or not all(parts) or not parts[2].isdigit():
        raise NotFound(f"approval {ref}: is not {NAME}:STATE-MACHINE/EXECUTION/EVENT")
    partition = account.identity["Arn"].split(":")[1]
    place = f"arn:{partition}:states:{account.region}:{account.account_id}"
    return f"{place}:execution:{parts[0]}:{parts[1]}", int(parts[2])


def _shortened(value: Any) -> Any:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return value if len(text) <= MOST_INPUT else text[:MOST_INPUT] + "…"


# answering


def _token(account: Account, ref: str, task: _Task) -> str:
    execution, _ = _arn(account, ref)
    parameters = task.parameters
    found = token_in(parameters, task.keys) or _queued(account, execution, parameters)
    if not found:
        raise WrongState(
            f"approval {ref}: its token is neither in the history nor in a queue",
            "whoever got the token has to answer: aws stepfunctions send-task-success",
        )
    return found


def _queued(account: Account, execution: str, parameters: Any) -> str:
    """The token in a message of the queue that the task sent to; messages stay where they are."""
    url = parameters.get("QueueUrl", "") if isinstance(parameters, Mapping) else ""
    if not url:
        return ""
    answer = account.call(
        "sqs", "receive_message", QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    name = execution.split(":")[-1]
    for message in answer.get("Messages", ()):
        # Only a message that names the execution is surely this task's.
        if name in message["Body"] and (token := token_in(parsed(message["Body"]))):
            return token
    return ""


def _answer(account: Account, found: Approval, approved: bool, comment: str, output: str) -> None:
    task = _task(account, found.id)
    token = _token(account, found.id, task)
    try:
        if approved or task.judges or output.strip():
            account.call(
                "stepfunctions", "send_task_success", taskToken=token,
                output=_output(account, approved, comment, output),
            )  # fmt: skip
        else:
            account.call(
                "stepfunctions", "send_task_failure", taskToken=token, error=REJECTED,
                cause=comment,
            )  # fmt: skip
    except BadRequest as error:
        if error.aws_code == "InvalidToken":
            raise WrongState(f"approval {found.id}: its token is not valid any more") from error
        raise


def _output(account: Account, approved: bool, comment: str, output: str) -> str:
    """What the state machine goes on with: ours, unless another one is given."""
    if not output.strip():
        answered = {
            "decision": "Approved" if approved else "Rejected",
            "approved": approved,
            "comment": comment,
            "by": account.identity["Arn"],
        }
        return json.dumps(answered)
    try:
        json.loads(output)
    except ValueError as error:
        raise BadInput("output: is not JSON", 'for example: output={"approved": true}') from error
    return output


SOURCE = Source(NAME, "Step Functions", _list, _find, _answer)
