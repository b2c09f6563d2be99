"""One suite for endpoints of the workspace, with a real worker and server, and of AWS."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.aws.account import Account
from core.aws.registry import kind
from core.aws.served import (
    AwsEndpoints,
    ServedEndpoint,
    ServedEndpoints,
    WorkspaceEndpoints,
    shared,
)
from core.errors import BadInput, NotFound, ReadOnly, WrongState
from core.ops import Ops, open_ops
from core.simulated.server import SimulatedAccount
from tests.support import asking
from tests.support.engine import Site, sites

CODE = """\
def train(factor):
    import pandas
    from sklearn.linear_model import LinearRegression
    x = pandas.DataFrame({"hour": [float(i) for i in range(24)]})
    return LinearRegression().fit(x, x.hour * factor), x.head(2)
"""
STEPS = """
train:
  function: steps:train
  inputs: {factor: '${params.factor}'}
  outputs: [model, input_example]
register: {register: {model: train.model, name: demand}}
"""


@dataclass
class House:
    """A backend with an endpoint `bike` of one variant.

    `pair` has two variants share its traffic (returns their names, the second has 20 %);
    `replace` brings something new in the place of what serves. Both return when it is so.
    `later` lets happen what takes time.
    """

    endpoints: ServedEndpoints
    reader: ServedEndpoints
    pair: Callable[[], tuple[str, str]]
    replace: Callable[[], None]
    later: Callable[[], None]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two versions of a model, a worker, and an endpoint that serves the first."""
    with sites(tmp_path_factory.mktemp("served")) as make:
        made = make()
        made.write("steps.py", CODE)
        made.pipeline("demand", STEPS, "params: {factor: 2.0}")
        made.start_worker()
        for factor in ("2.0", "5.0"):
            detail = made.run("demand", seconds=90, factor=factor)
            assert detail.run.status == "succeeded", made.told(detail)
        made.ops.endpoints.deploy("bike", "demand", "1", environment="staging")
        _ended(made)
        yield made
        made.ops.endpoints.control("bike").stop()


@pytest.fixture
def looker(site: Site) -> Iterator[Ops]:
    """The site, opened for reading only."""
    ops = open_ops(site.root, actor="looker", read_only=True)
    yield ops
    ops.close()


def _deployment(site: Site) -> Any:
    return site.ops.endpoints.get("bike").deployment


def _ended(site: Site) -> None:
    site.wait_for(lambda: _deployment(site).status.ended, 60)


def _workspace(site: Site, reader: Ops) -> House:
    if not _deployment(site).status.ended:
        site.ops.endpoints.abort("bike")
    if WorkspaceEndpoints(site.ops.endpoints).get("bike").serves != "demand v1":
        site.ops.endpoints.rollback("bike", 1)

    def pair() -> tuple[str, str]:
        steps = [{"set_weight": 20}, {"pause": None}, {"set_weight": 100}]
        site.ops.endpoints.deploy("bike", "demand", "2", strategy=steps)
        site.wait_for(lambda: _deployment(site).status == "paused", 60)
        old, new = WorkspaceEndpoints(site.ops.endpoints).get("bike").variants
        return old.name, new.name

    def replace() -> None:
        site.ops.endpoints.deploy("bike", "demand", "2", strategy={"steps": [{"set_weight": 100}]})
        _ended(site)

    return House(
        WorkspaceEndpoints(site.ops.endpoints),
        WorkspaceEndpoints(reader.endpoints),
        pair,
        replace,
        lambda: None,
    )


def _aws(account: Account, aws: SimulatedAccount) -> House:
    for model in ("january", "april"):
        account.call(
            "sagemaker", "create_model", ModelName=model, ExecutionRoleArn=asking.ROLE,
            PrimaryContainer={"Image": asking.IMAGE, "ModelDataUrl": "s3://models/a.tar.gz"},
        )  # fmt: skip
    _config(account, "bike-1", blue=("january", 1.0))
    _config(account, "bike-2", blue=("april", 1.0))
    _config(account, "bike-pair", blue=("january", 8.0), green=("april", 2.0))
    account.call("sagemaker", "create_endpoint", EndpointName="bike", EndpointConfigName="bike-1")
    aws.advance(600)

    def update(config: str) -> None:
        verb: Any = kind("endpoints").verb("update")
        verb.do(account, "bike", {"config": config, "strategy": ""})
        aws.advance(900)

    def pair() -> tuple[str, str]:
        update("bike-pair")
        return "blue", "green"

    reader = Account(account.context, read_only=True, attempts=1)
    return House(
        AwsEndpoints(account), AwsEndpoints(reader), pair, lambda: update("bike-2"),
        lambda: aws.advance(900),
    )  # fmt: skip


def _config(account: Account, name: str, **variants: tuple[str, float]) -> None:
    account.call(
        "sagemaker", "create_endpoint_config", EndpointConfigName=name,
        ProductionVariants=[
            {"VariantName": variant, "ModelName": model, "InstanceType": "ml.m5.large",
             "InitialInstanceCount": 1, "InitialVariantWeight": weight}
            for variant, (model, weight) in variants.items()
        ],
    )  # fmt: skip


@pytest.fixture(params=[pytest.param("workspace", marks=pytest.mark.slow), "aws"])
def house(request: pytest.FixtureRequest) -> House:
    if request.param == "workspace":
        site: Site = request.getfixturevalue("site")
        return _workspace(site, request.getfixturevalue("looker"))
    return _aws(request.getfixturevalue("account"), request.getfixturevalue("aws"))


def becomes(house: House, good: Callable[[ServedEndpoint], bool]) -> ServedEndpoint:
    """The endpoint as soon as it is as wanted."""
    house.later()
    end = time.monotonic() + 20
    while not good(found := house.endpoints.get("bike")):
        assert time.monotonic() < end, found
        time.sleep(0.1)
    return found


def shares(found: ServedEndpoint) -> list[int]:
    return [round(each.percent or 0.0) for each in found.variants]


def test_what_serves_is_listed_and_settled(house: House) -> None:
    (found,) = house.endpoints.list()
    assert found.name == "bike"
    assert house.endpoints.get("bike").serves == found.serves != ""
    assert (found.settled, found.arriving, shares(found)) == (True, "", [100])
    with pytest.raises(NotFound):
        house.endpoints.get("car")


def test_the_traffic_is_moved_between_two_variants(house: House) -> None:
    old, new = house.pair()
    assert shares(becomes(house, lambda each: len(each.variants) == 2)) == [80, 20]
    house.endpoints.weight("bike", new, 40.0, "it does well")
    becomes(house, lambda each: shares(each) == [60, 40])
    house.endpoints.weight("bike", old, 90.0)
    becomes(house, lambda each: shares(each) == [90, 10])
    for variant, percent in ((new, 101.0), (new, -1.0), (new, float("nan")), ("none", 5.0)):
        with pytest.raises(BadInput):
            house.endpoints.weight("bike", variant, percent)
    with pytest.raises(ReadOnly):
        house.reader.weight("bike", new, 50.0)
    assert shares(house.endpoints.get("bike")) == [90, 10]


def test_a_lone_variant_has_nobody_to_share_with(house: House) -> None:
    (only,) = house.endpoints.get("bike").variants
    with pytest.raises(WrongState):
        house.endpoints.weight("bike", only.name, 50.0)


def test_it_goes_back_to_what_served_before(house: House) -> None:
    before = house.endpoints.get("bike").serves
    house.replace()
    assert house.endpoints.get("bike").serves != before
    with pytest.raises(ReadOnly):
        house.reader.rollback("bike")
    house.endpoints.rollback("bike", "it was too slow")
    found = becomes(house, lambda each: each.serves == before and each.settled)
    assert shares(found) == [100]


def test_one_that_is_not_there_is_not_found(house: House) -> None:
    with pytest.raises(NotFound):
        house.endpoints.weight("car", "blue", 10.0)
    with pytest.raises(NotFound):
        house.endpoints.rollback("car")


@given(
    now=st.dictionaries(st.sampled_from("abcd"), st.floats(0, 1e6), min_size=2),
    percent=st.floats(0, 100),
)
def test_shares_add_up_and_keep_the_others_proportions(
    now: dict[str, float], percent: float
) -> None:
    first, *others = now
    found = shared(now, first, percent)
    assert set(found) == set(now)
    assert found[first] == percent
    assert sum(found.values()) == pytest.approx(100.0)
    assert all(weight >= 0 for weight in found.values())
    for one in others:
        for other in others:
            assert found[one] * now[other] == pytest.approx(found[other] * now[one], abs=1e-3)
