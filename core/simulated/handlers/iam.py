"""What a principal may do: IAM's policy simulator, over the policies that moto keeps.

Conditions of statements are not looked at; a permissions boundary is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from core.simulated.faults import Fault
from core.simulated.listing import Record
from core.simulated.registry import operation
from core.simulated.state import Call, State

PAGE = 100


def _document(found: Any) -> Record:
    """A policy's document, as the API has it: an object, or its URL-encoded text."""
    return dict(found if isinstance(found, dict) else json.loads(unquote(str(found))))


def _managed(state: State, arn: str) -> Record:
    policy = state.moto("iam", "GetPolicy", PolicyArn=arn)["Policy"]
    version = state.moto(
        "iam", "GetPolicyVersion", PolicyArn=arn, VersionId=policy["DefaultVersionId"]
    )
    return _document(version["PolicyVersion"]["Document"])


def policies(state: State, arn: str) -> Iterator[Record]:
    """The documents that give a role or user its rights; NoSuchEntity if it is not there."""
    kind, _, path = arn.rpartition(":")[2].partition("/")
    noun, name = kind.capitalize(), path.rsplit("/", 1)[-1]
    if noun not in ("Role", "User", "Group"):
        raise Fault("InvalidInput", f"{arn} is no role, user or group", 400)
    key = {f"{noun}Name": name}
    for each in state.moto("iam", f"List{noun}Policies", **key)["PolicyNames"]:
        inline = state.moto("iam", f"Get{noun}Policy", **key, PolicyName=each)
        yield _document(inline["PolicyDocument"])
    for each in state.moto("iam", f"ListAttached{noun}Policies", **key)["AttachedPolicies"]:
        yield _managed(state, each["PolicyArn"])


def _many(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _matches(statement: Record, action: str, resource: str) -> bool:
    if "NotAction" in statement:
        named = not _any(_many(statement["NotAction"]), action, fold=True)
    else:
        named = _any(_many(statement.get("Action", [])), action, fold=True)
    if not named:
        return False
    if "NotResource" in statement:
        return not _any(_many(statement["NotResource"]), resource)
    return _any(_many(statement.get("Resource", "*")), resource)


def _any(patterns: Iterable[str], text: str, fold: bool = False) -> bool:
    if fold:
        return any(fnmatchcase(text.lower(), each.lower()) for each in patterns)
    return any(fnmatchcase(text, each) for each in patterns)


def decision(documents: Iterable[Record], action: str, resource: str) -> str:
    """allowed, explicitDeny or implicitDeny."""
    allowed = False
    for document in documents:
        statements = document.get("Statement", [])
        for statement in statements if isinstance(statements, list) else [statements]:
            if not _matches(statement, action, resource):
                continue
            if statement.get("Effect") == "Deny" and not statement.get("Condition"):
                return "explicitDeny"
            allowed = allowed or statement.get("Effect") == "Allow"
    return "allowed" if allowed else "implicitDeny"


@operation("iam", "SimulatePrincipalPolicy")
def simulate_principal_policy(state: State, call: Call) -> dict[str, Any]:
    arn = call.params["PolicySourceArn"]
    extra = [json.loads(text) for text in call.params.get("PolicyInputList", [])]
    return _simulated(call, [*policies(state, arn), *extra])


@operation("iam", "SimulateCustomPolicy")
def simulate_custom_policy(state: State, call: Call) -> dict[str, Any]:
    return _simulated(call, [json.loads(text) for text in call.params["PolicyInputList"]])


def _simulated(call: Call, documents: list[Record]) -> dict[str, Any]:
    resources = call.params.get("ResourceArns") or ["*"]
    boundary = [json.loads(t) for t in call.params.get("PermissionsBoundaryPolicyInputList", [])]
    rows = []
    for action in call.params["ActionNames"]:
        for resource in resources:
            found = decision(documents, action, resource)
            if found == "allowed" and boundary:
                found = decision(boundary, action, resource)
            rows.append(
                {
                    "EvalActionName": action,
                    "EvalResourceName": resource,
                    "EvalDecision": found,
                    "MatchedStatements": [],
                    "MissingContextValues": [],
                }
            )
    start = int(call.params.get("Marker") or 0)
    end = start + int(call.params.get("MaxItems") or PAGE)
    answer: dict[str, Any] = {"EvaluationResults": rows[start:end], "IsTruncated": end < len(rows)}
    if end < len(rows):
        answer["Marker"] = str(end)
    return answer
