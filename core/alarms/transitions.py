"""The state machine of an alarm: every change of state goes through here, in one transaction.

    OK ⇄ ALARM ⇄ INSUFFICIENT_DATA ⇄ OK          each with a line of history and of the journal

What is done then waits while the alarm that suppresses it is in ALARM, is left out where actions
are switched off, and is marked as a test where somebody set the state by hand.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from core.alarms import rows
from core.alarms.acting import Change, World, act, end_alerts, end_test_alerts
from core.alarms.evaluating import Outcome
from core.alarms.rows import Standing
from core.domain.analysis import AlarmState

if TYPE_CHECKING:
    from core.state.store import Transaction


def settle(tx: Transaction, world: World, standing: Standing, outcome: Outcome) -> AlarmState:
    """Take over what an evaluation came to; the state from then on."""
    if outcome.state is standing.state:
        if (outcome.reason, outcome.datapoints) != (standing.reason, standing.datapoints):
            rows.change(
                tx,
                standing.name,
                reason=outcome.reason,
                datapoints=outcome.datapoints,
                evaluated_at=world.now,
            )
        look_at_held(tx, world, standing)
        return standing.state
    change = Change(standing.definition, outcome.state, outcome.reason, outcome.datapoints)
    _move(tx, world, standing, change, kind="state")
    return outcome.state


def _move(
    tx: Transaction,
    world: World,
    standing: Standing,
    change: Change,
    *,
    kind: str,
    **values: Any,
) -> None:
    """Change the state, on record, and do what follows from it."""
    name = standing.name
    rows.remember(
        tx,
        name,
        kind,
        change.reason,
        from_state=standing.state,
        to_state=change.state,
        datapoints=change.datapoints,
    )
    tx.journal(
        "alarm.state" if kind == "state" else f"alarm.{kind}",
        f"alarm/{name}",
        to=change.state,
        reason=change.reason,
        **{"from": standing.state},
    )
    held = _follow(tx, world, standing, change)
    rows.change(
        tx,
        name,
        state=change.state,
        since=world.now,
        reason=change.reason,
        datapoints=change.datapoints,
        evaluated_at=world.now,
        held=held,
        **values,
    )


def _follow(
    tx: Transaction, world: World, standing: Standing, change: Change
) -> dict[str, Any] | None:
    """What follows from a change; why its actions wait, where they do."""
    end_alerts(tx, change)
    if not change.actions:
        return None
    if not standing.actions_enabled and not change.test:
        rows.remember(tx, standing.name, "action", "nothing was done: its actions are off")
        return None
    held = None if change.test else _suppressed(world, change)
    if held is not None:
        rows.remember(tx, standing.name, "action", f"actions wait: {held['why']}")
        return held
    act(tx, world, change)
    return None


def _suppressed(world: World, change: Change) -> dict[str, Any] | None:
    """Why the actions of this change wait, and until when (None: until the other is over)."""
    alarm = change.alarm
    if change.state is not AlarmState.ALARM or not alarm.suppress_with:
        return None
    by = alarm.suppress_with
    if world.states.get(by) is AlarmState.ALARM:
        return {"by": by, "why": f"{by} is in ALARM", "since": world.now, "until": None}
    if alarm.suppress_wait > 0:
        until = world.now + alarm.suppress_wait
        why = f"{by} may go off within {alarm.suppress_wait:g} s"
        return {"by": by, "why": why, "since": world.now, "until": until}
    return None


def look_at_held(tx: Transaction, world: World, standing: Standing) -> None:
    """Go on with actions that wait, once nothing suppresses them any more."""
    held, alarm = standing.held, standing.definition
    if held is None or standing.state is not AlarmState.ALARM:
        return
    if world.states.get(str(held["by"])) is AlarmState.ALARM and alarm.suppress_with:
        if held["until"] is not None:
            why = f"{held['by']} is in ALARM"
            rows.change(tx, standing.name, held={**held, "until": None, "why": why})
        return
    # A clock that was put back would make it wait for longer than was meant.
    longest = world.now + max(alarm.suppress_wait, alarm.suppress_extension)
    until = held["until"]
    if until is None and alarm.suppress_extension > 0 and alarm.suppress_with:
        why = f"{held['by']} was in ALARM until just now"
        rows.change(tx, standing.name, held={**held, "until": longest, "why": why})
        return
    if until is not None and alarm.suppress_with and world.now < min(until, longest):
        return
    rows.change(tx, standing.name, held=None)
    if standing.actions_enabled:
        rows.remember(tx, standing.name, "action", "nothing suppresses it any more")
        act(tx, world, _lasting(standing))


def begin_test(
    tx: Transaction, world: World, standing: Standing, change: Change, until: float
) -> None:
    """Set the state by hand, to see what it does; it goes back by itself after `until`."""
    test = {
        "before": standing.real_state,
        "since": standing.since,
        "held": standing.held,
        "until": until,
        "began": world.now,
        "by": tx.actor,
        "act": change.act,
    }
    _move(tx, world, standing, change, kind="test", test=test)


def end_test(tx: Transaction, world: World, standing: Standing, why: str) -> None:
    """Put back what a test put aside; whatever is so by now is evaluated after it."""
    test = standing.test
    assert test is not None
    end_test_alerts(tx, standing.name)
    rows.remember(
        tx, standing.name, "test", why, from_state=standing.state, to_state=test["before"]
    )
    tx.journal("alarm.test_over", f"alarm/{standing.name}", to=test["before"], reason=why)
    rows.change(
        tx,
        standing.name,
        state=test["before"],
        since=test["since"],
        held=test["held"],
        reason=f"{why}; not evaluated since",
        test=None,
    )


def act_again(tx: Transaction, world: World, standing: Standing) -> None:
    """Do what the alarm does in the state that it is in: its actions were off until now."""
    change = _lasting(standing)
    held = _suppressed(world, change)
    if held is not None:
        rows.change(tx, standing.name, held=held)
    else:
        act(tx, world, change)


def _lasting(standing: Standing) -> Change:
    """The state that the alarm has had for a while, and whose actions come only now."""
    return Change(
        standing.definition,
        standing.state,
        standing.reason,
        standing.datapoints,
        since=standing.since,
    )


def forget(tx: Transaction, world: World, standing: Standing, why: str) -> None:
    """The alarm is not defined any more: its alerts are over, its history stays."""
    for test in (False, True):
        gone = replace(Change(standing.definition, AlarmState.OK, why), test=test)
        end_alerts(tx, gone)
    end_test_alerts(tx, standing.name)
    rows.remember(tx, standing.name, "config", why)
    tx.journal("alarm.delete", f"alarm/{standing.name}", reason=why)
    rows.change(
        tx,
        standing.name,
        gone_at=world.now,
        test=None,
        held=None,
        state=AlarmState.INSUFFICIENT_DATA,
        reason=why,
        datapoints=(),
    )
