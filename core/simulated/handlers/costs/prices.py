"""Simulated prices in US dollars, and the operations of the price list that give them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers._shared import page, with_token
from core.simulated.registry import operation
from core.simulated.state import Call, State

SAGEMAKER = "AmazonSageMaker"
HOURLY = {
    "ml.t3.medium": 0.055,
    "ml.t3.large": 0.11,
    "ml.m5.large": 0.128,
    "ml.m5.xlarge": 0.257,
    "ml.m5.2xlarge": 0.514,
    "ml.m5.4xlarge": 1.028,
    "ml.c5.large": 0.115,
    "ml.c5.xlarge": 0.23,
    "ml.c5.2xlarge": 0.461,
    "ml.r5.large": 0.169,
    "ml.g4dn.xlarge": 0.82,
    "ml.g5.xlarge": 1.57,
    "ml.g5.2xlarge": 1.69,
    "ml.p3.2xlarge": 4.13,
}
OTHER = 0.25
"""An instance type that is not in the list."""
BUILD_MINUTE = 0.005
REGIONS = {
    "eu-west-1": ("EU (Ireland)", "EU", 1.0),
    "eu-central-1": ("EU (Frankfurt)", "EUC1", 1.08),
    "us-east-1": ("US East (N. Virginia)", "USE1", 0.9),
    "us-west-2": ("US West (Oregon)", "USW2", 0.9),
}
COMPONENTS = {
    "Training": "Train",
    "Hosting": "Host",
    "Processing": "Processing",
    "BatchTransform": "Tsform",
}
NOTE = "simulated price"


def hourly(instance: str, region: str) -> float:
    """The price of an hour of an instance, in US dollars."""
    return round(HOURLY.get(instance, OTHER) * REGIONS.get(region, ("", "", 1.0))[2], 6)


def usage_type(component: str, instance: str, region: str) -> str:
    """As bills name it: `EU-Train:ml.m5.xlarge`."""
    prefix = REGIONS.get(region, ("", region.upper(), 1.0))[1]
    return f"{prefix}-{COMPONENTS[component]}:{instance}"


def _products() -> list[dict[str, Any]]:
    return [
        _product(region, component, instance)
        for region in REGIONS
        for component in COMPONENTS
        for instance in HOURLY
    ]


def _product(region: str, component: str, instance: str) -> dict[str, Any]:
    usage = usage_type(component, instance, region)
    sku = hashlib.sha256(usage.encode()).hexdigest()[:16].upper()
    price = hourly(instance, region)
    offer, rate = f"{sku}.JRTCKXETXF", f"{sku}.JRTCKXETXF.6YS6EN2CT7"
    return {
        "product": {
            "productFamily": "ML Instance",
            "attributes": {
                "regionCode": region,
                "location": REGIONS[region][0],
                "locationType": "AWS Region",
                "servicecode": SAGEMAKER,
                "servicename": "Amazon SageMaker",
                "instanceName": instance,
                "instanceType": instance,
                "platoinstancename": instance,
                "platoinstancetype": component,
                "component": component,
                "operation": "RunInstance",
                "usagetype": usage,
                "note": NOTE,
            },
            "sku": sku,
        },
        "serviceCode": SAGEMAKER,
        "terms": {
            "OnDemand": {
                offer: {
                    "sku": sku,
                    "offerTermCode": "JRTCKXETXF",
                    "effectiveDate": "2026-11-01T00:00:00Z",
                    "priceDimensions": {
                        rate: {
                            "unit": "Hrs",
                            "beginRange": "0",
                            "endRange": "Inf",
                            "description": f"${price} per hour of {instance} {component} ({NOTE})",
                            "pricePerUnit": {"USD": f"{price:.10f}"},
                        }
                    },
                    "termAttributes": {},
                }
            }
        },
        "version": "20261101000000",
        "publicationDate": "2026-11-01T00:00:00Z",
    }


def _known(service: str) -> None:
    if service != SAGEMAKER:
        raise Fault("NotSimulated", f"pricing: {service} is not simulated, {SAGEMAKER} is", 501)


@operation("pricing", "GetProducts")
def products(state: State, call: Call) -> dict[str, Any]:
    asked = call.params
    _known(asked["ServiceCode"])
    found = [
        json.dumps(each)
        for each in _products()
        if all(
            _fits(each["product"]["attributes"].get(one["Field"]), one)
            for one in asked.get("Filters", [])
        )
    ]
    some, token = page(found, asked.get("NextToken"), asked.get("MaxResults"))
    return with_token({"FormatVersion": "aws_v1", "PriceList": some}, token, "NextToken")


def _fits(value: str | None, one: dict[str, str]) -> bool:
    values = one["Value"].split(",")
    match one["Type"]:
        case "CONTAINS":
            return value is not None and one["Value"] in value
        case "ANY_OF":
            return value in values
        case "NONE_OF":
            return value not in values
    return value == one["Value"]


@operation("pricing", "DescribeServices")
def services(state: State, call: Call) -> dict[str, Any]:
    if call.params.get("ServiceCode"):
        _known(call.params["ServiceCode"])
    names = sorted(_products()[0]["product"]["attributes"])
    return {
        "Services": [{"ServiceCode": SAGEMAKER, "AttributeNames": names}],
        "FormatVersion": "aws_v1",
    }


@operation("pricing", "GetAttributeValues")
def values(state: State, call: Call) -> dict[str, Any]:
    _known(call.params["ServiceCode"])
    name = call.params["AttributeName"]
    found = {each["product"]["attributes"].get(name) for each in _products()} - {None}
    some, token = page(
        sorted(str(each) for each in found),
        call.params.get("NextToken"),
        call.params.get("MaxResults"),
    )
    return with_token({"AttributeValues": [{"Value": each} for each in some]}, token, "NextToken")
