"""The kind `state-machines`: definitions as states, started with an input and a name."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.kind import Column, Detail, Field, Item, Kind, Line, Section, Verb
from core.aws.kinds.shared import found
from core.aws.kinds.stepfunctions.asl import lines, parse
from core.aws.logs import LogSource
from core.aws.words import clock, epoch, last_of, short, tone
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

PAGE = 1000
INPUT, NAME = "input", "name"
_NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")


def _listed(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in account.pages("stepfunctions", "list_state_machines"):
        yield tuple(_item(each) for each in page.get("stateMachines", ()))


def _item(summary: Mapping[str, Any]) -> Item:
    made = clock(summary.get("creationDate"))
    return Item(
        id=summary["stateMachineArn"],
        cells=(summary["name"], summary.get("type", ""), made),
        changed=epoch(summary.get("creationDate")),
        raw={**summary, "state": summary.get("status", "")},
    )


def read(account: Account, arn: str) -> Mapping[str, Any]:
    """A state machine; one that is named without its ARN is of this account and region."""
    found: Mapping[str, Any] = account.call(
        "stepfunctions", "describe_state_machine", stateMachineArn=full(account, arn)
    )
    return found


def full(account: Account, name: str) -> str:
    """A state machine's ARN, of its name where that is what is given."""
    if name.startswith("arn:"):
        return name
    partition = account.identity["Arn"].split(":")[1]
    return f"arn:{partition}:states:{account.region}:{account.account_id}:stateMachine:{name}"


def _shown(account: Account, arn: str) -> Detail:
    told = read(account, arn)
    status = told.get("status", "ACTIVE")
    return Detail(
        title=told["name"],
        tone="ok" if status == "ACTIVE" else tone(status),
        sections=(
            Section("State machine", _about(told, status)),
            _definition(told["definition"]),
        ),
        item=_item(told),
        raw=told,
    )


def _about(told: Mapping[str, Any], status: str) -> tuple[Line, ...]:
    logging = told.get("loggingConfiguration") or {}
    group = log_group(told)
    level = logging.get("level", "OFF")
    data = " with data" if logging.get("includeExecutionData") else ""
    key = (told.get("encryptionConfiguration") or {}).get("kmsKeyId")
    traced = (told.get("tracingConfiguration") or {}).get("enabled")
    return (
        ("status", status, "ok" if status == "ACTIVE" else tone(status)),
        ("type", told["type"]),
        *found("about", told.get("description")),
        ("made", clock(told.get("creationDate"))),
        ("logs", f"{level}{data} to {group}" if group else "off"),
        *found("traced", "by X-Ray" if traced else ""),
        *found("encrypted by", key),
        ("role", told["roleArn"]),
        ("arn", told["stateMachineArn"]),
    )


def _definition(text: str) -> Section:
    try:
        machine = parse(text)
    except BadInput as error:
        return Section("States", (("", error.message, "bad"),))
    comment = machine.get("Comment")
    return Section(
        f"States, from {machine.get('StartAt', '?')}",
        ((comment,) if comment else ()) + lines(machine),
    )


def log_group(told: Mapping[str, Any]) -> str:
    """The log group of a state machine, where it writes to one."""
    logging = told.get("loggingConfiguration") or {}
    if logging.get("level", "OFF") == "OFF":
        return ""
    for each in logging.get("destinations") or ():
        arn = (each.get("cloudWatchLogsLogGroup") or {}).get("logGroupArn", "")
        if arn:
            return str(arn).partition(":log-group:")[2].removesuffix(":*")
    return ""


def _logs(account: Account, arn: str) -> LogSource:
    return source_of(read(account, arn))


def source_of(told: Mapping[str, Any], since: float | None = None) -> LogSource:
    """Where a state machine logs; raises `BadInput` where it does not."""
    group = log_group(told)
    if not group:
        raise BadInput(
            f"{told['name']}: its logging is off", "turn it on in its logging configuration"
        )
    return LogSource(group, since=since)


def checked_input(text: str) -> str:
    """The input as JSON text; raises `BadInput`."""
    given = text.strip() or "{}"
    try:
        json.loads(given)
    except ValueError as error:
        raise BadInput(
            f"input: is no JSON: {error}", 'for example {"day": "2026-01-31"}'
        ) from error
    return given


def _checked_name(values: Mapping[str, str]) -> str:
    name = values.get(NAME, "").strip() or f"opsdeck-{uuid.uuid4()}"
    if not _NAME.fullmatch(name):
        raise BadInput(f"name={name}: at most 80 characters, no spaces, brackets or /:;,")
    return name


def start(account: Account, arn: str, values: Mapping[str, str]) -> str:
    """Start an execution; returns its ARN. The same name and input start it once."""
    unknown = [key for key in values if key not in (INPUT, NAME)]
    if unknown:
        raise BadInput(f"{unknown[0]}: is nothing that it asks for", f"{INPUT}=JSON, {NAME}=TEXT")
    started = account.call(
        "stepfunctions",
        "start_execution",
        stateMachineArn=full(account, arn),
        name=_checked_name(values),
        input=checked_input(values.get(INPUT, "")),
    )
    return str(started["executionArn"])


def _start(account: Account, arn: str, values: Mapping[str, str]) -> str:
    return f"{last_of(arn)}: execution {last_of(start(account, arn, values))} has started"


def _consequence(account: Account, arn: str, values: Mapping[str, str]) -> tuple[str, ...]:
    told = read(account, arn)
    _checked_name(values)
    given = checked_input(values.get(INPUT, ""))
    named = values.get(NAME, "").strip()
    once = (
        f"named {named}: a second start of this name and input does nothing"
        if named and told["type"] == "STANDARD"
        else "each start is an execution of its own"
    )
    return (
        f"starts {told['name']} ({told['type']}) as {last_of(told['roleArn'])}",
        f"with {short(given, 120)}",
        once,
    )


START = Verb(
    name="start",
    key="s",
    label="Start",
    help="start an execution with an input",
    operations=("states:StartExecution",),
    do=_start,
    consequence=_consequence,
    fields=(
        Field(INPUT, "input, JSON", default="{}"),
        Field(NAME, "name; the same name and input start it only once"),
    ),
)
KIND = Kind(
    name="state-machines",
    title="State machines",
    service="stepfunctions",
    about="Step Functions",
    columns=(
        Column("STATE MACHINE", 24, grow=2),
        Column("TYPE", 9),
        Column("MADE", 19, drop=1),
    ),
    list=_listed,
    show=_shown,
    operations=(
        "states:ListStateMachines",
        "states:DescribeStateMachine",
        "logs:FilterLogEvents",
    ),
    child="sfn-executions",
    verbs=(START,),
    logs=_logs,
)
