"""EventBridge: whether a pattern takes an event, by the matching that delivers events too."""

from __future__ import annotations

import json
from typing import Any

from core.simulated.faults import Fault
from core.simulated.registry import operation
from core.simulated.state import Call, State

_NEEDED = ("id", "account", "source", "time", "region", "resources", "detail-type")


@operation("events", "TestEventPattern")
def test(state: State, call: Call) -> dict[str, Any]:
    from moto.events.models import EventPattern

    try:
        event = json.loads(call.params["Event"])
        pattern = EventPattern.load(call.params["EventPattern"])
    except ValueError as error:
        raise Fault(
            "InvalidEventPatternException", "Event or pattern is not valid.", 400
        ) from error
    missing = [each for each in _NEEDED if each not in event]
    if missing:
        raise Fault("InvalidEventPatternException", f"Parameter {missing[0]} is missing.", 400)
    return {"Result": bool(pattern.matches_event(event))}
