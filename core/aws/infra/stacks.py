"""Stacks as CloudFormation tells them, and waiting for one to end what it does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.aws.account import Account
from core.aws.errors import AwsError
from core.aws.infra.errors import StackBusy

FAILED_FIRST = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"})
"""A first creation failed: CloudFormation can only delete what is left of it."""
GOOD = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
USABLE = GOOD | {"UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
"""Whole, and can be changed."""
STACK_TYPE = "AWS::CloudFormation::Stack"
_AFTERMATH = ("cancelled", "canceled", "initiated by parent")


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack: its state, and the values it was made with."""

    name: str
    id: str
    status: str
    reason: str = ""
    changed_at: float | None = None
    protected: bool = False
    drift: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def busy(self) -> bool:
        """Whether CloudFormation works on it."""
        return self.status.endswith("_IN_PROGRESS") and not self.empty

    @property
    def empty(self) -> bool:
        """Whether it is but the place of a change set that nobody executed."""
        return self.status == "REVIEW_IN_PROGRESS"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a resource of a stack (or to the stack itself)."""

    id: str
    at: float
    stack: str
    name: str
    type: str
    status: str
    reason: str = ""

    @property
    def failed(self) -> bool:
        """Whether this is a failure of its own, not one that follows from another."""
        aftermath = any(word in self.reason.lower() for word in _AFTERMATH)
        return self.status.endswith("_FAILED") and not aftermath

    def ends(self, stack: str) -> bool:
        """Whether this is the stack's own word that what was begun is over."""
        own = self.type == STACK_TYPE and self.name == stack
        return own and not self.status.endswith("_IN_PROGRESS")


Tell = Callable[[Event], None]


def pause(seconds: float) -> None:
    """How time is let pass between two questions, where nobody says otherwise."""
    time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Patience:
    """How often to ask (seconds), and when to give up (seconds; None = never)."""

    every: float = 2.0
    timeout: float | None = None
    sleep: Callable[[float], None] | None = None
    now: Callable[[], float] = time.monotonic

    def turns(self, what: str) -> Iterator[None]:
        """Yields once a turn; raises `StackBusy` when the time is up."""
        until = None if self.timeout is None else self.now() + self.timeout
        while True:
            yield
            if until is not None and self.now() >= until:
                raise StackBusy(
                    f"{what}: did not end within {self.timeout:.0f} s; it goes on at AWS",
                    "the same command later takes up where it is",
                )
            (self.sleep or pause)(self.every)


def find(account: Account, name: str) -> Stack | None:
    """The stack of this name (or id), or None where there is none."""
    try:
        found = (
            account.call("cloudformation", "describe_stacks", StackName=name).get("Stacks") or []
        )
    except AwsError as error:
        if error.aws_code == "ValidationError" and "does not exist" in error.message:
            return None
        raise
    return _stack(found[0]) if found else None


def stacks_under(account: Account, prefix: str) -> list[Stack]:
    """Every stack whose name begins with `prefix` and a hyphen, by name."""
    found = [
        _stack(each)
        for page in account.pages("cloudformation", "describe_stacks")
        for each in page.get("Stacks") or ()
        if each["StackName"].startswith(f"{prefix}-")
    ]
    return sorted(
        (each for each in found if each.status != "DELETE_COMPLETE"), key=lambda each: each.name
    )


def newest_event(account: Account, stack: str) -> str:
    """The id of the last event so far, "" where there is none."""
    for page in account.pages("cloudformation", "describe_stack_events", StackName=stack):
        for each in page.get("StackEvents") or ():
            return str(each["EventId"])
    return ""


def events_since(account: Account, stack: str, marker: str) -> list[Event]:
    """The events after the one with the id `marker`, oldest first."""
    found: list[Event] = []
    for page in account.pages("cloudformation", "describe_stack_events", StackName=stack):
        for each in page.get("StackEvents") or ():
            if each["EventId"] == marker:
                return found[::-1]
            found.append(_event(each))
    return found[::-1]


def follow(
    account: Account,
    stack_id: str,
    marker: str,
    tell: Tell,
    patience: Patience,
    *,
    until_event: bool = True,
) -> tuple[Stack, list[Event]]:
    """Tell each event after `marker` as it comes, until the stack is at rest; its end and them.

    With `until_event` the stack's own last event is waited for: just after a change was begun,
    its state is still the one from before.

    Raises `StackBusy` when the patience is at an end; the work goes on at AWS.
    """
    told: list[Event] = []
    for _ in patience.turns(stack_id.split("/")[1] if "/" in stack_id else stack_id):
        # The state first: events that came before it came to rest are then all there.
        stack = find(account, stack_id)
        for event in events_since(account, stack_id, marker):
            told.append(event)
            marker = event.id
            tell(event)
        if stack is None:  # deleted, and asked for by its name
            return Stack(stack_id, stack_id, "DELETE_COMPLETE"), told
        ended = not until_event or any(each.ends(stack.name) for each in told)
        if ended and not stack.busy and not stack.empty:
            return stack, told
    raise AssertionError("patience has no end of its own")


def first_failure(events: list[Event]) -> Event | None:
    """The event that everything else followed from."""
    own = [each for each in events if each.failed]
    resources = [each for each in own if each.type != STACK_TYPE]
    return next(iter(resources or own), None)


def _stack(raw: Mapping[str, Any]) -> Stack:
    changed = raw.get("LastUpdatedTime") or raw.get("CreationTime")
    return Stack(
        name=raw["StackName"],
        id=raw.get("StackId", raw["StackName"]),
        status=raw["StackStatus"],
        reason=raw.get("StackStatusReason") or "",
        changed_at=_seconds(changed) if changed else None,
        protected=bool(raw.get("EnableTerminationProtection")),
        drift=(raw.get("DriftInformation") or {}).get("StackDriftStatus", ""),
        parameters={
            p["ParameterKey"]: str(p.get("ParameterValue", "")) for p in raw.get("Parameters") or ()
        },
        outputs={o["OutputKey"]: str(o["OutputValue"]) for o in raw.get("Outputs") or ()},
        tags={t["Key"]: t["Value"] for t in raw.get("Tags") or ()},
    )


def _event(raw: Mapping[str, Any]) -> Event:
    return Event(
        id=str(raw["EventId"]),
        at=_seconds(raw["Timestamp"]),
        stack=raw["StackName"],
        name=raw.get("LogicalResourceId", ""),
        type=raw.get("ResourceType", ""),
        status=raw.get("ResourceStatus", ""),
        reason=raw.get("ResourceStatusReason") or "",
    )


def _seconds(value: Any) -> float:
    return value.timestamp() if isinstance(value, datetime) else float(value)
