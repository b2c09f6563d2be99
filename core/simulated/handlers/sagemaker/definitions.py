"""The four kinds of job definitions that monitoring schedules can name."""

from __future__ import annotations

from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.sagemaker.common import drop, find, keep, sagemaker_arn
from core.simulated.listing import Record, described, select, summaries
from core.simulated.registry import operation
from core.simulated.state import Call, State

KINDS = {
    "DataQuality": "data-quality-job-definition",
    "ModelQuality": "model-quality-job-definition",
    "ModelBias": "model-bias-job-definition",
    "ModelExplainability": "model-explainability-job-definition",
}


def definition(state: State, kind: str, name: str) -> Record:
    """The job definition of this kind and name, or AWS's answer that there is none."""
    missing = f"{kind}JobDefinition with name {name} does not exist."
    return find(state, f"sagemaker.{KINDS[kind]}s", name, missing, "ResourceNotFound")


def _endpoint(record: Record, kind: str) -> str | None:
    asked = record[f"{kind}JobInput"].get("EndpointInput") or {}
    name: str | None = asked.get("EndpointName")
    return name


def _register(kind: str, path: str) -> None:
    table = f"sagemaker.{path}s"

    def create(state: State, call: Call) -> dict[str, Any]:
        params = dict(call.params)
        name = params["JobDefinitionName"]
        arn = sagemaker_arn(state, path, name)
        if name in state.table(table):
            raise Fault("ResourceInUse", f"A job definition {name} already exists.", 400)
        keep(state, table, name, arn, {**params, "JobDefinitionArn": arn})
        return {"JobDefinitionArn": arn}

    def describe(state: State, call: Call) -> dict[str, Any]:
        return described(call, definition(state, kind, call.params["JobDefinitionName"]))

    def delete(state: State, call: Call) -> dict[str, Any]:
        record = definition(state, kind, call.params["JobDefinitionName"])
        drop(state, table, record["JobDefinitionName"])
        return {}

    def listed(state: State, call: Call) -> dict[str, Any]:
        rows = [
            {
                "MonitoringJobDefinitionName": each["JobDefinitionName"],
                "MonitoringJobDefinitionArn": each["JobDefinitionArn"],
                "CreationTime": each["CreationTime"],
                "EndpointName": _endpoint(each, kind) or "",
            }
            for each in state.table(table).values()
        ]
        found = select(
            call,
            rows,
            name="MonitoringJobDefinitionName",
            equal={"EndpointName": "EndpointName"},
        )
        return summaries(call, "JobDefinitionSummaries", found)

    operation("sagemaker", f"Create{kind}JobDefinition")(create)
    operation("sagemaker", f"Describe{kind}JobDefinition")(describe)
    operation("sagemaker", f"Delete{kind}JobDefinition")(delete)
    operation("sagemaker", f"List{kind}JobDefinitions")(listed)


for _kind, _path in KINDS.items():
    _register(_kind, _path)
