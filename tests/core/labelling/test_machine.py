"""The queue as a state machine: several people, in any order, with claims that expire."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from core.domain.labelling import PickPolicy, PickReason, TaskState
from core.labelling.candidates import Candidate
from core.labelling.errors import LabelRefused, NothingToLabel
from core.labelling.picking import Picked
from core.labelling.queueing import put_batch
from core.ops import Ops, open_ops
from tests.support.opened import raw, write_workspace

PEOPLE = ("ana", "bo", "cy")
ROWS = 4


class Queue(RuleBasedStateMachine):
    """Rows of which half want two people. `claims` is what each person looks at."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._folder = Path(tempfile.mkdtemp(prefix="labels-"))
        self._stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
        root = write_workspace(self._folder / "space")
        self.ops: dict[str, Ops] = {
            name: self._stack.enter_context(open_ops(root, actor=name)) for name in PEOPLE
        }
        self.claims: dict[str, str] = {}
        self.said: dict[tuple[str, str], Any] = {}

    @initialize()
    def fill(self) -> None:
        ana = self.ops["ana"]
        ana.session.store()
        self.url = ana.workspace.database_url
        raw(
            self.url,
            "INSERT INTO endpoints (name, environment, status, host, created_at, updated_at)"
            " VALUES ('bike', 'production', 'in_service', 'x', 1, 1)",
        )
        picked = [
            Picked(Candidate(f"id-{n}", 1.0, "r1", {"x": n}, "cat"), PickReason.RANDOM, 0.0, "")
            for n in range(ROWS)
        ]
        with ana.session.change("test") as tx:
            put_batch(
                tx, "bike", picked, PickPolicy(twice=0.5),
                {"kind": "class", "classes": ["cat", "dog"]},
            )  # fmt: skip

    @rule(who=st.sampled_from(PEOPLE))
    def next(self, who: str) -> None:
        try:
            task = self.ops[who].labelling.next("bike")
        except NothingToLabel:
            self.claims.pop(who, None)
            return
        assert (who, task.inference_id) not in self.said
        if who in self.claims:
            assert self.claims[who] == task.inference_id, "what one has comes first"
        elif task.wanted == 1 and not task.answers:
            assert task.inference_id not in self.claims.values()
        self.claims[who] = task.inference_id

    @rule(who=st.sampled_from(PEOPLE), value=st.sampled_from(["cat", "dog", None]))
    def say(self, who: str, value: str | None) -> None:
        row = self.claims.get(who)
        if row is None:
            return
        labelling = self.ops[who].labelling
        if value is None:
            labelling.skip("bike", row)
        else:
            labelling.label("bike", row, value)
        self.said[who, row] = value
        del self.claims[who]

    @rule(who=st.sampled_from(PEOPLE), number=st.integers(0, ROWS - 1))
    def reach_for_it(self, who: str, number: int) -> None:
        """Labelling a row that one was not given goes where nobody else has it."""
        row = f"id-{number}"
        others = [name for name, theirs in self.claims.items() if theirs == row and name != who]
        before = self.ops[who].labelling.get("bike", row)
        try:
            self.ops[who].labelling.label("bike", row, "cat")
        except LabelRefused:
            assert others or (who, row) in self.said or before.state is not TaskState.OPEN
            return
        assert len(others) < 2
        assert before.wanted > 1 or before.answers or not others
        self.said[who, row] = "cat"
        if self.claims.get(who) == row:
            del self.claims[who]

    @rule(who=st.sampled_from(PEOPLE))
    def undo(self, who: str) -> None:
        mine = {row for (name, row) in self.said if name == who}
        try:
            task = self.ops[who].labelling.undo("bike")
        except LabelRefused:
            assert not mine
            return
        del self.said[who, task.inference_id]
        # What was being looked at besides stays claimed, too: it comes again later.
        raw(
            self.url,
            "DELETE FROM label_claims WHERE actor = ? AND inference_id <> ?",
            (who, task.inference_id),
        )
        if task.state is TaskState.OPEN:
            self.claims[who] = task.inference_id

    @rule()
    def time_passes(self) -> None:
        raw(self.url, "UPDATE label_claims SET expires_at = 1")
        self.claims.clear()

    @invariant()
    def answers_are_kept_and_labels_have_a_majority(self) -> None:
        if not hasattr(self, "url"):
            return
        states = [state.value for state in TaskState]
        for task in self.ops["ana"].labelling.queue("bike", states=states):
            said = {each.actor: each.value for each in task.answers}
            wanted = {who: v for (who, row), v in self.said.items() if row == task.inference_id}
            assert said == wanted
            values = [value for value in said.values() if value is not None]
            if task.state is TaskState.DONE:
                assert values.count(task.label) > len(values) / 2
                assert len(values) >= task.wanted
            else:
                assert task.label is None

    def teardown(self) -> None:
        self._stack.close()


TestQueue = Queue.TestCase
TestQueue.settings = settings(
    max_examples=12,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
