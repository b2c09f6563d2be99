"""What the kinds of runs call is what they say they call: policies are made of it."""

from __future__ import annotations

import contextlib

import pytest

from core.aws.account import Account
from core.aws.kind import Kind
from core.aws.logs import read_logs
from core.aws.registry import kind, kinds_of
from core.errors import BadInput, OpsdeckError
from core.simulated.server import SimulatedAccount
from tests.support.awsruns import (
    BUCKET,
    IMAGE,
    ROLE,
    bucket,
    do,
    listed,
    make_machine,
    make_pipeline,
    processing_step,
    training_step,
)

_PREFIX = {"stepfunctions": "states"}


@pytest.fixture
def busy(account: Account, aws: SimulatedAccount) -> Account:
    """An account in which one of each kind of run has ended."""
    bucket(account)
    steps = [processing_step("Prepare"), training_step("Train", DependsOn=["Prepare"])]
    make_pipeline(account, "nightly", steps, [])
    do(account, "pipelines", "start", "nightly")
    common = {"role": ROLE, "output": f"s3://{BUCKET}/o"}
    do(
        account, "tuning", "tune", image=IMAGE, metric="loss", metrics="loss=l=(.*)", jobs="2",
        ranges="eta=0.1..0.3", inputs=f"train=s3://{BUCKET}/t", **common,
    )  # fmt: skip
    do(account, "automl", "autopilot", input=f"s3://{BUCKET}/t", target="y", **common)
    make_machine(account, "plain", {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
    do(account, "state-machines", "start", "plain")
    aws.advance(9000)
    return account


def asked(account: Account, found: Kind, parent: str) -> set[str]:
    """The IAM actions of a kind's reads: its list, a description, logs, and its questions."""
    account.calls._calls.clear()
    items = listed(account, found.name, parent)
    if items:
        found.show(account, items[0].id)
        if found.logs is not None:
            with contextlib.suppress(BadInput):  # a state machine whose logging is off
                list(read_logs(account, found.logs(account, items[0].id)))
        for verb in found.verbs:
            try:
                verb.asked(account, items[0].id)
                verb.consequence(account, items[0].id, {})
            except OpsdeckError:
                continue  # a question that cannot be asked now, as of an execution that is over
    calls = [call for call in account.calls.list() if call.service != "sts"]
    return {f"{_PREFIX.get(call.service, call.service)}:{call.operation}" for call in calls}


def test_what_is_called_is_declared(busy: Account) -> None:
    seen = set()
    for name in kinds_of("runs"):
        found = kind(name)
        parents = [item.id for item in listed(busy, found.parent)] if found.parent else [""]
        if found.parent in ("executions", "sfn-executions"):
            parents = parents[:1]
        for parent in parents[:1]:
            made = asked(busy, found, parent)
            assert made - set(found.operations) == set(), found.name
            seen.add(found.name)
    assert {"pipelines", "executions", "steps", "training", "tuning", "automl"} <= seen


def test_every_write_is_declared() -> None:
    for name in ("pipelines", "executions", "training", "tuning", "automl", "processing",
                 "transform", "state-machines", "sfn-executions"):  # fmt: skip
        found = kind(name)
        for verb in (*found.verbs, *found.create):
            assert verb.operations and all(":" in action for action in verb.operations), verb.name
            assert verb.help and verb.label
