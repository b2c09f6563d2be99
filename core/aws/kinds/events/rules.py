"""The kind `rules`: EventBridge's, by pattern or schedule, with targets; switched and tried."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.kind import Chart, Column, Detail, Field, Item, Kind, Line, Section, Verb
from core.aws.kinds.shared import found, needed
from core.aws.metrics import Metric, several
from core.aws.partial import section, tried
from core.aws.words import clock, last_of, pretty, short
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

DEFAULT = "default"
LOOK_BACK = 86_400.0
PERIOD = 3600
COUNTED = ("MatchedEvents", "Invocations", "FailedInvocations")


def named(id: str) -> dict[str, str]:
    """An id (RULE, or BUS/RULE) as the parameters that name the rule."""
    bus, _, name = id.rpartition("/")
    return {"Name": name, "EventBusName": bus or DEFAULT}


def _listed(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    """The rules of the default bus, then of the others."""
    yield from _of_bus(account, DEFAULT)
    for page in account.pages("events", "list_event_buses"):
        for bus in page.get("EventBuses", ()):
            if bus["Name"] != DEFAULT:
                yield from _of_bus(account, bus["Name"])


def _of_bus(account: Account, bus: str) -> Iterator[Sequence[Item]]:
    for page in account.pages("events", "list_rules", EventBusName=bus):
        yield tuple(_item(each) for each in page.get("Rules", ()))


def when(told: Mapping[str, Any]) -> str:
    """What a rule waits for, on a line: a schedule, or what its pattern asks of events."""
    if told.get("ScheduleExpression"):
        return str(told["ScheduleExpression"])
    pattern = _pattern(told)
    parts = [*pattern.get("source", ()), *pattern.get("detail-type", ())]
    detail = pattern.get("detail") or {}
    asked = [f"{key}={_values(value)}" for key, value in detail.items()]
    return ", ".join(str(each) for each in (*parts, *asked)) or "every event"


def _pattern(told: Mapping[str, Any]) -> dict[str, Any]:
    try:
        read = json.loads(told.get("EventPattern") or "{}")
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _values(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return "|".join(value)
    return json.dumps(value)


def _item(told: Mapping[str, Any]) -> Item:
    bus = told.get("EventBusName") or DEFAULT
    off = told.get("State") == "DISABLED"
    return Item(
        id=told["Name"] if bus == DEFAULT else f"{bus}/{told['Name']}",
        cells=(
            told["Name"],
            "off" if off else "on",
            short(when(told), 160),
            "" if bus == DEFAULT else bus,
            told.get("Description", ""),
        ),
        tone="dim" if off else "ok",
        raw={**told, "state": told.get("State", "")},
    )


def _one(account: Account, id: str) -> Mapping[str, Any]:
    told: Mapping[str, Any] = account.call("events", "describe_rule", **named(id))
    return {"Name": named(id)["Name"], "EventBusName": named(id)["EventBusName"], **told}


def targets(account: Account, id: str) -> list[Mapping[str, Any]]:
    """What a rule sends events to."""
    name = named(id)
    return [
        each
        for page in account.pages(
            "events", "list_targets_by_rule", Rule=name["Name"], EventBusName=name["EventBusName"]
        )
        for each in page.get("Targets", ())
    ]


def _shown(account: Account, id: str) -> Detail:
    told = _one(account, id)
    item = _item(told)
    about = Section(
        "Rule",
        (
            ("state", item.cells[1], item.tone),
            *found("about", told.get("Description")),
            *found("schedule", told.get("ScheduleExpression")),
            ("bus", told["EventBusName"]),
            *found("managed by", told.get("ManagedBy")),
            *found("role", last_of(told.get("RoleArn", ""))),
        ),
    )
    none: tuple[Chart, ...] = ()
    charts, why = tried(lambda: _charts(account, told["Name"]), none)
    sections = [about, section("Targets", lambda: _targets(account, id))]
    if told.get("EventPattern"):
        sections.insert(1, Section("Pattern", pretty(_pattern(told))))
    if why:
        sections.append(Section("Last day", (("", why, "bad"),)))
    return Detail(told["Name"], item.tone, tuple(sections), charts, item, told)


def _targets(account: Account, id: str) -> Section:
    lines: list[Line] = []
    for each in targets(account, id):
        lines.append((each["Id"], each["Arn"]))
        sent = each.get("Input") or (each.get("InputTransformer") or {}).get("InputTemplate")
        lines += found("", f"sent {short(sent, 160)}" if sent else "")
        dead = (each.get("DeadLetterConfig") or {}).get("Arn")
        lines += found("", f"what fails goes to {last_of(dead)}" if dead else "")
    return Section("Targets", tuple(lines) or (("", "none: nothing happens", "wait"),))


def _charts(account: Account, rule: str) -> tuple[Chart, ...]:
    now = time.time()
    wanted = {name: Metric("AWS/Events", name, "Sum", {"RuleName": rule}) for name in COUNTED}
    series = several(account, wanted, PERIOD, now - LOOK_BACK, now)
    drawn = {name: points for name, points in series.items() if points}
    return (Chart("The last day", "events an hour", drawn),) if drawn else ()


def _switching(on: bool) -> Verb:
    word = "enable" if on else "disable"

    def do(account: Account, id: str, _values: Mapping[str, str]) -> str:
        account.call("events", f"{word}_rule", **named(id))
        return f"{id} is {'on' if on else 'off'}"

    def consequence(account: Account, id: str, _values: Mapping[str, str]) -> tuple[str, ...]:
        told, sent_to = _one(account, id), [last_of(each["Arn"]) for each in targets(account, id)]
        what = f"{when(told)} → {', '.join(sent_to) or 'nothing'}"
        if on:
            return (f"from now on: {what}",)
        return (f"no longer: {what}", "events that come meanwhile are not sent afterwards")

    def blocked(item: Item) -> str | None:
        if item.raw.get("ManagedBy"):
            return f"{item.raw['ManagedBy']} looks after it"
        is_on = item.raw.get("State") != "DISABLED"
        return f"it is {'on' if on else 'off'} already" if is_on == on else None

    return Verb(
        name=word,
        key="u" if on else "x",
        label="On" if on else "Off",
        help="let it act on events" if on else "let it do nothing for now",
        operations=(f"events:{word.capitalize()}Rule",),
        do=do,
        consequence=consequence,
        dangerous=not on,
        blocked=blocked,
    )


def example(pattern: Mapping[str, Any]) -> dict[str, Any]:
    """An event's part that a pattern takes, by the first value of each of its lists."""
    made: dict[str, Any] = {}
    for key, value in pattern.items():
        if isinstance(value, Mapping):
            made[key] = example(value)
        elif isinstance(value, list) and value:
            first = value[0]
            made[key] = first if not isinstance(first, Mapping) else _of_matcher(first)
    return made


def _of_matcher(matcher: Mapping[str, Any]) -> Any:
    """A value that fits the commonest matchers; "…" where one has to be thought of."""
    for key in ("prefix", "suffix", "equals-ignore-case"):
        if isinstance(matcher.get(key), str):
            return matcher[key]
    return "…"


def _test_asks(account: Account, id: str) -> tuple[Field, ...]:
    event = example(_pattern(_one(account, id)))
    if isinstance(event.get("resources"), str):
        event["resources"] = [event["resources"]]
    return (Field("event", "an event, as JSON", json.dumps(event), required=True),)


def _test(account: Account, id: str, values: Mapping[str, str]) -> str:
    told = _one(account, id)
    if not told.get("EventPattern"):
        raise BadInput(f"{id}: goes by a schedule and takes no events")
    try:
        given = json.loads(needed(values, "event"))
    except ValueError as error:
        raise BadInput(f"event: is no JSON: {error}") from error
    if not isinstance(given, dict):
        raise BadInput("event: must be an object", '{"source": "aws.s3", "detail": {}}')
    event = {
        "id": "7bf73129-1428-4cd3-a780-95db273d1602",
        "account": account.account_id,
        "time": clock(time.time()).replace(" ", "T") + "Z",
        "region": account.region,
        "resources": [],
        "source": "",
        "detail-type": "",
        "detail": {},
        **given,
    }
    fits = account.call(
        "events", "test_event_pattern", EventPattern=told["EventPattern"], Event=json.dumps(event)
    )["Result"]
    return f"{id}: {'takes it' if fits else 'does not take it'}"


TEST = Verb(
    name="test",
    key="s",
    label="Try an event",
    help="whether the rule's pattern takes an event; nothing is sent",
    operations=("events:TestEventPattern",),
    do=_test,
    consequence=lambda _account, id, _values: (f"asks whether {id} takes the event",),
    asks=_test_asks,
)
KIND = Kind(
    name="rules",
    title="Rules",
    service="events",
    about="EventBridge: what starts things, by event or schedule",
    columns=(
        Column("RULE", 22, grow=2),
        Column("STATE", 5),
        Column("WHEN", 24, grow=3),
        Column("BUS", 8, drop=1),
        Column("ABOUT", 12, grow=2, drop=2),
    ),
    list=_listed,
    show=_shown,
    operations=(
        "events:ListEventBuses",
        "events:ListRules",
        "events:DescribeRule",
        "events:ListTargetsByRule",
        "cloudwatch:GetMetricData",
    ),
    verbs=(_switching(True), _switching(False), TEST),
    every=30.0,
)
