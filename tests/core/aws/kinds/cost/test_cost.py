"""What things cost on the simulated account, whose prices are simulated too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.aws import prices
from core.aws.account import Account
from core.aws.kinds.cost import bills
from core.aws.registry import kind
from core.errors import BadInput
from core.simulated.handlers.costs.prices import HOURLY
from tests.support.awsdelivery import Client, listed, text

ROLE = "arn:aws:iam::123456789012:role/worker"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "opsdeck" / "prices.json"


def train(client: Client, name: str, instance: str = "ml.m5.xlarge", **more: Any) -> None:
    buckets = client("s3").list_buckets()["Buckets"]
    if not buckets:
        client("s3").create_bucket(
            Bucket="models", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
    client("sagemaker").create_training_job(
        TrainingJobName=name, RoleArn=ROLE,
        AlgorithmSpecification={"TrainingImage": "simulated/xgboost", "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": "s3://models/out"},
        ResourceConfig={"InstanceCount": 2, "InstanceType": instance, "VolumeSizeInGB": 10},
        StoppingCondition={"MaxRuntimeInSeconds": 3600, **more.pop("stopping", {})}, **more,
    )  # fmt: skip


def test_a_price_is_asked_once_and_kept_with_its_date(
    aws: Any, account: Account, cache: Path
) -> None:
    assert prices.hourly(account, "ml.m5.xlarge") == HOURLY["ml.m5.xlarge"]
    found = prices.price(account, "ml.m5.xlarge", use="Hosting")
    assert found.said.startswith("simulated price list, 20")
    asked = [each for each in account.calls.list() if each.operation == "GetProducts"]
    assert len(asked) == 1
    assert len(json.loads(cache.read_text())) == 1
    assert prices.hourly(account, "ml.m5.xlarge", "us-east-1") != HOURLY["ml.m5.xlarge"]
    assert prices.hourly(account, "ml.none.large") is None


def test_a_refused_price_list_is_said_and_not_asked_again(aws: Any, account: Account) -> None:
    aws.fault("pricing:GetProducts", code="AccessDenied", times=9)
    first = prices.price(account, "ml.m5.xlarge")
    assert first.hourly is None
    assert "pricing:GetProducts" in first.said
    prices.price(account, "ml.m5.large")
    asked = [each for each in account.calls.list() if each.operation == "GetProducts"]
    assert len(asked) <= 4  # boto3's own tries of one call


def test_a_job_costs_its_machines_by_the_hour(aws: Any, account: Account, client: Client) -> None:
    train(client, "bike-1")
    aws.advance(7200)
    bill = bills.job(account, "training", "bike-1")
    assert bill.machines == "2 × ml.m5.xlarge"
    assert bill.seconds > 0
    assert bill.dollars == pytest.approx(2 * HOURLY["ml.m5.xlarge"] * bill.seconds / 3600)
    before = account.calls.total
    assert bills.job(account, "training", "bike-1") == bill
    assert account.calls.total == before  # what has ended is not asked for again


def test_spot_is_paid_by_its_billable_time(aws: Any, account: Account, client: Client) -> None:
    train(client, "bike-spot", EnableManagedSpotTraining=True,
          stopping={"MaxWaitTimeInSeconds": 7200})  # fmt: skip
    aws.advance(7200)
    bill = bills.job(account, "training", "bike-spot")
    told = client("sagemaker").describe_training_job(TrainingJobName="bike-spot")
    assert bill.seconds == told["BillableTimeInSeconds"]
    assert bill.note.startswith("spot, ")


def test_an_endpoint_costs_by_the_hour_and_the_month(
    aws: Any, account: Account, client: Client
) -> None:
    sagemaker = client("sagemaker")
    sagemaker.create_model(
        ModelName="bike", PrimaryContainer={"Image": "simulated/serve"}, ExecutionRoleArn=ROLE
    )
    variant = {
        "VariantName": "AllTraffic", "ModelName": "bike", "InitialInstanceCount": 3,
        "InstanceType": "ml.m5.large", "InitialVariantWeight": 1.0,
    }  # fmt: skip
    sagemaker.create_endpoint_config(EndpointConfigName="bike", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="bike", EndpointConfigName="bike")
    aws.advance(600)
    begun = sagemaker.describe_endpoint(EndpointName="bike")["CreationTime"].timestamp()
    bill = bills.endpoint(account, "bike", begun + 3600.0)
    assert bill.hourly == pytest.approx(3 * HOURLY["ml.m5.large"])
    assert bill.dollars is not None
    assert bill.hourly is not None
    assert bill.dollars <= bill.hourly * 1.01
    row = next(item for item in listed(account, "cost") if item.id == "endpoint:bike")
    assert row.cells[2] == f"${3 * HOURLY['ml.m5.large']:.2f}/h"
    assert "at its present size" in text(kind("cost").show(account, "endpoint:bike"))


def test_a_denied_bill_does_not_lose_what_the_price_list_gives(
    aws: Any, account: Account, client: Client
) -> None:
    train(client, "bike-2")
    aws.advance(7200)
    aws.fault("ce:GetCostAndUsage", code="AccessDenied", times=9)
    rows = {item.id: item for item in listed(account, "cost")}
    assert rows["training:bike-2"].cells[3].startswith("$")
    assert "ce:GetCostAndUsage" in rows["service:"].cells[4]


def test_a_missing_price_is_said(aws: Any, account: Account, client: Client) -> None:
    train(client, "odd", "ml.m4.xlarge")
    aws.advance(7200)
    row = next(item for item in listed(account, "cost") if item.id == "training:odd")
    assert row.cells[3] == "?"
    assert "no price of ml.m4.xlarge" in row.cells[4]


def test_services_by_the_bill(aws: Any, account: Account, client: Client) -> None:
    train(client, "bike-3")
    aws.advance(7200)
    rows = [item for item in listed(account, "cost") if item.id.startswith("service:")]
    assert rows
    detail = kind("cost").show(account, rows[0].id)
    assert "Cost Explorer" in text(detail)
    assert detail.charts[0].unit == "USD"
    before = len([each for each in account.calls.list() if each.service == "ce"])
    listed(account, "cost")
    kind("cost").show(account, rows[0].id)
    after = len([each for each in account.calls.list() if each.service == "ce"])
    # AWS takes a cent an answer; a forecast that is refused is asked for again
    assert after - before <= 1


def test_nonsense_is_refused(aws: Any, account: Account) -> None:
    with pytest.raises(BadInput, match="is nothing that costs"):
        kind("cost").show(account, "bread:1")
