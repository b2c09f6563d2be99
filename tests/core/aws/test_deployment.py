"""Strategies as DeploymentConfig: AWS's bounds are checked before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.aws.account import Account
from core.aws.deployment import check_alarms, check_configs, config_words, deployment_config
from core.errors import BadInput, OpsdeckError, WrongState
from core.simulated.models import model
from core.simulated.validate import check_input


def _valid(config: dict[str, Any]) -> None:
    """What botocore's model of UpdateEndpoint says, with bounds and enums."""
    asked = {"EndpointName": "e", "EndpointConfigName": "c", "DeploymentConfig": config}
    check_input(asked, model("sagemaker").operation_model("UpdateEndpoint"))


@pytest.mark.parametrize(
    ("strategy", "kind", "size"),
    [
        ("all-at-once", "ALL_AT_ONCE", None),
        ("blue-green", "ALL_AT_ONCE", None),
        ("canary", "CANARY", ("CanarySize", 10)),
        ("linear", "LINEAR", ("LinearStepSize", 10)),
    ],
)
def test_a_preset_becomes_a_blue_green_policy(
    strategy: str, kind: str, size: tuple[str, int] | None
) -> None:
    config = deployment_config(strategy, ["errors"])
    routing = config["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert routing["Type"] == kind
    if size:
        assert routing[size[0]] == {"Type": "CAPACITY_PERCENT", "Value": size[1]}
    assert config["AutoRollbackConfiguration"] == {"Alarms": [{"AlarmName": "errors"}]}
    _valid(config)


def test_rolling_is_told_in_its_own_words() -> None:
    config = deployment_config({"preset": "rolling", "batch": "25%", "wait": "5m"}, ["a", "a"])
    policy = config["RollingUpdatePolicy"]
    assert policy["MaximumBatchSize"] == {"Type": "CAPACITY_PERCENT", "Value": 25}
    assert policy["WaitIntervalInSeconds"] == 300
    assert config["AutoRollbackConfiguration"]["Alarms"] == [{"AlarmName": "a"}]
    assert config_words(config) == "rolling by 25 %, wait 5m; alarms a"
    _valid(config)


def test_without_alarms_it_says_that_nothing_brings_it_back() -> None:
    config = deployment_config("canary")
    assert "AutoRollbackConfiguration" not in config
    assert config_words(config) == "canary 10 %, wait 5m, keep 1h; no alarm brings it back"


@pytest.mark.parametrize(
    ("strategy", "says"),
    [
        ({"preset": "canary", "weight": 60}, "a canary of 60 %"),
        ({"preset": "linear", "step": 5}, "steps of 5 %"),
        ({"preset": "canary", "bake": "2h"}, "waits at most 3600 s"),
        ({"preset": "canary", "keep": "2h"}, "keep"),
        ("shadow", "cannot do this"),
        ("ab", "cannot do this"),
        ({"preset": "canary", "on_breach": "freeze"}, "on_breach freeze"),
        ({"preset": "rolling", "batch": 60}, "strategy.batch: SageMaker takes 5 to 50 %"),
        ({"preset": "rolling", "batch": 4}, "strategy.batch"),
        ({"preset": "rolling", "rollback": 1}, "strategy.rollback"),
        ({"preset": "rolling", "wait": "2h"}, "strategy.wait"),
        ({"preset": "rolling", "timeout": 60}, "strategy.timeout: SageMaker takes 600 to 28800 s"),
        ({"preset": "rolling", "wait": "1h", "batch": 5}, "20 batches"),
        ({"preset": "rolling", "weight": 5}, "weight"),
    ],
)
def test_what_sagemaker_has_no_word_for_is_refused_naming_our_key(strategy: Any, says: str) -> None:
    with pytest.raises(BadInput) as raised:
        deployment_config(strategy, ["errors"])
    assert says in raised.value.message
    assert "\n" not in raised.value.message


def test_more_than_ten_alarms_are_refused() -> None:
    with pytest.raises(BadInput, match="at most 10, not 11"):
        deployment_config("canary", [f"a{number}" for number in range(11)])


_DURATION = st.integers(0, 9_000).map(lambda seconds: f"{seconds}s")


@given(
    strategy=st.one_of(
        st.fixed_dictionaries(
            {"preset": st.just("canary"), "weight": st.integers(1, 99), "bake": _DURATION},
            optional={"keep": _DURATION},
        ),
        st.fixed_dictionaries(
            {"preset": st.just("linear"), "step": st.integers(1, 99), "every": _DURATION},
            optional={"keep": _DURATION},
        ),
        st.fixed_dictionaries(
            {"preset": st.just("rolling"), "batch": st.integers(0, 100), "wait": _DURATION},
            optional={"rollback": st.integers(0, 100), "timeout": _DURATION},
        ),
    )
)
def test_what_is_not_refused_is_within_the_service_models_bounds(strategy: dict[str, Any]) -> None:
    try:
        config = deployment_config(strategy, ["errors"])
    except OpsdeckError:
        return
    _valid(config)
    policy = config.get("RollingUpdatePolicy")
    if policy:
        assert 5 <= policy["MaximumBatchSize"]["Value"] <= 50
        return
    routing = config["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    if "CanarySize" in routing:
        assert 1 <= routing["CanarySize"]["Value"] <= 50
    if "LinearStepSize" in routing:
        assert 10 <= routing["LinearStepSize"]["Value"] <= 50


def _config(name: str, *variants: str, **more: Any) -> dict[str, Any]:
    return {
        "EndpointConfigName": name,
        "ProductionVariants": [
            {"VariantName": variant, "InstanceType": "ml.m5.large", **more} for variant in variants
        ],
    }


@pytest.mark.parametrize(
    ("strategy", "after", "says"),
    [
        ("canary", _config("new", "b"), "are not those that serve"),
        ("canary", _config("new", "a", ServerlessConfig={}), "is serverless"),
        ("canary", _config("new", "a", InstanceType="ml.inf1.xlarge"), "ml.inf1.xlarge"),
        ("canary", {**_config("new", "a"), "ShadowProductionVariants": [{}]}, "shadow variant"),
    ],
)
def test_configs_that_guardrails_cannot_swap_are_refused(
    strategy: str, after: dict[str, Any], says: str
) -> None:
    with pytest.raises(WrongState, match=says):
        check_configs(deployment_config(strategy), _config("old", "a"), after)


def test_several_variants_are_shifted_but_not_rolled() -> None:
    old, new = _config("old", "a", "b"), _config("new", "b", "a")
    check_configs(deployment_config("canary"), old, new)
    with pytest.raises(WrongState, match="rolls one only"):
        check_configs(deployment_config("rolling"), old, new)


def test_an_asynchronous_endpoint_may_have_guardrails() -> None:
    old, new = _config("old", "a"), _config("new", "a") | {"AsyncInferenceConfig": {}}
    check_configs(deployment_config("rolling"), old, new)


def test_alarms_have_to_be_there_and_not_in_alarm(account: Account) -> None:
    account.call(
        "cloudwatch",
        "put_metric_alarm",
        AlarmName="errors",
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    check_alarms(account, deployment_config("canary", ["errors"]))
    with pytest.raises(BadInput, match="alarms: latency: CloudWatch has no such alarm"):
        check_alarms(account, deployment_config("canary", ["errors", "latency"]))
    account.call(
        "cloudwatch", "set_alarm_state", AlarmName="errors", StateValue="ALARM", StateReason="test"
    )
    with pytest.raises(WrongState, match="errors is in ALARM now"):
        check_alarms(account, deployment_config("canary", ["errors"]))
