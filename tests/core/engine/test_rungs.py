"""When a step that is watched is over, must be held, or goes on waiting."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from core.domain.analysis import (
    AlarmState,
    AlarmStatus,
    AnalysisStatus,
    Comparison,
    MetricStatus,
    SampleRatio,
    ShadowStatus,
    Verdict,
)
from core.domain.release import ReleasePlan, StrategyStep
from core.engine.rungs import judge
from core.releases.strategy import parse_plan

WATCHED = parse_plan("canary")
UNWATCHED = ReleasePlan(steps=())
BAKE = StrategyStep("bake", seconds=60.0)
ANALYSE = StrategyStep("analyse", seconds=60.0)
SHADOW = StrategyStep("shadow", weight=100.0, seconds=60.0, requests=100)
QUIET = AnalysisStatus("d", 0.0, 2, 1)
OFF = AlarmStatus(
    "errors", "error_rate", "candidate", AlarmState.ALARM, 0.05, Comparison.GREATER, 0.0
)


def verdicts(*found: Verdict) -> AnalysisStatus:
    return replace(QUIET, metrics=tuple(MetricStatus(f"m{n}", v) for n, v in enumerate(found)))


def test_a_bake_passes_at_its_end_if_nothing_is_off() -> None:
    assert not judge(WATCHED, BAKE, QUIET, 1.0).over
    assert judge(WATCHED, BAKE, QUIET, 0.0).over
    assert not judge(WATCHED, BAKE, replace(QUIET, alarms=(OFF,)), 0.0).over
    quiet = replace(OFF, dry_run=True)
    assert judge(WATCHED, BAKE, replace(QUIET, alarms=(quiet,)), 0.0).over
    assert not judge(WATCHED, BAKE, verdicts(Verdict.WORSE), 0.0).over
    assert judge(WATCHED, BAKE, verdicts(Verdict.UNDECIDED), 0.0).over


def test_while_nobody_says_how_it_does_nothing_passes() -> None:
    for step in (BAKE, ANALYSE, SHADOW):
        found = judge(WATCHED, step, None, -100.0)
        assert not found.over
        assert not found.held
    assert judge(UNWATCHED, BAKE, None, 0.0).over


def test_an_analysis_passes_when_decided_and_is_held_at_its_end() -> None:
    good = verdicts(Verdict.NON_INFERIOR, Verdict.NON_INFERIOR)
    assert judge(WATCHED, ANALYSE, good, 30.0).over
    part = verdicts(Verdict.NON_INFERIOR, Verdict.UNDECIDED)
    assert not judge(WATCHED, ANALYSE, part, 30.0).over
    assert "m1" in judge(WATCHED, ANALYSE, part, 0.0).held
    mixed = replace(good, sample_ratio=SampleRatio(0.1, 0.5, 1e-9, ok=False))
    assert "not split as it was set" in judge(WATCHED, ANALYSE, mixed, 0.0).held
    endless = StrategyStep("analyse")
    assert not judge(WATCHED, endless, part, float("inf")).held


def test_a_shadow_ends_by_count_or_time_and_is_held_when_it_tells_nothing() -> None:
    def shadowed(**counts: int) -> AnalysisStatus:
        return replace(QUIET, shadow=ShadowStatus(**counts))

    assert not judge(WATCHED, SHADOW, shadowed(compared=99), 1.0).over
    assert judge(WATCHED, SHADOW, shadowed(compared=100), 1.0).over
    assert judge(WATCHED, SHADOW, shadowed(compared=1), 0.0).over
    assert "no request" in judge(WATCHED, SHADOW, shadowed(), 0.0).held
    assert "failed on 3 of 103" in judge(WATCHED, SHADOW, shadowed(compared=100, failed=3), 1).held
    assert judge(WATCHED, SHADOW, shadowed(compared=1000, failed=5), 1.0).over


@given(
    st.sampled_from([BAKE, ANALYSE, SHADOW]),
    st.lists(st.sampled_from([*Verdict]), max_size=3),
    st.booleans(),
    st.integers(0, 200),
    st.integers(0, 200),
    st.floats(-100, 100),
)
def test_what_is_worse_alarming_or_undecided_never_passes(
    step: StrategyStep, found: list[Verdict], off: bool, compared: int, failed: int, left: float
) -> None:
    shadow = ShadowStatus(compared=compared, failed=failed)
    status = replace(verdicts(*found), shadow=shadow, alarms=(OFF,) if off else ())
    look = judge(WATCHED, step, status, left)
    assert not (look.over and look.held)
    if off or Verdict.WORSE in found:
        assert not look.over
        assert not look.held, "the supervisor acts on that"
    if step is ANALYSE and look.over:
        assert status.verdict is Verdict.NON_INFERIOR
    if not look.over and not look.held:
        assert 0 < look.wait <= 1.0
