"""The kind `approvals`: what a screen shows of each question, and what it binds a decision to."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from core.aws import words
from core.aws.account import Account
from core.aws.kind import Detail, Item
from core.aws.kinds.approvals.codepipeline import _compare
from core.aws.kinds.approvals.taskhistory import hide, tasks_of, token_in
from core.aws.registry import kind
from core.domain.gate import ApprovalStatus
from core.errors import BadInput, EvidenceChanged, ReadOnly, WrongState
from core.simulated.server import SimulatedAccount
from tests.support import asking

KIND = kind("approvals")


def items(account: Account) -> list[Item]:
    return [item for page in KIND.list(account, "") for item in page]


def verb(name: str) -> Any:
    return KIND.verb(name)


def lines(detail: Detail, title: str) -> list[str]:
    return [
        line if isinstance(line, str) else f"{line[0]}: {line[1]}"
        for section in detail.sections
        if section.title.startswith(title)
        for line in section.lines
    ]


def test_a_version_is_shown_beside_the_one_approved_last(account: Account) -> None:
    asking.register(account, mae=40.5, status="Approved")
    asking.register(account, mae=38.2)
    (item,) = items(account)
    assert (item.id, item.cells[:3]) == ("version:demand/2", ("demand/2", "registry", "open"))
    detail = KIND.show(account, item.id)
    assert lines(detail, "Metrics, version 1 is approved") == ["mae: 38.2  (approved: 40.5, -2.3)"]
    told = verb("approve").consequence(account, item.id, {})
    assert "demand version 2 (registry): approved" in told
    assert any("is not checked here" in line for line in told)


def test_what_changed_after_it_was_shown_is_not_decided(account: Account) -> None:
    asking.register(account, mae=40.5, status="Approved")
    name = f"version:{asking.register(account, mae=38.2)}"
    KIND.show(account, name)
    asking.report(account, "demand-2.json", {"mae": 99.0})
    for each in ("approve", "reject"):
        with pytest.raises(EvidenceChanged):
            verb(each).consequence(account, name, {"comment": "fine"})
        with pytest.raises(EvidenceChanged):
            verb(each).do(account, name, {"comment": "fine"})
    KIND.show(account, name)
    assert verb("approve").do(account, name, {"comment": "seen"}) == "demand version 2: approved"
    with pytest.raises(WrongState):
        verb("reject").do(account, name, {"comment": "late"})
    assert verb("approve").blocked(KIND.show(account, name).item) == "it is approved already"


def test_a_hash_that_is_given_counts_before_what_was_shown(account: Account) -> None:
    name = f"version:{asking.register(account)}"
    shown = KIND.show(account, name)
    assert shown.item is not None
    with pytest.raises(EvidenceChanged):
        verb("approve").do(account, name, {"comment": "x", "evidence": "0" * 64})
    with pytest.raises(BadInput, match="comment"):
        verb("approve").do(account, name, {})
    reader = Account(account.context, read_only=True, attempts=1)
    with pytest.raises(ReadOnly):
        verb("approve").do(reader, name, {"comment": "x"})


def test_a_manual_approval_says_what_is_asked_and_when_it_ends(
    account: Account, aws: SimulatedAccount
) -> None:
    execution = asking.pipeline(account, aws)
    (item,) = items(account)
    assert item.id == f"pipeline:deliver/Approve/decide/{execution}"
    detail = KIND.show(account, item.id)
    assert "question: the new model" in lines(detail, "Question")
    assert lines(detail, "Revisions")[0].startswith("source fetch, revision")
    asked, expires = (words.epoch(f"{cell}Z") for cell in item.cells[4:6])
    assert asked is not None and expires == asked + 7 * 86_400
    verb("reject").do(account, item.id, {"comment": "not today"})
    assert items(account) == []
    with pytest.raises(BadInput, match="CodePipeline keeps 512"):
        other = asking.pipeline(account, aws)
        long = {"comment": "x" * 513}
        verb("approve").do(account, f"pipeline:deliver/Approve/decide/{other}", long)


def test_a_superseded_question_is_over(account: Account, aws: SimulatedAccount) -> None:
    first = asking.pipeline(account, aws)
    old = f"pipeline:deliver/Approve/decide/{first}"
    KIND.show(account, old)
    verb("approve").do(account, old, {"comment": "first"})
    aws.advance(60)
    second = asking.pipeline(account, aws)
    assert [item.id for item in items(account)] == [f"pipeline:deliver/Approve/decide/{second}"]
    with pytest.raises(WrongState):
        verb("approve").do(account, old, {"comment": "again"})


def test_a_waiting_task_goes_on_with_what_it_is_told(account: Account) -> None:
    run = asking.execution(account, asking.machine(account), "r1")
    end = time.monotonic() + 10
    while not (found := items(account)) and time.monotonic() < end:
        time.sleep(0.05)
    (item,) = found
    assert item.cells[0] == "release Ask"
    detail = KIND.show(account, item.id)
    assert lines(detail, "Input") == ["model: demand/3"]
    with pytest.raises(BadInput, match="output: is not JSON"):
        verb("approve").do(account, item.id, {"comment": "x", "output": "{"})
    verb("approve").do(account, item.id, {"comment": "yes", "output": '{"seats": 3}'})
    while time.monotonic() < end:
        told = account.call("stepfunctions", "describe_execution", executionArn=run)
        if told["status"] == "SUCCEEDED":
            break
        time.sleep(0.05)
    assert json.loads(told["output"])["answer"] == {"seats": 3}


def test_a_source_that_is_denied_is_one_line_and_the_rest_goes_on(
    account: Account, aws: SimulatedAccount
) -> None:
    asking.register(account)
    aws.fault("stepfunctions:*", "AccessDeniedException", times=9)
    found = items(account)
    assert found[0].id == "version:demand/1"
    assert [item.tone for item in found] == ["wait", "bad"]
    assert "states:ListStateMachines" in found[1].cells[0]


def _event(number: int, kind_: str, before: int, **more: Any) -> dict[str, Any]:
    return {"id": number, "type": kind_, "previousEventId": before, "timestamp": 1.0, **more}


def test_parallel_branches_that_wait_are_kept_apart() -> None:
    scheduled = {"resource": "sendMessage.waitForTaskToken", "parameters": "{}"}
    events = [
        _event(1, "ExecutionStarted", 0),
        _event(2, "ParallelStateEntered", 1, stateEnteredEventDetails={"name": "Both"}),
        _event(3, "TaskStateEntered", 2, stateEnteredEventDetails={"name": "A"}),
        _event(4, "TaskScheduled", 3, taskScheduledEventDetails=scheduled),
        _event(5, "TaskStateEntered", 2, stateEnteredEventDetails={"name": "B"}),
        _event(6, "TaskScheduled", 5, taskScheduledEventDetails=scheduled),
        _event(7, "TaskSubmitted", 4),
        _event(8, "TaskSubmitted", 6),
        _event(9, "TaskSucceeded", 8, taskSucceededEventDetails={"output": "{}"}),
    ]
    assert [(state, status) for _, state, status in tasks_of(events)] == [
        ("A", ApprovalStatus.OPEN), ("B", ApprovalStatus.APPROVED),
    ]  # fmt: skip
    events.append(_event(10, "ExecutionAborted", 0))
    assert tasks_of(events)[0][2] is ApprovalStatus.VOID


def test_a_token_is_found_by_its_name_and_hidden_everywhere() -> None:
    token = "AQCEAAAAKgAAAAMAAAAAAAAAAe" * 4
    body = json.dumps({"ask": {"answerWith": token}, "about": "x" * 60})
    assert token_in({"MessageBody": {"TaskToken": token}}) == token
    assert token_in({"MessageBody": body}, frozenset({"answerWith"})) == token
    assert token_in({"MessageBody": body}) == ""
    assert token_in({"tokens": 3, "token": "short", "list": [None, {"a": "b"}]}) == ""
    assert token not in json.dumps(hide({"MessageBody": body, "again": [token]}, token))


def test_the_change_since_the_last_success_is_a_link_where_it_can_be() -> None:
    url = "https://github.com/made/up/commit/0123abc"
    revision = {"revision": "0123abc", "url": url}
    assert _compare(revision, {"fetch": "fedc321"}) == (
        "https://github.com/made/up/compare/fedc321...0123abc"
    )
    assert _compare(revision, {"fetch": "0123abc"}) == ""
    assert _compare({"revision": "1", "url": "https://example.com"}, {"fetch": "2"}) == ""
