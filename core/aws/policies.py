"""IAM policies of what the console does, from the kinds themselves: they cannot fall behind.

A role reads every kind and may do some verbs:

- *reader*: none;
- *reviewer*: decide (`approve`, `reject`);
- *oncall*: go back to a known good state, stop what runs, and decide;
- *engineer*: everything that does not ask for the name typed out;
- *operator*: everything.

Verbs of the simulated account alone are in no policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from core.aws.kind import Kind, Verb
from core.errors import BadInput

DECIDING = frozenset({"approve", "reject"})
STOPPING = frozenset({"stop", "cancel", "abort", "disable"})
ROLES: dict[str, Callable[[Verb], bool]] = {
    "reader": lambda verb: False,
    "reviewer": lambda verb: verb.name in DECIDING,
    "oncall": lambda verb: verb.back or verb.name in DECIDING | STOPPING,
    "engineer": lambda verb: not verb.typed,
    "operator": lambda verb: True,
}
"""Which verbs a role may do."""

ALWAYS = ("sts:GetCallerIdentity",)
"""What is asked before anything else."""


def actions(kinds: Iterable[Kind], role: str) -> tuple[str, ...]:
    """The IAM actions of a role over some kinds, in order; raises `BadInput` for no such role."""
    may = ROLES.get(role)
    if may is None:
        raise BadInput(f"--role {role}: no such role", f"one of {', '.join(ROLES)}")
    found = set(ALWAYS)
    for kind in kinds:
        found.update(kind.operations)
        for verb in (*kind.verbs, *kind.create):
            if may(verb) and not verb.simulated_only:
                found.update(verb.operations)
    return tuple(sorted(found))


def policy(kinds: Iterable[Kind], role: str, region: str = "*") -> dict[str, Any]:
    """The policy document of a role: one statement a service, as AWS wants it.

    Reads of lists have no resource to name at AWS, so `Resource` is `*`, held to the region by
    its condition where one is given; writes can be narrowed further by the account's owner.
    """
    by_service: dict[str, list[str]] = {}
    for action in actions(kinds, role):
        by_service.setdefault(action.partition(":")[0], []).append(action)
    condition = {"StringEquals": {"aws:RequestedRegion": region}} if region != "*" else None
    statements = []
    for service, names in by_service.items():
        statement: dict[str, Any] = {
            "Sid": "".join(part.capitalize() for part in service.split("-")),
            "Effect": "Allow",
            "Action": names,
            "Resource": "*",
        }
        if condition and service not in GLOBAL:
            statement["Condition"] = condition
        statements.append(statement)
    return {"Version": "2012-10-17", "Statement": statements}


GLOBAL = frozenset({"sts", "iam", "ce", "pricing", "s3"})
"""Services that answer from another region than the one that is looked at."""


def table(kinds: Iterable[Kind]) -> list[str]:
    """What each kind calls, as lines of Markdown: a row a kind."""
    lines = ["| kind | reads | verb: writes |", "|---|---|---|"]
    for kind in kinds:
        reads = ", ".join(f"`{each}`" for each in kind.operations)
        done = "; ".join(
            f"{verb.name}: " + ", ".join(f"`{each}`" for each in verb.operations)
            for verb in (*kind.verbs, *kind.create)
            if verb.operations
        )
        lines.append(f"| `{kind.name}` | {reads} | {done or '–'} |")
    return lines
