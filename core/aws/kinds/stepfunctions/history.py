"""The kind `sfn-history`: what happened in an execution, event by event, and its states.

An event names the one before it on its own path, so states that run side by side are told apart:
what is open after an event is what was open after that one, with or without one state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from core.aws.errors import ResourceNotFound
from core.aws.kind import Column, Detail, Item, Kind, Line, Section
from core.aws.kinds.shared import lasted
from core.aws.words import clock, epoch, last_of, pretty, short
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

PAGE = 1000
_TOKEN = ".waitForTaskToken"


@dataclass(frozen=True, slots=True)
class Open:
    """A state that has been entered, and the ones around it."""

    name: str
    entered: int
    begun: float
    depth: int
    around: Open | None


@dataclass(frozen=True, slots=True)
class Event:
    """An event and what it is about. Where a state is left, `took` is filled and `entered` is the
    event by which it was entered; so it is where a state is entered again, being redriven."""

    id: int
    before: int
    at: float
    kind: str
    state: str
    details: Mapping[str, Any]
    open: Open | None
    took: str = ""
    entered: int = 0

    @property
    def tone(self) -> str:
        """Failures and ends by somebody are told apart."""
        if self.kind.endswith(("Failed", "TimedOut")) or self.kind == "FailStateEntered":
            return "bad"
        if self.kind.endswith("Aborted"):
            return "dim"
        if self.waits:
            return "wait"
        return "ok" if self.kind.endswith(("Succeeded", "StateExited")) else ""

    @property
    def waits(self) -> bool:
        """Whether from here on somebody has to answer."""
        return self.kind == "TaskSubmitted" and str(self.details.get("resource", "")).endswith(
            _TOKEN
        )

    @property
    def why(self) -> str:
        """Error and cause, where it has them."""
        return ": ".join(
            " ".join(str(self.details[key]).split())
            for key in ("error", "cause")
            if self.details.get(key)
        )


@dataclass(frozen=True, slots=True)
class Visited:
    """A state that was entered: when, for how long, and how it stands."""

    name: str
    depth: int
    begun: float
    ended: float | None
    word: str
    tone: str
    why: str = ""
    entered: int = 0


def pages_of_events(account: Account, execution: str) -> Iterator[Sequence[Event]]:
    """An execution's events, oldest first."""
    opened: dict[int, Open | None] = {0: None}
    pages = account.pages(
        "stepfunctions",
        "get_execution_history",
        executionArn=execution,
        PaginationConfig={"PageSize": PAGE},
    )
    for page in pages:
        yield tuple(_event(each, opened) for each in page.get("events", ()))


def _event(entry: Mapping[str, Any], opened: dict[int, Open | None]) -> Event:
    kind, at = str(entry["type"]), epoch(entry["timestamp"]) or 0.0
    before = int(entry.get("previousEventId") or 0)
    details = _details(entry)
    inside = opened.get(before)
    state, took, entered = inside.name if inside else "", "", 0
    after = inside
    if kind.endswith("StateEntered"):
        state = str(details.get("name", ""))
        earlier = _left(inside, state)
        if earlier is not None:  # names are unique in a machine, so it can't be inside itself
            entered, inside = earlier.entered, earlier.around
        after = Open(state, int(entry["id"]), at, inside.depth + 1 if inside else 0, inside)
    elif kind.endswith("StateExited"):
        state = str(details.get("name", ""))
        left = _left(inside, state)
        if left is not None:
            took, after, entered = lasted(left.begun, at), left.around, left.entered
    opened[int(entry["id"])] = after
    return Event(int(entry["id"]), before, at, kind, state, details, after, took, entered)


def _left(inside: Open | None, name: str) -> Open | None:
    """The open state of this name, from the innermost on."""
    while inside is not None and inside.name != name:
        inside = inside.around
    return inside


def _details(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    for key, value in entry.items():
        if key.endswith("EventDetails") and isinstance(value, dict):
            return value
    return {}


def progress(account: Account, execution: str) -> tuple[Visited, ...]:
    """The states that were entered, in that order, and how each stands."""
    found: dict[int, Visited] = {}
    last: Event | None = None
    for page in pages_of_events(account, execution):
        for event in page:
            _seen(event, found)
            last = event
    if last is not None and last.kind.startswith("Execution") and last.tone in ("bad", "dim"):
        for key, each in found.items():
            if each.ended is None:
                word = "failed" if last.tone == "bad" else "aborted"
                found[key] = replace(
                    each, ended=last.at, word=word, tone=last.tone, why=each.why or last.why
                )
    return tuple(found.values())


def _seen(event: Event, found: dict[int, Visited]) -> None:
    inside = event.open
    if event.kind.endswith("StateEntered") and inside is not None:
        found.pop(event.entered, None)
        found[event.id] = Visited(
            inside.name, inside.depth, event.at, None, "in it", "run", entered=event.id
        )
        return
    if event.entered in found:
        left = found[event.entered]
        found[event.entered] = replace(left, ended=event.at, word="done", tone="ok", why="")
        return
    if inside is None or inside.entered not in found:
        return
    each = found[inside.entered]
    if event.kind == "ExecutionRedriven" or event.kind.endswith(("Scheduled", "Started")):
        found[inside.entered] = replace(each, ended=None, word="in it", tone="run")
    elif event.waits:
        found[inside.entered] = replace(each, word="waits for an answer", tone="wait")
    elif event.tone == "bad":
        found[inside.entered] = replace(each, why=event.why)


def _listed(account: Account, execution: str) -> Iterator[Sequence[Item]]:
    if not execution:
        raise BadInput(
            "sfn-history: of which execution?", "opsdeck aws list sfn-executions shows them"
        )
    for page in pages_of_events(account, execution):
        yield tuple(_item(execution, each) for each in page)


def _item(execution: str, event: Event) -> Item:
    resource = str(event.details.get("resource", ""))
    about = event.why or resource or _data(event)
    return Item(
        id=f"{execution}#{event.id}",
        cells=(
            str(event.id),
            clock(event.at)[11:],
            event.kind,
            ("  " * (event.open.depth if event.open else 0)) + event.state,
            event.took,
            short(about, 200),
        ),
        tone=event.tone,
        changed=event.at,
        raw={"id": event.id, "type": event.kind, **event.details},
    )


def _data(event: Event) -> str:
    return str(event.details.get("output") or event.details.get("input") or "")


def _shown(account: Account, id: str) -> Detail:
    execution, _, number = id.rpartition("#")
    if not execution or not number.isdecimal():
        raise BadInput(f"{id}: no event is called so", "EXECUTION-ARN#NUMBER")
    for page in pages_of_events(account, execution):
        for event in page:
            if event.id == int(number):
                return _detail(execution, event)
    raise ResourceNotFound(f"{number}: {last_of(execution)} has no such event (yet)")


def _detail(execution: str, event: Event) -> Detail:
    import json

    lines: list[Line] = [("type", event.kind, event.tone), ("at", clock(event.at))]
    lines += [("state", event.state)] if event.state else []
    lines += [("took", event.took)] if event.took else []
    sections = []
    for key, value in event.details.items():
        if key in ("input", "output", "parameters", "cause") and isinstance(value, str):
            try:
                told: tuple[str, ...] = pretty(json.loads(value))
            except ValueError:
                told = tuple(value.splitlines())
            sections.append(Section(key.capitalize(), told))
        elif not isinstance(value, (dict, list)):
            lines.append((key, str(value)))
    return Detail(
        title=f"{event.id} {event.kind}",
        tone=event.tone,
        sections=(Section("Event", tuple(lines)), *sections),
        item=_item(execution, event),
        raw=event.details,
    )


KIND = Kind(
    name="sfn-history",
    title="History",
    service="stepfunctions",
    about="what happened in an execution",
    columns=(
        Column("#", 4, align="right"),
        Column("AT", 8),
        Column("EVENT", 22, grow=1),
        Column("STATE", 14, grow=1),
        Column("TOOK", 8, align="right", drop=2),
        Column("ABOUT", 12, grow=3, drop=1),
    ),
    list=_listed,
    show=_shown,
    operations=("states:GetExecutionHistory",),
    parent="sfn-executions",
)
