"""What models, endpoints, approvals and monitors read is what they say they read: IAM policies
are made of it."""

from __future__ import annotations

import time

import pytest

from core.aws.account import Account
from core.aws.errors import AwsError
from core.aws.kind import Item, Kind
from core.aws.registry import kind
from core.simulated.models import iam_action
from core.simulated.server import SimulatedAccount
from tests.support import asking

KINDS = (
    "model-groups", "packages", "sm-models", "mlflow", "experiments", "trials",
    "trial-components", "endpoints", "endpoint-configs", "approvals", "schedules", "monitor-runs",
)  # fmt: skip
ALWAYS = {"sts:GetCallerIdentity"}


@pytest.fixture
def filled(account: Account, aws: SimulatedAccount) -> Account:
    """An account with one of each."""
    asking.register(account, status="Approved")
    asking.register(account, mae=39.0)
    asking.execution(account, asking.machine(account), "r1")
    account.call(
        "sagemaker", "create_model", ModelName="m", ExecutionRoleArn=asking.ROLE,
        PrimaryContainer={"Image": asking.IMAGE, "ModelDataUrl": "s3://models/a.tar.gz"},
    )  # fmt: skip
    for made, values in (
        ("endpoint-configs", {"name": "c", "model": "m", "type": "ml.m5.large"}),
        ("endpoints", {"name": "demand", "config": "c"}),
        ("mlflow", {"name": "app", "artifacts": "s3://a/b", "role": asking.ROLE}),
    ):
        verb = kind(made).verb("create")
        assert verb is not None
        verb.do(account, "", values)
    account.call("sagemaker", "create_experiment", ExperimentName="bikes")
    account.call("sagemaker", "create_trial", TrialName="first", ExperimentName="bikes")
    account.call("sagemaker", "create_trial_component", TrialComponentName="train-1")
    asking.pipeline(account, aws)  # advances the clock, so that all is there
    return account


def _looked(account: Account, of: Kind) -> list[Item]:
    items = [item for page in of.list(account, "") for item in page]
    for item in items:
        of.show(account, item.id)
    return items


def test_what_is_read_is_what_is_said(filled: Account, aws: SimulatedAccount) -> None:
    time.sleep(0.5)  # the state machine runs by itself
    for name in KINDS:
        before = len(aws.calls)
        looked = _looked(filled, kind(name))
        assert looked or name in ("schedules", "monitor-runs"), name
        asked = {iam_action(each.service, each.operation) for each in aws.calls[before:]}
        assert asked - ALWAYS <= set(kind(name).operations), name


@pytest.mark.parametrize("name", KINDS)
def test_a_listing_begins_after_one_call(
    account: Account, aws: SimulatedAccount, name: str
) -> None:
    before = len(aws.calls)
    next(iter(kind(name).list(account, "")), None)
    assert len(aws.calls) == before + 1


@pytest.mark.parametrize("name", [each for each in KINDS if each != "approvals"])
def test_a_throttled_listing_is_one_line(
    account: Account, aws: SimulatedAccount, name: str
) -> None:
    aws.fault("*", "ThrottlingException", times=9)
    with pytest.raises(AwsError) as raised:
        list(kind(name).list(account, ""))
    assert "\n" not in raised.value.one_line()


def test_every_verb_names_its_writes_and_has_a_key_that_is_known() -> None:
    known = set("lxRaXuswnm") | {""}
    for name in KINDS:
        for verb in (*kind(name).verbs, *kind(name).create):
            assert verb.operations, (name, verb.name)
            assert verb.key in known, (name, verb.key)
        keys = [verb.key for verb in kind(name).verbs if verb.key]
        assert len(keys) == len(set(keys)), name
