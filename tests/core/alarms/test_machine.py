"""An alarm as a state machine: whatever happens in whatever order, what is on record is true."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.alarms import rows, syncing
from core.alarms.acting import Change, World
from core.alarms.keeper import Keeper
from core.alarms.transitions import begin_test
from core.domain.alarm import AlarmDefinition
from core.domain.analysis import AlarmRule, AlarmState, MissingData
from tests.core.alarms.conftest import HIGH, Field
from tests.support.alarms import reference_state


class Machine(RuleBasedStateMachine):
    """One alarm (2 of 3 minutes above 10) and a composite over it."""

    @initialize(treat=st.sampled_from(list(MissingData)))
    def begin(self, treat: MissingData) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.field = Field(Path(self.folder.name) / "space")
        self.treat = treat
        self.field.define(
            high={**HIGH, "evaluation_periods": 3, "datapoints_to_alarm": 2,
                  "treat_missing_data": str(treat)},
            top={"rule": "ALARM(high)", "actions": []},
        )  # fmt: skip
        self.values: list[float | None] = []
        self.testing = 0
        self.on = True
        syncing.sync(self.field.session)
        with self.field.session.change("begin") as tx:
            rows.change(tx, "high", created_at=self.field.now)
        self.field.look()
        self.state = self.judged(AlarmState.INSUFFICIENT_DATA)

    def judged(self, before: AlarmState) -> AlarmState:
        """The state that the datapoints so far lead to."""
        of = AlarmRule("high", "load", 10, evaluation_periods=3, datapoints_to_alarm=2)
        return reference_state(self.values, of, before, self.treat)

    @rule(value=st.sampled_from([1.0, 20.0, None]))
    def minute(self, value: float | None) -> None:
        self.values.append(value)
        self.field.minute(value)
        self.testing = max(0, self.testing - 1)
        if not self.testing:
            self.state = self.judged(self.state)

    @rule()
    def look_again(self) -> None:
        before = self.field.history("high")
        self.field.look()
        assert self.field.history("high") == before, "nothing has happened since"

    @rule()
    def another_worker_begins(self) -> None:
        self.field.keeper = Keeper(self.field.session, "worker-1")

    @precondition(lambda self: not self.testing)
    @rule(act=st.booleans())
    def test_fire(self, act: bool) -> None:
        with self.field.session.change("test") as tx:
            standing = rows.find(tx, "high")
            assert standing is not None
            if standing.state is AlarmState.ALARM:
                return
            names: dict[str, AlarmDefinition] = {"high": standing.definition}
            world = World(self.field.session.reader, self.field.now, names)
            change = Change(standing.definition, AlarmState.ALARM, "tried", test=True, act=act)
            begin_test(tx, world, standing, change, self.field.now + 100)
        self.testing = 2

    @rule()
    def switch(self) -> None:
        self.on = not self.on
        with self.field.session.change("switch") as tx:
            rows.change(tx, "high", actions_enabled=int(self.on))

    @invariant()
    def history_is_a_chain(self) -> None:
        if not hasattr(self, "field"):
            return
        moves = [r for r in self.field.history("high") if r["to_state"]]
        for earlier, later in pairwise(moves):
            assert later["from_state"] == earlier["to_state"]
        standing = self.field.standings()["high"]
        assert (moves[-1]["to_state"] if moves else "INSUFFICIENT_DATA") == standing.state

    @invariant()
    def the_state_is_what_the_datapoints_say(self) -> None:
        if not hasattr(self, "field") or self.testing:
            return
        assert self.field.standings()["high"].real_state is self.state

    @invariant()
    def who_is_told_knows_of_what_is_so(self) -> None:
        if not hasattr(self, "field"):
            return
        open_now = self.field.alerts("open")
        assert len(open_now) <= 2, "one real, one of a test"
        if not self.testing:
            assert not any(each["title"].startswith("[test]") for each in open_now)
            if self.state is AlarmState.OK:
                assert open_now == []

    def teardown(self) -> None:
        if hasattr(self, "field"):
            self.field.close()
            self.folder.cleanup()


Machine.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestMachine = Machine.TestCase
