"""How alarms are evaluated: each minute of nominal time, over periods of nominal time.

Periods are durations, so they run as fast as jobs do: at speed 60 a period of a minute is the
metrics of one second. M of N points must breach; points are looked for a little further back
than N periods, and what lacks even so is treated as TreatMissingData says
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.cloudwatch import composite, mathematics
from core.simulated.handlers.cloudwatch.mathematics import Line
from core.simulated.handlers.cloudwatch.reading import evaluate
from core.simulated.handlers.cloudwatch.series import (
    Series,
    dimensions_of,
    kept,
    key_of,
    statistics,
)
from core.simulated.state import State

EVERY = 60.0
FURTHER = 2  # periods beyond N in which points are looked for
MOST_HISTORY = 5_000
Alarms = dict[str, dict[str, Any]]
_SIGNS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "GreaterThanOrEqualToThreshold": ("greater than or equal to", lambda v, t: v >= t),
    "GreaterThanThreshold": ("greater than", lambda v, t: v > t),
    "LessThanThreshold": ("less than", lambda v, t: v < t),
    "LessThanOrEqualToThreshold": ("less than or equal to", lambda v, t: v <= t),
}


def alarms(state: State) -> Alarms:
    """The alarms by name, metric and composite ones."""
    return state.table("cloudwatch.alarms")


def histories(state: State) -> list[dict[str, Any]]:
    """What happened to alarms, oldest first."""
    found: list[dict[str, Any]] = state.table("cloudwatch.history").setdefault("all", [])
    return found


def begin(state: State) -> None:
    """Evaluate from now on, if that does not happen yet."""
    running = state.table("cloudwatch.ticking")
    if not running.get("on"):
        running["on"] = True
        state.after(1.0, _tick, state)


def _tick(state: State) -> None:
    if not alarms(state):
        state.table("cloudwatch.ticking")["on"] = False
        return
    evaluate_all(state)
    periods = [int(each.get("Period", 60)) for each in alarms(state).values()]
    state.after(10.0 if min(periods) < 60 else EVERY, _tick, state)


def evaluate_all(state: State) -> None:
    """Evaluate every alarm at this moment."""
    for alarm in list(alarms(state).values()):
        if "AlarmRule" not in alarm:
            _evaluate(state, alarm)
    evaluate_composites(state)


def evaluate_composites(state: State) -> None:
    """Composite alarms, until none changes any more (they may stand on each other)."""
    for _ in range(len(alarms(state)) + 1):
        changed = False
        for alarm in list(alarms(state).values()):
            if "AlarmRule" in alarm:
                changed = _compose(state, alarm) or changed
        if not changed:
            return


def _compose(state: State, alarm: dict[str, Any]) -> bool:
    states = {each["AlarmName"]: each["StateValue"] for each in alarms(state).values()}
    now = "ALARM" if composite.holds(alarm["AlarmRule"], states) else "OK"
    if now == alarm["StateValue"]:
        return False
    named = sorted(name for name in composite.names(alarm["AlarmRule"]))
    told = ", ".join(f"{name} is {states.get(name, 'gone')}" for name in named)
    data = {
        "triggeringAlarms": [
            {
                "arn": state.arn("cloudwatch", f"alarm:{name}"),
                "state": {"value": states.get(name, ""), "timestamp": _stamp(state.now)},
            }
            for name in named
        ]
    }
    reason = f"{alarm['AlarmRule']} is {str(now == 'ALARM').lower()}: {told}"
    change(state, alarm, now, reason, json.dumps(data))
    return True


def _evaluate(state: State, alarm: dict[str, Any]) -> None:
    needed = int(alarm["EvaluationPeriods"])
    try:
        line, bound, period = _points(state, alarm, needed + FURTHER)
    except Fault as fault:
        change(state, alarm, "INSUFFICIENT_DATA", f"{fault.code}: {fault.message}", None)
        return
    recent = sorted(line)[-needed:]
    breaching = [at for at in recent if _breaches(alarm, line[at], at, bound)]
    value = _judge(alarm, len(recent), len(breaching))
    if value == alarm["StateValue"]:
        return
    values = [line[at] for at in recent]
    reason = _reason(alarm, value, values, len(breaching))
    data = {
        "version": "1.0",
        "queryDate": _stamp(state.now),
        "statistic": alarm.get("Statistic") or alarm.get("ExtendedStatistic"),
        "period": period,
        "recentDatapoints": values,
        "threshold": alarm.get("Threshold"),
    }
    change(state, alarm, value, reason, json.dumps(data))


def _points(
    state: State, alarm: Mapping[str, Any], count: int
) -> tuple[Line, tuple[Line, Line] | None, int]:
    """The alarm's last periods that are over, and the band it is compared with, if any."""
    clock = state.clock
    asked = alarm.get("Metrics")
    period = int(alarm.get("Period") or 0)
    if asked:
        period = max(
            [int(e["MetricStat"]["Period"]) for e in asked if "MetricStat" in e]
            + [int(e.get("Period") or 0) for e in asked]
        )
    end = clock.nominal() // period * period
    start = end - count * period
    low, high = clock.shown(start), clock.shown(end)
    if not asked:
        key = key_of(
            alarm["Namespace"], alarm["MetricName"], dimensions_of(alarm.get("Dimensions", []))
        )
        series: Series | None = kept(state).get(key)
        stat = alarm.get("Statistic") or alarm["ExtendedStatistic"]
        return statistics(series, low, high, period, stat, clock.nominal), None, period
    band_id = alarm.get("ThresholdMetricId")
    if band_id is not None:  # a band is learnt from more than what is judged
        low = clock.shown(end - 14 * 86_400)
    found = evaluate(state, asked, low, high, clock.nominal)
    judged = [
        ident
        for ident, (query, _, _) in found.items()
        if query.get("ReturnData", True) and ident != band_id
    ]
    if not judged:
        raise Fault("ValidationError", "no metric of the alarm returns data", 400)
    _, value, grid = found[judged[0]]
    line = {at: v for at, v in mathematics.first_line(value, grid).items() if at >= start}
    if band_id is None:
        return line, None, period
    band = found[band_id][1]
    if not isinstance(band, list) or len(band) != 2:
        raise Fault("ValidationError", f"{band_id} is not a band", 400)
    return line, (band[0], band[1]), period


def _breaches(
    alarm: Mapping[str, Any], value: float, at: float, band: tuple[Line, Line] | None
) -> bool:
    operator = str(alarm["ComparisonOperator"])
    if band is None:
        if operator not in _SIGNS:
            raise Fault("ValidationError", f"{operator} wants a band", 400)
        return bool(_SIGNS[operator][1](value, float(alarm["Threshold"])))
    above = at in band[0] and value > band[0][at]
    below = at in band[1] and value < band[1][at]
    return {
        "GreaterThanUpperThreshold": above,
        "LessThanLowerThreshold": below,
        "LessThanLowerOrGreaterThanUpperThreshold": above or below,
    }.get(operator, False)


def _judge(alarm: Mapping[str, Any], present: int, breaching: int) -> str:
    periods = int(alarm["EvaluationPeriods"])
    needed = int(alarm.get("DatapointsToAlarm") or periods)
    missing = periods - present
    if breaching >= needed:
        return "ALARM"
    if missing == 0:
        return "OK"
    treat = alarm.get("TreatMissingData") or "missing"
    if treat == "breaching":
        return "ALARM" if breaching + missing >= needed else "OK"
    if treat == "notBreaching":
        return "OK"
    if treat == "ignore":
        decided = present - breaching > periods - needed
        return "OK" if decided else str(alarm["StateValue"])
    if present == 0:
        return "INSUFFICIENT_DATA"
    return "ALARM" if breaching == present else "OK"


def _reason(alarm: Mapping[str, Any], value: str, values: list[float], breaching: int) -> str:
    count = int(alarm["EvaluationPeriods"])
    if value != "INSUFFICIENT_DATA" and not values:
        treated = str(alarm.get("TreatMissingData") or "missing")
        return (
            f"Threshold Crossed: no datapoints were received for {count} periods and {count} "
            f"missing datapoints were treated as [{treated[:1].upper()}{treated[1:]}]."
        )
    if value == "INSUFFICIENT_DATA":
        return f"Insufficient Data: {count} datapoint{'s' if count > 1 else ''} were unknown."
    known = _SIGNS.get(str(alarm["ComparisonOperator"]))
    sign = known[0] if known else "outside of"
    threshold = f"the threshold ({alarm['Threshold']})" if "Threshold" in alarm else "the band"
    told = ", ".join(f"{each:g}" for each in reversed(values))
    if value == "ALARM":
        count, were = breaching, "was" if breaching == 1 else "were"
    else:
        count, were = len(values) - breaching, "was not" if len(values) == 1 else "were not"
    return (
        f"Threshold Crossed: {count} out of the last {len(values)} datapoints [{told}] {were} "
        f"{sign} {threshold}."
    )


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"


# -- changes


def change(state: State, alarm: dict[str, Any], value: str, reason: str, data: str | None) -> None:
    """Put an alarm into a state, keep that in its history, and do its actions."""
    old = alarm["StateValue"]
    before = {"stateValue": old, "stateReason": alarm["StateReason"]}
    alarm |= {"StateReason": reason, "StateUpdatedTimestamp": state.now}
    if data is not None:
        alarm["StateReasonData"] = data
    if value == old:
        return
    alarm |= {"StateValue": value, "StateTransitionedTimestamp": state.now}
    after = {"stateValue": value, "stateReason": reason}
    remember(
        state,
        alarm,
        "StateUpdate",
        f"Alarm updated from {old} to {value}",
        {"version": "1.0", "oldState": before, "newState": after},
    )
    _tell(state, alarm, before, after)
    if alarm["ActionsEnabled"]:
        which = {"ALARM": "AlarmActions", "OK": "OKActions"}.get(value, "InsufficientDataActions")
        for action in alarm[which]:
            _act(state, alarm, action, old)


def remember(
    state: State, alarm: Mapping[str, Any], kind: str, summary: str, data: dict[str, Any]
) -> None:
    """Keep an item of an alarm's history."""
    items = histories(state)
    items.append(
        {
            "AlarmName": alarm["AlarmName"],
            "AlarmType": "CompositeAlarm" if "AlarmRule" in alarm else "MetricAlarm",
            "Timestamp": state.now,
            "HistoryItemType": kind,
            "HistorySummary": summary,
            "HistoryData": json.dumps(data),
        }
    )
    del items[:-MOST_HISTORY]


def _act(state: State, alarm: Mapping[str, Any], action: str, old: str) -> None:
    """Publish to a topic; any other action is kept in the history as not done."""
    summary = f"Successfully executed action {action}"
    if ":sns:" in action:
        try:
            state.call(
                "sns",
                "Publish",
                TopicArn=action,
                Subject=f'{alarm["StateValue"]}: "{alarm["AlarmName"]}" in {state.region}'[:100],
                Message=json.dumps(_message(state, alarm, old)),
            )
        except Fault as fault:
            summary = f"Failed to execute action {action}. Received error: {fault.message}"
    else:
        summary = f"Failed to execute action {action}: the simulated account has SNS actions only"
    remember(state, alarm, "Action", summary, {"actionState": summary.split()[0]})


def _message(state: State, alarm: Mapping[str, Any], old: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "AlarmName": alarm["AlarmName"],
        "AlarmDescription": alarm.get("AlarmDescription"),
        "AWSAccountId": state.account_id,
        "AlarmArn": alarm["AlarmArn"],
        "NewStateValue": alarm["StateValue"],
        "NewStateReason": alarm["StateReason"],
        "StateChangeTime": _stamp(state.now),
        "Region": state.region,
        "OldStateValue": old,
    }
    if "AlarmRule" in alarm:
        return told | {"AlarmRule": alarm["AlarmRule"]}
    keys = ("MetricName", "Namespace", "Statistic", "Dimensions", "Period", "EvaluationPeriods",
            "ComparisonOperator", "Threshold", "TreatMissingData", "Metrics")  # fmt: skip
    return told | {"Trigger": {key: alarm[key] for key in keys if key in alarm}}


def _tell(
    state: State, alarm: Mapping[str, Any], before: dict[str, str], after: dict[str, str]
) -> None:
    """The event EventBridge gets of a state change."""
    detail = {
        "alarmName": alarm["AlarmName"],
        "previousState": {"value": before["stateValue"], "reason": before["stateReason"]},
        "state": {"value": after["stateValue"], "reason": after["stateReason"]},
    }
    entry = {
        "Source": "aws.cloudwatch",
        "DetailType": "CloudWatch Alarm State Change",
        "Detail": json.dumps(detail),
        "Resources": [alarm["AlarmArn"]],
    }
    state.call("events", "PutEvents", Entries=[entry])
