"""EventBridge rules that fire by the clock: rate(…) and cron(…), in UTC.

A schedule counts in nominal time, so that at speed 60 a rule of each hour fires each minute.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers._shared import uid
from core.simulated.handlers.events import deliver_all
from core.simulated.registry import operation
from core.simulated.state import Call, State

_RATE = re.compile(r"^rate\((\d+) (minute|hour|day)s?\)$")
_CRON = re.compile(r"^cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)$")
_UNITS = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0}
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
YEARS = 5


def invalid(expression: str) -> Fault:
    return Fault(
        "ValidationException", f"Parameter ScheduleExpression is not valid: {expression}", 400
    )


def following(expression: str, after: float) -> float | None:
    """When a schedule fires next after this moment (epoch seconds); None = never again.

    Raises Fault ValidationException for an expression that is none, and NotSimulated for L, W
    and # in a day.
    """
    rate = _RATE.match(expression)
    if rate:
        seconds = int(rate[1]) * _UNITS[rate[2]]
        if not seconds:
            raise invalid(expression)
        return after + seconds
    found = _CRON.match(expression)
    if found is None:
        raise invalid(expression)
    if re.search(r"[LW#]", found[3] + re.sub(r"[A-Z]{3}", "", found[5])):
        raise Fault("NotSimulated", f"events: L, W and # in {expression} are not simulated", 501)
    try:
        return next(_moments(found, after), None)
    except (ValueError, KeyError) as error:
        raise invalid(expression) from error


def _moments(found: re.Match[str], after: float) -> Iterator[float]:
    minutes, hours = _values(found[1], 0, 59), _values(found[2], 0, 23)
    days, months = _values(found[3], 1, 31), _values(found[4], 1, 12, _MONTHS)
    weekdays = _values(found[5], 1, 7, _DAYS)
    day = dt.datetime.fromtimestamp(after, dt.UTC).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    years = _values(found[6], 1970, 2199)
    for _ in range(366 * YEARS):
        weekday = day.isoweekday() % 7 + 1
        if day.year in years and day.month in months and day.day in days and weekday in weekdays:
            for hour in sorted(hours):
                for minute in sorted(minutes):
                    at = day.replace(hour=hour, minute=minute).timestamp()
                    if at > after:
                        yield at
        day += dt.timedelta(days=1)


def _values(text: str, low: int, high: int, names: dict[str, int] | None = None) -> set[int]:
    """The values of a field: `*`, `?`, `3`, `1-5`, `*/10`, `MON-FRI`, and lists of these."""
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if span in ("*", "?"):
            begin, end = low, high
        else:
            begin = (names or {}).get(first, 0) or int(first)
            end = (names or {}).get(last, 0) or int(last) if last else (high if step else begin)
        if not low <= begin <= end <= high:
            raise ValueError(part)
        found.update(range(begin, end + 1, int(step) if step else 1))
    return found


@operation("events", "PutRule")
def put_rule(state: State, call: Call) -> dict[str, Any]:
    expression = call.params.get("ScheduleExpression")
    if expression:
        following(expression, state.now)
    answer = call.moto()
    bus = str(call.params.get("EventBusName") or "default").rpartition("event-bus/")[2]
    if expression and bus == "default":
        _arm(state, call.params["Name"], expression)
    return answer


def _arm(state: State, name: str, expression: str) -> None:
    """Wait for the next firing; a rule that is put again is not fired twice."""
    waiting = state.table("events.schedules")
    if name in waiting:
        state.cancel(waiting[name])
    nominal = state.clock.nominal()
    at = following(expression, nominal)
    if at is not None:
        waiting[name] = state.after(at - nominal, _fire, state, name, expression)


def _fire(state: State, name: str, expression: str) -> None:
    from moto.events.models import events_backends

    buses = events_backends[state.account_id][state.region].event_buses
    rule = buses["default"].rules.get(name)
    if rule is None or rule.scheduled_expression != expression:
        state.table("events.schedules").pop(name, None)
        return
    if rule.state != "DISABLED":
        event = {
            "version": "0",
            "id": uid(),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": state.account_id,
            "time": state.now,
            "region": state.region,
            "resources": [state.arn("events", f"rule/{name}")],
            "detail": {},
        }
        deliver_all(state, rule, event)
    _arm(state, name, expression)
