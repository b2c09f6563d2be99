"""Cost Explorer and the price list, from the hours of simulated jobs and endpoints."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from core.simulated.handlers.costs.prices import hourly
from core.simulated.server import SimulatedAccount

Client = Callable[[str], Any]
ROLE = "arn:aws:iam::123456789012:role/jobs"


def _day(aws: SimulatedAccount, days: int = 0) -> str:
    return (datetime.fromtimestamp(aws.clock.now(), UTC) + timedelta(days=days)).strftime(
        "%Y-%m-%d"
    )


def _endpoint(client: Client) -> None:
    sagemaker = client("sagemaker")
    image = {"Image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/m:1"}
    sagemaker.create_model(ModelName="m", PrimaryContainer=image, ExecutionRoleArn=ROLE)
    variant = {
        "VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 2,
    }  # fmt: skip
    sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    sagemaker.create_endpoint(
        EndpointName="e", EndpointConfigName="c", Tags=[{"Key": "project", "Value": "bikes"}]
    )


def test_an_endpoint_costs_its_hours(aws: SimulatedAccount, client: Client) -> None:
    _endpoint(client)
    aws.advance(10 * 86_400)
    answer = client("ce").get_cost_and_usage(
        TimePeriod={"Start": _day(aws, -5), "End": _day(aws, -2)},
        Granularity="DAILY",
        Metrics=["UnblendedCost", "UsageQuantity"],
        GroupBy=[{"Type": "DIMENSION", "Key": "SERVICE"}, {"Type": "TAG", "Key": "project"}],
        Filter={"Dimensions": {"Key": "INSTANCE_TYPE", "Values": ["ml.m5.large"]}},
    )
    days = answer["ResultsByTime"]
    assert len(days) == 3
    group = days[0]["Groups"][0]
    assert group["Keys"] == ["Amazon SageMaker", "project$bikes"]
    assert float(group["Metrics"]["UsageQuantity"]["Amount"]) == pytest.approx(48)
    cost = float(group["Metrics"]["UnblendedCost"]["Amount"])
    assert cost == pytest.approx(48 * hourly("ml.m5.large", "eu-west-1"))
    forecast = client("ce").get_cost_forecast(
        TimePeriod={"Start": _day(aws, 1), "End": _day(aws, 8)},
        Metric="UNBLENDED_COST",
        Granularity="DAILY",
    )
    assert len(forecast["ForecastResultsByTime"]) == 7
    assert 0 < float(forecast["Total"]["Amount"]) < 7.1 * cost


def test_what_has_no_past_has_no_forecast(aws: SimulatedAccount, client: Client) -> None:
    with pytest.raises(ClientError, match="DataUnavailableException"):
        client("ce").get_cost_forecast(
            TimePeriod={"Start": _day(aws, 1), "End": _day(aws, 8)},
            Metric="UNBLENDED_COST",
            Granularity="MONTHLY",
        )
    with pytest.raises(ClientError, match="NotSimulated"):
        client("ce").get_cost_and_usage(
            TimePeriod={"Start": _day(aws, -1), "End": _day(aws)},
            Granularity="HOURLY",
            Metrics=["UnblendedCost"],
        )


def test_the_price_list(client: Client) -> None:
    fields = {"regionCode": "eu-west-1", "instanceName": "ml.m5.xlarge", "component": "Training"}
    found = client("pricing").get_products(
        ServiceCode="AmazonSageMaker",
        Filters=[{"Type": "TERM_MATCH", "Field": k, "Value": v} for k, v in fields.items()],
    )["PriceList"]
    (product,) = [json.loads(each) for each in found]
    assert product["product"]["attributes"]["usagetype"] == "EU-Train:ml.m5.xlarge"
    assert product["product"]["attributes"]["note"] == "simulated price"
    (offer,) = product["terms"]["OnDemand"].values()
    (rate,) = offer["priceDimensions"].values()
    assert (rate["unit"], float(rate["pricePerUnit"]["USD"])) == ("Hrs", 0.257)
    with pytest.raises(ClientError, match="NotSimulated"):
        client("pricing").get_products(ServiceCode="AmazonEC2")
