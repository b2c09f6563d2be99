"""Log groups, streams and events as moto keeps them, written and read directly."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from core.simulated.faults import Fault
from core.simulated.registry import operation
from core.simulated.state import Call, State

OLDEST_SECONDS = 14 * 86_400
NEWEST_SECONDS = 2 * 3_600


def groups(state: State) -> dict[str, Any]:
    """moto's log groups by name."""
    from moto.logs.models import logs_backends

    found: dict[str, Any] = logs_backends[state.account_id][state.region].groups
    return found


def group_of(state: State, name: str) -> Any:
    """A log group by name or ARN; Fault ResourceNotFoundException."""
    if name.startswith("arn:"):
        name = name.split(":log-group:", 1)[-1].removesuffix(":*")
    found = groups(state).get(name)
    if found is None:
        raise Fault("ResourceNotFoundException", "The specified log group does not exist.", 400)
    return found


def write(state: State, group: str, stream: str, events: Sequence[tuple[float, str]]) -> None:
    """Print (epoch seconds, text) into a stream; group and stream are made if they lack.

    For what services print themselves: it takes events of any age.
    """
    from moto.logs.models import LogGroup, LogStream

    kept = groups(state)
    made = dt.datetime.fromtimestamp(state.now, dt.UTC).replace(tzinfo=None)
    if group not in kept:
        kept[group] = LogGroup(state.account_id, state.region, group)  # type: ignore[abstract]
        kept[group].creation_time = made
    streams = kept[group].streams
    if stream not in streams:
        streams[stream] = LogStream(kept[group], stream)
        streams[stream].creation_time = made
    streams[stream].put_log_events(
        [{"timestamp": int(at * 1000), "message": text} for at, text in events]
    )


def events_of(
    group: Any, start: int | None, end: int | None, names: Iterable[str] | None = None
) -> list[tuple[int, str, Any]]:
    """(milliseconds, stream, moto's event) of a group from `start` to `end`, oldest first."""
    wanted = None if names is None else set(names)
    found = [
        (event.timestamp, name, event)
        for name, stream in group.streams.items()
        if wanted is None or name in wanted
        for event in stream.events
        if (start is None or event.timestamp >= start) and (end is None or event.timestamp <= end)
    ]
    found.sort(key=lambda each: (each[0], each[2].event_id))
    return found


@operation("logs", "PutLogEvents")
def put(state: State, call: Call) -> dict[str, Any]:
    group = group_of(state, call.params["logGroupName"])
    if call.params["logStreamName"] not in group.streams:
        raise Fault("ResourceNotFoundException", "The specified log stream does not exist.", 400)
    given = call.params["logEvents"]
    stamps = [each["timestamp"] for each in given]
    if stamps != sorted(stamps):
        raise Fault(
            "InvalidParameterException",
            "Log events in a single PutLogEvents request must be in chronological order.",
            400,
        )
    low, high = (state.now - OLDEST_SECONDS) * 1000, (state.now + NEWEST_SECONDS) * 1000
    fit = [each for each in given if low <= each["timestamp"] <= high]
    rejected: dict[str, int] = {}
    if any(stamp < low for stamp in stamps):
        rejected["tooOldLogEventEndIndex"] = sum(1 for stamp in stamps if stamp < low)
    if any(stamp > high for stamp in stamps):
        rejected["tooNewLogEventStartIndex"] = sum(1 for stamp in stamps if stamp <= high)
    stream = group.streams[call.params["logStreamName"]]
    token = stream.put_log_events(
        [{"timestamp": each["timestamp"], "message": each["message"]} for each in fit]
    )
    answer: dict[str, Any] = {"nextSequenceToken": token}
    if rejected:
        answer["rejectedLogEventsInfo"] = rejected
    return answer
