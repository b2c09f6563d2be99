"""What becomes of a firing, whatever the facts are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.domain.trigger import (
    Budget,
    Cause,
    CauseKind,
    FiringDecision,
    Relapse,
    TriggerDefinition,
    spell,
)
from core.triggers.arbitration import Facts, arbitrate

NOW = 1_790_000_000.0

words = st.sampled_from(["", "something"])
facts = st.builds(
    Facts,
    off=words,
    cycle=words,
    same=words,
    answered=words,
    busy=words,
    ended_at=st.none() | st.floats(NOW - 1e6, NOW + 10),
    runs=st.integers(0, 5),
    cpu_seconds=st.floats(0, 1e5),
    retrainings=st.integers(0, 4),
    last_run=st.none() | st.integers(1, 99),
)
definitions = st.builds(
    TriggerDefinition,
    name=st.just("t"),
    pipeline=st.just("p"),
    cool_down=st.floats(0, 1e6),
    budget=st.builds(
        Budget,
        runs=st.none() | st.integers(1, 5),
        cpu_seconds=st.none() | st.floats(1, 1e5),
        cost=st.none() | st.floats(0.1, 100),
        price=st.floats(0, 10),
        per=st.sampled_from(["day", "week"]),
    ),
    relapse=st.builds(Relapse, retrainings=st.integers(1, 3), within=st.floats(1, 1e6)),
)
causes = st.builds(Cause, st.sampled_from(CauseKind), st.just("x"))


@given(definitions, causes, facts, st.booleans())
def test_a_run_is_given_only_where_nothing_speaks_against_it(
    definition: TriggerDefinition, cause: Cause, known: Facts, force: bool
) -> None:
    decision, reason = arbitrate(definition, cause, known, NOW, force=force)
    assert decision not in (FiringDecision.ASKED, FiringDecision.STARTED)
    assert bool(reason) == (decision is not FiringDecision.ACCEPTED)
    if decision is FiringDecision.ACCEPTED:
        assert not (known.off or known.same or known.busy)
        assert not (known.cycle and cause.kind is CauseKind.NEW_DATA)
        if cause.kind.degradation:
            assert known.retrainings < definition.relapse.retrainings
        elif cause.kind is not CauseKind.HAND or not force:
            assert not known.answered
        if not force:
            assert known.ended_at is None or known.ended_at + definition.cool_down <= NOW
            assert definition.budget.runs is None or known.runs < definition.budget.runs


@given(definitions, causes, facts)
def test_force_passes_over_time_and_money_and_nothing_else(
    definition: TriggerDefinition, cause: Cause, known: Facts
) -> None:
    plain, _ = arbitrate(definition, cause, known, NOW)
    forced, _ = arbitrate(definition, cause, known, NOW, force=True)
    if plain not in (FiringDecision.COOLING_DOWN, FiringDecision.OVER_BUDGET):
        assert forced is plain
    else:
        assert forced in (FiringDecision.ACCEPTED, FiringDecision.RELAPSED)


def test_durations_as_people_write_them() -> None:
    assert [spell(s) for s in (0, 59, 3600, 90_061, 0.5)] == ["0s", "59s", "1h", "1d1h1m1s", "0.5s"]
