"""The kinds `log-groups` and `log-streams`, and questions to groups by Logs Insights."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.errors import AwsFault, BadRequest
from core.aws.kind import Column, Detail, Field, Item, Kind, Line, Section, Verb
from core.aws.kinds.shared import found, needed
from core.aws.logs import LogSource
from core.aws.partial import section
from core.aws.rows import row_lines
from core.aws.words import clock, epoch, short, size
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

PAGE = 50
NEWEST = 20
ANSWER_SECONDS = 60.0
LOOK_SECONDS = 0.4
MOST_ROWS = 1_000
SHOWN_ROWS = 200
CELL = 80
RETENTIONS = (
    "1", "3", "5", "7", "14", "30", "60", "90", "120", "150", "180", "365", "400", "545", "731",
    "1096", "1827", "2192", "2557", "2922", "3288", "3653", "never",
)  # fmt: skip
_SPAN = re.compile(r"(\d+)([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
JOINED = ":log-stream:"


def seconds_of(text: str) -> int:
    """A span such as 15m, 6h or 2d, in seconds; raises `BadInput`."""
    read = _SPAN.fullmatch(text.strip())
    if read is None:
        raise BadInput(f"since={text}: must be a span", "for example since=6h")
    return int(read[1]) * _UNITS[read[2]]


def _groups(account: Account, prefix: str) -> Iterator[Sequence[Item]]:
    asked: dict[str, Any] = {"limit": PAGE}
    if prefix:
        asked["logGroupNamePrefix"] = prefix
    for page in account.pages("logs", "describe_log_groups", **asked):
        yield tuple(_group(each) for each in page.get("logGroups", ()))


def _group(group: Mapping[str, Any]) -> Item:
    days = group.get("retentionInDays")
    return Item(
        id=group["logGroupName"],
        cells=(
            group["logGroupName"],
            size(group.get("storedBytes")),
            f"{days}d" if days else "never ends",
            "KMS" if group.get("kmsKeyId") else "AWS's key",
        ),
        changed=epoch(group.get("creationTime")),
        raw=group,
    )


def _one_group(account: Account, name: str) -> Mapping[str, Any]:
    for page in account.pages("logs", "describe_log_groups", logGroupNamePrefix=name):
        for each in page.get("logGroups", ()):
            if each["logGroupName"] == name:
                return dict(each)
    raise BadRequest(f"there is no log group {name}", "opsdeck aws list log-groups shows them")


def _shown(account: Account, name: str) -> Detail:
    group = _one_group(account, name)
    item = _group(group)
    about = Section(
        "Group",
        (
            ("name", name),
            ("size", size(group.get("storedBytes")) or "0 B"),
            ("kept", f"{group['retentionInDays']} days" if group.get("retentionInDays") else
             "for ever"),
            ("encrypted", group.get("kmsKeyId") or "by a key of AWS"),
            *found("class", group.get("logGroupClass")),
            ("created", clock(group.get("creationTime"))),
        ),
    )  # fmt: skip
    sections = (
        about,
        section("Newest streams", lambda: _newest(account, name)),
        section("Saved questions", lambda: _saved(account, name)),
    )
    return Detail(name, sections=sections, item=item, raw=group)


def _newest(account: Account, name: str) -> Section:
    told = account.call(
        "logs", "describe_log_streams", logGroupName=name, orderBy="LastEventTime",
        descending=True, limit=NEWEST,
    )  # fmt: skip
    lines = tuple(
        (clock(each.get("lastEventTimestamp")), each["logStreamName"])
        for each in told.get("logStreams", ())
    )
    return Section("Newest streams", lines or ("none",))


def _saved(account: Account, name: str) -> Section:
    pages = account.pages("logs", "describe_query_definitions")
    lines = [
        (each["name"], short(each.get("queryString", ""), 100))
        for page in pages
        for each in page.get("queryDefinitions", ())
        if not each.get("logGroupNames") or name in each["logGroupNames"]
    ]
    return Section("Saved questions", tuple(lines) or ("none",))


def insights(
    account: Account, groups: Sequence[str], query: str, since: int
) -> list[dict[str, str]]:
    """What Logs Insights answers: a mapping a row. Waits up to a minute.

    Raises `AwsFault` where the query failed or took longer; it is stopped then.
    """
    now = int(time.time())
    begun = account.call(
        "logs", "start_query", logGroupNames=list(groups), startTime=now - since, endTime=now,
        queryString=query, limit=MOST_ROWS,
    )["queryId"]  # fmt: skip
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        told = account.call("logs", "get_query_results", queryId=begun)
        state = told.get("status", "")
        if state == "Complete":
            return [
                {each["field"]: each.get("value", "") for each in row if each["field"] != "@ptr"}
                for row in told.get("results", ())
            ]
        if state in ("Failed", "Cancelled", "Timeout"):
            raise AwsFault(f"the query ended as {state}", "ask for less, or a shorter time")
        if time.monotonic() > deadline:
            account.call("logs", "stop_query", queryId=begun)
            raise AwsFault(f"no answer within {ANSWER_SECONDS:.0f} s: the query was stopped",
                           "ask for less, or a shorter time")  # fmt: skip
        time.sleep(LOOK_SECONDS)


def _ask(account: Account, name: str, values: Mapping[str, str]) -> str:
    groups = [name, *(each.strip() for each in values.get("also", "").split(",") if each.strip())]
    rows = insights(account, groups, needed(values, "query"), seconds_of(values.get("since", "1h")))
    return "\n".join(row_lines(rows, cell=CELL, most=SHOWN_ROWS))


def _ask_consequence(_account: Account, name: str, values: Mapping[str, str]) -> tuple[str, ...]:
    return (
        f"reads {name} of the last {values.get('since') or '1h'}",
        "Logs Insights is paid by what it scans",
    )


def _keep(account: Account, name: str, values: Mapping[str, str]) -> str:
    days = needed(values, "days")
    if days not in RETENTIONS:
        raise BadInput(f"days={days}: CloudWatch has no such retention", ", ".join(RETENTIONS))
    if days == "never":
        account.call("logs", "delete_retention_policy", logGroupName=name)
        return f"{name} is kept for ever"
    account.call("logs", "put_retention_policy", logGroupName=name, retentionInDays=int(days))
    return f"{name} is kept for {days} days"


def _keep_consequence(account: Account, name: str, values: Mapping[str, str]) -> tuple[str, ...]:
    now = _one_group(account, name).get("retentionInDays")
    return (
        f"{name}: kept for {now or 'ever'}{' days' if now else ''} now, "
        f"then {values.get('days') or '…'}",
        "what is older is deleted by AWS and cannot be brought back",
    )


ASK = Verb(
    name="ask",
    key="s",
    label="Ask",
    help="a question by Logs Insights",
    operations=("logs:StartQuery", "logs:GetQueryResults", "logs:StopQuery"),
    do=_ask,
    consequence=_ask_consequence,
    fields=(
        Field("query", "query", "fields @timestamp, @message | sort @timestamp desc | limit 50"),
        Field("since", "how far back", "1h"),
        Field("also", "further groups"),
    ),
)
KEEP = Verb(
    name="keep",
    key="",
    label="Retention",
    help="how long its events are kept",
    operations=("logs:PutRetentionPolicy", "logs:DeleteRetentionPolicy"),
    do=_keep,
    consequence=_keep_consequence,
    fields=(Field("days", "days", "30", required=True, choices=RETENTIONS),),
    dangerous=True,
    typed=True,
)
GROUPS = Kind(
    name="log-groups",
    title="Log groups",
    service="logs",
    about="what everything printed; s asks Logs Insights, l follows",
    columns=(
        Column("GROUP", 30, grow=3),
        Column("SIZE", 10, align="right"),
        Column("KEPT", 10, drop=1),
        Column("ENCRYPTED", 10, drop=2),
    ),
    list=_groups,
    show=_shown,
    operations=(
        "logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:DescribeQueryDefinitions",
        "logs:FilterLogEvents",
    ),
    child="log-streams",
    verbs=(ASK, KEEP),
    logs=lambda _account, name: LogSource(name, since=time.time() - 3600),
    every=15.0,
)  # fmt: skip


def _streams(account: Account, group: str) -> Iterator[Sequence[Item]]:
    if not group:
        raise BadInput(
            "log-streams: of which group?", "opsdeck aws list log-streams --parent GROUP"
        )
    pages = account.pages(
        "logs", "describe_log_streams", logGroupName=group, orderBy="LastEventTime", descending=True
    )
    for page in pages:
        yield tuple(_stream(group, each) for each in page.get("logStreams", ()))


def _stream(group: str, stream: Mapping[str, Any]) -> Item:
    return Item(
        id=f"{group}{JOINED}{stream['logStreamName']}",
        cells=(stream["logStreamName"], clock(stream.get("firstEventTimestamp"))),
        changed=epoch(stream.get("lastEventTimestamp") or stream.get("creationTime")),
        raw=stream,
    )


def parted(id: str) -> tuple[str, str]:
    """A stream's id as group and stream; raises `BadInput`."""
    group, joined, stream = id.partition(JOINED)
    if not joined:
        raise BadInput(f"{id}: is no log stream", f"write GROUP{JOINED}STREAM")
    return group, stream


def _shown_stream(account: Account, id: str) -> Detail:
    group, stream = parted(id)
    told = account.call(
        "logs", "describe_log_streams", logGroupName=group, logStreamNamePrefix=stream
    )
    for each in told.get("logStreams", ()):
        if each["logStreamName"] == stream:
            item = _stream(group, each)
            break
    else:
        raise BadRequest(f"{group} has no stream {stream}", "list its streams")
    lines: tuple[Line, ...] = (
        ("group", group),
        ("stream", stream),
        *found("first", clock(item.raw.get("firstEventTimestamp"))),
        *found("last", clock(item.raw.get("lastEventTimestamp"))),
    )
    newest = section("Its last lines", lambda: _last_lines(account, group, stream))
    return Detail(stream, sections=(Section("Stream", lines), newest), item=item, raw=item.raw)


def _last_lines(account: Account, group: str, stream: str) -> Section:
    told = account.call(
        "logs", "get_log_events", logGroupName=group, logStreamName=stream, limit=NEWEST
    )
    lines = tuple(
        f"{clock(each['timestamp'])}  {each['message'].rstrip()}" for each in told.get("events", ())
    )
    return Section("Its last lines", lines or ("none",))


def _source(_account: Account, id: str) -> LogSource:
    group, stream = parted(id)
    return LogSource(group, stream)


STREAMS = Kind(
    name="log-streams",
    title="Log streams",
    service="logs",
    about="streams of a log group, the one written to last first",
    columns=(Column("STREAM", 30, grow=3), Column("FIRST", 19, drop=1)),
    list=_streams,
    show=_shown_stream,
    operations=("logs:DescribeLogStreams", "logs:GetLogEvents", "logs:FilterLogEvents"),
    parent="log-groups",
    logs=_source,
    every=10.0,
)
