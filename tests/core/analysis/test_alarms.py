"""M of N with missing data, against the tables that CloudWatch publishes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.analysis.alarms import Alarm, Period, datapoint
from core.domain.analysis import AlarmRule, AlarmState, Comparison, MissingData

OK, ALARM, NONE = AlarmState.OK, AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA
KEPT = "as it was"
TREATMENTS = (
    MissingData.MISSING,
    MissingData.IGNORE,
    MissingData.BREACHING,
    MissingData.NOT_BREACHING,
)


def rule(enough: int = 3, treat: MissingData = MissingData.MISSING, **more: object) -> AlarmRule:
    return AlarmRule(
        "errors", "error_rate", 0.5, evaluation_periods=3, datapoints_to_alarm=enough,
        treat_missing_data=treat, **more,
    )  # type: ignore[arg-type]  # fmt: skip


def after(points: str, enough: int, treat: MissingData, before: AlarmState) -> AlarmState:
    """The state after the five periods of a published row (0 good, X breaching, - missing),
    which are the first that the alarm sees."""
    alarm = Alarm(rule(enough, treat), 0.0, before, periods=100)
    for at, point in enumerate(points.split()):
        last = alarm.add({"0": 0.0, "X": 1.0, "-": None}[point], float(at))
        if at < 4:
            alarm.state = before  # the tables are about one evaluation
    return last


@pytest.mark.parametrize(
    ("points", "enough", "expected"),
    [
        ("0 - X - X", 3, (OK, OK, OK, OK)),
        ("0 - - - -", 3, (OK, OK, OK, OK)),
        ("- - - - -", 3, (NONE, KEPT, ALARM, OK)),
        ("0 X X - X", 3, (ALARM, ALARM, ALARM, ALARM)),
        ("- - X - -", 3, (ALARM, KEPT, ALARM, OK)),
        ("0 - X - X", 2, (ALARM, ALARM, ALARM, ALARM)),
        ("0 0 X 0 X", 2, (ALARM, ALARM, ALARM, ALARM)),
        ("0 - X - -", 2, (OK, OK, ALARM, OK)),
        ("- - - - 0", 2, (OK, OK, ALARM, OK)),
        ("- - - X -", 2, (ALARM, KEPT, ALARM, OK)),
    ],
)
@pytest.mark.parametrize("before", list(AlarmState))
def test_published_tables(points: str, enough: int, expected: tuple, before: AlarmState) -> None:
    found = tuple(after(points, enough, treat, before) for treat in TREATMENTS)
    assert found == tuple(before if state == KEPT else state for state in expected)


@pytest.mark.parametrize("points", ["- - - - X", "- - - X -"])
@pytest.mark.parametrize("before", [OK, NONE])
def test_a_lone_breach_does_not_alarm_at_once(points: str, before: AlarmState) -> None:
    assert after(points, 3, MissingData.MISSING, before) is not ALARM


def test_a_row_of_gaps_forgets_an_old_good_datapoint() -> None:
    """ "The next time this alarm is evaluated, if the data is still missing it will go to
    ALARM, as that non-breaching data point will no longer be in the evaluation range.\""""
    alarm = Alarm(rule(3, MissingData.BREACHING), 0.0, periods=100)
    states = [alarm.add(0.0 if at == 0 else None, float(at)) for at in range(6)]
    assert states[4:] == [OK, ALARM]


def test_breaching_gaps_wait_until_there_was_something_to_miss() -> None:
    alarm = Alarm(rule(2, MissingData.BREACHING), 0.0)
    assert [alarm.add(None, float(at)) for at in range(3)] == [NONE, NONE, ALARM]


@pytest.mark.parametrize(
    ("comparison", "below", "same", "above"),
    [
        (Comparison.GREATER, OK, OK, ALARM),
        (Comparison.GREATER_OR_EQUAL, OK, ALARM, ALARM),
        (Comparison.LESS, ALARM, OK, OK),
        (Comparison.LESS_OR_EQUAL, ALARM, ALARM, OK),
    ],
)
def test_comparisons(
    comparison: Comparison, below: AlarmState, same: AlarmState, above: AlarmState
) -> None:
    one = AlarmRule("a", "error_rate", 0.5, comparison, 10, 1, 1)
    found = [Alarm(one, 0.0).add(value, 1.0) for value in (0.4, 0.5, 0.6)]
    assert found == [below, same, above]


def test_metrics_of_a_period() -> None:
    period = Period(10.0, 50, 5, 2, 43, 430.0, {100: 38, 150: 5}, 40, 80.0, 1)

    def of(metric: str, least: int = 1) -> float | None:
        return datapoint(AlarmRule("a", metric, 1, minimum_requests=least), period)

    assert of("error_rate") == 0.1
    assert of("rejected_rate") == 0.04
    assert of("latency_mean") == 10.0
    assert of("score_mean") == 2.0
    assert of("requests_per_second") == 5.0
    assert of("crashes") == 1
    p50, p99 = of("latency_p50"), of("latency_p99")
    assert p50 is not None and p99 is not None and p99 / p50 == pytest.approx(1.07**50)
    assert of("error_rate", 51) is None
    assert of("requests", 51) == 50


def test_it_says_why_and_since_when() -> None:
    alarm = Alarm(rule(2), 0.0)
    for at, value in enumerate([0.1, 0.9, 0.8]):
        alarm.add(value, float(at))
    status = alarm.status()
    assert (status.state, status.since, status.value) == (ALARM, 2.0, 0.8)
    assert "2 of the last 3 datapoints [0.1, 0.9, 0.8] were greater than 0.5" in status.reason


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=30),
    st.integers(0, 30),
    st.sampled_from(TREATMENTS),
    st.integers(1, 3),
)
def test_an_alarm_goes_on_after_a_restart_as_if_nothing_had_been(
    values: list[float | None], cut: int, treat: MissingData, enough: int
) -> None:
    one = rule(enough, treat)
    whole, broken = Alarm(one, 0.0), Alarm(one, 0.0)
    for at, value in enumerate(values):
        whole.add(value, float(at))
        if at == cut:
            broken = Alarm.resume(one, json.loads(json.dumps(broken.to_json())))
        broken.add(value, float(at))
    assert whole.status() == broken.status()


@given(st.lists(st.floats(0, 1), min_size=3, max_size=20), st.integers(1, 3))
def test_without_gaps_it_is_m_of_n_and_nothing_else(values: list[float], enough: int) -> None:
    for treat in TREATMENTS:
        alarm = Alarm(rule(enough, treat), 0.0)
        for at, value in enumerate(values):
            alarm.add(value, float(at))
        assert alarm.state is (ALARM if sum(v > 0.5 for v in values[-3:]) >= enough else OK)
