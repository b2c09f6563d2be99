"""CodeBuild's projects."""

from __future__ import annotations

from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers._shared import page, with_token
from core.simulated.registry import operation
from core.simulated.state import Call, State

DEFAULTS: dict[str, Any] = {
    "timeoutInMinutes": 60,
    "queuedTimeoutInMinutes": 480,
    "cache": {"type": "NO_CACHE"},
    "badge": {"badgeEnabled": False},
    "tags": [],
}
_NOT_KEPT = ("badgeEnabled", "fileSystemLocations", "buildBatchConfig")


def table(state: State) -> dict[str, dict[str, Any]]:
    """The projects by name."""
    return state.table("codebuild.projects")


def project_of(state: State, name: str) -> dict[str, Any]:
    """A project by name or ARN; Fault ResourceNotFoundException."""
    found = table(state).get(name.rpartition("project/")[2] or name)
    if found is None:
        arn = state.arn("codebuild", f"project/{name}")
        raise Fault("ResourceNotFoundException", f"Project cannot be found: {arn}", 400)
    return found


@operation("codebuild", "CreateProject")
def create(state: State, call: Call) -> dict[str, Any]:
    name = call.params["name"]
    if name in table(state):
        arn = state.arn("codebuild", f"project/{name}")
        raise Fault("ResourceAlreadyExistsException", f"Project already exists: {arn}", 400)
    source = call.params["source"]
    if source["type"] not in ("CODEPIPELINE", "NO_SOURCE") and not source.get("location"):
        raise Fault("InvalidInputException", "Project source location is required", 400)
    if source["type"] == "NO_SOURCE" and not source.get("buildspec"):
        raise Fault(
            "InvalidInputException", "The buildspec is required when the source is NO_SOURCE", 400
        )
    kept = {key: value for key, value in call.params.items() if key not in _NOT_KEPT}
    project = DEFAULTS | kept
    project |= {
        "arn": state.arn("codebuild", f"project/{name}"),
        "created": state.now,
        "lastModified": state.now,
        "encryptionKey": call.params.get("encryptionKey") or state.arn("kms", "alias/aws/s3"),
    }
    table(state)[name] = project
    return {"project": project}


@operation("codebuild", "UpdateProject")
def update(state: State, call: Call) -> dict[str, Any]:
    project = project_of(state, call.params["name"])
    project |= {key: value for key, value in call.params.items() if key not in _NOT_KEPT}
    project["lastModified"] = state.now
    return {"project": project}


@operation("codebuild", "DeleteProject")
def delete(state: State, call: Call) -> dict[str, Any]:
    table(state).pop(call.params["name"], None)
    return {}


@operation("codebuild", "ListProjects")
def projects(state: State, call: Call) -> dict[str, Any]:
    by = call.params.get("sortBy", "NAME")
    key = {"CREATED_TIME": "created", "LAST_MODIFIED_TIME": "lastModified"}.get(by, "name")
    found = sorted(table(state).values(), key=lambda each: each[key])
    if call.params.get("sortOrder") == "DESCENDING":
        found.reverse()
    some, token = page([each["name"] for each in found], call.params.get("nextToken"), None)
    return with_token({"projects": some}, token)


@operation("codebuild", "BatchGetProjects")
def get(state: State, call: Call) -> dict[str, Any]:
    names = {name: name.rpartition("project/")[2] for name in call.params["names"]}
    found = [table(state)[short] for short in names.values() if short in table(state)]
    return {
        "projects": found,
        "projectsNotFound": [name for name, short in names.items() if short not in table(state)],
    }
