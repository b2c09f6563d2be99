"""An endpoint `demand` in service, by config demand-1, with demand-2 and demand-3 beside it."""

from __future__ import annotations

import pytest

from core.aws.account import Account
from core.aws.registry import kind
from core.simulated.server import SimulatedAccount

ROLE = "arn:aws:iam::123456789012:role/sagemaker"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/demand:1"


@pytest.fixture
def demand(account: Account, aws: SimulatedAccount) -> str:
    """The endpoint's name; the models behind demand-1 and demand-2 differ."""
    for name in ("january", "april"):
        container = {"Image": IMAGE, "ModelDataUrl": "s3://models/model.tar.gz"}
        account.call(
            "sagemaker", "create_model", ModelName=name, ExecutionRoleArn=ROLE,
            PrimaryContainer=container,
        )  # fmt: skip
    make = kind("endpoint-configs").verb("create")
    assert make is not None
    for number, model in ((1, "january"), (2, "april"), (3, "april")):
        values = {"name": f"demand-{number}", "model": model, "type": "ml.m5.large",
                  "instances": "2"}  # fmt: skip
        make.do(account, "", values)
    endpoint = kind("endpoints").verb("create")
    assert endpoint is not None
    endpoint.do(account, "", {"name": "demand", "config": "demand-1"})
    aws.advance(600)
    return "demand"


@pytest.fixture
def alarm(account: Account) -> str:
    """An alarm in CloudWatch that is not in ALARM."""
    account.call(
        "cloudwatch", "put_metric_alarm", AlarmName="errors", Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1.0, ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching",
    )  # fmt: skip
    return "errors"
