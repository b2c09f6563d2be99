"""Who is on call: pure arithmetic of a schedule and a moment.

Turns are counted in days of the calendar, so that a handover at 09:00 stays at 09:00 by the
clock of the schedule's zone when summer time begins or ends.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from core.alerting.settings import Schedule
from core.domain.alertview import OnCall

_LOOK = 400
"""How many turns and overrides ahead are looked at for the next change."""


def on_call(schedule: Schedule, at: float) -> OnCall:
    """Who is on call at a moment (Unix seconds), until when, and who is next.

    Of overrides that are on at once the one that was written last counts. Before the first
    handover nobody is on call, unless by an override.
    """
    who = _who(schedule, at)
    moment = at
    for _ in range(_LOOK):
        moment = _next_change(schedule, moment)
        if moment == float("inf"):
            break
        after = _who(schedule, moment)
        if after != who:
            return OnCall(schedule.name, who, moment, after, _overridden(schedule, at) is not None)
    return OnCall(schedule.name, who, None, who, _overridden(schedule, at) is not None)


def _who(schedule: Schedule, at: float) -> str | None:
    over = _overridden(schedule, at)
    if over is not None:
        return over
    turn = _turn(schedule, at)
    return schedule.people[turn % len(schedule.people)] if turn >= 0 else None


def _overridden(schedule: Schedule, at: float) -> str | None:
    found = [each.who for each in schedule.overrides if each.start <= at < each.end]
    return found[-1] if found else None


def _turn(schedule: Schedule, at: float) -> int:
    """The number of the turn at a moment, from 0; negative before the first."""
    day = datetime.fromtimestamp(at, schedule.zone).date()
    turn = (day - schedule.starts).days // schedule.days
    # The clock may have shown the day's handover later or earlier: look at the moment itself.
    while _handover(schedule, turn) > at:
        turn -= 1
    while _handover(schedule, turn + 1) <= at:
        turn += 1
    return turn


def _handover(schedule: Schedule, turn: int) -> float:
    """When a turn begins (Unix seconds)."""
    day = schedule.starts + timedelta(days=turn * schedule.days)
    return at_minute(schedule, day)


def at_minute(schedule: Schedule, day: date) -> float:
    """The moment of a day's handover. One in the hour that is skipped in spring is that much
    later by the clock, one in the repeated hour the first of the two."""
    return datetime(
        day.year, day.month, day.day, schedule.minute // 60, schedule.minute % 60,
        tzinfo=schedule.zone,
    ).timestamp()  # fmt: skip


def _next_change(schedule: Schedule, at: float) -> float:
    """The first moment after `at` at which anything in the schedule begins or ends."""
    moments = [_handover(schedule, max(_turn(schedule, at) + 1, 0))]
    for each in schedule.overrides:
        moments += [moment for moment in (each.start, each.end) if moment > at]
    return min(moments, default=float("inf"))
