"""An alarm that names a trigger which also has the alarm among its conditions: one run."""

from __future__ import annotations

import pytest

from core.alarms.keeper import Keeper
from core.ops import Ops
from core.series import Point, record
from tests.core.triggers.conftest import Write

HIGH = {
    "metric": "endpoint/bike:load",
    "period": "1m",
    "threshold": 10,
    "actions": [{"trigger": "retrain"}],
}
QUIET = {"metric": "endpoint/bike:calm", "period": "1m", "threshold": 10, "actions": []}


class Clock:
    """Minutes that pass for a keeper, with what was measured in them."""

    def __init__(self, ops: Ops) -> None:
        self._ops = ops
        self._keeper = Keeper(ops.session, "worker-1")
        self.now = ops.session.reader.clock() // 60 * 60 + 60

    def minute(self, **measured: float) -> None:
        """A minute with these numbers; alarms are looked after at its end."""
        points = [Point(name, self.now, value) for name, value in measured.items()]
        with self._ops.session.change("measure") as tx:
            record(tx, "endpoint/bike", points)
        self.now += 60
        self.look()

    def look(self) -> None:
        """The alarms are looked after."""
        assert self._keeper.look(self.now + 16)


@pytest.fixture
def clock(ops: Ops) -> Clock:
    return Clock(ops)


def causes(ops: Ops) -> list[str]:
    """Under which keys the trigger has fired, oldest first."""
    return [each.cause.same for each in reversed(ops.triggers.firings("retrain"))]


def test_alarm_and_condition_are_one_cause_and_one_run(
    ops: Ops, write: Write, clock: Clock
) -> None:
    write(alarms={"high": HIGH}, retrain={"on": [{"alarm": "high"}]})
    clock.minute(load=20)
    assert ops.alarms.get("high").state == "ALARM"
    assert ops.triggers.look() == 1
    (firing,) = ops.triggers.firings("retrain")
    ops.triggers.start(firing.id)
    clock.minute(load=21)
    assert ops.triggers.look() == 0
    assert [each.decision.value for each in ops.triggers.firings("retrain")] == ["started"]
    assert len(ops.runs.list()) == 1


def test_what_the_condition_began_the_alarm_does_not_begin_again_once_it_may_act(
    ops: Ops, write: Write, clock: Clock
) -> None:
    """Its actions were off, so that the condition was first."""
    write(alarms={"high": HIGH}, retrain={"on": [{"alarm": "high"}]})
    clock.minute(load=1)
    ops.alarms.disable("high", "a rehearsal")
    clock.minute(load=20)
    ops.triggers.look()
    (firing,) = ops.triggers.firings("retrain")
    ops.triggers.start(firing.id)
    clock.minute(load=20)
    ops.alarms.enable("high")
    ops.triggers.look()
    newest, first = ops.triggers.firings("retrain")
    assert newest.cause.same == first.cause.same
    assert (newest.decision.value, first.decision.value) == ("deduplicated", "started")
    assert len(ops.runs.list()) == 1


def test_an_alarm_that_was_suppressed_is_the_same_cause_afterwards(
    ops: Ops, write: Write, clock: Clock
) -> None:
    top = {"rule": "ALARM(high)", "actions": HIGH["actions"], "suppress_with": "quiet"}
    alarms = {"high": {**HIGH, "actions": []}, "quiet": QUIET, "top": top}
    write(alarms=alarms, retrain={"on": [{"alarm": "top"}]})
    clock.minute(load=1, calm=20)
    clock.minute(load=20, calm=20)
    ops.triggers.look()
    (first,) = causes(ops)
    ops.triggers.start(ops.triggers.firings("retrain")[0].id)
    clock.minute(load=20, calm=1)
    ops.triggers.look()
    assert causes(ops) == [first, first]
    assert len(ops.runs.list()) == 1
