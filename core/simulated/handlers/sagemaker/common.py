"""What SageMaker's handlers share: records with ARNs and tags, what a job is asked to do, S3."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from core.simulated.faults import Fault
from core.simulated.listing import Record, epoch
from core.simulated.registry import operation
from core.simulated.state import Call, State

_ARNS = "sagemaker.arns"
KNOB = "simulate-"


def sagemaker_arn(state: State, kind: str, name: str) -> str:
    """SageMaker says names in ARNs in lower case."""
    return state.arn("sagemaker", f"{kind}/{name.lower()}")


def keep(state: State, table: str, name: str, arn: str, record: Record) -> Record:
    """Put a record into its table, and its ARN where tags and lineage find it."""
    record.setdefault("CreationTime", state.now)
    record.setdefault("LastModifiedTime", state.now)
    record.setdefault("CreatedBy", {"IamIdentity": _identity(state)})
    record["_arn"], record["_table"] = arn, table
    record.setdefault("_tags", list(record.pop("Tags", None) or []))
    state.table(table)[name] = record
    state.table(_ARNS)[arn] = record
    return record


def drop(state: State, table: str, name: str) -> Record:
    """Take a record out again."""
    record: Record = state.table(table).pop(name)
    state.table(_ARNS).pop(record["_arn"], None)
    return record


def by_arn(state: State, arn: str) -> Record | None:
    """The record of an ARN, of whatever kind."""
    found: Record | None = state.table(_ARNS).get(arn)
    return found


def find(state: State, table: str, name: str, missing: str, code: str = "") -> Record:
    """The record of this name or ARN; else `Fault`, by default a ValidationException."""
    kept = state.table(table)
    record: Record | None = kept.get(name)
    if record is None and name.startswith("arn:"):
        record = by_arn(state, name)
        if record is not None and record["_table"] != table:
            record = None
    if record is None:
        # Names are told apart without case: one taken from an ARN is in lower case.
        lower = name.lower()
        record = next((each for key, each in kept.items() if key.lower() == lower), None)
    if record is None:
        raise Fault(code or "ValidationException", missing, 400)
    return record


def _identity(state: State) -> dict[str, str]:
    return {
        "Arn": f"arn:aws:sts::{state.account_id}:assumed-role/opsdeck/simulated",
        "PrincipalId": "AROASIMULATED:simulated",
    }


def touch(state: State, record: Record, **changes: Any) -> None:
    """Change a record and its time of change."""
    record.update(changes)
    record["LastModifiedTime"] = state.now


# -- what a job is asked to do


def _environment_key(name: str) -> str:
    return (KNOB + name).upper().replace("-", "_")


def knob(record: Mapping[str, Any], name: str) -> str | None:
    """What a job was asked to simulate by tag, hyperparameter or environment."""
    key = KNOB + name
    for tag in record.get("_tags") or record.get("Tags") or []:
        if tag["Key"] == key:
            return str(tag["Value"])
    value = (record.get("HyperParameters") or {}).get(key)
    if value is None:
        value = (record.get("Environment") or {}).get(_environment_key(name))
    return None if value is None else str(value)


def knobs(record: Mapping[str, Any], name: str) -> dict[str, Any]:
    """All of `simulate-NAME-X` by X; in the environment, an object in JSON under SIMULATE_NAME."""
    start = f"{KNOB}{name}-"
    text = (record.get("Environment") or {}).get(_environment_key(name))
    found: dict[str, Any] = dict(json.loads(text)) if text else {}
    pairs = [
        *(record.get("HyperParameters") or {}).items(),
        *((tag["Key"], tag["Value"]) for tag in record.get("_tags") or record.get("Tags") or []),
    ]
    found.update({key.removeprefix(start): v for key, v in pairs if key.startswith(start)})
    return found


def seconds(record: Mapping[str, Any], default: float) -> float:
    """How long the main phase of a job takes."""
    asked = knob(record, "seconds")
    return float(asked) if asked is not None else default


def share(*words: object) -> float:
    """A number from 0 to 1 that follows from the words, and only from them."""
    digest = hashlib.sha256("\0".join(str(word) for word in words).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


# -- S3 and logs


def place(uri: str) -> tuple[str, str]:
    """Bucket and key of an s3:// address."""
    parts = urlsplit(uri)
    if parts.scheme != "s3" or not parts.netloc:
        raise Fault("ValidationException", f"{uri} is no address in S3.", 400)
    return parts.netloc, parts.path.lstrip("/")


def write(state: State, uri: str, body: bytes | str) -> str | None:
    """Write an object; None, or why it could not be written."""
    bucket, key = place(uri)
    data = body.encode() if isinstance(body, str) else body
    try:
        state.call("s3", "PutObject", Bucket=bucket, Key=key, Body=data)
    except Fault as fault:
        return f"{fault.code}: {fault.message} ({uri})"
    return None


def read(state: State, uri: str) -> bytes | None:
    """An object's bytes; None where there is none."""
    bucket, key = place(uri)
    try:
        answer = state.call("s3", "GetObject", Bucket=bucket, Key=key)
    except Fault as fault:
        if fault.code in ("NoSuchKey", "NoSuchBucket", "404"):
            return None
        raise
    data: bytes = answer["Body"].read()
    return data


def read_json(state: State, uri: str) -> Any:
    """An object as JSON; None where there is none."""
    data = read(state, uri)
    return None if data is None else json.loads(data)


def log(state: State, group: str, stream: str, *lines: str) -> None:
    """Write lines to CloudWatch Logs at the time of the clock, making group and stream."""
    made = state.table("sagemaker.streams")
    try:
        if group not in made:
            _ensure(state, "CreateLogGroup", logGroupName=group)
            made[group] = True
        if f"{group}:{stream}" not in made:
            _ensure(state, "CreateLogStream", logGroupName=group, logStreamName=stream)
            made[f"{group}:{stream}"] = True
        at = int(state.now * 1000)
        events = [{"timestamp": at + number, "message": text} for number, text in enumerate(lines)]
        state.call(
            "logs", "PutLogEvents", logGroupName=group, logStreamName=stream, logEvents=events
        )
    except Fault as fault:
        # Somebody deleted the group: the job goes on, as it does in AWS.
        if fault.code != "ResourceNotFoundException":
            raise
        made.clear()


def _ensure(state: State, name: str, **params: Any) -> None:
    try:
        state.call("logs", name, **params)
    except Fault as fault:
        if fault.code != "ResourceAlreadyExistsException":
            raise


def measure(
    state: State, namespace: str, name: str, value: float, unit: str, **dimensions: str
) -> None:
    """Put one value of a CloudWatch metric at the time of the clock."""
    state.call(
        "cloudwatch",
        "PutMetricData",
        Namespace=namespace,
        MetricData=[
            {
                "MetricName": name,
                "Value": float(value),
                "Unit": unit,
                "Timestamp": state.now,
                "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions.items()],
            }
        ],
    )


def tell(state: State, kind: str, resource: str, detail: Mapping[str, Any]) -> None:
    """An event of SageMaker to EventBridge, for example "SageMaker Endpoint State Change"."""
    entry = {
        "Source": "aws.sagemaker",
        "DetailType": f"SageMaker {kind}",
        "Detail": json.dumps({k: v for k, v in detail.items() if v is not None}, default=str),
        "Resources": [resource],
    }
    state.call("events", "PutEvents", Entries=[entry])


# -- tags


@operation("sagemaker", "ListTags")
def list_tags(state: State, call: Call) -> dict[str, Any]:
    record = by_arn(state, call.params["ResourceArn"])
    return {"Tags": record["_tags"]} if record is not None else _by_moto(call)


def _by_moto(call: Call) -> dict[str, Any]:
    """Tags of what moto keeps; it fails at an ARN it does not know."""
    try:
        return call.moto()
    except Fault as fault:
        if fault.code != "InternalFailure":
            raise
        arn = call.params["ResourceArn"]
        raise Fault("ValidationException", f"Resource {arn} does not exist.", 400) from fault


@operation("sagemaker", "AddTags")
def add_tags(state: State, call: Call) -> dict[str, Any]:
    record = by_arn(state, call.params["ResourceArn"])
    if record is None:
        return _by_moto(call)
    new = {tag["Key"]: tag for tag in record["_tags"]}
    new.update({tag["Key"]: dict(tag) for tag in call.params["Tags"]})
    record["_tags"] = list(new.values())
    return {"Tags": record["_tags"]}


@operation("sagemaker", "DeleteTags")
def delete_tags(state: State, call: Call) -> dict[str, Any]:
    record = by_arn(state, call.params["ResourceArn"])
    if record is None:
        return _by_moto(call)
    record["_tags"] = [tag for tag in record["_tags"] if tag["Key"] not in call.params["TagKeys"]]
    return {}


def stamp(value: Any) -> int:
    """A time as whole epoch seconds, as names of log streams have it."""
    return int(epoch(value))
