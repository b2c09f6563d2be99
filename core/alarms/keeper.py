"""Looking after all alarms: what a worker does every few seconds.

Everything that an evaluation changes is one transaction, which looks first whether this worker
is the one that has the alarms, and whether a row is still as it was when it was evaluated: two
workers never fire the same transition. Rollbacks that were decided are done after it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from core.alarms import deployments, rollbacks, rows, syncing, transitions
from core.alarms.acting import World
from core.alarms.bands import Bands
from core.alarms.evaluating import Before, Outcome, evaluate_composite, evaluate_metric
from core.alarms.order import in_order
from core.alarms.rows import Standing
from core.domain.analysis import AlarmState
from core.session import Session

if TYPE_CHECKING:
    from core.state.store import Transaction

log = logging.getLogger(__name__)

CLOCK_BACK = 5.0
"""So much may a clock be put back (or two workers' clocks differ) unnoticed."""


class Keeper:
    """The alarms of a workspace, as one worker looks after them. Not thread-safe."""

    def __init__(self, session: Session, holder: str) -> None:
        self._session = session
        self._holder = holder
        self._bands = Bands()
        self._stamp: object = None

    def look(self, now: float | None = None) -> bool:
        """Evaluate every alarm once, and do what follows; False where another worker does.

        `now` is by the database's clock unless given.
        """
        session = self._session
        now = session.reader.clock() if now is None else now
        self._sync()
        standings = rows.load(session.reader)
        watched = deployments.watched_deployments(session.reader, now)
        outcomes = self._evaluate(standings, now)
        with session.change("alarms evaluate") as tx:
            last = _last_beat(tx)
            if not rows.take_beat(tx, self._holder, now):
                return False
            world = World(session.reader, now, {n: s.definition for n, s in standings.items()})
            if last is not None and now < last - CLOCK_BACK:
                _arm_anew(tx, standings, now, last - now)
            else:
                _settle(tx, world, standings, outcomes)
            deployments.send_back(tx, watched, _now_standing(tx, standings) if watched else {})
        rollbacks.do_pending(session, now)
        return True

    def _sync(self) -> None:
        from core.monitors.files import stamp

        found = stamp(self._session.workspace.root)
        if found != self._stamp:
            syncing.sync(self._session)
            self._stamp = found

    def _evaluate(self, standings: Mapping[str, Standing], now: float) -> dict[str, Outcome]:
        """What the metric alarms come to; composite ones are looked at when these stand."""
        found = {}
        for name, standing in standings.items():
            if standing.definition.metric is None or _in_test(standing, now):
                continue
            before = Before(standing.real_state, standing.created_at, standing.armed_at)
            found[name] = evaluate_metric(
                self._session.reader, standing.definition, before, now, self._bands
            )
        return found


def _in_test(standing: Standing, now: float) -> bool:
    """Whether a test goes on; one that began in the future, by a clock since put back, is over."""
    test = standing.test
    return test is not None and test["began"] <= now + CLOCK_BACK and now < test["until"]


def _settle(
    tx: Transaction,
    world: World,
    standings: Mapping[str, Standing],
    outcomes: Mapping[str, Outcome],
) -> None:
    """Take over the outcomes, what depends on others after them."""
    world.states = {name: standing.real_state for name, standing in standings.items()}
    for name in in_order(world.alarms):
        standing = standings[name]
        if _in_test(standing, world.now):
            continue
        fresh = rows.find(tx, name)
        if fresh is None or fresh.version != standing.version:
            continue  # somebody has changed it since: the next look will tell
        if fresh.test is not None:
            transitions.end_test(tx, world, fresh, "the test is over")
            fresh = rows.find(tx, name)
            assert fresh is not None, name
        outcome = outcomes.get(name) or evaluate_composite(fresh.definition, world.states)
        world.states[name] = transitions.settle(tx, world, fresh, outcome)


def _now_standing(tx: Transaction, standings: Mapping[str, Standing]) -> dict[str, Standing]:
    """The alarms as they stand after this look."""
    found = {name: rows.find(tx, name) for name in standings}
    return {name: standing for name, standing in found.items() if standing is not None}


def _last_beat(tx: Transaction) -> float | None:
    import sqlalchemy as sa

    from core.state.alarm_tables import watch_beats as table

    row = tx.row(sa.select(table.c.at).where(table.c.name == rows.BEAT))
    return None if row is None else float(row["at"])


def _arm_anew(tx: Transaction, standings: Mapping[str, Standing], now: float, back: float) -> None:
    """The clock was put back: what was recorded under times that come again does not count."""
    words = f"the clock went back by {back:.0f} s: armed anew, the state stays until there is data"
    log.warning("alarms: %s", words)
    for name, standing in standings.items():
        if standing.state is not AlarmState.INSUFFICIENT_DATA:
            rows.remember(tx, name, "config", words)
        rows.change(tx, name, armed_at=now)
