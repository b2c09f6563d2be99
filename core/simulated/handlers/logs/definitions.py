"""Saved queries of Logs Insights."""

from __future__ import annotations

from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers._shared import page, uid, with_token
from core.simulated.handlers.logs import insights
from core.simulated.registry import operation
from core.simulated.state import Call, State

_TABLE = "logs.definitions"


@operation("logs", "PutQueryDefinition")
def put(state: State, call: Call) -> dict[str, Any]:
    kept = state.table(_TABLE)
    ident = call.params.get("queryDefinitionId") or uid()
    if "queryDefinitionId" in call.params and ident not in kept:
        raise Fault("ResourceNotFoundException", f"There is no query definition {ident}.", 400)
    insights.parse(call.params["queryString"])
    names = ("name", "queryString", "logGroupNames", "queryLanguage")
    kept[ident] = {name: call.params[name] for name in names if name in call.params} | {
        "queryDefinitionId": ident,
        "lastModified": int(state.now * 1000),
    }
    return {"queryDefinitionId": ident}


@operation("logs", "DescribeQueryDefinitions")
def describe(state: State, call: Call) -> dict[str, Any]:
    prefix = call.params.get("queryDefinitionNamePrefix", "")
    found = [each for each in state.table(_TABLE).values() if each["name"].startswith(prefix)]
    found.sort(key=lambda each: str(each["name"]))
    some, token = page(
        found, call.params.get("nextToken"), call.params.get("maxResults"), 1000,
        "InvalidParameterException",
    )  # fmt: skip
    return with_token({"queryDefinitions": some}, token)


@operation("logs", "DeleteQueryDefinition")
def delete(state: State, call: Call) -> dict[str, Any]:
    gone = state.table(_TABLE).pop(call.params["queryDefinitionId"], None)
    return {"success": gone is not None}
