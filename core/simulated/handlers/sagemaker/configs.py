"""Endpoint configurations: kept whole, data capture, shadows and all."""

from __future__ import annotations

from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.sagemaker.common import drop, find, keep, sagemaker_arn
from core.simulated.listing import Record, described, select, summaries
from core.simulated.registry import operation
from core.simulated.state import Call, State

TABLE = "sagemaker.endpoint-configs"


def config(state: State, name: str) -> Record:
    """The endpoint configuration of this name, or AWS's answer that there is none."""
    arn = sagemaker_arn(state, "endpoint-config", name)
    return find(state, TABLE, name, f'Could not find endpoint configuration "{arn}".')


@operation("sagemaker", "CreateEndpointConfig")
def create_endpoint_config(state: State, call: Call) -> dict[str, Any]:
    params = dict(call.params)
    name = str(params["EndpointConfigName"])
    arn = sagemaker_arn(state, "endpoint-config", name)
    if name in state.table(TABLE):
        raise Fault(
            "ValidationException",
            f'Cannot create already existing endpoint configuration "{arn}".',
        )
    variants = [*params["ProductionVariants"], *params.get("ShadowProductionVariants", [])]
    names = [each["VariantName"] for each in variants]
    if len(set(names)) != len(names):
        raise Fault("ValidationException", "Variant names must be unique.")
    for each in variants:
        if each.get("ModelName"):
            state.call("sagemaker", "DescribeModel", ModelName=each["ModelName"])
        if "ServerlessConfig" not in each and "InstanceType" not in each:
            raise Fault(
                "ValidationException",
                f"Variant {each['VariantName']} needs an InstanceType or a ServerlessConfig.",
            )
    capture = params.get("DataCaptureConfig")
    if capture is not None:
        params["DataCaptureConfig"] = {"EnableCapture": False, **capture}
    keep(state, TABLE, name, arn, {**params, "EndpointConfigArn": arn})
    return {"EndpointConfigArn": arn}


@operation("sagemaker", "DescribeEndpointConfig")
def describe_endpoint_config(state: State, call: Call) -> dict[str, Any]:
    return described(call, config(state, call.params["EndpointConfigName"]))


@operation("sagemaker", "DeleteEndpointConfig")
def delete_endpoint_config(state: State, call: Call) -> dict[str, Any]:
    record = config(state, call.params["EndpointConfigName"])
    drop(state, TABLE, record["EndpointConfigName"])
    return {}


@operation("sagemaker", "ListEndpointConfigs")
def list_endpoint_configs(state: State, call: Call) -> dict[str, Any]:
    rows = select(call, state.table(TABLE).values(), name="EndpointConfigName")
    return summaries(call, "EndpointConfigs", rows)
