"""The kind `codedeploy`: deployments with their targets' lifecycle events; stopped, gone on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.kind import Column, Detail, Field, Item, Kind, Line, Section, Verb
from core.aws.kinds.shared import found, lasted, only_in, yes
from core.aws.partial import section
from core.aws.words import clock, epoch, last_of, short, tone

if TYPE_CHECKING:
    from core.aws.account import Account

AT_ONCE = 25
"""The most that BatchGetDeployments and BatchGetDeploymentTargets take."""
MOST_TARGETS = 50
_COUNTS = ("Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Ready")
_TARGETS = ("instanceTarget", "lambdaTarget", "ecsTarget", "cloudFormationTarget")


def _listed(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in account.pages("codedeploy", "list_deployments"):
        ids = list(page.get("deployments", ()))
        for first in range(0, len(ids), AT_ONCE):
            part = ids[first : first + AT_ONCE]
            told = account.call("codedeploy", "batch_get_deployments", deploymentIds=part)
            items = [_item(each) for each in told.get("deploymentsInfo", ())]
            yield tuple(sorted(items, key=lambda item: item.changed or 0.0, reverse=True))


def revision(told: Mapping[str, Any]) -> str:
    """What is deployed: an object in S3, a commit at GitHub, or a text."""
    s3, github = told.get("s3Location"), told.get("gitHubLocation")
    if s3:
        version = f" version {s3['version']}" if s3.get("version") else ""
        return f"s3://{s3.get('bucket', '')}/{s3.get('key', '')}{version}"
    if github:
        return f"{github.get('repository', '')} {github.get('commitId', '')[:8]}"
    content = told.get("appSpecContent") or told.get("string") or {}
    return f"appspec {content.get('sha256', '')[:8]}".strip() if content else ""


def _briefly(told: Mapping[str, Any]) -> str:
    """What is deployed, for a list: of an object in S3 its key, since the bucket is the same."""
    return str((told.get("s3Location") or {}).get("key") or revision(told))


def _item(told: Mapping[str, Any]) -> Item:
    status = told.get("status", "")
    return Item(
        id=told["deploymentId"],
        cells=(
            told["deploymentId"],
            status,
            f"{told.get('applicationName', '')}/{told.get('deploymentGroupName', '')}",
            _briefly(told.get("revision") or {}),
            short((told.get("errorInformation") or {}).get("message", "")),
        ),
        tone=tone(status),
        changed=epoch(told.get("createTime")),
        raw={**told, "state": status},
    )


def _one(account: Account, id: str) -> Mapping[str, Any]:
    told: Mapping[str, Any] = account.call("codedeploy", "get_deployment", deploymentId=id)
    return dict(told["deploymentInfo"])


def _shown(account: Account, id: str) -> Detail:
    told = _one(account, id)
    item = _item(told)
    error = told.get("errorInformation") or {}
    counts = told.get("deploymentOverview") or {}
    standing = ", ".join(f"{counts[key]} {key}" for key in _COUNTS if counts.get(key))
    about = Section(
        "Deployment",
        (
            ("status", told.get("status", ""), item.tone),
            *((("why", f"{error.get('code', '')}: {error.get('message', '')}", "bad"),)
              if error else ()),
            ("application", told.get("applicationName", "")),
            ("group", told.get("deploymentGroupName", "")),
            ("deploys", revision(told.get("revision") or {})),
            *found("before", revision(told.get("previousRevision") or {})),
            *found("how", told.get("deploymentConfigName")),
            *found("about", told.get("description")),
            ("made", f"{clock(told.get('createTime'))} {told.get('creator', '')}".strip()),
            ("duration", lasted(told.get("startTime") or told.get("createTime"),
                                told.get("completeTime"), time.time())),
            *found("targets", standing),
        ),
    )  # fmt: skip
    sections = (
        about,
        Section("Going back", _back(told)),
        section("Targets", lambda: _targets(account, id)),
    )
    return Detail(id, item.tone, sections, item=item, raw=told)


def _back(told: Mapping[str, Any]) -> tuple[Line, ...]:
    automatic = told.get("autoRollbackConfiguration") or {}
    done = told.get("rollbackInfo") or {}
    on = ", ".join(automatic.get("events", ())) if automatic.get("enabled") else ""
    return (
        ("by itself on", on.lower().replace("_", " ") or "nothing"),
        *found("rolled back by", done.get("rollbackDeploymentId")),
        *found("rolls back", done.get("rollbackTriggeringDeploymentId")),
        *found("", done.get("rollbackMessage")),
    )


def _targets(account: Account, id: str) -> Section:
    ids: list[str] = []
    for page in account.pages("codedeploy", "list_deployment_targets", deploymentId=id):
        ids += page.get("targetIds", ())
        if len(ids) >= MOST_TARGETS:
            break
    lines: list[Line] = []
    for first in range(0, min(len(ids), MOST_TARGETS), AT_ONCE):
        part = ids[first : first + AT_ONCE]
        told = account.call(
            "codedeploy", "batch_get_deployment_targets", deploymentId=id, targetIds=part
        )
        for each in told.get("deploymentTargets", ()):
            lines += _target(each)
    return Section("Targets", tuple(lines) or ("none yet",))


def _target(told: Mapping[str, Any]) -> list[Line]:
    """A target with its lifecycle events."""
    target: Mapping[str, Any] = next((told[key] for key in _TARGETS if told.get(key)), {})
    status = target.get("status", "")
    lines: list[Line] = [(last_of(target.get("targetId", "")), status, tone(status))]
    for event in target.get("lifecycleEvents", ()):
        state = event.get("status", "")
        why = (event.get("diagnostics") or {}).get("message", "")
        why = "" if why == state else why
        took = lasted(event.get("startTime"), event.get("endTime"))
        told_line = "  ".join(part for part in (state, took, short(why, 160)) if part)
        shade = "dim" if state == "Pending" else tone(state)
        lines.append((f"  {event.get('lifecycleEventName', '')}", told_line, shade))
    return lines


def _stop(account: Account, id: str, values: Mapping[str, str]) -> str:
    told = account.call(
        "codedeploy", "stop_deployment", deploymentId=id,
        autoRollbackEnabled=yes(values, "rollback"),
    )  # fmt: skip
    return f"{id}: {told.get('statusMessage') or told.get('status', 'stopping')}"


def _stop_consequence(account: Account, id: str, values: Mapping[str, str]) -> tuple[str, ...]:
    told = _one(account, id)
    back = revision(told.get("previousRevision") or {})
    if yes(values, "rollback"):
        then = f"then deploys {back or 'what was there before'} again"
    else:
        then = "targets that have the new revision keep it"
    return (f"stops the deployment of {revision(told.get('revision') or {})}", then)


def _go_on(account: Account, id: str, _values: Mapping[str, str]) -> str:
    account.call(
        "codedeploy", "continue_deployment", deploymentId=id, deploymentWaitType="READY_WAIT"
    )
    return f"{id}: traffic moves to the new targets"


def _again(account: Account, id: str, _values: Mapping[str, str]) -> str:
    told = _one(account, id)
    made = account.call(
        "codedeploy", "create_deployment", applicationName=told["applicationName"],
        deploymentGroupName=told["deploymentGroupName"], revision=told["revision"],
        description=f"the revision of {id} again",
    )["deploymentId"]  # fmt: skip
    return f"{id}: its revision is deployed again by {made}"


STOP = Verb(
    name="stop",
    key="x",
    label="Stop",
    help="stop the deployment, and go back",
    operations=("codedeploy:StopDeployment",),
    do=_stop,
    consequence=_stop_consequence,
    fields=(Field("rollback", "deploy the revision before again", "yes", choices=("yes", "no")),),
    dangerous=True,
    blocked=only_in("Created", "Queued", "InProgress", "Baking", "Ready"),
)
GO_ON = Verb(
    name="continue",
    key="u",
    label="Go on",
    help="move traffic to the targets that are ready",
    operations=("codedeploy:ContinueDeployment",),
    do=_go_on,
    consequence=lambda account, id, _values: (
        f"traffic moves to {revision(_one(account, id).get('revision') or {})} now",
    ),
    blocked=only_in("Ready"),
)
AGAIN = Verb(
    name="redeploy",
    key="s",
    label="Deploy again",
    help="deploy this revision again, to go back to it or to try anew",
    operations=("codedeploy:CreateDeployment",),
    do=_again,
    consequence=lambda account, id, _values: (
        f"deploys {revision(_one(account, id).get('revision') or {})} again to the same group",
    ),
    blocked=only_in("Succeeded", "Failed", "Stopped"),
)
KIND = Kind(
    name="codedeploy",
    title="CodeDeploy",
    service="codedeploy",
    about="deployments to instances, functions and services",
    columns=(
        Column("DEPLOYMENT", 12),
        Column("STATUS", 11),
        Column("TO", 16, grow=2),
        Column("REVISION", 16, grow=3, drop=1),
        Column("WHY", 10, grow=2, drop=2),
    ),
    list=_listed,
    show=_shown,
    operations=(
        "codedeploy:ListDeployments",
        "codedeploy:BatchGetDeployments",
        "codedeploy:GetDeployment",
        "codedeploy:ListDeploymentTargets",
        "codedeploy:BatchGetDeploymentTargets",
    ),
    verbs=(STOP, GO_ON, AGAIN),
)
