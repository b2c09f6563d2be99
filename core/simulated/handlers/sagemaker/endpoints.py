"""Endpoints: created, updated with guardrails, weighted, deleted."""

from __future__ import annotations

from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.sagemaker import deploying, fleets
from core.simulated.handlers.sagemaker.common import drop, find, keep, knob, sagemaker_arn, touch
from core.simulated.handlers.sagemaker.configs import config
from core.simulated.listing import Record, described, select, summaries
from core.simulated.registry import operation
from core.simulated.state import Call, State

TABLE = "sagemaker.endpoints"
CREATING, WEIGHTING, DELETING = 120.0, 20.0, 10.0


def endpoint_of(state: State, name: str) -> Record:
    """The endpoint of this name, or AWS's answer that there is none."""
    arn = sagemaker_arn(state, "endpoint", name)
    return find(state, TABLE, name, f'Could not find endpoint "{arn}".')


def _settled(record: Record) -> None:
    if record["EndpointStatus"] in ("InService", "Failed", "OutOfService", "UpdateRollbackFailed"):
        return
    raise Fault(
        "ValidationException",
        f'Cannot update in-progress endpoint "{record["EndpointArn"]}".',
    )


@operation("sagemaker", "CreateEndpoint")
def create_endpoint(state: State, call: Call) -> dict[str, Any]:
    params = call.params
    name = str(params["EndpointName"])
    arn = sagemaker_arn(state, "endpoint", name)
    if name in state.table(TABLE):
        raise Fault("ValidationException", f'Cannot create already existing endpoint "{arn}".')
    found = config(state, params["EndpointConfigName"])
    blue = fleets.fleet(found)
    deploying.check(params.get("DeploymentConfig"), fleets.instances(blue))
    record: Record = {
        "EndpointName": name,
        "EndpointArn": arn,
        "EndpointConfigName": found["EndpointConfigName"],
        "EndpointStatus": "Creating",
        "Tags": params.get("Tags"),
        "_blue": blue,
        "_green": None,
    }
    if params.get("DeploymentConfig"):
        record["LastDeploymentConfig"] = params["DeploymentConfig"]
    keep(state, TABLE, name, arn, record)
    fleets.mark(state, blue, "Creating")
    record["_timer"] = state.after(CREATING, _created, state, record, _fails(found))
    return {"EndpointArn": arn}


def _fails(found: Record) -> str | None:
    """Why the instances of a configuration do not come up, where that was asked for."""
    if knob(found, "outcome") != "Failed":
        return None
    return knob(found, "reason") or (
        "The primary container for production variant AllTraffic did not pass the ping health "
        "check. Please check CloudWatch logs for this endpoint."
    )


def _created(state: State, record: Record, reason: str | None) -> None:
    fleets.mark(state, record["_blue"], "")
    if reason is None:
        touch(state, record, EndpointStatus="InService")
    else:
        touch(state, record, EndpointStatus="Failed", FailureReason=reason)
    record["_timer"] = None
    deploying.changed(state, record)


@operation("sagemaker", "UpdateEndpoint")
def update_endpoint(state: State, call: Call) -> dict[str, Any]:
    params = call.params
    record = endpoint_of(state, params["EndpointName"])
    _settled(record)
    found = config(state, params["EndpointConfigName"])
    if found["EndpointConfigName"] == record["EndpointConfigName"]:
        raise Fault(
            "ValidationException",
            f"The endpoint already uses the endpoint configuration {found['EndpointConfigName']}. "
            "Specify a different one.",
        )
    green = fleets.fleet(found, record["_blue"], bool(params.get("RetainAllVariantProperties")))
    green["fails"] = _fails(found)
    deployment = params.get("DeploymentConfig")
    if deployment is None and params.get("RetainDeploymentConfig"):
        deployment = record.get("LastDeploymentConfig")
    deploying.check(deployment, fleets.instances(green))
    if record["EndpointStatus"] == "Failed":
        deployment = None
    if deployment:
        record["LastDeploymentConfig"] = deployment
    else:
        record.pop("LastDeploymentConfig", None)
    deploying.begin(state, record, green, deployment)
    return {"EndpointArn": record["EndpointArn"]}


@operation("sagemaker", "UpdateEndpointWeightsAndCapacities")
def update_weights(state: State, call: Call) -> dict[str, Any]:
    record = endpoint_of(state, call.params["EndpointName"])
    _settled(record)
    variants = {each["VariantName"]: each for each in record["_blue"]["variants"]}
    wanted = call.params["DesiredWeightsAndCapacities"]
    for each in wanted:
        if each["VariantName"] not in variants:
            raise Fault(
                "ValidationException",
                f'The variant name(s) "{each["VariantName"]}" is/are not present within endpoint '
                f'configuration "{record["EndpointConfigName"]}".',
            )
    touch(state, record, EndpointStatus="Updating")
    fleets.mark(state, record["_blue"], "Updating")
    record["_wanted"] = [dict(each) for each in wanted]
    record["_timer"] = state.after(WEIGHTING, _weighted, state, record)
    return {"EndpointArn": record["EndpointArn"]}


def _weighted(state: State, record: Record) -> None:
    variants = {each["VariantName"]: each for each in record["_blue"]["variants"]}
    for each in record.pop("_wanted"):
        variant = variants[each["VariantName"]]
        if "DesiredWeight" in each:
            variant["DesiredWeight"] = float(each["DesiredWeight"])
        if "DesiredInstanceCount" in each:
            count = int(each["DesiredInstanceCount"])
            variant["CurrentInstanceCount"] = variant["DesiredInstanceCount"] = count
    fleets.mark(state, record["_blue"], "")
    touch(state, record, EndpointStatus="InService")
    record["_timer"] = None


@operation("sagemaker", "DeleteEndpoint")
def delete_endpoint(state: State, call: Call) -> dict[str, Any]:
    record = endpoint_of(state, call.params["EndpointName"])
    _settled(record)
    touch(state, record, EndpointStatus="Deleting")
    fleets.mark(state, record["_blue"], "Deleting")
    record["_timer"] = state.after(DELETING, _gone, state, record)
    return {}


def _gone(state: State, record: Record) -> None:
    if state.table(TABLE).get(record["EndpointName"]) is record:
        drop(state, TABLE, record["EndpointName"])


@operation("sagemaker", "DescribeEndpoint")
def describe_endpoint(state: State, call: Call) -> dict[str, Any]:
    return described(call, whole(state, endpoint_of(state, call.params["EndpointName"])))


def whole(state: State, record: Record) -> Record:
    """An endpoint as DescribeEndpoint shows it, an update that is under way included."""
    answer: Record = {**record, "ProductionVariants": fleets.shown(state, record["_blue"])}
    configs = state.table("sagemaker.endpoint-configs")
    found = configs.get(record["EndpointConfigName"]) or {}
    answer.update(_of_config(found, record))
    green = record.get("_green")
    if green is not None:
        answer["PendingDeploymentSummary"] = {
            "EndpointConfigName": green["config"],
            "ProductionVariants": fleets.shown(state, green),
            "StartTime": record["_since"],
        }
    return answer


def _of_config(found: Record, record: Record) -> Record:
    answer: Record = {
        name: found[name] for name in ("AsyncInferenceConfig", "ExplainerConfig") if name in found
    }
    capture = found.get("DataCaptureConfig")
    if capture:
        running = capture["EnableCapture"] and record["EndpointStatus"] != "Creating"
        answer["DataCaptureConfig"] = {
            "EnableCapture": capture["EnableCapture"],
            "CaptureStatus": "Started" if running else "Stopped",
            "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
            "DestinationS3Uri": capture["DestinationS3Uri"],
            "KmsKeyId": capture.get("KmsKeyId", ""),
        }
    shadows = record["_blue"]["shadows"]
    if shadows:
        answer["ShadowProductionVariants"] = [
            {**each, "CurrentWeight": each["DesiredWeight"]} for each in shadows
        ]
    return answer


@operation("sagemaker", "ListEndpoints")
def list_endpoints(state: State, call: Call) -> dict[str, Any]:
    rows = select(call, state.table(TABLE).values(), name="EndpointName", status="EndpointStatus")
    return summaries(call, "Endpoints", rows)
