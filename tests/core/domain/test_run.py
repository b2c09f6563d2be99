"""Runs: how they may move, and what their steps' outcomes add up to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core.domain.run import (
    RUN_MOVES,
    STEP_ENDED,
    STEP_ENDED_WELL,
    RunStatus,
    StepStatus,
    outcome_of,
    run_may_move,
)

ENDED_BADLY = (StepStatus.CANCELLED, StepStatus.FAILED, StepStatus.REJECTED)
outcomes = st.dictionaries(
    st.text(min_size=1, max_size=2), st.sampled_from(sorted(STEP_ENDED)), min_size=1
)


def test_every_state_says_where_it_may_go() -> None:
    assert set(RUN_MOVES) == set(RunStatus)


@pytest.mark.parametrize("status", RunStatus)
def test_an_ended_run_is_left_by_a_resume_only(status: RunStatus) -> None:
    if status.ended:
        resumable = status in (RunStatus.FAILED, RunStatus.CANCELLED)
        assert RUN_MOVES[status] == ({RunStatus.QUEUED} if resumable else set())
    else:
        assert RunStatus.CANCELLED in RUN_MOVES[status], "anything open can be cancelled"
        assert RunStatus.QUEUED not in RUN_MOVES[status]
    assert not run_may_move(status, status)


class Runs(RuleBasedStateMachine):
    """Walks along the moves: each state is reached, and each end is one."""

    def __init__(self) -> None:
        super().__init__()
        self.status = RunStatus.QUEUED
        self.resumes = self.ends = 0

    @rule(to=st.sampled_from(RunStatus))
    def move(self, to: RunStatus) -> None:
        if run_may_move(self.status, to):
            self.resumes += self.status.ended
            self.ends += to.ended
            self.status = to

    @precondition(lambda self: self.status in (RunStatus.RUNNING, RunStatus.WAITING))
    @rule(steps=outcomes)
    def finish(self, steps: dict[str, StepStatus]) -> None:
        outcome = outcome_of(steps)
        if outcome is RunStatus.SUCCEEDED and self.status is RunStatus.WAITING:
            self.move(RunStatus.RUNNING)  # its gate was answered first
        assert run_may_move(self.status, outcome)
        self.move(outcome)

    @invariant()
    def one_resume_for_each_end_that_was_left(self) -> None:
        assert self.ends - self.resumes == self.status.ended


TestRuns = Runs.TestCase


@given(outcomes)
def test_a_run_succeeds_only_where_no_step_ended_badly(steps: dict[str, StepStatus]) -> None:
    outcome = outcome_of(steps)
    assert outcome.ended
    bad = [status for status in steps.values() if status in ENDED_BADLY]
    assert (outcome is RunStatus.SUCCEEDED) == (not bad)
    if bad:
        assert str(outcome) in {str(status) for status in bad}, "it ended as one of them did"


@pytest.mark.parametrize("status", StepStatus)
def test_what_ended_well_has_ended(status: StepStatus) -> None:
    assert status.ended == (status in STEP_ENDED)
    assert not status.ended_well or status.ended
    assert status.ended_well == (status in STEP_ENDED_WELL)
