"""Alarms over any metric: looking at them, trying them, switching them, making them."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.domain.alarm import Alarm, AlarmEvent, AlarmSeries
from core.domain.analysis import AlarmState
from core.errors import BadInput, WrongState
from core.reads import alarms as _alarms
from core.services.workers import WorkersService
from core.session import Session

if TYPE_CHECKING:
    from core.alarms.acting import World
    from core.alarms.rows import Standing
    from core.state.store import Transaction

TEST_SECONDS = 60.0
LONGEST_TEST = 3600.0


class AlarmsService:
    """The workspace's alarms. Lists come from rows; a worker evaluates them."""

    def __init__(self, session: Session, workers: WorkersService) -> None:
        self._session = session
        self._workers = workers

    def list(self, *, state: str | None = None, about: str | None = None) -> tuple[Alarm, ...]:
        """The alarms, those in ALARM first; `about` a source such as `endpoint/bike-demand`."""
        return _alarms.list_alarms(self._session.reader, state=state, about=about)

    def get(self, name: str) -> Alarm:
        """An alarm; raises `NotFound`."""
        return _alarms.find_alarm(self._session.reader, name)

    def history(
        self, name: str | None = None, *, kind: str | None = None, limit: int = 100
    ) -> tuple[AlarmEvent, ...]:
        """What happened to an alarm (or to all), newest first. Raises `NotFound` for a name
        that never was one."""
        found = _alarms.list_history(self._session.reader, name, kind=kind, limit=limit)
        if not found and name is not None:
            self.get(name)
        return found

    def series(
        self, name: str, *, since: float | None = None, until: float | None = None
    ) -> AlarmSeries:
        """The datapoints of a metric alarm with what bounds them, for a chart: of the last 120
        periods (or windows) unless told. Raises `NotFound`, `WrongState` for a composite one."""
        from core.alarms.charting import chart

        alarm = self.get(name)
        if alarm.definition.metric is None:
            raise WrongState(
                f"alarm {name}: is a rule over others and has no datapoints",
                f"see: opsdeck alarms show {name}",
            )
        events = self.history(name, kind="state", limit=50)
        return chart(self._session.reader, alarm.definition, events, since, until)

    def test(
        self,
        name: str,
        *,
        state: AlarmState | str = AlarmState.ALARM,
        seconds: float = TEST_SECONDS,
        act: bool = False,
        reason: str = "",
    ) -> Alarm:
        """Set an alarm's state by hand, to see what it does: everything happens, marked as a
        test, people are told, and after `seconds` it goes back by itself. Rollbacks and
        triggers are only told of, unless `act` asks for them (with a reason).

        Raises `NotFound`, `BadInput`, `WrongState` where it is in that state, or in a test.
        """
        from core.alarms.acting import Change
        from core.alarms.transitions import begin_test

        self._session.refuse_when_read_only("alarms test")
        if not 1 <= seconds <= LONGEST_TEST:
            raise BadInput(f"a test of {seconds:g} s", f"from 1 to {LONGEST_TEST:g} s")
        if act and not reason.strip():
            raise BadInput("act: no reason", "say why with --reason")
        wanted = AlarmState(state)
        self._sync()
        with self._session.change("alarms test") as tx:
            standing, world = self._standing(tx, name)
            if standing.test is not None:
                raise WrongState(f"alarm {name}: is being tested", "wait until that is over")
            if standing.state is wanted:
                raise WrongState(f"alarm {name}: is {wanted} by itself: there is nothing to try")
            words = f"test by {tx.actor}" + (f": {reason}" if reason else "")
            change = Change(
                standing.definition, wanted, words, standing.datapoints, test=True, act=act
            )
            begin_test(tx, world, standing, change, world.now + seconds)
        self._workers.wake()
        return self.get(name)

    def enable(self, name: str, reason: str = "") -> Alarm:
        """Have an alarm act again; one that is in ALARM acts now. Raises `NotFound`,
        `WrongState` where it does."""
        return self._switch(name, reason, on=True)

    def disable(self, name: str, reason: str = "") -> Alarm:
        """Have an alarm do nothing (it is evaluated all the same). Raises `NotFound`,
        `WrongState` where it does nothing already, `BadInput` without a reason."""
        self._session.refuse_when_read_only("alarms disable")
        if not reason.strip():
            raise BadInput("alarms disable: no reason", "say why with --reason")
        return self._switch(name, reason, on=False)

    def create(self, name: str, data: Mapping[str, Any]) -> Alarm:
        """Write `monitors/alarm-NAME.yaml` with an alarm as a file has it, and take it over.

        Raises `AlarmsInvalid`, and `WrongState` where the name is taken.
        """
        from core.alarms import rows
        from core.alarms.filing import create

        self._session.refuse_when_read_only("alarms create")
        self._sync()
        others = {n: each.definition for n, each in rows.load(self._session.reader).items()}
        create(self._session.workspace.root, name, data, others)
        self._sync()
        return self.get(name)

    def delete(self, name: str) -> None:
        """Delete an alarm that has a file to itself. Raises `NotFound`, and `WrongState` where
        its file defines other things too, or other alarms or an open deployment name it."""
        from core.alarms import rows
        from core.alarms.filing import remove
        from core.alarms.order import children

        self._session.refuse_when_read_only("alarms delete")
        self._sync()
        alarm = self.get(name)
        if alarm.definition.derived_from:
            raise WrongState(
                f"alarm {name}: was made for {alarm.definition.derived_from}",
                "take it away there: with [] for its actions",
            )
        for other, standing in rows.load(self._session.reader).items():
            if name in children(standing.definition):
                raise WrongState(f"alarm {name}: {other} looks at it", f"change {other} first")
        for deployment in _deployments_naming(self._session, name):
            raise WrongState(
                f"alarm {name}: the deployment to {deployment} names it", "wait for its end"
            )
        remove(self._session.workspace.root, name)
        self._sync()

    def sync(self) -> int:
        """Take over what the files say, as a worker does; returns how many alarms changed."""
        self._session.refuse_when_read_only("alarms sync")
        return self._sync()

    def _sync(self) -> int:
        from core.alarms.syncing import sync

        return sync(self._session)

    def _standing(self, tx: Transaction, name: str) -> tuple[Standing, World]:
        """An alarm as this transaction sees it, and the others; raises `NotFound`."""
        from core.alarms import rows
        from core.alarms.acting import World

        standing = rows.find(tx, name)
        if standing is None:
            self.get(name)
            raise AssertionError(name)
        reader = self._session.reader
        others = rows.load(reader)
        return standing, World(
            reader,
            reader.clock(),
            {n: each.definition for n, each in others.items()},
            {n: each.real_state for n, each in others.items()},
        )

    def _switch(self, name: str, reason: str, *, on: bool) -> Alarm:
        from core.alarms import rows
        from core.alarms.transitions import act_again

        what = "enable" if on else "disable"
        self._session.refuse_when_read_only(f"alarms {what}")
        self._sync()
        with self._session.change(f"alarms {what}") as tx:
            standing, world = self._standing(tx, name)
            if standing.actions_enabled is on:
                raise WrongState(f"alarm {name}: its actions are {'on' if on else 'off'} already")
            rows.change(
                tx,
                name,
                actions_enabled=int(on),
                switched_by=tx.actor,
                switched_at=tx.now,
                switched_why=reason,
            )
            words = f"actions switched {'on' if on else 'off'}" + (f": {reason}" if reason else "")
            rows.remember(tx, name, "config", words)
            tx.journal(f"alarm.{what}", f"alarm/{name}", reason=reason)
            if on and standing.state is AlarmState.ALARM and standing.test is None:
                act_again(tx, world, standing)
        return self.get(name)


def _deployments_naming(session: Session, name: str) -> builtins.list[str]:
    """Endpoints with an open deployment that names the alarm."""
    from core.domain.plans import plan_from_json

    rows = session.reader.rows("SELECT endpoint, strategy FROM deployments WHERE ended_at IS NULL")
    return [
        row["endpoint"] for row in rows if name in plan_from_json(row["strategy"]).rollback_alarms
    ]
