"""Step Functions as kinds: started once by name, followed by state, answered, stopped, redriven."""

from __future__ import annotations

from typing import Any

import pytest

from core.aws.account import Account
from core.aws.kinds.stepfunctions.tokens import waiting
from core.aws.logs import LogSource
from core.aws.registry import kind
from core.errors import BadInput, OpsdeckError
from core.simulated.server import SimulatedAccount
from tests.support.awsruns import blocked, do, listed, make_machine, until, value, words

PASS = {"StartAt": "Only", "States": {"Only": {"Type": "Pass", "End": True}}}


def asking(account: Account) -> dict[str, Any]:
    """A machine that looks twice at once, then waits for an answer."""
    queue = account.call("sqs", "create_queue", QueueName="answers")["QueueUrl"]
    branch = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    other = {"StartAt": "B", "States": {"B": {"Type": "Pass", "End": True}}}
    return {
        "StartAt": "Look",
        "States": {
            "Look": {"Type": "Parallel", "Branches": [branch, other], "Next": "Ask"},
            "Ask": {
                "Type": "Task",
                "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                "Parameters": {
                    "QueueUrl": queue,
                    "MessageBody": {"Answer.$": "$$.Task.Token", "question": "deploy?"},
                },
                "Next": "Decide",
            },
            "Decide": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.yes", "BooleanEquals": True, "Next": "Yes"}],
                "Default": "No",
            },
            "Yes": {"Type": "Succeed"},
            "No": {"Type": "Fail", "Error": "Refused", "Cause": "somebody said no"},
        },
    }


@pytest.fixture
def waits(account: Account) -> str:
    """An execution that waits for an answer."""
    make_machine(account, "gate", asking(account))
    do(account, "state-machines", "start", "gate", input='{"model": "bikes"}', name="first")
    [item] = listed(account, "sfn-executions", "gate")
    until(
        lambda: any(e.cells[2] == "TaskSubmitted" for e in listed(account, "sfn-history", item.id))
    )
    return item.id


def answer(account: Account, execution: str, output: str) -> None:
    [open_now] = waiting(account, execution)
    account.call("stepfunctions", "send_task_success", taskToken=open_now.token, output=output)


def ended(account: Account, execution: str) -> str:
    """Wait until it is over; its status."""

    def over() -> str:
        told = account.call("stepfunctions", "describe_execution", executionArn=execution)
        return "" if told["status"] == "RUNNING" else str(told["status"])

    return str(until(over))


def test_a_machine_is_its_states(account: Account) -> None:
    make_machine(account, "gate", asking(account))
    [item] = listed(account, "state-machines")
    assert item.cells[:2] == ("gate", "STANDARD")
    told = kind("state-machines").show(account, item.id)
    assert value(told, "States, from Look", "Ask").startswith("Task · sqs:sendMessage, waits")
    assert value(told, "State machine", "logs") == "off"


def test_an_open_question_is_shown_with_its_token(account: Account, waits: str) -> None:
    [item] = listed(account, "sfn-executions")
    assert (item.id, item.cells[1], item.tone) == (waits, "RUNNING", "run")
    told = kind("sfn-executions").show(account, waits)
    assert value(told, "Waits for an answer", "Ask").startswith("sqs:sendMessage, for ")
    [open_now] = waiting(account, waits)
    assert value(told, "Waits for an answer", "token") == open_now.token
    assert open_now.parameters["MessageBody"]["question"] == "deploy?"
    assert value(told, "States", "  A").startswith("done")
    assert value(told, "States", "Ask").startswith("waits for an answer")
    assert "bikes" in words(told)


def test_answered_yes(account: Account, waits: str) -> None:
    answer(account, waits, '{"yes": true}')
    assert ended(account, waits) == "SUCCEEDED"
    told = kind("sfn-executions").show(account, waits)
    assert told.tone == "ok"
    assert "[Waits for an answer]" not in words(told)
    assert value(told, "States", "Ask").startswith("done")
    assert blocked(account, "sfn-executions", "stop", waits) == "it is SUCCEEDED"
    assert blocked(account, "sfn-executions", "redrive", waits) == "it is SUCCEEDED"


def test_answered_no_and_redriven(account: Account, waits: str) -> None:
    answer(account, waits, '{"yes": false}')
    assert ended(account, waits) == "FAILED"
    told = kind("sfn-executions").show(account, waits)
    assert value(told, "Execution", "error") == "Refused"
    assert value(told, "Execution", "cause") == "somebody said no"
    assert value(told, "States", "No").endswith("Refused: somebody said no")
    assert blocked(account, "sfn-executions", "redrive", waits) is None
    verb = kind("sfn-executions").verb("redrive")
    assert verb is not None
    assert "from No" in verb.consequence(account, waits, {})
    do(account, "sfn-executions", "redrive", waits)
    assert ended(account, waits) == "FAILED", "the same state says no again"
    [item] = listed(account, "sfn-executions")
    assert item.cells[4] == "1×"


def test_history_is_read_event_by_event(account: Account, waits: str) -> None:
    events = listed(account, "sfn-history", waits)
    by_kind = {item.cells[2]: item for item in events}
    assert events[0].cells[2] == "ExecutionStarted"
    assert by_kind["TaskSubmitted"].tone == "wait"
    assert by_kind["ParallelStateExited"].cells[3].strip() == "Look"
    assert by_kind["ParallelStateExited"].cells[4], "how long it took"
    inner = sorted(item.cells[3] for item in events if item.cells[2] == "PassStateEntered")
    assert inner == ["  A", "  B"]
    told = kind("sfn-history").show(account, by_kind["TaskScheduled"].id)
    assert "deploy?" in words(told)
    with pytest.raises(OpsdeckError, match="has no such event"):
        kind("sfn-history").show(account, f"{waits}#999")


def test_stop_ends_it_with_a_cause(account: Account, waits: str) -> None:
    verb = kind("sfn-executions").verb("stop")
    assert verb is not None
    assert "now in Ask" in verb.consequence(account, waits, {})
    do(account, "sfn-executions", "stop", waits, cause="wrong model", error="Mistake")
    assert ended(account, waits) == "ABORTED"
    told = kind("sfn-executions").show(account, waits)
    assert told.tone == "dim"
    assert waiting(account, waits) == ()


def test_what_is_given_is_checked(account: Account, aws: SimulatedAccount) -> None:
    make_machine(account, "plain", PASS)
    verb = kind("state-machines").verb("start")
    assert verb is not None
    for values, says in (
        ({"input": "{"}, "input: is no JSON"),
        ({"name": "a b"}, "name=a b"),
        ({"inputs": "{}"}, "inputs: is nothing"),
    ):
        with pytest.raises(BadInput, match=says):
            verb.do(account, "plain", values)
    assert not [call for call in aws.calls if call.operation == "StartExecution"]


def test_the_name_is_said_to_start_it_once(account: Account, waits: str) -> None:
    verb = kind("state-machines").verb("start")
    assert verb is not None
    same = {"input": '{"model": "bikes"}', "name": "first"}
    assert "a second start" in verb.consequence(account, "gate", same)[2]
    assert "execution first has started" in verb.do(account, "gate", same)
    assert len(listed(account, "sfn-executions", "gate")) == 1


def test_logs_where_they_are_configured(account: Account) -> None:
    arn = f"arn:aws:logs:{account.region}:{account.account_id}:log-group:/sfn/loud:*"
    account.call("logs", "create_log_group", logGroupName="/sfn/loud")
    make_machine(
        account,
        "loud",
        PASS,
        loggingConfiguration={
            "level": "ALL",
            "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}}],
        },
    )
    make_machine(account, "quiet", PASS)
    logs = kind("state-machines").logs
    assert logs is not None
    assert logs(account, "loud") == LogSource("/sfn/loud")
    with pytest.raises(BadInput, match="its logging is off"):
        logs(account, "quiet")


def test_history_needs_its_execution(account: Account) -> None:
    with pytest.raises(BadInput, match="of which execution"):
        listed(account, "sfn-history")
