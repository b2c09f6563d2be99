"""What a resource printed: groups and streams of CloudWatch Logs, read on from where one was."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.aws.errors import ResourceNotFound

if TYPE_CHECKING:
    from core.aws.account import Account


@dataclass(frozen=True, slots=True)
class LogSource:
    """Where a resource's logs are: a group, and the streams whose names begin like this."""

    group: str
    prefix: str = ""
    since: float | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line: when (epoch s), in which stream, what; `id` is unique."""

    at: float
    stream: str
    text: str
    id: str


def read_logs(
    account: Account,
    source: LogSource,
    *,
    since: float | None = None,
    pattern: str = "",
    limit: int = 5_000,
) -> Iterator[LogLine]:
    """Lines in the order of time, pages fetched as they are read; none where the group is not
    there (nothing has been printed yet)."""
    begin = since if since is not None else source.since
    wanted: dict[str, object] = {"logGroupName": source.group}
    if source.prefix:
        wanted["logStreamNamePrefix"] = source.prefix
    if begin is not None:
        wanted["startTime"] = int(begin * 1000)
    if pattern:
        wanted["filterPattern"] = pattern
    told = 0
    try:
        for page in account.pages("logs", "filter_log_events", **wanted):
            for event in page.get("events", ()):
                yield LogLine(
                    at=event["timestamp"] / 1000,
                    stream=event.get("logStreamName", ""),
                    text=event.get("message", "").rstrip("\n"),
                    id=event.get("eventId", f"{event['timestamp']}:{told}"),
                )
                told += 1
                if told >= limit:
                    return
    except ResourceNotFound:
        return


def follow(
    account: Account, source: LogSource, *, every: float = 2.0, stop: float | None = None
) -> Iterator[LogLine]:
    """Lines as they come, until `stop` (epoch s) where it is given; those of one moment are told
    once."""
    since, seen = source.since, set[str]()
    while stop is None or time.time() < stop:
        newest = since
        for line in read_logs(account, source, since=since):
            if line.id not in seen:
                yield line
            if newest is None or line.at > newest:
                newest = line.at
                seen = set()
            seen.add(line.id)
        since = newest
        time.sleep(every)
