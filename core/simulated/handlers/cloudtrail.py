"""CloudTrail: the writes that arrived at the simulated account, newest first.

Real CloudTrail is some minutes behind; here an event is there at once.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from core.simulated.listing import page
from core.simulated.models import model
from core.simulated.registry import operation
from core.simulated.state import Call, Recorded, State

_READS = ("Describe", "Get", "List", "Search", "Query", "Lookup", "Invoke", "Head", "Batch")
_NAMED = ("Name", "Arn", "Id")
DAYS = 90 * 86_400.0
USER = "opsdeck"


@operation("cloudtrail", "LookupEvents")
def lookup_events(state: State, call: Call) -> dict[str, Any]:
    wanted = {each["AttributeKey"]: each["AttributeValue"]
              for each in call.params.get("LookupAttributes", ())}  # fmt: skip
    begin = call.params.get("StartTime")
    end = call.params.get("EndTime")
    low = begin.timestamp() if begin else state.now - DAYS
    high = end.timestamp() if end else state.now
    found = [
        _event(state, each)
        for each in reversed(state.world.calls)
        if each.account_id == state.account_id
        and each.region == state.region
        and low <= each.at <= high
        and not each.operation.startswith(_READS)
        and _fits(each, wanted)
    ]
    return page(call, "Events", found, size=50, bad_token="InvalidNextTokenException")


def _fits(recorded: Recorded, wanted: Mapping[str, str]) -> bool:
    for key, value in wanted.items():
        known = {
            "EventName": [recorded.operation],
            "EventSource": [_source(recorded)],
            "ResourceName": [name for _, name in _resources(recorded)],
            "Username": [USER],
            "ReadOnly": ["false"],
        }.get(key, [])
        if value not in known:
            return False
    return True


def _source(recorded: Recorded) -> str:
    return f"{model(recorded.service).endpoint_prefix.split('.')[-1]}.amazonaws.com"


def _resources(recorded: Recorded) -> list[tuple[str, str]]:
    return [
        (key, value)
        for key, value in recorded.params.items()
        if isinstance(value, str) and key.endswith(_NAMED)
    ]


def _event(state: State, recorded: Recorded) -> dict[str, Any]:
    number = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{recorded.action}{recorded.at}"))
    told: dict[str, Any] = {
        "eventVersion": "1.11",
        "eventID": number,
        "eventTime": datetime.fromtimestamp(recorded.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": _source(recorded),
        "eventName": recorded.operation,
        "awsRegion": recorded.region,
        "recipientAccountId": recorded.account_id,
        "userIdentity": {"type": "AssumedRole", "accountId": recorded.account_id},
        "requestParameters": {
            key[:1].lower() + key[1:]: value for key, value in recorded.params.items()
        },
    }
    if recorded.status >= 400 or recorded.status == 0:
        told["errorCode"] = "ValidationException"
    return {
        "EventId": number,
        "EventName": recorded.operation,
        "EventTime": recorded.at,
        "EventSource": _source(recorded),
        "ReadOnly": "false",
        "Username": USER,
        "Resources": [{"ResourceName": name} for _, name in _resources(recorded)],
        "CloudTrailEvent": json.dumps(told, default=str),
    }
