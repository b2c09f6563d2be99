"""Strategies as people write them, presets, and the same in SageMaker's words."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.analysis import AlarmRule, Comparison, MissingData, OnBreach
from core.domain.plans import is_watched, plan_from_json, plan_json, watched
from core.domain.release import ReleasePlan, StrategyStep
from core.errors import BadInput
from core.releases.presets import CATALOGUE, PRESETS
from core.releases.sagemaker import deployment_config, left_out
from core.releases.strategy import parse_plan, read_plan
from core.releases.watching import DEFAULT_ALARMS, DEFAULT_ANALYSIS

FULL: dict[str, Any] = {
    "steps": [
        {"shadow": {"percent": "50%", "for": "2m", "requests": 500}},
        {"set_weight": 10},
        {"bake": "5m"},
        {"analyse": "30m"},
        {"ask": "Go on?"},
        {"window": "Mon-Thu 09:00-16:00 Europe/Berlin"},
        {"pause": "30s"},
        {"set_weight": 100},
    ],
    "alarms": [
        {"name": "errors", "metric": "error_rate", "threshold": "5%", "evaluation_periods": 4},
        {
            "metric": "latency_p99",
            "threshold": "0.3s",
            "comparison": ">=",
            "period": "1m",
            "datapoints_to_alarm": 1,
            "treat_missing_data": "notBreaching",
            "dry_run": True,
        },
    ],
    "analysis": {
        "alpha": 0.01,
        "minimum_requests": 200,
        "metrics": ["error_rate", {"metric": "latency", "margin": "20%", "share": 2}],
    },
    "on_breach": "freeze",
    "keep": "30m",
}


def words(data: Any) -> list[str]:
    return [step.words() for step in parse_plan(data).steps]


def test_a_whole_strategy() -> None:
    plan = parse_plan(FULL)
    assert [step.words() for step in plan.steps] == [
        "shadow 50 % for 2m or 500 compared",
        "set weight 10 %",
        "bake 5m",
        "analyse, at most 30m",
        "ask “Go on?”",
        "wait for Mon-Thu 09:00-16:00 Europe/Berlin",
        "pause 30s",
        "set weight 100 %",
    ]
    errors, slow = plan.alarms
    assert (errors.threshold, errors.evaluation_periods, errors.datapoints_to_alarm) == (0.05, 4, 4)
    assert (slow.name, slow.threshold, slow.comparison) == (
        "latency_p99",
        300.0,
        Comparison.GREATER_OR_EQUAL,
    )
    assert (slow.period, slow.evaluation_periods, slow.datapoints_to_alarm) == (60.0, 3, 1)
    assert slow.treat_missing_data is MissingData.NOT_BREACHING
    assert [(m.metric, m.margin, m.relative, m.share) for m in plan.analysis.metrics] == [
        ("error_rate", 0.01, False, 1.0),
        ("latency", 0.2, True, 2.0),
    ]
    assert (plan.on_breach, plan.keep_seconds) == (OnBreach.FREEZE, 1800.0)


@pytest.mark.parametrize("plan", [*PRESETS.values(), parse_plan(FULL)], ids=lambda p: p.name)
def test_a_plan_survives_its_row(plan: ReleasePlan) -> None:
    assert plan_from_json(plan_json(plan)) == plan
    json.dumps(watched(plan))


def test_a_row_from_before_there_were_plans_is_read() -> None:
    row = '[{"kind": "set_weight", "weight": 10.0, "seconds": null}]'
    plan = plan_from_json(row)
    assert plan.steps == (StrategyStep("set_weight", weight=10.0),)
    assert not is_watched(plan)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_preset_ends_with_all_of_the_traffic(name: str) -> None:
    plan = parse_plan(name)
    assert plan == PRESETS[name]
    weights = [step.weight for step in plan.steps if step.kind == "set_weight"]
    assert weights[-1] == 100
    assert plan.alarms == DEFAULT_ALARMS


def test_numbers_of_presets_are_set_one_by_one() -> None:
    assert words({"preset": "canary", "weight": "20%", "bake": "90s"}) == [
        "set weight 20 %",
        "bake 1m30s",
        "set weight 100 %",
    ]
    assert words({"preset": "linear", "step": 40, "every": 5}) == [
        "set weight 40 %",
        "bake 5s",
        "set weight 80 %",
        "bake 5s",
        "set weight 100 %",
    ]
    assert words("progressive")[:4] == [
        "shadow 100 % for 10m or 500 compared",
        "set weight 10 %",
        "bake 5m",
        "analyse, at most 30m",
    ]
    assert parse_plan({"preset": "canary", "alarms": [], "analysis": None}).alarms == ()


def test_a_list_is_watched_and_compared_where_something_in_it_needs_that() -> None:
    by_the_clock = parse_plan([{"set_weight": 10}, {"pause": "1s"}])
    assert by_the_clock.alarms == DEFAULT_ALARMS and not by_the_clock.analysis.metrics
    baked = parse_plan([{"set_weight": 10}, {"bake": "1s"}])
    assert baked.alarms == DEFAULT_ALARMS and baked.analysis == DEFAULT_ANALYSIS
    steps = [{"set_weight": 10}, {"pause": "1s"}]
    assert not is_watched(parse_plan({"steps": steps, "alarms": [], "analysis": None}))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("cannary", "strategy.preset: unknown: 'cannary'"),
        (7, "strategy: a list of steps, not 7"),
        (None, "strategy: a list of steps, not None"),
        ({}, "preset or steps, one of them"),
        ({"preset": "canary", "steps": []}, "preset or steps, one of them"),
        ({"preset": "canary", "wieght": 5}, "strategy.wieght: unknown key"),
        ({"preset": "canary", "weight": 0}, "strategy.weight: more than 0"),
        ({"preset": "canary", "bake": "soon"}, "strategy.bake: a duration, not 'soon'"),
        ({"preset": "shadow", "requests": 1.5}, "strategy.requests: a whole number"),
        ([{"bake": None}], "strategy step 1: bake: a duration"),
        ([{"bakes": 1}], "strategy step 1: unknown: 'bakes'"),
        ([{"shadow": {"percent": 10}}], "strategy step 1: shadow: it would never end"),
        ([{"shadow": {"percent": 0, "for": 1}}], "shadow.percent: nothing would be mirrored"),
        ([{"ask": 3}], "strategy step 1: ask: text, not 3"),
        ([{"window": "sometimes"}], "strategy step 1: window"),
        ({"steps": [], "keep": -1}, "strategy.keep: a duration"),
        ({"steps": [], "on_breach": "panic"}, "strategy.on_breach: unknown: 'panic'"),
        ({"steps": [], "alarms": [{"metric": "errors", "threshold": 1}]}, "alarms[0].metric"),
        ({"steps": [], "alarms": [{"metric": "requests"}]}, "alarms[0]: no threshold"),
        ({"steps": [], "alarms": {"a": 1}}, "strategy.alarms: a list of alarms"),
        ({"steps": [], "analysis": {"metrics": [{"metric": "mood"}]}}, "metrics[0].metric"),
        (
            {"steps": [{"analyse": "1m"}], "analysis": {"metrics": []}},
            "strategy step 1: analyse: no metric of the analysis counts",
        ),
        (
            {
                "steps": [],
                "alarms": [
                    {"metric": "error_rate", "threshold": 0.1, "datapoints_to_alarm": 5},
                ],
            },
            "alarms[0].datapoints_to_alarm: a whole number from 1 to 3",
        ),
    ],
)
def test_what_is_wrong_is_named(data: Any, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_plan(data)
    assert said in caught.value.message
    assert "\n" not in caught.value.one_line()


def test_everything_wrong_is_told_at_once() -> None:
    data = {
        "steps": [{"set_weight": 101}, {"bake": "x"}],
        "on_breach": "no",
        "alarms": [{"metric": "latency_p99", "threshold": "slow", "period": 0}],
    }
    _, problems = read_plan(data)
    assert [problem.where for problem in problems] == [
        "strategy step 1: set_weight",
        "strategy step 2: bake",
        "strategy.alarms[0].threshold",
        "strategy.alarms[0].period",
        "strategy.on_breach",
    ]


JUNK = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
KEYED = st.dictionaries(
    st.sampled_from(["preset", "steps", "alarms", "analysis", "on_breach", "keep", "weight"]), JUNK
)


@given(JUNK | KEYED)
def test_junk_is_refused_in_one_line(data: Any) -> None:
    try:
        plan = parse_plan(data)
    except BadInput as error:
        assert error.message
    else:
        assert plan_from_json(plan_json(plan)) == plan


# --- in SageMaker's words ----------------------------------------------------------------

SHORT = 1800.0


def sagemaker(data: Any) -> dict[str, Any]:
    return deployment_config(replace(parse_plan(data), keep_seconds=SHORT))


def test_all_at_once_canary_and_linear_in_sagemaker_words() -> None:
    alarms = {"Alarms": [{"AlarmName": n} for n in ("errors", "slow", "crashes")]}
    assert sagemaker({"preset": "canary", "weight": 20, "bake": "5m"}) == {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {
                "Type": "CANARY",
                "WaitIntervalInSeconds": 300,
                "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 20},
            },
            "TerminationWaitInSeconds": 1800,
            "MaximumExecutionTimeoutInSeconds": 2700,
        },
        "AutoRollbackConfiguration": alarms,
    }
    linear = sagemaker({"preset": "linear", "step": 30})["BlueGreenUpdatePolicy"]
    assert linear["TrafficRoutingConfiguration"] == {
        "Type": "LINEAR",
        "WaitIntervalInSeconds": 300,
        "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 30},
    }
    at_once = sagemaker("blue-green")["BlueGreenUpdatePolicy"]
    assert at_once["TrafficRoutingConfiguration"] == {
        "Type": "ALL_AT_ONCE",
        "WaitIntervalInSeconds": 600,
    }
    assert any("comparison" in remark for remark in left_out(parse_plan("canary")))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("progressive", "strategy step 1: shadow 100 %"),
        ("ab", "strategy step 2: analyse"),
        ("shadow", "strategy step 1: shadow"),
        ({"preset": "canary", "weight": 60}, "a canary of 60 %"),
        ({"preset": "canary", "weight": 10.5}, "whole percentages"),
        ({"preset": "canary", "bake": "2h"}, "at most 3600 s at a weight"),
        ({"preset": "linear", "step": 5}, "steps of 5 %"),
        ({"preset": "canary", "on_breach": "freeze"}, "on_breach freeze"),
        ({"preset": "canary", "alarms": []}, "1 to 10"),
        ([{"set_weight": 10}, {"pause": None}, {"bake": 1}], "strategy step 2: pause until"),
        ([{"bake": 1}, {"set_weight": 100}], "nothing waits before the first"),
        ([{"set_weight": 10}, {"bake": 1}, {"set_weight": 50}, {"bake": 1}], "no equal step"),
        (
            [{"set_weight": 50}, {"bake": 1}, {"window": "Mon 09:00-10:00 UTC"}],
            "strategy step 3: wait for Mon",
        ),
        ({"preset": "linear", "step": 10, "every": "1h"}, "SageMaker allows 28800 s"),
    ],
)
def test_what_sagemaker_cannot_do_is_named(data: Any, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        sagemaker(data)
    assert said in caught.value.message


def test_the_old_fleet_is_kept_for_an_hour_at_most() -> None:
    plan = parse_plan("canary")
    with pytest.raises(BadInput, match="old fleet"):
        deployment_config(replace(plan, keep_seconds=3601.0))
    assert deployment_config(plan)["BlueGreenUpdatePolicy"]["TerminationWaitInSeconds"] == 3600


@given(st.integers(1, 100), st.integers(0, 4000), st.integers(0, 4000), st.integers(0, 12))
def test_what_it_gives_keeps_sagemakers_bounds(
    weight: int, bake: int, keep: int, alarms: int
) -> None:
    plan = ReleasePlan(
        parse_plan({"preset": "linear", "step": weight, "every": bake}).steps,
        alarms=tuple(AlarmRule(f"a{n}", "error_rate", 0.1) for n in range(alarms)),
        keep_seconds=float(keep),
    )
    try:
        found = deployment_config(plan)
    except BadInput:
        return
    policy = found["BlueGreenUpdatePolicy"]
    routing = policy["TrafficRoutingConfiguration"]
    assert 0 <= routing["WaitIntervalInSeconds"] <= 3600
    assert 0 <= policy["TerminationWaitInSeconds"] <= 3600
    assert 600 <= policy["MaximumExecutionTimeoutInSeconds"] <= 28_800
    assert 1 <= len(found["AutoRollbackConfiguration"]["Alarms"]) <= 10
    if routing["Type"] == "CANARY":
        assert routing["CanarySize"]["Value"] <= 50
    if routing["Type"] == "LINEAR":
        assert 10 <= routing["LinearStepSize"]["Value"] <= 50
