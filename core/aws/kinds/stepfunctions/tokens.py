"""Tasks that wait until somebody answers with their token (`.waitForTaskToken`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.aws.kinds.stepfunctions.asl import parse, token_keys
from core.aws.kinds.stepfunctions.history import Event, pages_of_events
from core.aws.partial import tried
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

TAIL = ".waitForTaskToken"
_ENDS = ("TaskSucceeded", "TaskFailed", "TaskTimedOut", "TaskStateAborted", "TaskSubmitFailed")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A task that waits: in which state, since when (epoch s), what it called, its token ("" where
    it is not to be found in what the task was given), and what else that was."""

    execution: str
    state: str
    since: float
    resource: str
    token: str
    parameters: Any


def waiting(account: Account, execution: str) -> tuple[Waiting, ...]:
    """The tasks of an execution that wait for an answer now."""
    going: dict[int, Event] = {}
    for page in pages_of_events(account, execution):
        for event in page:
            _follow(event, going)
    if not going:
        return ()
    keys = _keys(account, execution)
    return tuple(_waiting(execution, each, keys) for each in going.values())


def _follow(event: Event, going: dict[int, Event]) -> None:
    """Keep what was scheduled, by the state that it was scheduled in, until that has an answer."""
    inside = event.open.entered if event.open else 0
    if event.kind == "TaskScheduled":
        if str(event.details.get("resource", "")).endswith(TAIL):
            going[inside] = event
    elif event.kind in _ENDS:
        going.pop(inside, None)
    elif event.kind.startswith("Execution") and event.kind not in (
        "ExecutionStarted",
        "ExecutionRedriven",
    ):
        going.clear()


def _keys(account: Account, execution: str) -> frozenset[str]:
    def read() -> frozenset[str]:
        told = account.call(
            "stepfunctions", "describe_state_machine_for_execution", executionArn=execution
        )
        try:
            return token_keys(parse(told["definition"]))
        except BadInput:
            return frozenset()

    nothing: frozenset[str] = frozenset()
    return tried(read, nothing)[0]


def _waiting(execution: str, event: Event, keys: frozenset[str]) -> Waiting:
    try:
        parameters = json.loads(str(event.details.get("parameters") or "null"))
    except ValueError:
        parameters = None
    found = next(_tokens(parameters, keys), "")
    return Waiting(
        execution=execution,
        state=event.state,
        since=event.at,
        resource=called(event).removesuffix(TAIL),
        token=found,
        parameters=parameters,
    )


def called(event: Event) -> str:
    """What a task calls: service:operation."""
    parts = (str(event.details.get(key, "")) for key in ("resourceType", "resource"))
    return ":".join(part for part in parts if part)


def _tokens(value: Any, keys: frozenset[str]) -> Iterator[str]:
    """Texts under the names that the definition gives to tokens; else under names like it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            named = key in keys if keys else "token" in str(key).lower()
            if isinstance(inner, str) and named:
                yield inner
            else:
                yield from _tokens(inner, keys)
    elif isinstance(value, list):
        for inner in value:
            yield from _tokens(inner, keys)
