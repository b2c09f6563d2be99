"""Buckets of stacks: moto makes them bare; here each property is set by S3's own operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.simulated.state import State

Properties = dict[str, Any]


def creation(properties: Properties, region: str) -> Properties:
    """What CreateBucket is sent."""
    request: Properties = {"Bucket": properties["BucketName"]}
    if region != "us-east-1":
        request["CreateBucketConfiguration"] = {"LocationConstraint": region}
    return request


def configure(state: State, properties: Properties, name: str) -> None:
    """Set what the template says of a bucket."""
    for key, (operation, parameter, convert) in _SETTINGS.items():
        if key in properties:
            request = {"Bucket": name, parameter: convert(properties[key])}
            state.call("s3", operation, **request)


def _encryption(given: Properties) -> Properties:
    rules = [
        {
            **{k: v for k, v in rule.items() if k != "ServerSideEncryptionByDefault"},
            "ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"],
        }
        for rule in given["ServerSideEncryptionConfiguration"]
    ]
    return {"Rules": rules}


def _lifecycle(given: Properties) -> Properties:
    return {"Rules": [_rule(each) for each in given["Rules"]]}


def _rule(given: Properties) -> Properties:
    rule = {k: v for k, v in given.items() if k not in ("Id", "ExpirationInDays", "Prefix")}
    if "Id" in given:
        rule["ID"] = given["Id"]
    if "ExpirationInDays" in given:
        rule["Expiration"] = {"Days": int(given["ExpirationInDays"])}
    return {"Filter": {"Prefix": given.get("Prefix", "")}, **rule}


def _logging(given: Properties) -> Properties:
    target = {
        "TargetBucket": given["DestinationBucketName"],
        "TargetPrefix": given.get("LogFilePrefix", ""),
    }
    return {"LoggingEnabled": target}


def _notified(given: Properties) -> Properties:
    return {"EventBridgeConfiguration": {}} if "EventBridgeConfiguration" in given else {}


def _as_it_is(given: Properties) -> Properties:
    return given


def _tags(given: Any) -> Properties:
    return {"TagSet": given}


_SETTINGS: dict[str, tuple[str, str, Callable[[Any], Properties]]] = {
    "VersioningConfiguration": ("PutBucketVersioning", "VersioningConfiguration", _as_it_is),
    "PublicAccessBlockConfiguration": (
        "PutPublicAccessBlock",
        "PublicAccessBlockConfiguration",
        _as_it_is,
    ),
    "BucketEncryption": (
        "PutBucketEncryption",
        "ServerSideEncryptionConfiguration",
        _encryption,
    ),
    "OwnershipControls": ("PutBucketOwnershipControls", "OwnershipControls", _as_it_is),
    "LifecycleConfiguration": (
        "PutBucketLifecycleConfiguration",
        "LifecycleConfiguration",
        _lifecycle,
    ),
    "LoggingConfiguration": ("PutBucketLogging", "BucketLoggingStatus", _logging),
    "NotificationConfiguration": (
        "PutBucketNotificationConfiguration",
        "NotificationConfiguration",
        _notified,
    ),
    "Tags": ("PutBucketTagging", "Tagging", _tags),
}
