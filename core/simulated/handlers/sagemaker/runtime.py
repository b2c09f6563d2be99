"""Invoking an endpoint: a linear model of its own behind each model's name.

Its coefficients follow from the model's name, so that two models answer differently and one
model always alike. Requests of CSV rows or JSON are answered in kind; the variant is drawn by
weight, an update's new fleet having its share; invocations and latency go to CloudWatch, and
requests and answers are captured to S3 where the endpoint's configuration says so.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import uuid
from collections.abc import Iterable
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.sagemaker import fleets
from core.simulated.handlers.sagemaker.common import measure, read, share, write
from core.simulated.handlers.sagemaker.endpoints import TABLE
from core.simulated.listing import Record
from core.simulated.registry import operation
from core.simulated.state import Call, State

SERVICE = "sagemaker-runtime"


@operation(SERVICE, "InvokeEndpoint")
def invoke_endpoint(state: State, call: Call) -> dict[str, Any]:
    record = _serving(state, call.params["EndpointName"])
    variant = _drawn(state, record, call.params.get("TargetVariant"))
    kind = str(call.params.get("ContentType") or "application/octet-stream").split(";")[0]
    accept = str(call.params.get("Accept") or kind)
    body = call.params["Body"]
    data = body if isinstance(body, bytes) else str(body).encode()
    answer, out = _answered(state, record, variant, data, kind, accept)
    _capture(state, record, variant, (kind, data), (out, answer), call.params.get("InferenceId"))
    return {
        "Body": answer,
        "ContentType": out,
        "InvokedProductionVariant": variant["VariantName"],
    }


def _serving(state: State, name: str) -> Record:
    record: Record | None = state.table(TABLE).get(name)
    if record is None or record["EndpointStatus"] in ("Creating", "Failed", "Deleting"):
        raise Fault(
            "ValidationError",
            f"Endpoint {name} of account {state.account_id} not found.",
            400,
        )
    return record


def _drawn(state: State, record: Record, wanted: str | None) -> Record:
    record["_asked"] = record.get("_asked", 0) + 1
    at = (record["_asked"] * 0.6180339887498949) % 1.0  # evenly spread, without chance
    pool = [record["_blue"], *([record["_green"]] if record.get("_green") else [])]
    found = fleets.choose(pool, at, wanted)
    if found is None:
        raise Fault("ValidationError", f"Variant {wanted} not found for the endpoint.", 400)
    return found


def _answered(
    state: State, record: Record, variant: Record, data: bytes, kind: str, accept: str
) -> tuple[bytes, str]:
    dimensions = {"EndpointName": record["EndpointName"], "VariantName": variant["VariantName"]}
    namespace = "AWS/SageMaker"
    measure(state, namespace, "Invocations", 1, "None", **dimensions)
    latency = 4000 + 6000 * share(record["EndpointName"], record["_asked"])
    measure(state, namespace, "ModelLatency", latency, "Microseconds", **dimensions)
    measure(state, namespace, "OverheadLatency", latency / 8, "Microseconds", **dimensions)
    rate = float(_environment(state, variant).get("simulate-error-rate", 0))
    if rate > share("error", record["EndpointName"], record["_asked"]):
        measure(state, namespace, "Invocation5XXErrors", 1, "None", **dimensions)
        raise Fault(
            "ModelError",
            'Received server error (500) from primary with message "Internal Server Error".',
            424,
        )
    try:
        scores = [score(str(variant["_model"]), row) for row in rows(data, kind)]
    except (ValueError, KeyError, TypeError) as error:
        measure(state, namespace, "Invocation4XXErrors", 1, "None", **dimensions)
        raise Fault(
            "ModelError", f'Received client error (400) from primary with message "{error}".', 424
        ) from error
    return said(scores, accept)


def _environment(state: State, variant: Record) -> Record:
    if not variant.get("_model"):
        return {}
    try:
        model = state.call("sagemaker", "DescribeModel", ModelName=variant["_model"])
    except Fault:
        return {}  # the model was deleted; an endpoint in service goes on without it
    containers = [model.get("PrimaryContainer") or {}, *(model.get("Containers") or [])]
    return {k: v for each in containers for k, v in (each.get("Environment") or {}).items()}


def rows(data: bytes, kind: str) -> list[dict[str, float]]:
    """The rows of a request as named numbers; text counts by what it says."""
    if kind in ("text/csv", "application/octet-stream"):
        lines = [line for line in data.decode().splitlines() if line.strip()]
        return [_numbers(enumerate(line.split(","))) for line in lines]
    asked = json.loads(data)
    if isinstance(asked, dict):
        asked = (
            asked.get("instances")
            or asked.get("inputs")
            or asked.get("dataframe_records")
            or ([asked])
        )
    found = []
    for each in asked:
        if isinstance(each, dict):
            inner = each.get("features", each)
            found.append(_numbers(inner.items() if isinstance(inner, dict) else enumerate(inner)))
        else:
            found.append(_numbers(enumerate(each if isinstance(each, list) else [each])))
    return found


def _numbers(pairs: Iterable[tuple[Any, Any]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in pairs:
        try:
            found[str(name)] = float(value)
        except (TypeError, ValueError):
            found[str(name)] = share("category", str(value).strip())
    return found


def score(model: str, row: dict[str, float]) -> float:
    """The linear model's answer for a row, squeezed into 0 to 1."""
    total = 0.4 * (share(model, "intercept") - 0.5)
    for name, value in row.items():
        weight = share(model, name) - 0.5
        total += weight * math.copysign(math.log1p(abs(value)), value)
    return 1.0 / (1.0 + math.exp(-total))


def said(scores: list[float], accept: str) -> tuple[bytes, str]:
    """Scores as CSV or JSON, by what is accepted."""
    if "json" in accept:
        body = {"predictions": [round(each, 6) for each in scores]}
        return json.dumps(body).encode(), "application/json"
    return "".join(f"{each:.6f}\n" for each in scores).encode(), "text/csv"


def _capture(
    state: State,
    record: Record,
    variant: Record,
    asked: tuple[str, bytes],
    answer: tuple[str, bytes],
    inference: str | None,
) -> None:
    """Write a request and its answer as AWS's data capture does, one line a file."""
    found = state.table("sagemaker.endpoint-configs").get(record["EndpointConfigName"]) or {}
    capture = found.get("DataCaptureConfig")
    if not capture or not capture["EnableCapture"]:
        return
    if record["_asked"] * 37 % 100 >= capture["InitialSamplingPercentage"]:
        return
    modes = {each["CaptureMode"] for each in capture["CaptureOptions"]}
    data: Record = {}
    for mode, name, (kind, body) in (
        ("Input", "endpointInput", asked),
        ("Output", "endpointOutput", answer),
    ):
        if mode in modes or "InputAndOutput" in modes:
            data[name] = _captured(kind, body, mode.upper())
    at = dt.datetime.fromtimestamp(state.now, dt.UTC)
    event: Record = {"eventId": str(uuid.uuid4()), "inferenceTime": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
    if inference:
        event["inferenceId"] = inference
    line = json.dumps({"captureData": data, "eventMetadata": event, "eventVersion": "0"})
    root = capture["DestinationS3Uri"].rstrip("/")
    path = f"{record['EndpointName']}/{variant['VariantName']}/{at:%Y/%m/%d/%H}"
    name = f"{at:%M-%S-%f}"[:9] + f"-{event['eventId']}.jsonl"
    write(state, f"{root}/{path}/{name}", line + "\n")


def _captured(kind: str, body: bytes, mode: str) -> Record:
    text = kind in ("text/csv", "application/json")
    return {
        "observedContentType": kind,
        "mode": mode,
        "data": body.decode() if text else base64.b64encode(body).decode(),
        "encoding": {"text/csv": "CSV", "application/json": "JSON"}.get(kind, "BASE64"),
    }


@operation(SERVICE, "InvokeEndpointAsync")
def invoke_endpoint_async(state: State, call: Call) -> dict[str, Any]:
    record = _serving(state, call.params["EndpointName"])
    found = state.table("sagemaker.endpoint-configs").get(record["EndpointConfigName"]) or {}
    settings = found.get("AsyncInferenceConfig")
    if not settings:
        raise Fault("ValidationError", "The endpoint is not for asynchronous inference.", 400)
    inference = str(call.params.get("InferenceId") or uuid.uuid4())
    root = settings["OutputConfig"]["S3OutputPath"].rstrip("/")
    target = f"{root}/{inference}.out"
    state.after(5.0, _answer_later, state, record, dict(call.params), target)
    return {"InferenceId": inference, "OutputLocation": target}


def _answer_later(state: State, record: Record, params: Record, target: str) -> None:
    data = read(state, params["InputLocation"]) if params.get("InputLocation") else params["Body"]
    variant = _drawn(state, record, None)
    kind = str(params.get("ContentType") or "text/csv").split(";")[0]
    try:
        answer, _ = _answered(
            state, record, variant, data or b"", kind, str(params.get("Accept") or kind)
        )
    except Fault as fault:
        answer = json.dumps({"error": fault.message}).encode()
        target += ".error"
    write(state, target, answer)
