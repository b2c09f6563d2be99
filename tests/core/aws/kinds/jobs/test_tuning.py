"""Tuning jobs: ranges as they are typed, started, ranked, stopped."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.aws.account import Account
from core.aws.kinds.jobs.tune import ranges, request
from core.aws.registry import kind
from core.errors import BadInput
from core.simulated.server import SimulatedAccount
from tests.support.awsruns import BUCKET, IMAGE, ROLE, blocked, bucket, do, listed, value

COMMON = {
    "role": ROLE,
    "output": f"s3://{BUCKET}/models",
    "inputs": f"train=s3://{BUCKET}/train",
    "image": IMAGE,
    "metric": "validation:rmse",
    "metrics": "validation:rmse=v=(.*)",
    "ranges": "eta=0.01..0.3 log, depth=3..10, booster=gbtree|dart",
}


def tuned(account: Account, **values: str) -> str:
    bucket(account)
    do(account, "tuning", "tune", **{**COMMON, **values})
    return listed(account, "tuning")[0].id


def test_ranges_as_they_are_typed() -> None:
    assert ranges({"ranges": COMMON["ranges"]}) == {
        "ContinuousParameterRanges": [
            {"Name": "eta", "MinValue": "0.01", "MaxValue": "0.3", "ScalingType": "Logarithmic"}
        ],
        "IntegerParameterRanges": [
            {"Name": "depth", "MinValue": "3", "MaxValue": "10", "ScalingType": "Auto"}
        ],
        "CategoricalParameterRanges": [{"Name": "booster", "Values": ["gbtree", "dart"]}],
    }


@given(low=st.integers(-1000, 1000), width=st.integers(1, 1000))
def test_whole_ends_make_whole_numbers(low: int, width: int) -> None:
    [entry] = ranges({"ranges": f"a={low}..{low + width}"})["IntegerParameterRanges"]
    assert (int(entry["MinValue"]), int(entry["MaxValue"])) == (low, low + width)


@pytest.mark.parametrize(
    "text", ["", "eta", "eta=", "eta=1..0", "eta=a..b", "eta=1..1", "eta=0..1 cubic"]
)
def test_ranges_that_are_none(text: str) -> None:
    with pytest.raises(BadInput, match="ranges"):
        ranges({"ranges": text})


@pytest.mark.parametrize("strategy", ["Bayesian", "Random", "Hyperband", "Grid"])
def test_every_strategy_is_taken(account: Account, aws: SimulatedAccount, strategy: str) -> None:
    values = {"ranges": "eta=0.1|0.3, depth=3|6"} if strategy == "Grid" else {}
    id = tuned(account, strategy=strategy, jobs="3", **values)
    told = kind("tuning").show(account, id)
    assert value(told, "Tuning job", "strategy") == strategy
    if strategy == "Hyperband":
        assert value(told, "Tuning job", "resource") == "1 to 27"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"strategy": "Guess"}, "must be one of Bayesian"),
        ({"strategy": "Grid"}, "Grid tries choices only"),
        ({"min_resource": "1"}, "are of the strategy Hyperband"),
        ({"strategy": "Hyperband", "min_resource": "9", "max_resource": "3"}, "must be smaller"),
        ({"metrics": ""}, "metrics: must be given with an image"),
        ({"metric": ""}, "metric: must be given"),
        ({"name": "x" * 33}, "at most 32"),
    ],
)
def test_what_cannot_be(account: Account, values: dict[str, str], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        request(account, {**COMMON, **values})


def test_its_jobs_by_rank(account: Account, aws: SimulatedAccount) -> None:
    id = tuned(account, jobs="5", at_once="2")
    assert listed(account, "tuning")[0].cells[3] == "0 of 5"
    assert blocked(account, "tuning", "stop", id) is None
    aws.advance(3000)
    [item] = listed(account, "tuning")
    assert (item.cells[1], item.cells[3]) == ("Completed", "5 of 5")
    trials = listed(account, "tuning-trials", id)
    measured = [float(each.cells[3]) for each in trials]
    assert measured == sorted(measured) and len(measured) == 5
    told = kind("tuning").show(account, id)
    assert value(told, "Best", "job") == trials[0].id
    assert value(told, "Training jobs", "completed") == "5"
    assert value(told, "Ranges", "booster") == "gbtree | dart"
    assert trials[0].id in value(kind("tuning-trials").show(account, trials[0].id), "Training job",
                                 "model")  # fmt: skip


def test_the_most_is_best_where_it_is_maximised(account: Account, aws: SimulatedAccount) -> None:
    id = tuned(
        account,
        goal="Maximize",
        metric="accuracy",
        metrics="accuracy=a=(.*)",
        jobs="4",
        at_once="4",
    )
    aws.advance(1000)
    measured = [float(each.cells[3]) for each in listed(account, "tuning-trials", id)]
    assert measured == sorted(measured, reverse=True)


def test_stop(account: Account, aws: SimulatedAccount) -> None:
    id = tuned(account, jobs="20")
    aws.advance(100)
    do(account, "tuning", "stop", id)
    aws.advance(300)
    assert listed(account, "tuning")[0].cells[1] == "Stopped"
    assert blocked(account, "tuning", "stop", id) == "it is Stopped"


def test_trials_need_their_job(account: Account) -> None:
    with pytest.raises(BadInput, match="of which tuning job"):
        listed(account, "tuning-trials")


def test_the_question_says_how_much_it_is(account: Account) -> None:
    verb = kind("tuning").verb("tune")
    assert verb is not None
    grid: dict[str, Any] = {**COMMON, "strategy": "Grid", "ranges": "a=1|2|3, b=x|y"}
    assert "6 training jobs, 2 at once" in verb.consequence(account, "", grid)[0]
