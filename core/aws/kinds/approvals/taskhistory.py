"""What an execution's history tells of tasks that wait for their token, and where the token is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.domain.gate import ApprovalStatus

if TYPE_CHECKING:
    from core.aws.account import Account

WAITS = ".waitForTaskToken"
_HIDDEN = "(the task's token)"
_ENDS = {
    "TaskSucceeded": ApprovalStatus.APPROVED,
    "TaskFailed": ApprovalStatus.REJECTED,
    "TaskTimedOut": ApprovalStatus.EXPIRED,
    "TaskStateAborted": ApprovalStatus.VOID,
    "TaskSubmitFailed": ApprovalStatus.VOID,
    "TaskStartFailed": ApprovalStatus.VOID,
}
_OVER = frozenset({"ExecutionAborted", "ExecutionFailed", "ExecutionTimedOut"})
_TOKENLIKE = re.compile(r"[A-Za-z0-9+/=_-]{36,2048}")


def parsed(text: str) -> Any:
    """JSON, or the text where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def events_of(account: Account, execution: str) -> list[Mapping[str, Any]]:
    """The whole history, oldest first."""
    return [
        event
        for page in account.pages(
            "stepfunctions",
            "get_execution_history",
            executionArn=execution,
            includeExecutionData=True,
            maxResults=1_000,
        )
        for event in page["events"]
    ]


def tasks_of(
    events: Sequence[Mapping[str, Any]],
) -> list[tuple[Mapping[str, Any], str, ApprovalStatus]]:
    """Those of a history, oldest first. Events name the one before them in their own branch, so
    that parallel branches keep apart."""
    by_id = {event["id"]: event for event in events}
    over = any(event["type"] in _OVER for event in events)
    ends: dict[int, ApprovalStatus] = {}
    for event in events:
        if event["type"] in _ENDS:
            begun = _scheduled(by_id, event)
            if begun is not None:
                ends.setdefault(begun, _ended(event))
    found = []
    for event in events:
        details = event.get("taskScheduledEventDetails", {})
        if event["type"] == "TaskScheduled" and details.get("resource", "").endswith(WAITS):
            still = ApprovalStatus.VOID if over else ApprovalStatus.OPEN
            found.append((event, _state(by_id, event), ends.get(event["id"], still)))
    return found


def _ended(event: Mapping[str, Any]) -> ApprovalStatus:
    """How a task was answered: one that succeeded may have been told that it is rejected."""
    output = parsed(event.get("taskSucceededEventDetails", {}).get("output", ""))
    if isinstance(output, Mapping):
        said = str(output.get("decision", output.get("status", ""))).lower()
        if output.get("approved") is False or said in ("rejected", "reject"):
            return ApprovalStatus.REJECTED
    return _ENDS[event["type"]]


def _scheduled(by_id: Mapping[int, Mapping[str, Any]], event: Mapping[str, Any]) -> int | None:
    """The TaskScheduled that an end belongs to."""
    while event["type"] != "TaskScheduled":
        before = by_id.get(event.get("previousEventId", 0))
        if before is None or before["type"].endswith(("StateEntered", "StateExited")):
            return None
        event = before
    return int(event["id"])


def _state(by_id: Mapping[int, Mapping[str, Any]], event: Mapping[str, Any]) -> str:
    while event is not None and "stateEnteredEventDetails" not in event:
        before = by_id.get(event.get("previousEventId", 0))
        if before is None:
            return "?"
        event = before
    return str(event["stateEnteredEventDetails"]["name"])


def token_in(value: Any, keys: frozenset[str] = frozenset(), key: str = "") -> str:
    """The token in a task's parameters, "" for none: a long text under one of the names that the
    definition gives to tokens, or under a name like it where it gives none.

    A text that is JSON itself (a message's body) is looked into.
    """
    if isinstance(value, Mapping):
        found = (token_in(inner, keys, str(name)) for name, inner in value.items())
    elif isinstance(value, list):
        found = (token_in(inner, keys, key) for inner in value)
    elif isinstance(value, str):
        named = key in keys if keys else "token" in key.lower()
        if named and _TOKENLIKE.fullmatch(value):
            return value
        inner = parsed(value) if value[:1] in ("{", "[") else None
        return token_in(inner, keys, key) if isinstance(inner, (Mapping, list)) else ""
    else:
        return ""
    return next((each for each in found if each), "")


def hide(value: Any, token: str) -> Any:
    """A copy in which the token does not stand."""
    if not token:
        return value
    if isinstance(value, Mapping):
        return {key: hide(inner, token) for key, inner in value.items()}
    if isinstance(value, list):
        return [hide(inner, token) for inner in value]
    return value.replace(token, _HIDDEN) if isinstance(value, str) else value
