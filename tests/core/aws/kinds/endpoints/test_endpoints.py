"""Endpoints on the simulated account: looked at, updated by a strategy, rolled back, asked."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from core.aws.account import Account
from core.aws.kind import Detail, Verb
from core.aws.kinds.endpoints.history import history, previous_config
from core.aws.registry import kind
from core.errors import BadInput, ReadOnly, WrongState
from core.simulated.server import SimulatedAccount


def verb(name: str) -> Verb:
    found = kind("endpoints").verb(name)
    assert found is not None
    return found


def act(account: Account, name: str, endpoint: str, values: Mapping[str, str]) -> str:
    """As a screen does it: the consequence is told, then it is done."""
    assert verb(name).consequence(account, endpoint, values)
    return verb(name).do(account, endpoint, values)


def lines(detail: Detail, title: str) -> list[str]:
    return [
        line if isinstance(line, str) else f"{line[0]}: {line[1]}"
        for section in detail.sections
        if section.title == title
        for line in section.lines
    ]


def trip(account: Account, alarm: str, state: str) -> None:
    account.call(
        "cloudwatch", "set_alarm_state", AlarmName=alarm, StateValue=state, StateReason="by hand"
    )


def test_an_endpoint_in_service_tells_of_its_variants(account: Account, demand: str) -> None:
    (items,) = kind("endpoints").list(account, "")
    assert [(item.id, item.cells[1], item.tone) for item in items] == [
        ("demand", "InService", "ok")
    ]
    detail = kind("endpoints").show(account, demand)
    assert "AllTraffic: weight 1 (100%), 2 × ml.m5.large, model january" in lines(
        detail, "Variants"
    )
    assert detail.tone == "ok"


def test_an_update_by_a_canary_is_followed_while_it_bakes(
    account: Account, aws: SimulatedAccount, demand: str, alarm: str
) -> None:
    values = {"config": "demand-2", "strategy": "canary", "percent": "50", "wait": "5m",
              "alarms": alarm}  # fmt: skip
    told = verb("update").consequence(account, demand, values)
    assert told[0] == "demand: demand-1 → demand-2"
    assert told[1] == "canary 50 %, wait 5m, keep 10m; alarms errors"
    verb("update").do(account, demand, values)
    aws.advance(150)
    detail = kind("endpoints").show(account, demand)
    assert lines(detail, "Deployment")[0] == "To: demand-2"
    assert any("Baking" in line for line in lines(detail, "Deployment"))
    blocked = verb("update").blocked(next(iter(kind("endpoints").list(account, "")))[0])
    assert blocked is not None and "Updating" in blocked
    aws.advance(3600)
    assert lines(kind("endpoints").show(account, demand), "Endpoint")[1] == (
        "EndpointConfigName: demand-2"
    )


def test_a_silent_rollback_is_told_and_is_nothing_to_go_back_to(
    account: Account, aws: SimulatedAccount, demand: str, alarm: str
) -> None:
    values = {"config": "demand-2", "strategy": "canary", "percent": "50", "alarms": alarm}
    act(account, "update", demand, values)
    aws.advance(150)
    trip(account, alarm, "ALARM")
    aws.advance(30)
    rolling = kind("endpoints").show(account, demand)
    assert rolling.tone == "bad"
    assert "rolling back to demand-1" in lines(rolling, "Endpoint")[1]
    aws.advance(900)
    detail = kind("endpoints").show(account, demand)
    assert lines(detail, "Endpoint")[0] == "Status: InService"
    assert detail.tone == "bad"
    assert "demand-2 was asked for" in lines(detail, "Endpoint")[1]
    assert "demand-1 serves" in lines(detail, "Endpoint")[1]

    trip(account, alarm, "OK")
    act(account, "update", demand, {"config": "demand-3", "strategy": ""})
    aws.advance(900)
    assert kind("endpoints").show(account, demand).tone == "ok"
    target, how = previous_config(account, demand, "demand-3")
    assert target == "demand-1"
    assert "passed over demand-2" in how


def test_another_session_knows_by_the_alarms_what_was_rolled_back(
    account: Account, aws: SimulatedAccount, demand: str, alarm: str
) -> None:
    act(account, "update", demand, {"config": "demand-2", "strategy": "canary", "percent": "50",
                                    "alarms": alarm})  # fmt: skip
    aws.advance(150)
    trip(account, alarm, "ALARM")
    aws.advance(900)
    act(account, "update", demand, {"config": "demand-3", "strategy": ""})
    aws.advance(900)
    other = Account(account.context, attempts=1)
    target, how = previous_config(other, demand, "demand-3")
    assert (target, "alarm errors went off" in how) == ("demand-1", True)


def test_going_back_is_one_step_to_what_served_before(
    account: Account, aws: SimulatedAccount, demand: str
) -> None:
    act(account, "update", demand, {"config": "demand-2", "strategy": ""})
    aws.advance(900)
    assert verb("rollback").back
    told = verb("rollback").consequence(account, demand, {})
    assert told[0] == "demand: demand-2 → demand-1"
    assert verb("rollback").do(account, demand, {}) == "demand: back to demand-1"
    aws.advance(900)
    detail = kind("endpoints").show(account, demand)
    assert lines(detail, "Endpoint")[1] == "EndpointConfigName: demand-1"
    assert detail.tone == "ok"


def test_without_cloudtrail_this_sessions_own_requests_are_known(
    account: Account, aws: SimulatedAccount, demand: str
) -> None:
    act(account, "update", demand, {"config": "demand-2", "strategy": ""})
    aws.advance(900)
    aws.fault("cloudtrail:LookupEvents", "AccessDeniedException", times=9)
    known = history(account, demand)
    assert "cloudtrail:LookupEvents" in known.trouble
    assert [each.config for each in known.asked] == ["demand-2", "demand-1"]
    assert previous_config(account, demand, "demand-2")[0] == "demand-1"


def test_knowing_nothing_it_proposes_the_newest_config_alike_and_says_so(
    account: Account, aws: SimulatedAccount, demand: str
) -> None:
    act(account, "update", demand, {"config": "demand-3", "strategy": ""})
    aws.advance(900)
    aws.fault("cloudtrail:LookupEvents", "AccessDeniedException", times=9)
    other = Account(account.context, attempts=1)
    target, how = previous_config(other, demand, "demand-3")
    assert target == "demand-2"
    assert how.startswith("the newest older config with the same variants")


def test_nothing_to_go_back_to_is_said(account: Account, demand: str) -> None:
    for name in ("demand-2", "demand-3"):
        account.call("sagemaker", "delete_endpoint_config", EndpointConfigName=name)
    with pytest.raises(WrongState, match="nothing to go back to"):
        verb("rollback").do(account, demand, {})


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"config": "demand-2", "strategy": "canary", "percent": "80"}, "canary of 80 %"),
        ({"config": "demand-2", "strategy": "canary", "alarms": "nope"}, "no such alarm"),
        ({"config": "demand-2", "strategy": "shadow"}, "strategy: shadow"),
        ({"config": "demand-2", "strategy": "", "alarms": "errors"}, "go with a strategy"),
        ({"config": "demand-2", "strategy": "all-at-once", "percent": "5"}, "percent"),
    ],
)
def test_aws_rules_are_checked_before_the_call(
    account: Account, aws: SimulatedAccount, demand: str, values: Mapping[str, str], says: str
) -> None:
    with pytest.raises(BadInput, match=says):
        verb("update").do(account, demand, values)
    assert "UpdateEndpoint" not in {call.operation for call in aws.calls}


def test_it_is_not_updated_to_what_it_serves(account: Account, demand: str) -> None:
    with pytest.raises(WrongState, match="serves demand-1 already"):
        verb("update").do(account, demand, {"config": "demand-1", "strategy": "canary"})


def test_weights_are_told_as_shares_and_set(
    account: Account, aws: SimulatedAccount, demand: str
) -> None:
    account.call(
        "sagemaker", "create_endpoint_config", EndpointConfigName="two",
        ProductionVariants=[
            {"VariantName": name, "ModelName": model, "InstanceType": "ml.m5.large",
             "InitialInstanceCount": 1, "InitialVariantWeight": 1.0}
            for name, model in (("blue", "january"), ("green", "april"))
        ],
    )  # fmt: skip
    verb("create").do(account, "", {"name": "pair", "config": "two"})
    aws.advance(600)
    told = verb("weights").consequence(account, "pair", {"weights": "blue=9"})
    assert told == ("blue: 50% → 90% of the requests", "green: 50% → 10% of the requests")
    assert verb("weights").do(account, "pair", {"weights": "blue=9"}) == "pair: weights blue 9"
    aws.advance(300)
    shown = lines(kind("endpoints").show(account, "pair"), "Variants")
    assert any(line.startswith("blue: weight 9 (90%)") for line in shown)
    for text, says in (("red=1", "no variant red"), ("blue=x", "no number"), ("", "none is given"),
                       ("blue=0 green=0", "all are 0"), ("blue=-1", "0 or more")):  # fmt: skip
        with pytest.raises(BadInput, match=says):
            verb("weights").do(account, "pair", {"weights": text})


def test_instances_and_the_bounds_of_auto_scaling_are_changed(
    account: Account, aws: SimulatedAccount, demand: str
) -> None:
    values = {"instances": "3", "min": "2", "max": "5"}
    assert verb("scale").consequence(account, demand, values) == (
        "AllTraffic: 2 → 3 instances",
        "AllTraffic: auto scaling from 2 to 5 instances",
    )
    verb("scale").do(account, demand, values)
    aws.advance(600)
    detail = kind("endpoints").show(account, demand)
    assert lines(detail, "Auto scaling")[0] == "AllTraffic: 2 to 5 instances"
    assert any("3 × ml.m5.large" in line for line in lines(detail, "Variants"))
    for wrong in ({}, {"min": "2"}, {"min": "4", "max": "2"}, {"instances": "many"}):
        with pytest.raises(BadInput):
            verb("scale").do(account, demand, wrong)


def test_a_prediction_tells_the_variant_and_how_long_it_took(account: Account, demand: str) -> None:
    told = verb("invoke").do(account, demand, {"body": "1,2,3"})
    assert "ms, variant AllTraffic)" in told
    with pytest.raises(BadInput, match="body: is not JSON"):
        verb("invoke").do(account, demand, {"body": "1,2", "type": "application/json"})


def test_a_read_only_account_sends_no_change(
    account: Account, aws: SimulatedAccount, demand: str
) -> None:
    reader = Account(account.context, read_only=True, attempts=1)
    before = len(aws.calls)
    for name, values in (
        ("update", {"config": "demand-2", "strategy": "canary"}),
        ("rollback", {"config": "demand-2"}),
        ("weights", {"weights": "AllTraffic=2"}),
        ("scale", {"instances": "3"}),
        ("delete", {}),
    ):
        with pytest.raises(ReadOnly):
            verb(name).do(reader, demand, values)
    sent = [call.operation for call in aws.calls[before:]]
    assert all(each.startswith(("Describe", "List", "Get", "Lookup")) for each in sent)


def test_one_denied_part_does_not_lose_the_rest(
    account: Account, aws: SimulatedAccount, demand: str
) -> None:
    aws.fault("application-autoscaling:*", "AccessDeniedException", times=3)
    aws.fault("cloudwatch:GetMetricData", "AccessDeniedException", times=3)
    detail = kind("endpoints").show(account, demand)
    assert any("DescribeScalableTargets" in line for line in lines(detail, "Auto scaling"))
    assert any("GetMetricData" in line for line in lines(detail, "Charts"))
    assert lines(detail, "Variants")


def test_it_is_deleted(account: Account, aws: SimulatedAccount, demand: str) -> None:
    assert verb("delete").typed
    act(account, "delete", demand, {})
    aws.advance(600)
    assert [list(page) for page in kind("endpoints").list(account, "")] == [[]]
