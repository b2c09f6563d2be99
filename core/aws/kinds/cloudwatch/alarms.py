"""The kind `alarms`: CloudWatch's, of metrics and composite; their rule, chart and history.

A state is never set in a real account: that would hide what is wrong. The simulated account
has a verb for it, so that one can see what happens then.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.errors import ResourceNotFound
from core.aws.kind import Chart, Column, Detail, Field, Item, Kind, Line, Section, Verb
from core.aws.kinds.shared import found, one_of
from core.aws.metrics import Metric, several
from core.aws.partial import section, tried
from core.aws.words import clock, epoch, number, short, span, tone

if TYPE_CHECKING:
    from core.aws.account import Account

STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")
BOTH = ["MetricAlarm", "CompositeAlarm"]
LOOK_BACK = 6 * 3600.0
MOST_CHILDREN = 100
MOST_HISTORY = 40
_SIGNS = {
    "GreaterThanThreshold": ">",
    "GreaterThanOrEqualToThreshold": "≥",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "≤",
    "GreaterThanUpperThreshold": "> band",
    "LessThanLowerThreshold": "< band",
    "LessThanLowerOrGreaterThanUpperThreshold": "outside band",
}
_NAMED = re.compile(r"(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*\"?([^\")]+?)\"?\s*\)")


def _listed(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in account.pages("cloudwatch", "describe_alarms", AlarmTypes=BOTH):
        yield tuple(
            _item(each) for key in ("MetricAlarms", "CompositeAlarms") for each in page.get(key, ())
        )


def rule(alarm: Mapping[str, Any]) -> str:
    """An alarm's rule on one line: `ModelLatency p99 > 500, 3 of 5 × 1m 00s`."""
    if "AlarmRule" in alarm:
        return short(alarm["AlarmRule"])
    sign = _SIGNS.get(alarm.get("ComparisonOperator", ""), "?")
    limit = "" if sign.endswith("band") else f" {number(alarm.get('Threshold'))}"
    periods = alarm.get("EvaluationPeriods", 1)
    of = f"{alarm.get('DatapointsToAlarm', periods)} of {periods}"
    period = f" × {span(alarm['Period'])}" if alarm.get("Period") else ""
    return f"{measured(alarm)} {sign}{limit}, {of}{period}"


def measured(alarm: Mapping[str, Any]) -> str:
    """What an alarm looks at: a metric with its statistic, or an expression."""
    if alarm.get("MetricName"):
        stat = alarm.get("ExtendedStatistic") or alarm.get("Statistic", "")
        return f"{alarm['MetricName']} {stat}".strip()
    for query in alarm.get("Metrics", ()):
        if query.get("ReturnData", True):
            return str(query.get("Label") or query.get("Expression") or query.get("Id"))
    return "composite" if "AlarmRule" in alarm else "?"


def _item(alarm: Mapping[str, Any]) -> Item:
    state = alarm.get("StateValue", "")
    off = "" if alarm.get("ActionsEnabled", True) else "actions off"
    return Item(
        id=alarm["AlarmName"],
        cells=(alarm["AlarmName"], state, rule(alarm), off, short(alarm.get("StateReason", ""))),
        tone=tone(state),
        changed=epoch(alarm.get("StateUpdatedTimestamp")),
        raw={**alarm, "state": state},
    )


def described(account: Account, name: str) -> Mapping[str, Any]:
    """An alarm in AWS's words; raises `ResourceNotFound`."""
    told = account.call("cloudwatch", "describe_alarms", AlarmNames=[name], AlarmTypes=BOTH)
    for each in (*told.get("MetricAlarms", ()), *told.get("CompositeAlarms", ())):
        return dict(each)
    raise ResourceNotFound(f"there is no alarm {name}", "opsdeck aws list alarms shows them")


def _shown(account: Account, name: str) -> Detail:
    alarm = described(account, name)
    item = _item(alarm)
    none: tuple[Chart, ...] = ()
    charts, why_none = tried(lambda: _charts(account, alarm), none)
    sections = [
        Section("State", _state(alarm)),
        Section("Rule", _rule_lines(alarm)),
        Section("What it does", _actions(alarm)),
    ]
    if "AlarmRule" in alarm:
        sections.insert(2, section("Of these", lambda: _children(account, alarm)))
    if why_none:
        sections.append(Section("Chart", (("", why_none, "bad"),)))
    sections.append(section("History", lambda: _history(account, name)))
    return Detail(name, item.tone, tuple(sections), charts, item, alarm)


def _state(alarm: Mapping[str, Any]) -> tuple[Line, ...]:
    state = alarm.get("StateValue", "")
    return (
        ("state", state, tone(state)),
        *found("since", clock(alarm.get("StateTransitionedTimestamp"))),
        *found("looked at", clock(alarm.get("StateUpdatedTimestamp"))),
        *found("why", alarm.get("StateReason")),
        *found("about", alarm.get("AlarmDescription")),
    )


def _rule_lines(alarm: Mapping[str, Any]) -> tuple[Line, ...]:
    if "AlarmRule" in alarm:
        return (("in ALARM when", alarm["AlarmRule"]),)
    dimensions = ", ".join(f"{d['Name']}={d['Value']}" for d in alarm.get("Dimensions", ()))
    return (
        ("in ALARM when", rule(alarm)),
        *found("namespace", alarm.get("Namespace")),
        *found("dimensions", dimensions),
        *found("unit", alarm.get("Unit")),
        ("missing data", alarm.get("TreatMissingData", "missing")),
        *(line for query in alarm.get("Metrics", ()) for line in _query(query)),
    )


def _query(query: Mapping[str, Any]) -> tuple[Line, ...]:
    stat = query.get("MetricStat")
    if stat:
        metric = stat["Metric"]
        text = f"{metric.get('Namespace')} {metric.get('MetricName')} {stat.get('Stat')}"
    else:
        text = query.get("Expression", "")
    return ((query["Id"], text),)


def _actions(alarm: Mapping[str, Any]) -> tuple[Line, ...]:
    lines: list[Line] = []
    if not alarm.get("ActionsEnabled", True):
        lines.append(("actions", "off: nobody is told", "bad"))
    for label, key in (
        ("on ALARM", "AlarmActions"),
        ("on OK", "OKActions"),
        ("on no data", "InsufficientDataActions"),
    ):
        lines += [(label, each) for each in alarm.get(key, ())]
    if alarm.get("ActionsSuppressor"):
        lines.append(("suppressed by", alarm["ActionsSuppressor"]))
    return tuple(lines) or ("nothing: nobody is told",)


def _children(account: Account, alarm: Mapping[str, Any]) -> Section:
    names = list(
        dict.fromkeys(each.rpartition(":")[2] for each in _NAMED.findall(alarm["AlarmRule"]))
    )
    told = account.call(
        "cloudwatch", "describe_alarms", AlarmNames=names[:MOST_CHILDREN], AlarmTypes=BOTH
    )
    states = {
        each["AlarmName"]: each.get("StateValue", "")
        for key in ("MetricAlarms", "CompositeAlarms")
        for each in told.get(key, ())
    }
    lines: list[Line] = [
        (name, states.get(name, "not there"), tone(states.get(name, "ERROR"))) for name in names
    ]
    return Section("Of these", tuple(lines) or ("no other alarm",))


def _charts(account: Account, alarm: Mapping[str, Any]) -> tuple[Chart, ...]:
    """The metric over the last hours, with the threshold."""
    if not alarm.get("MetricName"):
        return ()
    metric = Metric(
        alarm["Namespace"],
        alarm["MetricName"],
        alarm.get("ExtendedStatistic") or alarm.get("Statistic", "Average"),
        {each["Name"]: each["Value"] for each in alarm.get("Dimensions", ())},
    )
    now = time.time()
    period = max(60, int(alarm.get("Period", 60)))
    points = several(account, {"it": metric}, period, now - LOOK_BACK, now)["it"]
    lines: dict[str, Sequence[tuple[float, float]]] = {measured(alarm): points}
    if points and alarm.get("Threshold") is not None:
        limit = float(alarm["Threshold"])
        lines["threshold"] = ((points[0][0], limit), (points[-1][0], limit))
    return (Chart(measured(alarm), alarm.get("Unit", ""), lines),)


def _history(account: Account, name: str) -> Section:
    told = account.call(
        "cloudwatch",
        "describe_alarm_history",
        AlarmName=name,
        AlarmTypes=BOTH,
        MaxRecords=MOST_HISTORY,
        ScanBy="TimestampDescending",
    )
    lines: list[Line] = []
    for each in told.get("AlarmHistoryItems", ()):
        kind = each.get("HistoryItemType", "")
        said = short(each.get("HistorySummary", ""), 100)
        bad = "to ALARM" in said or "Failed" in said
        lines.append((clock(each.get("Timestamp")), f"{kind}: {said}", "bad" if bad else ""))
    return Section("History, newest first", tuple(lines) or ("nothing yet",))


def _switching(on: bool) -> Verb:
    """The verb that switches an alarm's actions."""
    word = "enable" if on else "disable"

    def do(account: Account, name: str, _values: Mapping[str, str]) -> str:
        account.call("cloudwatch", f"{word}_alarm_actions", AlarmNames=[name])
        return f"{name}: its actions are {'on' if on else 'off'}"

    def consequence(account: Account, name: str, _values: Mapping[str, str]) -> tuple[str, ...]:
        alarm = described(account, name)
        told = ", ".join(alarm.get("AlarmActions", ())) or "nobody"
        if on:
            return (f"from now on {name} tells: {told}",)
        return (
            f"nobody is told of {name} any more (now: {told})",
            "it goes on evaluating; deployments that roll back by it still do",
        )

    def blocked(item: Item) -> str | None:
        if item.raw.get("ActionsEnabled", True) == on:
            return f"its actions are {'on' if on else 'off'} already"
        return None

    return Verb(
        name=word,
        key="u" if on else "x",
        label=f"Actions {'on' if on else 'off'}",
        help="tell again" if on else "tell nobody for now",
        operations=(f"cloudwatch:{word.capitalize()}AlarmActions",),
        do=do,
        consequence=consequence,
        dangerous=not on,
        blocked=blocked,
    )


def _set_state(account: Account, name: str, values: Mapping[str, str]) -> str:
    state = one_of(values, "state", STATES, "ALARM")
    account.call(
        "cloudwatch",
        "set_alarm_state",
        AlarmName=name,
        StateValue=state,
        StateReason=values.get("reason") or "set by hand to see what happens",
    )
    return f"{name} is {state} until it is evaluated again"


SET_STATE = Verb(
    name="set-state",
    key="",
    label="Set state",
    help="see what happens then; in the simulated account only",
    operations=("cloudwatch:SetAlarmState",),
    do=_set_state,
    consequence=lambda _account, name, values: (
        f"{name} is {values.get('state') or 'ALARM'} until it is evaluated again; its actions run",
    ),
    fields=(
        Field("state", "state", "ALARM", choices=STATES),
        Field("reason", "why", "set by hand to see what happens"),
    ),
    simulated_only=True,
)
KIND = Kind(
    name="alarms",
    title="Alarms",
    service="cloudwatch",
    about="rules over metrics, and how they stand",
    columns=(
        Column("ALARM", 20, grow=1),
        Column("STATE", 17),
        Column("RULE", 24, grow=2, drop=1),
        Column("", 11, drop=2),
        Column("WHY", 16, grow=2, drop=3),
    ),
    list=_listed,
    show=_shown,
    operations=(
        "cloudwatch:DescribeAlarms",
        "cloudwatch:DescribeAlarmHistory",
        "cloudwatch:GetMetricData",
    ),
    verbs=(_switching(True), _switching(False), SET_STATE),
)
