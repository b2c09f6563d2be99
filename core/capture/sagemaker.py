"""A captured request as SageMaker's data capture writes it, so that its tools can read it.

One JSON object a line: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html.
The files lie under `{endpoint}/{variant}/yyyy/mm/dd/hh/` (UTC). `inferenceId` is our inference
id, by which ground truth is merged; `eventId` is made from it, the time and the variant, because
callers may use an inference id twice.
"""

from __future__ import annotations

import csv
import io
import json
import uuid
from datetime import UTC, datetime
from typing import Any

from core.domain.capture import CapturedRequest

_NAMESPACE = uuid.UUID("5f0e7f0a-2f43-5c7e-9f0a-6d9b0d1f4c11")


def capture_record(request: CapturedRequest) -> dict[str, Any]:
    """The object of one line."""
    moment = datetime.fromtimestamp(request.at, UTC)
    return {
        "captureData": {
            "endpointInput": _input(request),
            "endpointOutput": _side("OUTPUT", "application/json", _output(request), "JSON"),
        },
        "eventMetadata": {
            "eventId": event_id(request),
            "inferenceId": request.inference_id,
            "inferenceTime": moment.isoformat(timespec="seconds").replace("+00:00", "Z"),
        },
        "eventVersion": "0",
    }


def capture_path(endpoint: str, request: CapturedRequest) -> str:
    """The folder in which a request's line goes. A shadow's answers have one of their own."""
    hour = datetime.fromtimestamp(request.at, UTC).strftime("%Y/%m/%d/%H")
    variant = f"{request.variant}-shadow" if request.shadow else request.variant
    return f"{endpoint}/{variant}/{hour}"


def file_name(request: CapturedRequest) -> str:
    """A name for the file that begins with this request: minute, second, millisecond, id."""
    moment = datetime.fromtimestamp(request.at, UTC)
    return f"{moment:%M-%S}-{moment.microsecond // 1000:03d}-{event_id(request)}.jsonl"


def event_id(request: CapturedRequest) -> str:
    """A UUID that is the same each time this request is exported."""
    parts = (request.inference_id, repr(request.at), request.variant, str(request.shadow))
    return str(uuid.uuid5(_NAMESPACE, "\0".join(parts)))


def _input(request: CapturedRequest) -> dict[str, str]:
    """The request's side: CSV rows without a line of names where it came as CSV (that is how
    SageMaker's built-in models take it), else JSON."""
    if request.content_type.partition(";")[0].strip().lower() == "text/csv":
        text = _as_csv(request.inputs)
        if text is not None:
            return _side("INPUT", "text/csv", text, "CSV")
    return _side("INPUT", "application/json", request.inputs, "JSON")


def _as_csv(inputs: str) -> str | None:
    """The rows of a dataframe_split as CSV; None for anything else."""
    found = json.loads(inputs)
    if not isinstance(found, dict):
        return None
    if isinstance(found.get("csv"), str):
        return "\n".join(found["csv"].splitlines()[1:])
    table = found.get("dataframe_split")
    if not isinstance(table, dict):
        return None
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table["data"])
    return text.getvalue().rstrip("\n")


def _output(request: CapturedRequest) -> str:
    """The body of the answer, as it was sent."""
    return f'{{"predictions":{request.outputs}}}' if request.status == 200 else request.outputs


def _side(mode: str, content_type: str, data: str, encoding: str) -> dict[str, str]:
    return {
        "observedContentType": content_type,
        "mode": mode,
        "data": data,
        "encoding": encoding,
    }
