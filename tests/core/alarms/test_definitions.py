"""Definitions of alarms in files: read with their defaults, refused with their place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.alarms.definitions import read_alarm, read_alarms, series_named
from core.alarms.stored import definition_from_json, definition_json, written
from core.domain.alarm import ActionKind, AlarmAction, AlarmDefinition, BandComparison
from core.domain.alert import Severity
from core.domain.analysis import Comparison, MissingData
from core.domain.series import SeriesName
from core.errors import BadInput
from core.releases.values import Problems


def read(**data: Any) -> tuple[AlarmDefinition | None, str]:
    problems = Problems()
    alarm = read_alarm(problems, "alarms.it", "it", data)
    return alarm, "\n".join(f"{p.words()} ({p.hint})" for p in problems.found)


def test_the_least_that_can_be_said() -> None:
    alarm, said = read(metric="endpoint/bike:errors", threshold=0.05)
    assert said == ""
    assert alarm == AlarmDefinition("it", SeriesName("endpoint/bike", "errors"), threshold=0.05)
    assert alarm.words() == "endpoint/bike:errors Average > 0.05, 1 of 1 × 1m"


def test_everything_that_can_be_said() -> None:
    alarm, said = read(
        metric={"source": "monitor/quality", "name": "mae", "dims": {"segment": "season=1"}},
        stat="p99.9", period="window", expect_every="1h", evaluation_periods=3,
        datapoints_to_alarm=2, threshold="band", comparison="above", band_width=2.5,
        treat_missing_data="ignore", minimum_samples=20, suppress_with="other",
        suppress_wait="1m", suppress_extension=30, endpoint="bike", rollback_within="2h",
        actions=[{"alert": "critical"}, "rollback", "trigger: retrain"], ok_actions=["alert:info"],
        insufficient_data_actions=[{"alert": None}], description="d", runbook="r.md",
    )  # fmt: skip
    assert said == ""
    assert alarm is not None
    assert alarm.period is None
    assert (alarm.evaluation_periods, alarm.datapoints_to_alarm) == (3, 2)
    assert (alarm.threshold, alarm.comparison, alarm.banded) == (None, BandComparison.ABOVE, True)
    assert alarm.actions == (
        AlarmAction(ActionKind.ALERT, Severity.CRITICAL),
        AlarmAction(ActionKind.ROLLBACK),
        AlarmAction(ActionKind.TRIGGER, name="retrain"),
    )
    assert [action.words() for action in alarm.actions] == [
        "alert: critical", "rollback", "trigger: retrain",
    ]  # fmt: skip
    assert definition_from_json(definition_json(alarm)) == alarm


def test_a_monitors_metric_goes_by_its_windows_unless_a_period_is_given() -> None:
    alarm, _ = read(metric="monitor/quality:mae", threshold=60)
    assert alarm is not None
    assert alarm.period is None
    alarm, _ = read(metric="monitor/quality:mae", threshold=60, period="5m")
    assert alarm is not None
    assert alarm.period == 300


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"threshold": 1}, "alarms.it: metric or rule, one of them"),
        ({"metric": "endpoint/bike:errors"}, "alarms.it: no threshold"),
        ({"metric": "bike:errors", "threshold": 1}, "alarms.it.metric: no metric: 'bike:errors'"),
        ({"metric": "endpoint/bike", "threshold": 1}, "alarms.it.metric: no metric"),
        ({"metric": "endpoint/b:e{x}", "threshold": 1}, "alarms.it.metric: no dimension: 'x'"),
        ({"metric": {"source": "what/x", "name": "e"}, "threshold": 1}, "metric.source: no source"),
        ({"metric": "endpoint/b:e", "threshold": "high"}, "threshold: a number or band"),
        ({"metric": "endpoint/b:e", "threshold": float("nan")}, "threshold: a number or band"),
        ({"metric": "endpoint/b:e", "threshold": 1, "stat": "Median"}, "it.stat: statistic Median"),
        ({"metric": "endpoint/b:e", "threshold": 1, "period": 15}, "period: a multiple of 10 s"),
        ({"metric": "endpoint/b:e", "threshold": 1, "period": 5}, "it.period: at least 10 s"),
        ({"metric": "endpoint/b:e", "threshold": 1, "comparison": "above"}, "it.comparison"),
        ({"metric": "endpoint/b:e", "threshold": "band", "comparison": ">"}, "it.comparison"),
        ({"metric": "endpoint/b:e", "threshold": 1, "band_width": 2}, "beside threshold: band"),
        ({"metric": "endpoint/b:e", "threshold": "band", "period": 10}, "periods of a minute"),
        ({"metric": "endpoint/b:e", "threshold": 1, "expect_every": 60}, "it.expect_every: only"),
        ({"metric": "endpoint/b:e", "threshold": 1, "datapoints_to_alarm": 2}, "from 1 to 1"),
        ({"metric": "endpoint/b:e", "threshold": 1, "actions": "alert"}, "a list of actions"),
        ({"metric": "endpoint/b:e", "threshold": 1, "actions": ["call"]}, "it.actions[0]: unknown"),
        ({"metric": "endpoint/b:e", "threshold": 1, "actions": ["trigger"]}, "no trigger is named"),
        ({"metric": "endpoint/b:e", "threshold": 1, "treshold": 1}, "did you mean threshold?"),
        ({"metric": "endpoint/b:e", "threshold": 1, "suppress_wait": 5}, "beside suppress_with"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_key(data: dict[str, Any], words: str) -> None:
    alarm, said = read(**data)
    assert alarm is None
    assert words in said


@pytest.mark.parametrize("data", [None, [], "x", 3, {"a": None}, {"a": 7}, {"a": []}])
def test_odd_sections_are_refused_without_falling(data: Any) -> None:
    problems = Problems()
    assert read_alarms(problems, "alarms", data) == ()
    assert problems.found


def test_a_series_is_named_on_one_line() -> None:
    name = series_named("endpoint/bike:latency{variant=champion, segment=a}")
    assert name == SeriesName("endpoint/bike", "latency", {"variant": "champion", "segment": "a"})
    assert series_named(name.words()) == name
    with pytest.raises(BadInput, match="no metric"):
        series_named("nothing")


definitions = st.builds(
    AlarmDefinition,
    name=st.just("it"),
    metric=st.sampled_from(
        [SeriesName("endpoint/bike", "errors", {"variant": "r1"}), SeriesName("slo/fast", "x")]
    ),
    stat=st.sampled_from(["Average", "p99"]),
    period=st.sampled_from([None, 10.0, 300.0]),
    threshold=st.floats(-1e6, 1e6),
    comparison=st.sampled_from(list(Comparison)),
    evaluation_periods=st.just(5),
    datapoints_to_alarm=st.integers(1, 5),
    treat_missing_data=st.sampled_from(list(MissingData)),
    actions=st.sampled_from([(), (AlarmAction(ActionKind.ROLLBACK),)]),
    rollback_within=st.sampled_from([60.0, 86_400.0]),
    description=st.sampled_from(["", "what it is for"]),
)


@given(definitions)
def test_what_is_written_to_a_file_is_read_back_the_same(alarm: AlarmDefinition) -> None:
    again, said = read(**written(alarm))
    assert said == ""
    assert again == alarm
    assert definition_from_json(definition_json(alarm)) == alarm
