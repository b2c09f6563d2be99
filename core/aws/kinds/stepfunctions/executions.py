"""The kind `sfn-executions`: executions of a state machine; stopped and redriven."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.kind import Column, Detail, Field, Item, Kind, Line, Section, Verb
from core.aws.kinds.shared import found, lasted, only_in
from core.aws.kinds.stepfunctions import machines
from core.aws.kinds.stepfunctions.history import progress
from core.aws.kinds.stepfunctions.tokens import waiting
from core.aws.logs import LogSource
from core.aws.partial import section, side_by_side
from core.aws.words import clock, epoch, last_of, pretty, short, span
from core.aws.words import tone as told_by
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

PAGE = 100
MOST_MACHINES = 40
NEWEST_OF_EACH = 20
REDRIVABLE = ("FAILED", "ABORTED", "TIMED_OUT")


def tone(status: str) -> str:
    """The tone of an execution's status: one that is ABORTED was stopped, and has not failed."""
    return {"ABORTED": "dim", "PENDING_REDRIVE": "wait"}.get(status) or told_by(status)


def machine_of(arn: str) -> str:
    """The state machine's name in an execution's ARN (…:execution:MACHINE:NAME)."""
    parts = arn.split(":")
    return parts[6] if len(parts) > 7 else ""


def _listed(account: Account, machine: str) -> Iterator[Sequence[Item]]:
    if not machine:
        yield from _of_all(account)
        return
    pages = account.pages(
        "stepfunctions",
        "list_executions",
        stateMachineArn=machines.full(account, machine),
        PaginationConfig={"PageSize": PAGE},
    )
    for page in pages:
        yield tuple(_item(each) for each in page.get("executions", ()))


def _of_all(account: Account) -> Iterator[Sequence[Item]]:
    """The newest of each state machine: AWS lists executions by state machine only. Express ones
    are not listed at all."""
    page = next(account.pages("stepfunctions", "list_state_machines"))
    standard = [
        each["stateMachineArn"] for each in page["stateMachines"] if each["type"] == "STANDARD"
    ]

    def reading(arn: str) -> Callable[[], list[Item]]:
        return lambda: [
            _item(each)
            for each in account.call(
                "stepfunctions", "list_executions", stateMachineArn=arn, maxResults=NEWEST_OF_EACH
            )["executions"]
        ]

    several = side_by_side([reading(arn) for arn in standard[:MOST_MACHINES]])
    items = [item for each in several for item in each]
    yield tuple(sorted(items, key=lambda item: item.changed or 0.0, reverse=True))


def _item(summary: Mapping[str, Any]) -> Item:
    status = summary["status"]
    again = summary.get("redriveCount") or 0
    return Item(
        id=summary["executionArn"],
        cells=(
            summary["name"],
            status,
            machine_of(summary["executionArn"]),
            lasted(summary.get("startDate"), summary.get("stopDate"), time.time()),
            f"{again}×" if again else "",
        ),
        tone=tone(status),
        changed=epoch(summary.get("startDate")),
        raw={**summary, "state": status},
    )


def _shown(account: Account, arn: str) -> Detail:
    told = account.call("stepfunctions", "describe_execution", executionArn=arn)
    status = told["status"]
    open_now: tuple[Section, ...] = ()
    if status == "RUNNING":
        open_now = (section("Waits for an answer", lambda: _waiting(account, arn)),)
    return Detail(
        title=f"{machine_of(arn)} {last_of(arn)}",
        tone=tone(status),
        sections=(
            Section("Execution", _about(told)),
            *(each for each in open_now if each.lines),
            section("States", lambda: _states(account, arn)),
            Section("Input", _json(told.get("input"))),
            *((Section("Output", _json(told["output"])),) if told.get("output") else ()),
        ),
        item=_item({**told, "name": told.get("name") or last_of(arn)}),
        raw=told,
    )


def _about(told: Mapping[str, Any]) -> tuple[Line, ...]:
    status = told["status"]
    redriven = told.get("redriveCount")
    why: tuple[Line, ...] = tuple(
        (key, " ".join(str(told[key]).split()), "bad")
        for key in ("error", "cause")
        if told.get(key)
    )
    again = f"{redriven}×, last {clock(told.get('redriveDate'))}" if redriven else ""
    reason = told.get("redriveStatusReason") or ""
    return (
        ("status", status, tone(status)),
        *why,
        ("started", clock(told.get("startDate"))),
        *found("ended", clock(told.get("stopDate"))),
        ("took", lasted(told.get("startDate"), told.get("stopDate"), time.time())),
        *found("redriven", again),
        *found("redrive", reason if status in REDRIVABLE else ""),
        ("state machine", last_of(told["stateMachineArn"])),
        *found("version", last_of(told.get("stateMachineVersionArn") or "")),
        ("arn", told["executionArn"]),
    )


def _waiting(account: Account, arn: str) -> Section:
    lines: list[Line] = []
    for each in waiting(account, arn):
        since = span(max(0.0, time.time() - each.since))
        lines.append((each.state, f"{each.resource}, for {since}", "wait"))
        lines.append(("token", each.token or "(not in what the task was given)"))
    return Section("Waits for an answer", tuple(lines))


def _states(account: Account, arn: str) -> Section:
    lines: list[Line] = []
    for each in progress(account, arn):
        took = lasted(each.begun, each.ended, time.time())
        words = " · ".join(part for part in (each.word, took, short(each.why, 200)) if part)
        lines.append((f"{'  ' * each.depth}{each.name}", words, each.tone))
    return Section("States", tuple(lines) or ("none has begun",))


def _json(text: str | None) -> tuple[str, ...]:
    import json

    if not text:
        return ("none",)
    try:
        return pretty(json.loads(text))
    except ValueError:
        return tuple(text.splitlines())


def stop(account: Account, arn: str, values: Mapping[str, str]) -> str:
    """End an execution as ABORTED."""
    given = {key: values[key] for key in ("error", "cause") if values.get(key)}
    account.call("stepfunctions", "stop_execution", executionArn=arn, **given)
    return f"{machine_of(arn)} {last_of(arn)}: aborted"


def _stop_consequence(account: Account, arn: str, _values: Mapping[str, str]) -> tuple[str, ...]:
    going = [each.name for each in progress(account, arn) if each.ended is None]
    return (
        f"ends {machine_of(arn)} {last_of(arn)} as ABORTED",
        f"now in {', '.join(going)}" if going else "in no state now",
        "what a .sync task has started is stopped with it; another call goes on unwatched",
        "it can be redriven from there for 14 days",
    )


def redrive(account: Account, arn: str, _values: Mapping[str, str]) -> str:
    """Go on from where an execution did not end well."""
    import uuid

    account.call(
        "stepfunctions", "redrive_execution", executionArn=arn, clientToken=uuid.uuid4().hex
    )
    return f"{machine_of(arn)} {last_of(arn)}: redriven"


def _redrive_consequence(account: Account, arn: str, _values: Mapping[str, str]) -> tuple[str, ...]:
    told = account.call("stepfunctions", "describe_execution", executionArn=arn)
    if told.get("redriveStatus") == "NOT_REDRIVABLE":
        why = told.get("redriveStatusReason") or f"it is {told['status']}"
        raise BadInput(f"{last_of(arn)}: can't be redriven: {why}")
    broken = [each.name for each in progress(account, arn) if each.tone in ("bad", "dim")]
    return (
        f"goes on with {machine_of(arn)} {last_of(arn)} by the definition it was started with",
        f"from {', '.join(broken)}" if broken else "from where it ended",
        "states that ended well keep their results",
    )


def _logs(account: Account, arn: str) -> LogSource:
    told = account.call("stepfunctions", "describe_execution", executionArn=arn)
    machine = machines.read(account, told["stateMachineArn"])
    return machines.source_of(machine, since=epoch(told.get("startDate")))


STOP = Verb(
    name="stop",
    key="x",
    label="Stop",
    help="end the execution as ABORTED",
    operations=("states:StopExecution",),
    do=stop,
    consequence=_stop_consequence,
    fields=(Field("error", "error"), Field("cause", "cause")),
    dangerous=True,
    blocked=only_in("RUNNING", "PENDING_REDRIVE"),
)
REDRIVE = Verb(
    name="redrive",
    key="u",
    label="Redrive",
    help="go on from where it did not end well",
    operations=("states:RedriveExecution",),
    do=redrive,
    consequence=_redrive_consequence,
    blocked=only_in(*REDRIVABLE),
)
KIND = Kind(
    name="sfn-executions",
    title="SFN executions",
    service="stepfunctions",
    about="executions of state machines",
    columns=(
        Column("EXECUTION", 24, grow=2),
        Column("STATUS", 15),
        Column("STATE MACHINE", 16, grow=1, drop=1),
        Column("TOOK", 9, align="right"),
        Column("REDRIVEN", 8, align="right", drop=2),
    ),
    list=_listed,
    show=_shown,
    operations=(
        "states:ListExecutions",
        "states:ListStateMachines",
        "states:DescribeExecution",
        "states:DescribeStateMachineForExecution",
        "states:DescribeStateMachine",
        "states:GetExecutionHistory",
        "logs:FilterLogEvents",
    ),
    parent="state-machines",
    child="sfn-history",
    verbs=(STOP, REDRIVE),
    logs=_logs,
)
