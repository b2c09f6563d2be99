"""What is done to a stack: changes planned, executed or thrown away, drift looked for, deletion."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.aws.errors import BadRequest
from core.aws.infra.destroying import holdings, refuse_full
from core.aws.infra.drifting import StackDrift, drift_of
from core.aws.infra.stacks import Patience, find
from core.aws.infra.template import parse
from core.aws.kind import Field, Item, Verb
from core.aws.kinds.delivery import changesets
from core.aws.kinds.shared import needed, only_in, pairs
from core.aws.words import clock
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

SERVICE = changesets.SERVICE
WAIT = Patience(every=0.5, timeout=60.0)
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
WHOLE = (
    "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
)  # fmt: skip
_NOTHING = ("didn't contain changes", "no updates are to be performed")


def _template(values: Mapping[str, str]) -> str:
    path = Path(needed(values, "template")).expanduser()
    try:
        body = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"template={path}: can't be read: {error}") from error
    if not isinstance(parse(body), dict):
        raise BadInput(f"template={path}: is no template of CloudFormation")
    return body


def _parameters(body: str, values: Mapping[str, str], had: bool) -> list[dict[str, Any]]:
    """Those of the template: given, else what the stack has, else the template's default."""
    given = pairs(values, "parameters")
    declared = parse(body).get("Parameters") or {}
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise BadInput(f"parameters: {unknown[0]} is none of the template's", ", ".join(declared))
    sent: list[dict[str, Any]] = [
        {"ParameterKey": key, "ParameterValue": value} for key, value in given.items()
    ]
    return sent + [
        {"ParameterKey": key, "UsePreviousValue": True}
        for key, each in declared.items()
        if had and key not in given and "Default" not in each
    ]


def _plan(account: Account, stack: str, values: Mapping[str, str], kind: str) -> str:
    """Make a change set and tell what it would do."""
    body = _template(values)
    name = f"opsdeck-{uuid.uuid4().hex[:12]}"
    account.call(
        SERVICE, "create_change_set", StackName=stack, ChangeSetName=name, ChangeSetType=kind,
        TemplateBody=body, Parameters=_parameters(body, values, kind == "UPDATE"),
        Capabilities=CAPABILITIES,
    )  # fmt: skip
    for _ in WAIT.turns(f"the change set of {stack}"):
        told = account.call(SERVICE, "describe_change_set", StackName=stack, ChangeSetName=name)
        status, reason = told.get("Status", ""), told.get("StatusReason") or ""
        if status == "FAILED":
            account.call(SERVICE, "delete_change_set", StackName=stack, ChangeSetName=name)
            if any(words in reason.lower() for words in _NOTHING):
                return f"{stack}: nothing would change"
            raise BadRequest(f"{stack}: {reason}", "nothing was changed")
        if status == "CREATE_COMPLETE":
            break
    diff = changesets.text(changesets.changes(account, stack, name))
    return "\n".join((f"{stack}: change set {name} waits to be executed", *diff))


def _new(account: Account, _id: str, values: Mapping[str, str]) -> str:
    return _plan(account, needed(values, "name"), values, "CREATE")


def _waiting(account: Account, stack: str) -> tuple[Field, ...]:
    names = tuple(each["ChangeSetName"] for each in changesets.summaries(account, stack))
    return (Field("set", "change set", names[0] if names else "", True, names),)


def _execute(account: Account, stack: str, values: Mapping[str, str]) -> str:
    account.call(
        SERVICE, "execute_change_set", StackName=stack, ChangeSetName=needed(values, "set")
    )
    return f"{stack}: {values['set']} is executed; its events tell how far it is"


def _execute_consequence(account: Account, stack: str, values: Mapping[str, str]) -> Any:
    found = changesets.changes(account, stack, needed(values, "set"))
    return (
        *changesets.text(found),
        "where something fails, CloudFormation takes all of it back",
    )


def _discard(account: Account, stack: str, values: Mapping[str, str]) -> str:
    account.call(SERVICE, "delete_change_set", StackName=stack, ChangeSetName=needed(values, "set"))
    return f"{stack}: {values['set']} is thrown away"


def _look(account: Account, stack: str, _values: Mapping[str, str]) -> str:
    return "\n".join(_told(drift_of(account, stack, stack, WAIT)))


def _told(drift: StackDrift) -> tuple[str, ...]:
    first = f"{drift.stack}: {drift.status.lower().replace('_', ' ') or 'looked at'}"
    if drift.unchecked:
        first += f"; {drift.unchecked} resources' types know no drift"
    lines = [first]
    for each in drift.resources:
        lines.append(f"{each.name}  {each.type}  {each.status.lower()}")
        lines += [
            f"  {prop.path}: {prop.expected or '–'} → {prop.actual or '–'}"
            for prop in each.properties
        ]
    return tuple(lines)


def _delete(account: Account, stack: str, _values: Mapping[str, str]) -> str:
    refuse_full(holdings(account, stack))
    account.call(SERVICE, "delete_stack", StackName=stack)
    return f"{stack}: is being deleted"


def _delete_consequence(account: Account, stack: str, _values: Mapping[str, str]) -> Any:
    resources = [
        each
        for page in account.pages(SERVICE, "list_stack_resources", StackName=stack)
        for each in page.get("StackResourceSummaries", ())
    ]
    full = [f"{each.physical_id} holds {each.what}" for each in holdings(account, stack)]
    found = find(account, stack)
    since = clock(found.changed_at) if found else ""
    return (
        f"deletes {stack} (changed {since}) with its {len(resources)} resources",
        *((f"{full[0]}: it is refused while {'they do' if len(full) > 1 else 'it does'}",)
          if full else ()),
    )  # fmt: skip


def _protected(item: Item) -> str | None:
    if item.raw.get("EnableTerminationProtection"):
        return "it is protected against deletion"
    state = str(item.raw.get("state", ""))
    if state.endswith("_IN_PROGRESS") and state != "REVIEW_IN_PROGRESS":
        return f"it is {state}"
    return None


_PARAMETERS = Field("parameters", "parameters, NAME=VALUE, …")
NEW = Verb(
    name="new",
    key="n",
    label="New stack",
    help="plan a stack from a template: a change set that waits to be executed",
    operations=(
        "cloudformation:CreateChangeSet", "cloudformation:DescribeChangeSet",
        "cloudformation:DeleteChangeSet", "cloudformation:GetTemplate",
    ),
    do=_new,
    consequence=lambda _account, _id, values: (
        f"makes a change set of the new stack {needed(values, 'name')}; nothing else is made yet",
    ),
    fields=(
        Field("name", "name", required=True),
        Field("template", "template file", required=True),
        _PARAMETERS,
    ),
)  # fmt: skip
PLAN = Verb(
    name="plan",
    key="n",
    label="Plan",
    help="what a template would change: a change set that waits to be executed",
    operations=NEW.operations,
    do=lambda account, stack, values: _plan(account, stack, values, "UPDATE"),
    consequence=lambda _account, stack, _values: (
        f"makes a change set of {stack}; nothing changes until it is executed",
    ),
    fields=(Field("template", "template file", required=True), _PARAMETERS),
    blocked=only_in(*WHOLE),
)
DEPLOY = Verb(
    name="deploy",
    key="s",
    label="Deploy",
    help="execute a change set",
    operations=("cloudformation:ExecuteChangeSet",),
    do=_execute,
    consequence=_execute_consequence,
    asks=_waiting,
    dangerous=True,
    blocked=only_in(*WHOLE, "REVIEW_IN_PROGRESS"),
)
DISCARD = Verb(
    name="discard",
    key="",
    label="Throw away",
    help="delete a change set that waits",
    operations=("cloudformation:DeleteChangeSet",),
    do=_discard,
    consequence=lambda _account, stack, values: (
        f"{needed(values, 'set')} is deleted; {stack} stays as it is",
    ),
    asks=_waiting,
)
DRIFT = Verb(
    name="drift",
    key="",
    label="Drift",
    help="compare what there really is with the template",
    operations=(
        "cloudformation:DetectStackDrift",
        "cloudformation:DescribeStackDriftDetectionStatus",
        "cloudformation:DescribeStackResourceDrifts",
    ),
    do=_look,
    consequence=lambda _account, stack, _values: (f"CloudFormation looks at all of {stack}",),
    blocked=only_in(*WHOLE),
)
DELETE = Verb(
    name="delete",
    key="x",
    label="Delete",
    help="delete the stack and all it holds",
    operations=("cloudformation:DeleteStack", "s3:ListBucketVersions", "ecr:ListImages",
                "sagemaker:ListModelPackages"),
    do=_delete,
    consequence=_delete_consequence,
    dangerous=True,
    typed=True,
    blocked=_protected,
)  # fmt: skip
VERBS = (PLAN, DEPLOY, DISCARD, DRIFT, DELETE)
