"""The kind `stacks`: CloudFormation's, with resources, events, outputs, drift and change sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from core.aws.errors import ResourceNotFound
from core.aws.kind import Column, Detail, Item, Kind, Line, Section
from core.aws.kinds.delivery import changesets
from core.aws.kinds.delivery.stackverbs import NEW, VERBS
from core.aws.kinds.shared import found
from core.aws.partial import section, tried
from core.aws.words import clock, epoch, last_of, short, tone

if TYPE_CHECKING:
    from core.aws.account import Account

SERVICE = "cloudformation"
MOST_EVENTS = 25
MOST_RESOURCES = 200


def _listed(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in account.pages(SERVICE, "describe_stacks"):
        yield tuple(
            _item(each)
            for each in page.get("Stacks", ())
            if each.get("StackStatus") != "DELETE_COMPLETE"
        )


def _drift(told: Mapping[str, Any]) -> str:
    status = (told.get("DriftInformation") or {}).get("StackDriftStatus", "NOT_CHECKED")
    return "" if status == "NOT_CHECKED" else str(status).lower().replace("_", " ")


def _item(told: Mapping[str, Any]) -> Item:
    status = told["StackStatus"]
    shade = tone(status)
    drifted = _drift(told)
    return Item(
        id=told["StackName"],
        cells=(
            told["StackName"],
            status,
            drifted,
            "protected" if told.get("EnableTerminationProtection") else "",
            short(told.get("StackStatusReason") or told.get("Description") or ""),
        ),
        tone="wait" if shade == "ok" and drifted == "drifted" else shade,
        changed=epoch(told.get("LastUpdatedTime") or told.get("CreationTime")),
        raw={**told, "state": status},
    )


def _shown(account: Account, name: str) -> Detail:
    several = account.call(SERVICE, "describe_stacks", StackName=name).get("Stacks", ())
    if not several:
        raise ResourceNotFound(f"there is no stack {name}")
    told = several[0]
    item = _item(told)
    looked = (told.get("DriftInformation") or {}).get("LastCheckTimestamp")
    about = Section(
        "Stack",
        (
            ("status", told["StackStatus"], item.tone),
            *found("why", told.get("StackStatusReason")),
            *found("about", told.get("Description")),
            ("drift", f"{_drift(told) or 'not looked for'} {clock(looked)}".strip()),
            ("protected", "yes: it can't be deleted" if item.cells[3] else "no"),
            ("made", clock(told.get("CreationTime"))),
            *found("changed", clock(told.get("LastUpdatedTime"))),
            *found("role", last_of(told.get("RoleARN") or "")),
            *found("part of", last_of(told.get("RootId") or "")),
        ),
    )
    sections = [
        about,
        section("Change sets", lambda: _change_sets(account, name)),
        section("Resources", lambda: _resources(account, name)),
    ]
    outputs = tuple((each["OutputKey"], each["OutputValue"]) for each in told.get("Outputs") or ())
    given = tuple(
        (each["ParameterKey"], str(each.get("ResolvedValue") or each.get("ParameterValue", "")))
        for each in told.get("Parameters") or ()
    )
    tags = tuple((each["Key"], each["Value"]) for each in told.get("Tags") or ())
    for title, lines in (("Outputs", outputs), ("Parameters", given), ("Tags", tags)):
        if lines:
            sections.append(Section(title, lines))
    sections.append(section("Events, newest first", lambda: _events(account, name)))
    return Detail(name, item.tone, tuple(sections), item=item, raw=told)


def _change_sets(account: Account, name: str) -> Section:
    """Each change set that waits, as a diff."""
    lines: list[Line] = []
    for each in changesets.summaries(account, name):
        state = f"{each.get('Status', '')}, {each.get('ExecutionStatus', '').lower()}"
        about = f"{state}  {clock(each.get('CreationTime'))}  {each.get('Description', '')}"
        lines.append((each["ChangeSetName"], about.rstrip(), tone(each.get("Status", ""))))
        nothing: tuple[Any, ...] = ()
        diff, why = tried(lambda: changesets.changes(account, name, each["ChangeSetName"]), nothing)  # noqa: B023 - called at once
        lines += (("", why, "bad"),) if why else changesets.lines(diff)
        if each.get("StatusReason"):
            lines.append(("", short(each["StatusReason"], 200)))
    return Section("Change sets", tuple(lines) or ("none waits",))


def _resources(account: Account, name: str) -> Section:
    pages = account.pages(SERVICE, "list_stack_resources", StackName=name)
    resources = (each for page in pages for each in page.get("StackResourceSummaries", ()))
    lines: list[Line] = []
    for each in islice(resources, MOST_RESOURCES):
        drift = (each.get("DriftInformation") or {}).get("StackResourceDriftStatus", "")
        parts = (
            each["ResourceType"],
            last_of(each.get("PhysicalResourceId") or ""),
            each["ResourceStatus"],
            drift.lower() if drift in ("MODIFIED", "DELETED") else "",
            short(each.get("ResourceStatusReason") or "", 120),
        )
        shade = "wait" if parts[3] else tone(each["ResourceStatus"])
        text = "  ".join(part for part in parts if part)
        lines.append((each["LogicalResourceId"], text, shade))
    return Section(f"Resources ({len(lines)})", tuple(lines) or ("none",))


def _events(account: Account, name: str) -> Section:
    page = next(account.pages(SERVICE, "describe_stack_events", StackName=name))
    lines: list[Line] = []
    for each in page.get("StackEvents", ())[:MOST_EVENTS]:
        status = each.get("ResourceStatus", "")
        parts = (status, each.get("LogicalResourceId", ""),
                 short(each.get("ResourceStatusReason") or "", 160))  # fmt: skip
        text = "  ".join(part for part in parts if part)
        lines.append((clock(each.get("Timestamp")), text, tone(status) if "FAIL" in status else ""))
    return Section("Events, newest first", tuple(lines) or ("none",))


KIND = Kind(
    name="stacks",
    title="Stacks",
    service="cloudformation",
    about="stacks of CloudFormation: what they hold, what changed, what drifted",
    columns=(
        Column("STACK", 22, grow=2),
        Column("STATUS", 18, grow=1),
        Column("DRIFT", 8, drop=1),
        Column("", 9, drop=3),
        Column("WHY", 12, grow=3, drop=2),
    ),
    list=_listed,
    show=_shown,
    operations=(
        "cloudformation:DescribeStacks",
        "cloudformation:ListStackResources",
        "cloudformation:DescribeStackEvents",
        "cloudformation:ListChangeSets",
        "cloudformation:DescribeChangeSet",
        "cloudformation:GetTemplate",
    ),
    verbs=VERBS,
    create=(NEW,),
    every=10.0,
)
