"""An alert's life as a state machine: whatever is done in whatever order, rows, timeline and
journal say the same."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.alerting import moves, raise_incident, resolve_incident
from core.domain.alert import AlertState, Severity
from core.errors import WrongState
from core.ops import open_ops
from core.reads import alerts as reads
from core.session import Session
from core.workspace import open_workspace
from tests.support.opened import write_workspace

KEYS = st.sampled_from("abc")
SEVERITIES = st.sampled_from(list(Severity))


class Life(RuleBasedStateMachine):
    """One target and family, so that there is one alert that is not over at most."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        root = write_workspace(self.folder / "space")
        self.ops = open_ops(root, actor="engineer")
        self.session = Session(open_workspace(root), "engineer", read_only=False)
        self.live: dict[str, Severity] = {}
        self.state: AlertState | None = None
        self.severity: Severity | None = None
        self.snoozed = False
        self.level = 0
        self.ended: set[str] = set()
        self.said = 0

    def teardown(self) -> None:
        self.ops.close()
        self.session.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def alert(self) -> str:
        found = self.ops.alerts.list(state=None)
        return found[0].id if found else ""

    def attempt(self, allowed: bool, move: Any, *args: Any) -> bool:
        if not self.alert:
            return False
        try:
            with self.session.change("test") as tx:
                move(tx, self.alert, *args)
        except WrongState:
            assert not allowed, move
            return False
        assert allowed, move
        return True

    @property
    def open_(self) -> bool:
        return self.state in (AlertState.OPEN, AlertState.ACKNOWLEDGED)

    @rule(key=KEYS, severity=SEVERITIES)
    def seen(self, key: str, severity: Severity) -> None:
        if not self.open_ and self.state is not None and key not in self.ended:
            return  # it would be another alert
        with self.session.change("test") as tx:
            raise_incident(
                tx, cause_key=key, kind="drift", target="endpoint/x", title=key, severity=severity
            )
        if self.open_:
            assert self.severity is not None
            if severity.worse(self.severity):
                self.severity, self.snoozed = severity, False
                self.state = AlertState.OPEN
                self.said += 1
            self.live[key] = severity
        else:
            self.state, self.severity, self.live = AlertState.OPEN, severity, {key: severity}
            self.level, self.snoozed = 0, False
            self.said += 1
        self.ended.add(key)

    @rule(key=KEYS)
    def over(self, key: str) -> None:
        with self.session.change("test") as tx:
            resolve_incident(tx, key)
        was = self.live.pop(key, None)
        if self.open_ and not self.live:
            self._ended()
        elif self.open_ and was is not None:
            assert self.severity is not None
            left = min(self.live.values(), key=lambda each: each.rank)
            if self.severity.worse(left):  # as severe as the worst that is left
                self.severity = left
                self.said += 1

    def _ended(self) -> None:
        self.state, self.live, self.snoozed = AlertState.RESOLVED, {}, False
        self.said += 1

    @rule()
    def acknowledge(self) -> None:
        if self.attempt(self.state is AlertState.OPEN, moves.acknowledge):
            self.state, self.snoozed = AlertState.ACKNOWLEDGED, False
            self.said += 1

    @rule()
    def resolve(self) -> None:
        if self.attempt(self.open_, moves.resolve):
            self._ended()

    @rule()
    def snooze(self) -> None:
        if self.attempt(self.open_, moves.snooze, 9e9, "later"):
            self.snoozed = True
            self.said += 1

    @rule()
    def wake(self) -> None:
        if self.alert and self.attempt(True, moves.wake, "over") and self.open_:
            self.state, self.snoozed = AlertState.OPEN, False
            self.said += 1

    @rule(level=st.integers(1, 3))
    def escalate(self, level: int) -> None:
        if self.attempt(self.open_ and level > self.level, moves.escalate, level, "x"):
            self.state, self.level, self.snoozed = AlertState.OPEN, level, False
            self.said += 1

    @rule()
    def comment(self) -> None:
        if self.attempt(True, moves.comment, "hm"):
            self.said += 1

    @invariant()
    def one_alert_that_says_what_is_so(self) -> None:
        found = self.ops.alerts.list(state=None)
        if self.state is None:
            assert found == ()
            return
        (alert,) = found
        assert alert.state is self.state
        assert (alert.severity, alert.level) == (self.severity, self.level)
        assert (alert.wakes_at is not None) == self.snoozed
        assert (alert.acked_by is not None) >= (alert.state is AlertState.ACKNOWLEDGED)
        assert (alert.resolved_by is not None) == (alert.state is AlertState.RESOLVED)
        found_causes = reads.causes_of(self.session.reader, alert.id)
        causes = {cause.cause_key for cause in found_causes if not cause.over_at}
        assert causes == set(self.live)
        if self.live:
            assert alert.causes == len(self.live)

    @invariant()
    def each_change_is_on_the_timeline_and_in_the_journal(self) -> None:
        if not self.alert:
            return
        assert len(reads.events_of(self.session.reader, self.alert)) == self.said
        entries = self.ops.audit.list(limit=1000)
        assert len([e for e in entries if e.action.startswith("alert.")]) == self.said


Life.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLife = Life.TestCase
