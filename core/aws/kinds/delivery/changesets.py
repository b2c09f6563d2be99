"""Change sets of a stack as a readable diff: what is added, changed, replaced, lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from core.aws.infra.diff import Change, read_changes
from core.aws.infra.resolve import Resolver
from core.aws.infra.template import parse
from core.aws.kind import Line

if TYPE_CHECKING:
    from core.aws.account import Account

SERVICE = "cloudformation"
MARKS = {
    "add": ("+", "ok"), "change": ("~", "run"), "replace": ("±", "bad"),
    "perhaps replace": ("±", "wait"), "remove": ("-", "bad"), "import": ("<", "run"),
}  # fmt: skip


def summaries(account: Account, stack: str) -> list[Mapping[str, Any]]:
    """The change sets of a stack that have not been executed."""
    return [
        each
        for page in account.pages(SERVICE, "list_change_sets", StackName=stack)
        for each in page.get("Summaries", ())
        if each.get("ExecutionStatus") != "EXECUTE_COMPLETE"
    ]


def changes(account: Account, stack: str, name: str) -> tuple[Change, ...]:
    """What a change set would do, with the values before and after."""
    raw: list[Mapping[str, Any]] = []
    for page in account.pages(
        SERVICE, "describe_change_set", StackName=stack, ChangeSetName=name,
        IncludePropertyValues=True,
    ):  # fmt: skip
        raw += page.get("Changes") or ()
    told = account.call(SERVICE, "describe_change_set", StackName=stack, ChangeSetName=name)
    after = _resources(account, stack, told.get("Parameters") or (), name)
    current = account.call(SERVICE, "describe_stacks", StackName=stack)["Stacks"][0]
    before: dict[str, Any] = {}
    if current["StackStatus"] != "REVIEW_IN_PROGRESS":
        before = _resources(account, stack, current.get("Parameters") or (), "")
    return read_changes(raw, before, after)


def _resources(
    account: Account, stack: str, parameters: Iterable[Mapping[str, Any]], change_set: str
) -> dict[str, Any]:
    of = {"ChangeSetName": change_set} if change_set else {}
    body = account.call(SERVICE, "get_template", StackName=stack, **of)["TemplateBody"]
    content = parse(body) if isinstance(body, str) else body
    defaults = {
        name: str(each["Default"])
        for name, each in (content.get("Parameters") or {}).items()
        if "Default" in each
    }
    given = {
        each["ParameterKey"]: str(each.get("ResolvedValue") or each.get("ParameterValue", ""))
        for each in parameters
    }
    pseudo = {"AWS::AccountId": account.account_id, "AWS::Region": account.region}
    return Resolver(content, {**defaults, **pseudo, "AWS::StackName": stack, **given}).resources()


def lines(found: Iterable[Change]) -> tuple[Line, ...]:
    """A diff: a line a resource, and below it a line a property."""
    told: list[Line] = []
    for each in found:
        mark, shade = MARKS[each.action]
        lost = f"  LOSES {each.loses}" if each.loses else "  (stays, without a stack)" * each.kept
        told.append((f"{mark} {each.name}", f"{each.action} {each.type}{lost}", shade))
        told += [
            ("", f"  {prop.path}: {_value(prop.before)} → {_value(prop.after)}{_again(prop)}")
            for prop in each.properties
        ]
    return tuple(told) or ("nothing changes",)


def _value(value: str | None) -> str:
    return "–" if value is None else value


def _again(prop: Any) -> str:
    words = {"Always": "  (replaces it)", "Conditionally": "  (may replace it)"}
    return words.get(prop.recreation, "")


def text(found: Iterable[Change]) -> tuple[str, ...]:
    """The diff as plain lines."""
    return tuple(
        line if isinstance(line, str) else f"{line[0]}  {line[1]}".strip() if line[0]
        else f"  {line[1]}"
        for line in lines(found)
    )  # fmt: skip
