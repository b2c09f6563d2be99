"""Waiting for a stack that answers as AWS does, late and in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from core.aws.account import Account
from core.aws.errors import BadRequest, ResourceNotFound
from core.aws.infra import Event, Patience, Stack, StackBusy, StackStuck
from core.aws.infra.deploying import failed
from core.aws.infra.planning import stuck
from core.aws.infra.stacks import events_since, find, first_failure, follow

STACK = "AWS::CloudFormation::Stack"


def raw(number: int, name: str, status: str, reason: str = "") -> dict[str, Any]:
    return {
        "EventId": str(number),
        "StackName": "s",
        "LogicalResourceId": name,
        "ResourceType": STACK if name == "s" else "AWS::S3::Bucket",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
        "Timestamp": float(number),
    }


class Answers:
    """An account whose stack goes through `states`; events come in pages, newest first."""

    def __init__(self, states: list[str], events: list[list[dict[str, Any]]]) -> None:
        self._states = iter(states)
        self._events = iter(events)
        self._last: list[dict[str, Any]] = []
        self._status = ""

    def call(self, service: str, operation: str, **_: Any) -> Any:
        assert (service, operation) == ("cloudformation", "describe_stacks")
        self._status = next(self._states, self._status)
        if self._status == "GONE":
            raise ResourceNotFound("Stack with id s does not exist", "", "ValidationError")
        if self._status == "BROKEN":
            raise BadRequest("1 validation error detected", "", "ValidationError")
        return {"Stacks": [{"StackName": "s", "StackId": "id", "StackStatus": self._status}]}

    def pages(self, service: str, operation: str, **_: Any) -> Iterator[Any]:
        self._last = next(self._events, self._last)
        newest = self._last[::-1]
        for start in range(0, len(newest), 2):
            yield {"StackEvents": newest[start : start + 2]}


def account(states: list[str], events: list[list[dict[str, Any]]] | None = None) -> Account:
    return cast("Account", Answers(states, events or [[]]))


PATIENCE = Patience(1.0, None, sleep=lambda _: None)
BEGUN = raw(2, "s", "UPDATE_IN_PROGRESS")
MADE = raw(3, "Bucket", "UPDATE_COMPLETE")
DONE = raw(4, "s", "UPDATE_COMPLETE")


def test_a_state_from_before_is_not_taken_for_the_end() -> None:
    told: list[Event] = []
    states = ["CREATE_COMPLETE", "CREATE_COMPLETE", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]
    old = raw(1, "s", "CREATE_COMPLETE")
    events = [[old], [old], [old, BEGUN], [old, BEGUN, MADE, DONE]]
    end, all_of_them = follow(account(states, events), "s", "1", told.append, PATIENCE)
    assert end.status == "UPDATE_COMPLETE"
    assert [each.id for each in told] == ["2", "3", "4"], "each once, oldest first"
    assert all_of_them == told


def test_events_are_read_back_to_the_marker_over_pages() -> None:
    many = [raw(n, "Bucket", "CREATE_COMPLETE") for n in range(9)]
    found = events_since(account([], [many]), "s", "3")
    assert [each.id for each in found] == ["4", "5", "6", "7", "8"]
    assert len(events_since(account([], [many]), "s", "")) == 9


def test_a_stack_that_is_gone_has_ended() -> None:
    end, _ = follow(account(["DELETE_IN_PROGRESS", "GONE"]), "s", "", lambda _: None, PATIENCE)
    assert end.status == "DELETE_COMPLETE"


def test_only_a_missing_stack_is_none() -> None:
    assert find(account(["GONE"]), "s") is None
    with pytest.raises(BadRequest):
        find(account(["BROKEN"]), "s")


def test_patience_ends() -> None:
    clock = iter(range(100))
    patience = Patience(1.0, 3.0, sleep=lambda _: None, now=lambda: float(next(clock)))
    with pytest.raises(StackBusy, match="did not end within 3 s"):
        follow(account(["UPDATE_IN_PROGRESS"]), "s", "", lambda _: None, patience)


def test_the_cause_is_told_and_not_what_followed_from_it() -> None:
    def event(number: int, name: str, reason: str) -> Event:
        kind = STACK if name == "s" else "AWS::S3::Bucket"
        return Event(str(number), number, "s", name, kind, "CREATE_FAILED", reason)

    cancelled = event(1, "Other", "Resource creation cancelled")
    cause = event(2, "Bucket", "name is taken")
    stack = event(3, "s", "The following resource(s) failed")
    assert first_failure([cancelled, cause, stack]) == cause
    assert first_failure([stack]) == stack
    error = failed(Stack("s", "id", "ROLLBACK_COMPLETE"), [cancelled, cause, stack])
    assert "Bucket (AWS::S3::Bucket) CREATE_FAILED: name is taken" in error.message
    assert "no reason told" in failed(Stack("s", "id", "ROLLBACK_COMPLETE"), []).message


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name s"),
        ("DELETE_FAILED", "destroy it again"),
        ("IMPORT_ROLLBACK_FAILED", "look at its events"),
    ],
)
def test_a_stuck_stack_says_what_brings_it_on(status: str, hint: str) -> None:
    error = stuck(Stack("s", "id", status, "because"))
    assert isinstance(error, StackStuck)
    assert error.message == f"s: is {status}: because"
    assert hint in error.hint
