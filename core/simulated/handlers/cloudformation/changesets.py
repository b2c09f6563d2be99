"""Change sets: what each resource's properties are before and after, and executing one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from moto.cloudformation.models import (
    ChangeSet,
    CloudFormationBackend,
    Event,
    Stack,
    cloudformation_backends,
)

from core.aws.infra.diff import REMOVE, compared
from core.aws.infra.resolve import Resolver
from core.simulated.faults import Fault
from core.simulated.handlers.cloudformation.resources import acting_in, known, progress_of
from core.simulated.inner import not_simulated
from core.simulated.registry import operation
from core.simulated.state import Call, State

SECONDS = 5.0
"""How long a stack takes, in nominal seconds."""
_CHANGES = "cloudformation.changes"


def backend(state: State) -> CloudFormationBackend:
    """moto's stacks of this account and region."""
    found: CloudFormationBackend = cloudformation_backends[state.account_id][state.region]
    return found


def refused(message: str) -> Fault:
    """What CloudFormation says of nearly everything that is wrong."""
    return Fault("ValidationError", message, 400)


def _resolved(state: State, template: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    defaults = {
        name: str(each["Default"])
        for name, each in (template.get("Parameters") or {}).items()
        if "Default" in each
    }
    pseudo = {"AWS::AccountId": state.account_id, "AWS::Region": state.region}
    texts = {name: str(value) for name, value in values.items()}
    return Resolver(template, {**defaults, **pseudo, "AWS::Partition": "aws", **texts}).resources()


@operation("cloudformation", "CreateChangeSet")
def create(state: State, call: Call) -> dict[str, Any]:
    """As moto does it, with every resource type known, and the changes kept in full."""
    body = call.params.get("TemplateBody")
    if body:
        for name, each in (Stack.parse_template(body).get("Resources") or {}).items():
            if not known(str(each.get("Type"))):
                raise not_simulated(f"cloudformation:CreateChangeSet: {name} of {each.get('Type')}")
    stack = _stack(state, call.params["StackName"])
    if stack is not None and stack.status == "ROLLBACK_COMPLETE":
        raise refused(
            f"Stack:{stack.stack_id} is in ROLLBACK_COMPLETE state and can not be updated."
        )
    params = dict(call.params)
    review = stack is not None and stack.status == "REVIEW_IN_PROGRESS"
    if params.get("ChangeSetType") == "CREATE" and stack is not None and not review:
        raise refused(f"Stack [{stack.name}] already exists and cannot be created again")
    old = _resolved(state, stack.template_dict, stack.stack_parameters) if stack else {}
    with acting_in(state):
        answer = state.moto("cloudformation", "CreateChangeSet", **params)
    made: ChangeSet = backend(state).change_sets[answer["Id"]]
    values = {**_kept(stack), **made.parameters} if stack is not None else made.parameters
    new = _resolved(state, made.template_dict, values)
    state.table(_CHANGES)[answer["Id"]] = _told(state, old, new, stack)
    return answer


def _kept(stack: Stack) -> dict[str, Any]:
    return dict(stack.stack_parameters) if stack.status != "REVIEW_IN_PROGRESS" else {}


@operation("cloudformation", "DescribeChangeSet")
def describe(state: State, call: Call) -> dict[str, Any]:
    """As moto does it, with the changes of this account."""
    answer = call.moto()
    changes = state.table(_CHANGES).get(answer.get("ChangeSetId", ""))
    if changes is not None:
        answer["Changes"] = changes
        if not changes and answer.get("Status") == "CREATE_COMPLETE":
            answer["Status"], answer["ExecutionStatus"] = "FAILED", "UNAVAILABLE"
            answer["StatusReason"] = "The submitted information didn't contain changes."
    return answer


@operation("cloudformation", "ExecuteChangeSet")
def execute(state: State, call: Call) -> dict[str, Any]:
    """Begin; the stack is done, or rolled back, in `SECONDS` nominal seconds."""
    name = call.params["ChangeSetName"]
    found = [
        each
        for key, each in backend(state).change_sets.items()
        if name in (key, each.change_set_name)
    ]
    if not found:
        raise Fault("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)
    change_set = found[-1]
    stack = backend(state).stacks[change_set.stack_id]
    if change_set.execution_status != "AVAILABLE":
        raise Fault(
            "InvalidChangeSetStatus",
            f"ChangeSet [{name}] cannot be executed in its current status",
            400,
        )
    creates = change_set.change_set_type == "CREATE"
    stack.status = "CREATE_IN_PROGRESS" if creates else "UPDATE_IN_PROGRESS"
    change_set.execution_status = "EXECUTE_IN_PROGRESS"
    _event(stack, stack.name, stack.stack_id, "AWS::CloudFormation::Stack", stack.status)
    state.after(SECONDS, _finish, state, stack, change_set, creates)
    return {}


def _finish(state: State, stack: Stack, change_set: ChangeSet, creates: bool) -> None:
    before = (stack.template, dict(stack.stack_parameters), stack.tags)
    values = {**_kept(stack), **change_set.parameters} if not creates else change_set.parameters
    try:
        with acting_in(state):
            stack.resource_map.tags.update(change_set.tags or {})
            stack.resource_map.update(change_set.template_dict, values)
            wanted = change_set.template_dict["Resources"]
            made = {name: stack.resource_map[name] for name in wanted}
    except Exception as error:  # noqa: BLE001 - whatever a resource says fails the stack
        _roll_back(state, stack, change_set, creates, before, error)
        return
    _when_ready(state, stack, change_set, creates, before, made)


def _when_ready(
    state: State,
    stack: Stack,
    change_set: ChangeSet,
    creates: bool,
    before: tuple[Any, dict[str, Any], Any],
    made: dict[str, Any],
) -> None:
    """End the work once every endpoint of the stack is in service, as CloudFormation waits."""
    for name, resource in made.items():
        waits, failed = progress_of(state, resource)
        if failed:
            _roll_back(state, stack, change_set, creates, before, refused(failed), name)
            return
        if waits:
            rest = (state, stack, change_set, creates, before, made)
            state.after(SECONDS, _when_ready, *rest)
            return
    _complete(state, stack, change_set, creates, made)


def _complete(
    state: State, stack: Stack, change_set: ChangeSet, creates: bool, made: dict[str, Any]
) -> None:
    changed = {
        each["ResourceChange"]["LogicalResourceId"]: each["ResourceChange"]["Action"]
        for each in state.table(_CHANGES).get(change_set.change_set_id, ())
    }
    for name, resource in made.items():
        if resource is not None and (creates or name in changed):
            kind = change_set.template_dict["Resources"][name]["Type"]
            new = creates or changed.get(name) == "Add"
            status = "CREATE_COMPLETE" if new else "UPDATE_COMPLETE"
            _event(stack, name, str(getattr(resource, "physical_resource_id", "")), kind, status)
    stack.template = change_set.template
    stack._parse_template()
    stack.parameters = {k: str(v) for k, v in stack.stack_parameters.items()}
    if change_set.tags:
        stack.tags = change_set.tags
    stack.output_map = stack._create_output_map()
    stack.status = "CREATE_COMPLETE" if creates else "UPDATE_COMPLETE"
    change_set.execution_status = "EXECUTE_COMPLETE"
    backend(state).change_sets.pop(change_set.change_set_id, None)
    _event(stack, stack.name, stack.stack_id, "AWS::CloudFormation::Stack", stack.status)


def _roll_back(
    state: State,
    stack: Stack,
    change_set: ChangeSet,
    creates: bool,
    before: tuple[Any, dict[str, Any], Any],
    error: Exception,
    at: str = "",
) -> None:
    reason = getattr(error, "message", "") or str(error)
    name = at or _culprit(stack, change_set)
    kind = change_set.template_dict["Resources"][name]["Type"]
    word = "CREATE" if creates else "UPDATE"
    _event(stack, name, "", kind, f"{word}_FAILED", reason)
    going_back = "ROLLBACK" if creates else "UPDATE_ROLLBACK"
    because = f"The following resource(s) failed to {word.lower()}: [{name}]."
    stack_type = "AWS::CloudFormation::Stack"
    _event(stack, stack.name, stack.stack_id, stack_type, f"{going_back}_IN_PROGRESS", because)
    template, values, tags = before
    with acting_in(state):
        if creates:
            stack.resource_map._resource_json_map = change_set.template_dict["Resources"]
            stack.resource_map.delete()
            stack.resource_map._resource_json_map = {}  # or a listing would make them anew
        else:
            stack.template, stack.tags = template, tags
            stack._parse_template()
            stack.resource_map.update(stack.template_dict, values)
    change_set.execution_status = "EXECUTE_FAILED"
    stack.status = f"{going_back}_COMPLETE"
    _event(stack, stack.name, stack.stack_id, stack_type, stack.status)


def _culprit(stack: Stack, change_set: ChangeSet) -> str:
    """The resource that could not be made: the first that is wanted and not there."""
    resources = change_set.template_dict["Resources"]
    conditions = stack.resource_map.lazy_condition_map
    for name, each in resources.items():
        wanted = "Condition" not in each or conditions[each["Condition"]]
        if wanted and name not in stack.resource_map._parsed_resources:
            return str(name)
    return str(next(iter(resources)))


def _event(
    stack: Stack, name: str, physical: str, kind: str, status: str, reason: str | None = None
) -> None:
    stack.events.append(
        Event(
            stack_id=stack.stack_id,
            stack_name=stack.name,
            logical_resource_id=name,
            physical_resource_id=physical,
            resource_type=kind,
            resource_status=status,
            resource_status_reason=reason,
            resource_properties=None,
        )
    )


def _stack(state: State, name: str) -> Stack | None:
    return next(
        (each for each in backend(state).stacks.values() if name in (each.name, each.stack_id)),
        None,
    )


def _told(
    state: State, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack | None
) -> list[dict[str, Any]]:
    """The changes as DescribeChangeSet tells them, with property values."""
    told = []
    for change in compared(old, new):
        action = {"add": "Add", REMOVE: "Remove"}.get(change.action, "Modify")
        only = _create_only(change.type, state.region)
        details = [
            _detail(each.path, each.before, each.after, each.path.split(".")[0] in only)
            for each in change.properties
        ]
        replaced = any(d["Target"]["RequiresRecreation"] == "Always" for d in details)
        made = stack.resource_map._parsed_resources.get(change.name) if stack else None
        resource: dict[str, Any] = {
            "Action": action,
            "LogicalResourceId": change.name,
            "ResourceType": change.type,
            "Scope": sorted({d["Target"]["Attribute"] for d in details}),
            "Details": details,
        }
        if action == "Modify":
            resource["Replacement"] = str(replaced)
        if made is not None:
            resource["PhysicalResourceId"] = str(getattr(made, "physical_resource_id", ""))
        if action == "Remove" or replaced:
            resource["PolicyAction"] = _policy(old[change.name], action)
        told.append({"Type": "Resource", "ResourceChange": resource})
    return told


def _detail(path: str, before: str | None, after: str | None, recreates: bool) -> dict[str, Any]:
    first = path.split(".")[0]
    attribute = first if first in ("Metadata", "DeletionPolicy", "UpdateReplacePolicy") else ""
    target: dict[str, Any] = {
        "Attribute": attribute or "Properties",
        "RequiresRecreation": "Always" if recreates else "Never",
        "Path": "/" + path.replace(".", "/")
        if attribute
        else "/Properties/" + path.replace(".", "/"),
        "AttributeChangeType": "Add" if before is None else "Remove" if after is None else "Modify",
    }
    if not attribute:
        target["Name"] = first
    if before is not None:
        target["BeforeValue"] = before
    if after is not None:
        target["AfterValue"] = after
    return {"Target": target, "Evaluation": "Static", "ChangeSource": "DirectModification"}


def _policy(resource: Mapping[str, Any], action: str) -> str:
    if action == "Remove":
        kept = resource.get("DeletionPolicy") == "Retain"
        return "Retain" if kept else "Delete"
    kept = resource.get("UpdateReplacePolicy") == "Retain"
    return "ReplaceAndRetain" if kept else "ReplaceAndDelete"


def _create_only(resource_type: str, region: str) -> frozenset[str]:
    """The properties whose change makes a new resource, by CloudFormation's own schema."""
    from cfnlint.schema import ResourceNotFoundError
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    try:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, resource_type).schema
    except ResourceNotFoundError:
        return frozenset()
    return frozenset(path.split("/")[2] for path in schema.get("createOnlyProperties") or ())


def as_text(template: Any) -> str:
    """A template as text, whatever moto keeps it as."""
    return template if isinstance(template, str) else json.dumps(template)
