"""Executing a plan, and deleting a stack, with every event told as it comes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.aws.account import Account
from core.aws.infra.diff import StackPlan
from core.aws.infra.errors import StackFailed, StackProtected
from core.aws.infra.place import Place
from core.aws.infra.stacks import (
    GOOD,
    STACK_TYPE,
    Event,
    Patience,
    Stack,
    Tell,
    find,
    first_failure,
    follow,
    newest_event,
)

_AFTER = {
    "ROLLBACK_COMPLETE": "what had been made was taken back; the next try deletes the rest first",
    "UPDATE_ROLLBACK_COMPLETE": "everything is as it was before",
    "ROLLBACK_FAILED": "taking back what had been made failed too",
    "UPDATE_ROLLBACK_FAILED": "going back failed too: it waits for a person",
    "DELETE_FAILED": "the rest of it is still there",
    "CREATE_FAILED": "what had been made is still there",
}


@dataclass(frozen=True, slots=True)
class Deployer:
    """Does what a plan says, and waits for the end."""

    account: Account
    place: Place
    patience: Patience

    def settle(self, stack: Stack, tell: Tell) -> Stack | None:
        """The stack once whatever goes on there has ended; None where it was deleted."""
        if not stack.busy:
            return stack
        marker = newest_event(self.account, stack.id)
        end, _ = follow(self.account, stack.id, marker, tell, self.patience, until_event=False)
        return None if end.status == "DELETE_COMPLETE" else end

    def execute(self, plan: StackPlan, tell: Tell) -> Stack:
        """Execute a plan's change set; the stack at its end. Raises `StackFailed`."""
        before = find(self.account, plan.stack)
        marker = newest_event(self.account, before.id) if before else ""
        self.account.call("cloudformation", "execute_change_set", ChangeSetName=plan.change_set)
        stack_id = before.id if before else plan.stack
        end, events = follow(self.account, stack_id, marker, tell, self.patience)
        if end.status not in GOOD:
            raise failed(end, events)
        return self.protect(end)

    def protect(self, stack: Stack) -> Stack:
        """Protect a stack of production against deletion, if it is not yet."""
        if not self.place.protected or stack.protected:
            return stack
        self._protection(stack.name, on=True)
        return replace(stack, protected=True)

    def delete(
        self, stack: Stack, tell: Tell, *, unprotect: bool = False, creation_failed: bool = False
    ) -> None:
        """Delete a stack and wait for it. Raises `StackProtected`, `StackFailed`."""
        if stack.protected and not (unprotect or creation_failed):
            raise StackProtected(
                f"{stack.name}: is protected against deletion", "add --unprotect to end that"
            )
        if stack.protected:
            self._protection(stack.name, on=False)
        marker = newest_event(self.account, stack.id)
        self.account.call("cloudformation", "delete_stack", StackName=stack.name)
        end, events = follow(self.account, stack.id, marker, tell, self.patience)
        if end.status != "DELETE_COMPLETE":
            raise failed(end, events)

    def _protection(self, name: str, *, on: bool) -> None:
        self.account.call(
            "cloudformation",
            "update_termination_protection",
            StackName=name,
            EnableTerminationProtection=on,
        )


def failed(stack: Stack, events: list[Event]) -> StackFailed:
    """The error of a stack that ended badly: the first resource that failed, and its reason."""
    first = first_failure(events)
    if first is not None and first.type != STACK_TYPE:
        what = f"{first.name} ({first.type}) {first.status}: {first.reason or 'no reason told'}"
    else:
        what = (first.reason if first else "") or stack.reason or "no reason told"
    return StackFailed(
        f"{stack.name}: {what}; now {stack.status}", _AFTER.get(stack.status, "look at its events")
    )
