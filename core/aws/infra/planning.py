"""Making a plan: a change set where one may be made, else the two templates side by side."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.aws.account import Account
from core.aws.errors import AwsError, Conflict, ResourceNotFound
from core.aws.infra.diff import StackPlan, compared, parameters_compared, read_changes
from core.aws.infra.errors import PlanRefused, StackStuck
from core.aws.infra.place import Place
from core.aws.infra.resolve import Resolver
from core.aws.infra.stacks import FAILED_FIRST, USABLE, Patience, Stack, find
from core.aws.infra.template import Template, parse
from core.aws.infra.values import Values, comparable

_NOTHING = ("didn't contain changes", "no updates are to be performed", "no changes")
READ_ONLY = "read-only: the templates were compared; what would be replaced only a change set says"


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans one stack at a time. Leaves nothing behind but the change set in the plan."""

    account: Account
    place: Place
    owner: str
    patience: Patience

    def plan(self, template: Template, values: Values, stack: Stack | None) -> StackPlan:
        """What deploying the layer would do to `stack` (None where there is none).

        The plan holds a change set to be executed or discarded, unless the account is
        read-only, an earlier layer is missing, or a failed creation is in the way: then the
        templates say what would be done. Raises `PlanRefused`, `StackStuck`.
        """
        if stack is not None and stack.status not in USABLE | FAILED_FIRST and not stack.empty:
            raise stuck(stack)
        exists = stack is not None and stack.status in USABLE
        before = self._present(stack) if exists and stack is not None else {}
        after = Resolver(template.content, comparable(values.known, self.place)).resources()
        plan = StackPlan(
            stack=self.place.stack(template.layer),
            layer=template.layer,
            kind="update" if exists else "create",
            parameters=self._parameters(template, values, stack) if exists else (),
            changes=compared(before, after),
            exact=False,
        )
        if stack is not None and stack.status in FAILED_FIRST:
            why = f"its first creation failed ({stack.status}): what is left is deleted first"
            return replace(plan, kind="recreate", notes=(why,))
        if values.waits:
            why = f"after {', '.join(values.waits)}, whose outputs it takes"
            return replace(plan, notes=(why,))
        if self.account.read_only:
            kind = plan.kind if plan.changes or plan.parameters or not exists else "none"
            return replace(plan, kind=kind, notes=(READ_ONLY,))
        return self._asked(template, values, plan, stack, before, after)

    def discard(self, plan: StackPlan) -> None:
        """Take away a plan's change set, and the empty stack that it was made for."""
        if not plan.change_set:
            return
        made = plan.kind == "create" and bool(plan.request.get("made"))
        self._gone(plan.change_set, plan.stack, made)

    def _asked(
        self,
        template: Template,
        values: Values,
        plan: StackPlan,
        stack: Stack | None,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
    ) -> StackPlan:
        tags = self.place.tags(self.owner)
        if stack is not None and stack.tags.get("owner"):
            tags["owner"] = stack.tags["owner"]
        made = stack is None
        request: dict[str, Any] = {
            "StackName": plan.stack,
            "ChangeSetName": f"opsdeck-{uuid.uuid4().hex[:12]}",
            "ChangeSetType": "UPDATE" if plan.kind == "update" else "CREATE",
            "TemplateBody": template.body,
            "Parameters": list(values.request),
            "Capabilities": template.capabilities,
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        }
        change_set = ""
        try:
            change_set = self.account.call("cloudformation", "create_change_set", **request)["Id"]
            status, reason = self._ready(change_set, plan.stack)
            if status == "FAILED":
                self._gone(change_set, plan.stack, made)
                if _nothing(reason):
                    return replace(plan, kind="none", changes=(), exact=True)
                raise PlanRefused(f"{plan.stack}: {reason}", "nothing was changed")
            raw = self._changes(change_set)
        except AwsError as error:
            if change_set:
                self._gone(change_set, plan.stack, made)
            if _nothing(error.message):
                return replace(plan, kind="none", changes=(), exact=True)
            if error.aws_code != "ValidationError":
                raise
            raise PlanRefused(f"{plan.stack}: {error.message}", "nothing was changed") from error
        except BaseException:
            if change_set:
                self._gone(change_set, plan.stack, made)
            raise
        return replace(
            plan,
            changes=read_changes(raw, before, after),
            exact=True,
            change_set=change_set,
            request={"made": made, "parameters": list(values.request)},
        )

    def _gone(self, change_set: str, stack: str, made: bool) -> None:
        try:
            self.account.call("cloudformation", "delete_change_set", ChangeSetName=change_set)
        except (ResourceNotFound, Conflict):
            return  # it was executed meanwhile: CloudFormation takes it away by itself
        if made:
            self._remove_empty(stack)

    def _remove_empty(self, name: str) -> None:
        left = find(self.account, name)
        if left is not None and left.empty:
            self.account.call("cloudformation", "delete_stack", StackName=name)

    def _ready(self, change_set: str, stack: str) -> tuple[str, str]:
        for _ in self.patience.turns(f"the change set of {stack}"):
            told = self.account.call(
                "cloudformation", "describe_change_set", ChangeSetName=change_set
            )
            status = told.get("Status", "")
            if status not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
                return status, told.get("StatusReason") or ""
        raise AssertionError("patience has no end of its own")

    def _changes(self, change_set: str) -> list[Mapping[str, Any]]:
        return [
            each
            for page in self.account.pages(
                "cloudformation",
                "describe_change_set",
                ChangeSetName=change_set,
                IncludePropertyValues=True,
            )
            for each in page.get("Changes") or ()
        ]

    def _present(self, stack: Stack) -> dict[str, dict[str, Any]]:
        """The resources of the template that the stack has, with its values put in."""
        body = self.account.call("cloudformation", "get_template", StackName=stack.name)[
            "TemplateBody"
        ]
        content = parse(body) if isinstance(body, str) else body
        defaults = {
            name: str(each["Default"])
            for name, each in (content.get("Parameters") or {}).items()
            if "Default" in each
        }
        values = comparable(defaults | dict(stack.parameters), self.place)
        return Resolver(content, values).resources()

    def _parameters(self, template: Template, values: Values, stack: Stack | None) -> Any:
        had = dict(stack.parameters) if stack is not None else {}
        secret = [name for name, each in template.parameters.items() if each.secret]
        return parameters_compared(had, values.known, secret)


def stuck(stack: Stack) -> StackStuck:
    """The error of a stack that only a person can bring on."""
    hint = "look at its events; opsdeck cannot bring it on"
    if stack.status in ("UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED"):
        hint = f"aws cloudformation continue-update-rollback --stack-name {stack.name}"
    if stack.status == "DELETE_FAILED":
        hint = "destroy it again; what could not be deleted is named in its events"
    reason = f": {stack.reason}" if stack.reason else ""
    return StackStuck(f"{stack.name}: is {stack.status}{reason}", hint)


def _nothing(reason: str) -> bool:
    return any(words in reason.lower() for words in _NOTHING)
