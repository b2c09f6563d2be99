"""Stacks: making, changing and deleting one at once, and protection against deletion."""

from __future__ import annotations

from typing import Any

from moto.cloudformation.models import Stack

from core.simulated.faults import Fault
from core.simulated.handlers.cloudformation.changesets import _event, _stack, backend, refused
from core.simulated.handlers.cloudformation.resources import acting_in
from core.simulated.registry import operation
from core.simulated.state import Call, State


@operation("cloudformation", "CreateStack", "UpdateStack")
def make(state: State, call: Call) -> dict[str, Any]:
    """As moto does it: at once. Resources are made in this account."""
    with acting_in(state):
        return call.moto()


@operation("cloudformation", "DeleteStack")
def delete(state: State, call: Call) -> dict[str, Any]:
    """Delete a stack at once; a bucket with objects fails it, protection refuses it."""
    stack = _stack(state, call.params["StackName"])
    if stack is None:
        return {}
    if stack.enable_termination_protection:
        raise refused(
            f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
        )
    full = _full_bucket(state, stack)
    if full is not None:
        stack.status = "DELETE_FAILED"
        reason = "The bucket you tried to delete is not empty. You must delete all versions."
        _event(stack, full[0], full[1], "AWS::S3::Bucket", "DELETE_FAILED", reason)
        _event(stack, stack.name, stack.stack_id, "AWS::CloudFormation::Stack", "DELETE_FAILED")
        return {}
    try:
        with acting_in(state):
            backend(state).delete_stack(stack.stack_id)
    except Exception as error:  # noqa: BLE001 - whatever a resource says fails the deletion
        backend(state).stacks[stack.stack_id] = stack
        stack.status = "DELETE_FAILED"
        reason = getattr(error, "message", "") or str(error)
        own = "AWS::CloudFormation::Stack"
        _event(stack, stack.name, stack.stack_id, own, "DELETE_FAILED", reason)
    return {}


@operation("cloudformation", "UpdateTerminationProtection")
def protect(state: State, call: Call) -> dict[str, Any]:
    """Protect a stack against deletion, or end that."""
    stack = _stack(state, call.params["StackName"])
    if stack is None:
        raise refused(f"Stack [{call.params['StackName']}] does not exist")
    stack.enable_termination_protection = bool(call.params["EnableTerminationProtection"])
    return {"StackId": stack.stack_id}


def _full_bucket(state: State, stack: Stack) -> tuple[str, str] | None:
    for name, each in stack.template_dict.get("Resources", {}).items():
        if each.get("Type") != "AWS::S3::Bucket" or each.get("DeletionPolicy") == "Retain":
            continue
        bucket = stack.resource_map._parsed_resources.get(name)
        if bucket is None:
            continue
        try:
            found = state.call("s3", "ListObjectVersions", Bucket=bucket.physical_resource_id)
        except Fault:
            continue  # it was deleted by hand
        if found.get("Versions") or found.get("DeleteMarkers"):
            return name, bucket.physical_resource_id
    return None
