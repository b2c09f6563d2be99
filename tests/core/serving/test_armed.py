"""A deployment under watch, without processes: what looks bring, and what follows."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.domain.analysis import (
    Acted,
    AlarmRule,
    AlarmState,
    AnalysisPlan,
    AnalysisStatus,
    MetricRule,
    ShadowStatus,
    Verdict,
)
from core.domain.release import ReleasePlan
from core.errors import BadInput
from core.serving.process.meters import Meter, Reading
from core.serving.supervision.armed import THAW_SECONDS, Armed, Look
from core.serving.watchrecords import analysis_from_json, plan_from_json

METRICS = (
    MetricRule("error_rate", 0.01),
    MetricRule("latency", 0.1, relative=True),
    MetricRule("score", 0.1, relative=True, worse_when="both"),
    MetricRule("score_distribution", 0.1),
)
ALARM = AlarmRule("errors", "error_rate", 0.2, period=10.0, minimum_requests=5)


def armed(*alarms: AlarmRule, metrics: tuple[MetricRule, ...] = METRICS) -> Armed:
    plan = ReleasePlan((), alarms=alarms, analysis=AnalysisPlan(metrics))
    return Armed("d", 2, 1, json.loads(json.dumps(asdict(plan))), 1000.0)


def reading(
    good: int,
    bad: int = 0,
    milliseconds: float = 20.0,
    score: float = 5.0,
    chance: bool = True,
) -> Reading:
    meter = Meter()
    for index in range(good):
        meter.record(200, milliseconds * (1 + index % 7 / 10) / 1000, chance)
        meter.predicted([score + index % 5 / 10])
    for _ in range(bad):
        meter.record(500, 0.001, chance)
    return Reading.from_json(json.loads(json.dumps(meter.reading())))


def look(at: float, new: Reading, old: Reading, share: float = 0.1, **more: Any) -> Look:
    readings = {1: [old], 2: [new]}
    return Look(at, 1.0, share, share > 0, readings=readings, **more)


def test_one_second_after_the_other_to_a_verdict() -> None:
    one = armed()
    for second in range(1, 40):
        one.take(look(1000.0 + second, reading(9, 1), reading(90), settled=True))
        if one.due():
            break
    status = one.status()
    assert status.metrics[0].verdict is Verdict.WORSE and 10 <= second < 40
    breach = one.due()
    assert breach is not None and breach.by == "verdict error_rate"
    assert "beyond the margin" in breach.reason
    assert status.sample_ratio is not None and status.sample_ratio.ok
    assert status.sample_ratio.observed == pytest.approx(0.1)
    one.acted = Acted("rolled_back", "", 0)
    assert one.due() is None and one.breach() is not None


def test_a_batch_of_ground_truth_that_is_sent_again_counts_once() -> None:
    one = armed(metrics=(MetricRule("ground_truth", 0.02),))
    one.observe({1: [10, 1, 1], 2: [8, 2, 2]}, batch=11)
    following = Armed.resume(json.loads(json.dumps(one.to_json())))
    for again in (one, following):
        again.observe({1: [10, 1, 1], 2: [8, 2, 2]}, batch=11)
        again.observe({2: [4, 1, 1]}, batch=7)
        (metric,) = again.status().metrics
        assert (metric.champion_count, metric.candidate_count) == (10, 12)


def test_one_large_session_on_a_fast_day_makes_no_candidate_slow() -> None:
    one = armed()
    for second in range(20):  # all of one client's requests go to the champion, and are quick
        one.take(look(1000.0 + second, reading(0), reading(60, milliseconds=2, chance=False), 0.5))
    for second in range(20, 40):  # the machine is busy, for both arms
        one.take(look(1000.0 + second, reading(30), reading(30), 0.5))
    latency = one.status().metrics[1]
    assert latency.verdict is not Verdict.WORSE and one.due() is None
    assert latency.champion_count == latency.candidate_count == 600


def test_sessions_of_many_clients_are_compared() -> None:
    one = armed()
    for second in range(40):
        arms = reading(25, 5, chance=False), reading(34, chance=False)
        one.take(look(1000.0 + second, *arms, 0.5))
    assert one.status().metrics[0].verdict is Verdict.WORSE


def test_a_worse_latency_is_told_as_a_share() -> None:
    one = armed()
    for second in range(40):
        one.take(look(1000.0 + second, reading(30, milliseconds=40), reading(30), 0.5))
    breach = one.breach()
    assert breach is not None and breach.by == "verdict latency"
    assert breach.reason.startswith("latency of the candidate differs by 100 % [")
    assert "beyond the margin of 10 %" in breach.reason


def test_a_good_candidate_is_called_so() -> None:
    one = armed(metrics=METRICS[:3])
    for second in range(1, 60):
        one.take(look(1000.0 + second, reading(100), reading(100), 0.5))
    assert one.status().verdict is Verdict.NON_INFERIOR
    assert one.due() is None
    assert len(one.status().metrics[0].trend) >= 10


def test_alarms_have_their_periods() -> None:
    one = armed(ALARM)
    for second in range(1, 31):
        one.take(look(1000.0 + second, reading(1, 1), reading(9)))
        (alarm,) = one.status().alarms
        assert len(alarm.datapoints) == second // 10
    assert alarm.datapoints == (0.5, 0.5, 0.5) and alarm.state is AlarmState.ALARM
    breach = one.due()
    assert breach is not None and breach.by == "alarm errors"


def test_an_alarm_on_an_arm_without_traffic_waits() -> None:
    one = armed(ALARM)
    for second in range(1, 31):
        one.take(look(1000.0 + second, Reading(), reading(9), 0.0))
    assert one.status().alarms[0].datapoints == ()
    one.take(look(1031.0, reading(1), reading(9)))
    for second in range(32, 41):
        one.take(look(1000.0 + second, reading(1), reading(9)))
    assert one.status().alarms[0].datapoints == (0.0,)


@pytest.mark.parametrize(("variant", "value"), [("champion", 0.5), ("endpoint", 0.25)])
def test_alarms_on_other_variants(variant: str, value: float) -> None:
    rule = AlarmRule("a", "error_rate", 0.9, period=1.0, variant=variant)
    one = armed(rule)
    one.take(look(1001.0, reading(10), reading(5, 5)))
    assert one.status().alarms[0].value == value


def test_crashes_and_shed_requests_are_counted() -> None:
    crashes = AlarmRule(
        "crashes", "crashes", 0, period=1.0, evaluation_periods=1, datapoints_to_alarm=1,
        variant="endpoint",
    )  # fmt: skip
    rejected = AlarmRule("full", "rejected_rate", 0.5, period=1.0, variant="endpoint")
    one = armed(crashes, rejected)
    one.take(look(1001.0, reading(5), reading(5), crashes=1, shed=30))
    first, second = one.status().alarms
    assert first.state is AlarmState.ALARM and second.value == 0.75


def test_shadow_requests_are_a_stratum_without_latency() -> None:
    one = armed()
    for second in range(1, 30):
        one.take(
            Look(
                1000.0 + second,
                1.0,
                readings={1: [reading(20)]},
                shadowed=True,
                shadow=[reading(15, 5, 900.0)],
                mirrored=ShadowStatus(20, 15, 3, 0, 5),
            )
        )
    status = one.status()
    assert status.shadow == ShadowStatus(580, 435, 87, 0, 145)
    errors, latency, *_ = status.metrics
    assert errors.verdict is Verdict.WORSE
    assert latency.candidate_count == 0 and latency.verdict is Verdict.UNDECIDED
    assert status.sample_ratio is None


def test_a_change_of_the_split_is_not_held_against_it() -> None:
    one = armed()
    one.take(look(1001.0, reading(0), reading(100), 0.5, settled=False))
    assert one.status().sample_ratio is None
    one.take(look(1002.0, reading(0), reading(100), 0.5))
    ratio = one.status().sample_ratio
    assert ratio is not None and not ratio.ok


def test_what_was_frozen_is_watched_again_once_it_was_well() -> None:
    one = armed(AlarmRule("a", "error_rate", 0.5, period=1.0, evaluation_periods=1,
                          datapoints_to_alarm=1), metrics=())  # fmt: skip
    one.take(look(1001.0, reading(0, 5), reading(50)))
    assert one.due() is not None
    one.acted = Acted("frozen", "", 1001.0)
    for second in range(int(THAW_SECONDS) + 2):
        assert one.due() is None
        one.take(look(1002.0 + second, reading(5), reading(50)))
    assert one.due() is None and one.acted is None
    one.take(look(1100.0, reading(0, 5), reading(50)))
    assert one.due() is not None


def test_a_clock_that_is_set_changes_nothing() -> None:
    one = armed(AlarmRule("a", "error_rate", 0.5, period=1.0, evaluation_periods=1,
                          datapoints_to_alarm=1))  # fmt: skip
    one.take(look(1001.0, reading(0, 5), reading(50)))
    one.acted = Acted("frozen", "", 1001.0)
    for second in range(12):
        assert one.due() is None
        one.take(look((-9000.0, 9000.0)[second % 2] + second, reading(5), reading(50)))
    assert one.acted is not None, "it has been well for a few seconds only"
    assert len(one.status().metrics[0].trend) == 3


rows = st.lists(
    st.tuples(
        st.integers(0, 9), st.integers(0, 3), st.integers(0, 20), st.sampled_from((0.1, 0.5))
    ),
    max_size=12,
)


@settings(deadline=None)
@given(rows, st.integers(0, 12))
def test_a_supervisor_that_takes_over_knows_all(
    seconds: list[tuple[int, int, int, float]], cut: int
) -> None:
    # Periods of one look: a longer one that runs begins anew.
    rule = AlarmRule("a", "error_rate", 0.3, period=1.0)
    one, other = armed(rule), armed(rule)
    for at, (good, bad, old, share) in enumerate(seconds):
        step = look(1001.0 + at, reading(good, bad), reading(old), share)
        one.take(step)
        if at == cut:
            other = Armed.resume(json.loads(json.dumps(other.to_json())))
        other.take(step)
    if cut >= len(seconds):
        other = Armed.resume(json.loads(json.dumps(other.to_json())))
    assert _rounded(asdict(one.status())) == _rounded(asdict(other.status()))


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return f"{value:.6g}" if isinstance(value, float) else value


def test_a_status_survives_json() -> None:
    one = armed(ALARM)
    one.take(look(1001.0, reading(9, 1), reading(90)))
    one.acted = Acted("frozen", "why", 1.0)
    status = one.status()
    found = analysis_from_json(json.loads(json.dumps(asdict(status))))
    assert isinstance(found, AnalysisStatus) and found == status


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"alarms": [{"name": "a"}]}, "cannot be watched"),
        ({"alarms": [asdict(AlarmRule("a", "colour", 1))]}, "no metric colour"),
        ({"alarms": [asdict(AlarmRule("a", "requests", 1, period=0))]}, "period of 0"),
        ({"alarms": [asdict(AlarmRule("a", "requests", 1, datapoints_to_alarm=9))]}, "9 of 3"),
        ({"alarms": [asdict(AlarmRule("a", "requests", 1, variant="x"))]}, "no variant x"),
        ({"analysis": {"metrics": [asdict(MetricRule("score", -1.0))]}}, "below 0"),
        ({"analysis": {"metrics": [asdict(MetricRule("score", 1, worse_when="?"))]}}, "worse"),
        ({"on_breach": "explode"}, "explode"),
    ],
)
def test_plans_that_cannot_be_watched(data: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        plan_from_json(data)
