"""What an alarm does when its state changes, in the transaction of the change.

An alert is raised and a trigger fired in the transaction itself; a rollback is decided there,
and done after the commit (`core.alarms.rollbacks`). Nothing here talks to a process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.alarms import rollbacks, rows
from core.alarms.targets import alert_kind, alert_target, endpoint_of, opens
from core.domain.alarm import SIGNS, ActionKind, AlarmAction, AlarmDefinition, AlarmPoint
from core.domain.alert import Severity
from core.domain.analysis import AlarmState
from core.state.reading import Reader

if TYPE_CHECKING:
    from core.state.store import Transaction

TEST = "[test] "


@dataclass(slots=True)
class World:
    """What alarms look at besides their own: the others, by name, and how they stand."""

    reader: Reader
    now: float
    alarms: Mapping[str, AlarmDefinition] = field(default_factory=dict)
    states: dict[str, AlarmState] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """A state that an alarm has come to. `test`: by hand, to try it; `act`: and rollbacks and
    triggers are to be done all the same. `since`: from when it has had the state, where it is
    done only now what follows (its actions waited, or were off); None: it has just come to it."""

    alarm: AlarmDefinition
    state: AlarmState
    reason: str
    datapoints: tuple[AlarmPoint, ...] = ()
    test: bool = False
    act: bool = True
    since: float | None = None

    @property
    def actions(self) -> tuple[AlarmAction, ...]:
        """What the alarm does in this state."""
        return {
            AlarmState.ALARM: self.alarm.actions,
            AlarmState.OK: self.alarm.ok_actions,
            AlarmState.INSUFFICIENT_DATA: self.alarm.insufficient_data_actions,
        }[self.state]

    def cause(self, state: AlarmState | None = None) -> str:
        """Under which key its alerts stand, so that they can be ended."""
        which = state or self.state
        name = f"alarm/{self.alarm.name}" + ("/test" if self.test else "")
        return name if which is AlarmState.ALARM else f"{name}/{which}"


def act(tx: Transaction, world: World, change: Change) -> None:
    """Do what the alarm does in this state."""
    for action in change.actions:
        match action.kind:
            case ActionKind.ALERT:
                _alert(tx, world, change, action.severity)
            case ActionKind.TRIGGER:
                _trigger(tx, world, change, action.name)
            case ActionKind.ROLLBACK:
                _rollback(tx, world, change)


def end_alerts(tx: Transaction, change: Change) -> None:
    """End the alerts of the states that the alarm has left. What was in ALARM and lacks data
    now is not over: nobody knows."""
    from core.alerting import resolve_incident

    over = [AlarmState.INSUFFICIENT_DATA, AlarmState.OK, AlarmState.ALARM]
    over.remove(change.state)
    if change.state is AlarmState.INSUFFICIENT_DATA and not change.test:
        over.remove(AlarmState.ALARM)
    for state in over:
        resolve_incident(tx, change.cause(state), f"alarm {change.alarm.name} is {change.state}")


def end_test_alerts(tx: Transaction, name: str) -> None:
    """End whatever alerts a test of the alarm has raised."""
    from core.alerting import resolve_incident

    for ending in ("", *(f"/{state}" for state in AlarmState if state is not AlarmState.ALARM)):
        resolve_incident(tx, f"alarm/{name}/test{ending}", "the test is over")


def _alert(tx: Transaction, world: World, change: Change, severity: Severity) -> None:
    from core.alerting import raise_incident

    alarm = change.alarm
    endpoint = endpoint_of(world.reader, alarm, world.alarms)
    newest = change.datapoints[-1] if change.datapoints else None
    evidence: dict[str, object] = {
        "open": opens(alarm, endpoint),
        "alarm": alarm.name,
        "definition": alarm.words(),
    }
    if newest is not None:
        evidence |= {"value": newest.value, "at": newest.at}
    raise_incident(
        tx,
        cause_key=change.cause(),
        kind=alert_kind(world.reader, alarm) + ("-test" if change.test else ""),
        target=alert_target(alarm, endpoint),
        title=(TEST if change.test else "") + title(change),
        message=change.reason,
        severity=severity,
        evidence=evidence,
        runbook=alarm.runbook,
    )


def title(change: Change) -> str:
    """One line for a person: what is wrong, with its number where there is one."""
    alarm = change.alarm
    known = [p.value for p in change.datapoints if p.value is not None]
    if change.state is AlarmState.INSUFFICIENT_DATA:
        return f"{alarm.name}: no data"
    if change.state is AlarmState.OK:
        return f"{alarm.name}: OK again"
    if alarm.description:
        return f"{alarm.name}: {alarm.description}"
    if alarm.metric is None:
        return f"{alarm.name}: {alarm.rule}"
    bound = "its band" if alarm.threshold is None else f"{alarm.threshold:g}"
    stat = "" if alarm.stat == "Average" else f" {alarm.stat}"
    rule = f"{SIGNS[alarm.comparison]} {bound}"
    said = f" is {known[-1]:.4g} ({rule})" if known and not change.test else f" {rule}"
    return f"{alarm.name}: {alarm.metric.words()}{stat}{said}"


def _trigger(tx: Transaction, world: World, change: Change, name: str) -> None:
    if change.test and not change.act:
        rows.remember(tx, change.alarm.name, "action", f"would have fired the trigger {name}")
        return
    from core.triggers import fire
    from core.triggers.conditions import alarm_cause

    # The same cause that a trigger with this alarm among its conditions finds by itself: one
    # cause has one run, whoever is first.
    since = world.now if change.since is None else change.since
    firing = fire(tx, name, alarm_cause(change.alarm.name, since, f"ALARM: {change.reason}"))
    rows.remember(tx, change.alarm.name, "action", f"fired the trigger {name} ({firing})")


def _rollback(tx: Transaction, world: World, change: Change) -> None:
    alarm = change.alarm
    endpoint = endpoint_of(world.reader, alarm, world.alarms)
    plan = rollbacks.plan_for_alarm(tx, alarm, endpoint, change.reason)
    if isinstance(plan, str):
        rows.remember(tx, alarm.name, "action", f"nothing was rolled back: {plan}")
        if not any(action.kind is ActionKind.ALERT for action in alarm.actions):
            _alert(tx, world, change, Severity.CRITICAL)
    elif change.test and not change.act:
        words = f"would have rolled back {plan.endpoint} from revision {plan.revision}"
        rows.remember(tx, alarm.name, "action", words)
    else:
        rollbacks.decide(tx, alarm.name, plan)
