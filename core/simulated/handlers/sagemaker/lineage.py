"""Lineage: artifacts, actions and contexts, and what they are associated with.

As in AWS, some of it appears by itself: a training job's data, the job and its model; a
registered package and the model in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.sagemaker.common import by_arn, drop, find, keep, sagemaker_arn, touch
from core.simulated.listing import Record, described, page, select, summaries
from core.simulated.registry import operation
from core.simulated.state import Call, State

ARTIFACTS, ACTIONS, CONTEXTS = "sagemaker.artifacts", "sagemaker.actions", "sagemaker.contexts"
EDGES = "sagemaker.associations"
_LINEAGE = {ARTIFACTS: "Artifact", ACTIONS: "Action", CONTEXTS: "Context"}


# -- artifacts


def _artifact_arn(state: State, params: Record) -> str:
    seed = f"{params['Source']['SourceUri']}\0{params['ArtifactType']}"
    return sagemaker_arn(state, "artifact", hashlib.md5(seed.encode()).hexdigest())


@operation("sagemaker", "CreateArtifact")
def create_artifact(state: State, call: Call) -> dict[str, Any]:
    params = dict(call.params)
    arn = _artifact_arn(state, params)
    if arn in state.table(ARTIFACTS):
        raise Fault("ValidationException", f"An artifact of this source exists: {arn}", 400)
    return {"ArtifactArn": artifact(state, **params)["ArtifactArn"]}


def artifact(state: State, **params: Any) -> Record:
    """The artifact of a source and type, made if it is new."""
    arn = _artifact_arn(state, params)
    found: Record | None = state.table(ARTIFACTS).get(arn)
    if found is None:
        found = keep(state, ARTIFACTS, arn, arn, {**params, "ArtifactArn": arn})
    return found


@operation("sagemaker", "DescribeArtifact", "UpdateArtifact", "DeleteArtifact")
def one_artifact(state: State, call: Call) -> dict[str, Any]:
    arn = call.params.get("ArtifactArn")
    if arn is None:
        arn = next(
            (
                each["ArtifactArn"]
                for each in state.table(ARTIFACTS).values()
                if each["Source"]["SourceUri"] == call.params["Source"]["SourceUri"]
            ),
            "",
        )
    record = find(state, ARTIFACTS, arn, f"Artifact '{arn}' does not exist.", "ResourceNotFound")
    return _one(state, call, ARTIFACTS, record, "ArtifactArn", record["ArtifactArn"])


def _one(
    state: State, call: Call, table: str, record: Record, key: str, name: str
) -> dict[str, Any]:
    """Describe, update or delete one entity, by the operation's name."""
    if call.operation.startswith("Describe"):
        return described(call, record)
    if call.operation.startswith("Delete"):
        drop(state, table, name)
    else:
        changes = dict(call.params)
        gone = changes.pop("PropertiesToRemove", [])
        properties = {**record.get("Properties", {}), **changes.pop("Properties", {})}
        kept = {k: v for k, v in properties.items() if k not in gone}
        touch(state, record, **changes, Properties=kept)
    return {key: record[key]}


@operation("sagemaker", "ListArtifacts")
def list_artifacts(state: State, call: Call) -> dict[str, Any]:
    found = [
        each
        for each in state.table(ARTIFACTS).values()
        if call.params.get("SourceUri") in (None, each["Source"]["SourceUri"])
    ]
    rows = select(call, found, name="ArtifactArn", equal={"ArtifactType": "ArtifactType"})
    return summaries(call, "ArtifactSummaries", rows)


# -- actions and contexts


def _named(noun: str, table: str) -> None:
    name, arn_key = f"{noun}Name", f"{noun}Arn"

    def create(state: State, call: Call) -> dict[str, Any]:
        params = dict(call.params)
        arn = sagemaker_arn(state, noun.lower(), params[name])
        if params[name] in state.table(table):
            raise Fault("ValidationException", f"{noun} {params[name]} already exists.", 400)
        keep(state, table, params[name], arn, {**params, arn_key: arn})
        return {arn_key: arn}

    def one(state: State, call: Call) -> dict[str, Any]:
        asked = call.params[name]
        record = find(state, table, asked, f"{noun} '{asked}' does not exist.", "ResourceNotFound")
        return _one(state, call, table, record, arn_key, record[name])

    def listed(state: State, call: Call) -> dict[str, Any]:
        found = [
            each
            for each in state.table(table).values()
            if call.params.get("SourceUri") in (None, each["Source"]["SourceUri"])
        ]
        rows = select(call, found, name=name, equal={f"{noun}Type": f"{noun}Type"})
        return summaries(call, f"{noun}Summaries", rows)

    operation("sagemaker", f"Create{noun}")(create)
    operation("sagemaker", f"Describe{noun}", f"Update{noun}", f"Delete{noun}")(one)
    operation("sagemaker", f"List{noun}s")(listed)


_named("Action", ACTIONS)
_named("Context", CONTEXTS)


# -- associations


@operation("sagemaker", "AddAssociation")
def add_association(state: State, call: Call) -> dict[str, Any]:
    source, target = call.params["SourceArn"], call.params["DestinationArn"]
    associate(state, source, target, call.params.get("AssociationType", "AssociatedWith"))
    return {"SourceArn": source, "DestinationArn": target}


def associate(state: State, source: str, target: str, kind: str) -> None:
    """Associate two entities; twice is once."""
    state.table(EDGES).setdefault(
        f"{source}|{target}",
        {
            "SourceArn": source,
            "DestinationArn": target,
            "AssociationType": kind,
            "CreationTime": state.now,
        },
    )


@operation("sagemaker", "DeleteAssociation")
def delete_association(state: State, call: Call) -> dict[str, Any]:
    source, target = call.params["SourceArn"], call.params["DestinationArn"]
    if state.table(EDGES).pop(f"{source}|{target}", None) is None:
        raise Fault("ResourceNotFound", "There is no such association.")
    return {"SourceArn": source, "DestinationArn": target}


def _kinds(state: State, arn: str) -> tuple[str, str, str]:
    """(lineage type, type, name) of an entity."""
    record = by_arn(state, arn)
    lineage = _LINEAGE.get(record["_table"]) if record is not None else None
    if record is None or lineage is None:
        return "TrialComponent", "SageMakerTrainingJob", arn.rsplit("/", 1)[-1]
    name = record.get(f"{lineage}Name") or record["Source"]["SourceUri"]
    return lineage, record[f"{lineage}Type"], name


@operation("sagemaker", "ListAssociations")
def list_associations(state: State, call: Call) -> dict[str, Any]:
    rows = []
    for each in state.table(EDGES).values():
        _, source, source_name = _kinds(state, each["SourceArn"])
        _, target, target_name = _kinds(state, each["DestinationArn"])
        rows.append(
            {
                **each,
                "SourceType": source,
                "SourceName": source_name,
                "DestinationType": target,
                "DestinationName": target_name,
            }
        )
    members = ("SourceArn", "DestinationArn", "SourceType", "DestinationType", "AssociationType")
    found = select(call, rows, name="SourceName", equal={each: each for each in members})
    return summaries(call, "AssociationSummaries", found)


@operation("sagemaker", "QueryLineage")
def query_lineage(state: State, call: Call) -> dict[str, Any]:
    direction = call.params.get("Direction", "Both")
    starts = list(call.params.get("StartArns") or state.table(ARTIFACTS))
    depth = int(call.params.get("MaxDepth", 10))
    found, edges = walk(state, starts, direction, depth)
    filters = call.params.get("Filters") or {}
    vertices = []
    for arn in found:
        lineage, kind, _ = _kinds(state, arn)
        if filters.get("LineageTypes") and lineage not in filters["LineageTypes"]:
            continue
        if filters.get("Types") and kind not in filters["Types"]:
            continue
        vertices.append({"Arn": arn, "Type": kind, "LineageType": lineage})
    answer = page(call, "Vertices", vertices)
    if call.params.get("IncludeEdges", True):
        names = ("SourceArn", "DestinationArn", "AssociationType")
        answer["Edges"] = [{name: each[name] for name in names} for each in edges]
    return answer


def walk(
    state: State, starts: Iterable[str], direction: str, depth: int
) -> tuple[list[str], list[Record]]:
    """The entities reached from `starts` in a direction, and the associations between them."""
    found = list(dict.fromkeys(starts))
    edges: list[Record] = []
    frontier = set(found)
    for _ in range(depth):
        following: set[str] = set()
        for each in state.table(EDGES).values():
            down = direction != "Ascendants" and each["SourceArn"] in frontier
            up = direction != "Descendants" and each["DestinationArn"] in frontier
            if not down and not up:
                continue
            if each not in edges:
                edges.append(each)
            other = each["DestinationArn"] if down else each["SourceArn"]
            if other not in found:
                found.append(other)
                following.add(other)
        frontier = following
        if not frontier:
            break
    return found, edges


# -- what appears by itself


def trained(state: State, record: Record) -> None:
    """A training job that is over: its data, the job and its model."""
    job = sagemaker_arn(
        state, "experiment-trial-component", f"{record['TrainingJobName']}-aws-training-job"
    )
    for channel in record.get("InputDataConfig") or []:
        uri = channel["DataSource"].get("S3DataSource", {}).get("S3Uri")
        if uri:
            data = artifact(state, Source={"SourceUri": uri}, ArtifactType="DataSet")
            associate(state, data["ArtifactArn"], job, "ContributedTo")
    uri = record["ModelArtifacts"]["S3ModelArtifacts"]
    model = artifact(state, Source={"SourceUri": uri}, ArtifactType="Model")
    associate(state, job, model["ArtifactArn"], "Produced")


def registered(state: State, record: Record) -> None:
    """A model package that was registered: the models in it."""
    package = artifact(
        state, Source={"SourceUri": record["ModelPackageArn"]}, ArtifactType="ModelPackage"
    )
    for each in (record.get("InferenceSpecification") or {}).get("Containers") or []:
        if each.get("ModelDataUrl"):
            model = artifact(
                state, Source={"SourceUri": each["ModelDataUrl"]}, ArtifactType="Model"
            )
            associate(state, model["ArtifactArn"], package["ArtifactArn"], "ContributedTo")
