"""FilterLogEvents, and the operations of Logs Insights."""

from __future__ import annotations

from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers._shared import page, uid, with_token
from core.simulated.handlers.logs import insights, patterns
from core.simulated.handlers.logs.writing import events_of, group_of
from core.simulated.registry import operation
from core.simulated.state import Call, State

SECONDS = 1.0  # that a query is Running


@operation("logs", "FilterLogEvents")
def filter_events(state: State, call: Call) -> dict[str, Any]:
    asked = call.params
    group = group_of(state, asked.get("logGroupName") or asked.get("logGroupIdentifier", ""))
    prefix, names = asked.get("logStreamNamePrefix"), asked.get("logStreamNames")
    if prefix is not None and names is not None:
        raise Fault(
            "InvalidParameterException",
            "LogStreamNamePrefix and LogStreamNames cannot both be specified.",
            400,
        )
    if prefix is not None:
        names = [name for name in group.streams if name.startswith(prefix)]
    matches = patterns.compiled(asked.get("filterPattern", ""))
    found = [
        {
            "logStreamName": stream,
            "timestamp": at,
            "message": event.message,
            "ingestionTime": event.ingestion_time,
            "eventId": f"{event.event_id:056d}",
        }
        for at, stream, event in events_of(
            group, asked.get("startTime"), asked.get("endTime"), names
        )
        if matches(event.message)
    ]
    some, token = page(
        found, asked.get("nextToken"), asked.get("limit"), 10_000, "InvalidParameterException"
    )
    return with_token({"events": some, "searchedLogStreams": []}, token)


@operation("logs", "StartQuery")
def start(state: State, call: Call) -> dict[str, Any]:
    asked = call.params
    names = [
        *asked.get("logGroupNames", []),
        *asked.get("logGroupIdentifiers", []),
        *([asked["logGroupName"]] if "logGroupName" in asked else []),
    ]
    if not names:
        raise Fault("InvalidParameterException", "At least one log group must be given.", 400)
    if asked["startTime"] > asked["endTime"]:
        raise Fault("MalformedQueryException", "The end time is before the start time.", 400)
    found = [group_of(state, name) for name in names]
    if asked.get("queryLanguage", "CWLI") != "CWLI":
        raise Fault("NotSimulated", f"logs: {asked['queryLanguage']} is not simulated", 501)
    query = insights.parse(asked["queryString"])
    ident = uid()
    state.table("logs.queries")[ident] = {
        "id": ident,
        "groups": found,
        "query": query,
        "text": asked["queryString"],
        "start": _milliseconds(asked["startTime"]),
        "end": _milliseconds(asked["endTime"]),
        "limit": asked.get("limit"),
        "at": state.now,
        "stopped": False,
    }
    return {"queryId": ident}


def _milliseconds(at: int) -> int:
    """Insights takes seconds; milliseconds are taken as well, as it does."""
    return at if at > 10**11 else at * 1000


def _query(state: State, ident: str) -> dict[str, Any]:
    found: dict[str, Any] | None = state.table("logs.queries").get(ident)
    if found is None:
        raise Fault("ResourceNotFoundException", f"The query {ident} does not exist.", 400)
    return found


def _status(state: State, kept: dict[str, Any]) -> str:
    if kept["stopped"]:
        return "Cancelled"
    return "Complete" if state.clock.elapsed(kept["at"]) >= SECONDS else "Running"


@operation("logs", "GetQueryResults")
def results(state: State, call: Call) -> dict[str, Any]:
    kept = _query(state, call.params["queryId"])
    status = _status(state, kept)
    if status != "Complete":
        empty = {"recordsMatched": 0.0, "recordsScanned": 0.0, "bytesScanned": 0.0}
        return {"results": [], "statistics": empty, "status": status}
    if "answer" not in kept:
        events = [
            (group, each)
            for group in kept["groups"]
            for each in events_of(group, kept["start"], kept["end"])
        ]
        rows, matched = insights.run(kept["query"], events, kept["limit"])
        size = sum(len(each[2].message) for _, each in events)
        kept["answer"] = {
            "results": rows,
            "statistics": {
                "recordsMatched": float(matched),
                "recordsScanned": float(len(events)),
                "bytesScanned": float(size),
            },
            "status": "Complete",
        }
    answer: dict[str, Any] = kept["answer"]
    return answer


@operation("logs", "StopQuery")
def stop(state: State, call: Call) -> dict[str, Any]:
    kept = _query(state, call.params["queryId"])
    if _status(state, kept) != "Running":
        raise Fault("InvalidParameterException", "The query is not running.", 400)
    kept["stopped"] = True
    return {"success": True}


@operation("logs", "DescribeQueries")
def queries(state: State, call: Call) -> dict[str, Any]:
    found = [
        {
            "queryId": kept["id"],
            "queryString": kept["text"],
            "status": _status(state, kept),
            "createTime": int(kept["at"] * 1000),
            "logGroupName": kept["groups"][0].name,
        }
        for kept in reversed(state.table("logs.queries").values())
        if call.params.get("logGroupName") in (None, *(each.name for each in kept["groups"]))
        and call.params.get("status") in (None, _status(state, kept))
    ]
    some, token = page(found, call.params.get("nextToken"), call.params.get("maxResults"), 1000)
    return with_token({"queries": some}, token)
