"""SageMaker Pipelines as kinds: listed, described, started, stopped, retried, deleted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.aws.account import Account
from core.aws.context import AwsContext
from core.aws.errors import AwsError, ResourceNotFound
from core.aws.kind import Field
from core.aws.logs import read_logs
from core.aws.registry import kind
from core.errors import BadInput, ReadOnly
from core.simulated.server import SimulatedAccount
from tests.support.awsruns import (
    blocked,
    bucket,
    do,
    listed,
    make_pipeline,
    processing_step,
    text_of,
    training_step,
    value,
    words,
)

PARAMETERS = [
    {"Name": "Days", "Type": "Integer", "DefaultValue": 30},
    {"Name": "Mode", "Type": "String", "DefaultValue": "fast", "EnumValues": ["fast", "slow"]},
    {"Name": "Source", "Type": "String"},
]


@pytest.fixture
def nightly(account: Account) -> str:
    bucket(account)
    make_pipeline(
        account,
        "nightly",
        [
            processing_step("Prepare", {"DAYS": text_of("Days")}),
            training_step(
                "Train", DependsOn=["Prepare"], CacheConfig={"Enabled": True, "ExpireAfter": "P30D"}
            ),
        ],
        PARAMETERS,
    )
    return "nightly"


def started(account: Account, name: str = "nightly", **values: str) -> str:
    do(account, "pipelines", "start", name, **{"Source": "s3://x", **values})
    return listed(account, "executions", name)[0].id


def test_a_pipeline_is_its_parameters_and_steps(account: Account, nightly: str) -> None:
    [item] = listed(account, "pipelines")
    assert (item.id, item.cells[1]) == ("nightly", "never")
    told = kind("pipelines").show(account, nightly)
    assert value(told, "Parameters", "Days") == "Integer, 30"
    assert value(told, "Parameters", "Mode") == "String, fast (one of fast, slow)"
    assert value(told, "Parameters", "Source") == "String, must be given"
    assert value(told, "Steps (2)", "Prepare") == "Processing · 1 × ml.m5.large"
    train = value(told, "Steps (2)", "Train")
    assert train == "Training · 2 × ml.m5.large · cached for P30D · after Prepare"


def test_start_asks_for_the_definitions_parameters(account: Account, nightly: str) -> None:
    verb = kind("pipelines").verb("start")
    assert verb is not None
    asked = {field.name: field for field in verb.asked(account, nightly)}
    assert asked["Days"] == Field("Days", "Days (Integer)", "30")
    assert asked["Mode"].choices == ("fast", "slow")
    assert asked["Source"].required
    lines = verb.consequence(account, nightly, {"Days": "7", "Source": "s3://x"})
    assert lines[1] == "with Days=7, Source=s3://x"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "Source: has no default"),
        ({"Source": "a", "Dys": "3"}, "Dys: is no parameter"),
        ({"Source": "a", "Days": "many"}, "Days=many: must be of type Integer"),
        ({"Source": "a", "Mode": "odd"}, "Mode=odd: must be one of fast, slow"),
    ],
)
def test_a_wrong_parameter_starts_nothing(
    account: Account, aws: SimulatedAccount, nightly: str, values: dict[str, str], says: str
) -> None:
    verb = kind("pipelines").verb("start")
    assert verb is not None
    with pytest.raises(BadInput, match=says):
        verb.do(account, nightly, values)
    assert not [c for c in aws.calls if c.operation == "StartPipelineExecution"]


def test_an_execution_from_start_to_end(
    account: Account, aws: SimulatedAccount, nightly: str
) -> None:
    id = started(account, Days="7", **{"execution.name": "by-hand"})
    aws.advance(60)
    [item] = listed(account, "executions")
    assert (item.id, item.cells[1:4], item.tone) == (id, ("Executing", "nightly", "by-hand"), "run")
    assert blocked(account, "executions", "stop", id) is None
    assert blocked(account, "executions", "retry", id) == "it is Executing"
    aws.advance(900)
    told = kind("executions").show(account, id)
    assert told.tone == "ok"
    assert value(told, "Parameters", "Days") == "7"
    assert "simulated" in value(told, "Execution", "started")
    assert "pipelines-" in value(told, "Steps (2)", "Train")
    assert "after Prepare" in value(told, "Definition it ran", "Train")
    assert blocked(account, "executions", "stop", id) == "it is Succeeded"


def test_a_step_is_its_job(account: Account, aws: SimulatedAccount, nightly: str) -> None:
    id = started(account)
    aws.advance(900)
    prepare, train = listed(account, "steps", id)
    assert prepare.cells[:3] == ("Prepare", "Succeeded", "ProcessingJob")
    assert train.raw["opens"] == ("training", train.cells[5])
    told = kind("steps").show(account, train.id)
    assert value(told, "Training job", "instances") == "2 × ml.m5.large, 30 GB each"
    assert told.charts, "the job's metrics are drawn with its step"
    logs = kind("steps").logs
    assert logs is not None
    assert "Training job completed" in [
        line.text for line in read_logs(account, logs(account, train.id))
    ]
    assert kind("training").show(account, train.raw["opens"][1]).tone == "ok"


def test_a_second_run_finds_its_step_cached(
    account: Account, aws: SimulatedAccount, nightly: str
) -> None:
    first = started(account)
    aws.advance(900)
    second = started(account)
    aws.advance(900)
    train = listed(account, "steps", second)[1]
    assert train.cells[4] == "cached"
    told = kind("steps").show(account, train.id)
    assert value(told, "Step", "outputs kept from") == first


def test_a_failure_is_told_stopped_and_retried(account: Account, aws: SimulatedAccount) -> None:
    bucket(account)
    broken = {"simulate-outcome": "Failed", "simulate-reason": "no such column: cnt"}
    make_pipeline(account, "broken", [training_step("Train", broken)], [])
    do(account, "pipelines", "start", "broken")
    [item] = listed(account, "executions", "broken")
    aws.advance(900)
    told = kind("executions").show(account, item.id)
    assert told.tone == "bad"
    assert "no such column: cnt" in value(told, "Steps (1)", "Train")
    verb = kind("executions").verb("retry")
    assert verb is not None
    assert "runs again: Train" in verb.consequence(account, item.id, {})[1]
    do(account, "executions", "retry", item.id)
    assert listed(account, "executions", "broken")[0].cells[1] == "Executing"
    do(account, "executions", "stop", item.id)
    aws.advance(60)
    assert listed(account, "executions", "broken")[0].cells[1] == "Stopped"
    with pytest.raises(AwsError, match="Stopped"):
        do(account, "executions", "stop", item.id)


def test_conditions_are_read_with_their_branches(account: Account) -> None:
    condition = {
        "Name": "GoodEnough",
        "Type": "Condition",
        "DependsOn": ["Evaluate"],
        "Arguments": {
            "Conditions": [
                {
                    "Type": "LessThanOrEqualTo",
                    "LeftValue": {
                        "Std:JsonGet": {
                            "PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.Report"},
                            "Path": "rmse",
                        }
                    },
                    "RightValue": {"Get": "Parameters.Limit"},
                }
            ],
            "IfSteps": [training_step("Refit")],
            "ElseSteps": [
                {"Name": "TooBad", "Type": "Fail", "Arguments": {"ErrorMessage": "not good"}}
            ],
        },
    }
    limit = {"Name": "Limit", "Type": "Float", "DefaultValue": 0.5}
    make_pipeline(account, "gated", [processing_step("Evaluate"), condition], [limit])
    told = kind("pipelines").show(account, "gated")
    gate = value(told, "Steps (4)", "GoodEnough")
    assert gate == "Condition · Evaluate.PropertyFiles.Report:rmse ≤ Limit · after Evaluate"
    assert value(told, "Steps (4)", "  if Refit").startswith("Training")
    assert value(told, "Steps (4)", "  else TooBad") == "Fail · not good"


def test_delete_says_what_is_lost(account: Account, nightly: str) -> None:
    verb = kind("pipelines").verb("delete")
    assert verb is not None and verb.typed and verb.dangerous
    assert "can't be had back" in verb.consequence(account, nightly, {})[0]
    verb.do(account, nightly, {})
    assert listed(account, "pipelines") == []
    with pytest.raises(ResourceNotFound):
        kind("pipelines").show(account, nightly)


def test_executions_are_read_page_by_page(
    account: Account, aws: SimulatedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, the first page costs one call."""
    asked: list[dict[str, Any]] = []

    def pages(_service: str, _operation: str, **parameters: Any) -> Any:
        for page in range(100):
            asked.append(parameters)
            yield {
                "PipelineExecutionSummaries": [
                    {
                        "PipelineExecutionArn": f"arn:aws:sagemaker:r:1:pipeline/p/execution/{n}",
                        "PipelineExecutionStatus": "Succeeded",
                    }
                    for n in range(page * 100, page * 100 + 100)
                ]
            }

    monkeypatch.setattr(account, "pages", pages)
    found = kind("executions").list(account, "p")
    assert len(next(found)) == 100
    assert len(asked) == 1
    assert (asked[0]["SortBy"], asked[0]["SortOrder"]) == ("CreationTime", "Descending")
    assert sum(len(page) for page in found) == 9_900


def test_one_refused_part_leaves_the_rest(
    account: Account, aws: SimulatedAccount, nightly: str
) -> None:
    id = started(account)
    aws.fault("sagemaker:ListPipelineExecutionSteps", "AccessDeniedException")
    told = kind("executions").show(account, id)
    assert "may not sagemaker:ListPipelineExecutionSteps" in words(told)
    assert value(told, "Parameters", "Source") == "s3://x"


def test_read_only_sends_nothing(aws: SimulatedAccount, account: Account, nightly: str) -> None:
    id = started(account)
    context = AwsContext("simulated", region=account.region, endpoint_url=aws.endpoint_url)
    looking = Account(context, read_only=True, attempts=1)
    before = len([c for c in aws.calls if c.operation.startswith(("Start", "Stop", "Delete"))])
    for name, verb, of, values in (
        ("pipelines", "start", nightly, {"Source": "a"}),
        ("pipelines", "delete", nightly, {}),
        ("executions", "stop", id, {}),
        ("executions", "retry", id, {}),
    ):
        found = kind(name).verb(verb)
        assert found is not None
        with pytest.raises(ReadOnly):
            found.do(looking, of, values)
    after = len([c for c in aws.calls if c.operation.startswith(("Start", "Stop", "Delete"))])
    assert after == before


def test_the_same_text_asks_with_the_same_token(
    account: Account, nightly: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = []
    call = account.call

    def noted(service: str, operation: str, **parameters: Any) -> Any:
        if operation == "start_pipeline_execution":
            tokens.append(parameters["ClientRequestToken"])
        return call(service, operation, **parameters)

    monkeypatch.setattr(account, "call", noted)
    for once in ("2026-11-22", "2026-11-22", "", ""):
        do(account, "pipelines", "start", nightly, Source="a", **{"execution.once": once})
    assert tokens[0] == tokens[1] and len(set(tokens)) == 3
    assert all(32 <= len(token) <= 128 for token in tokens)


def test_a_definition_that_is_none_is_said(account: Account, nightly: str) -> None:
    from core.aws.kinds.pipelines.definition import parse

    for text in ("{", "[]"):
        with pytest.raises(BadInput, match="definition"):
            parse(text)
    assert parse(json.dumps({"Steps": []})).steps == ()
