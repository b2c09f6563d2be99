"""What every List operation does: filter, sort, page; and fit a record to an output's shape."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from core.simulated import models
from core.simulated.faults import Fault
from core.simulated.state import Call

Record = dict[str, Any]
# Members of a record that only the simulation knows start with this.
PRIVATE = "_"


def epoch(value: Any) -> float:
    """A time as epoch seconds, whatever it came as."""
    if isinstance(value, dt.datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)
        return aware.timestamp()
    if isinstance(value, str):
        return dt.datetime.fromisoformat(value).timestamp()
    return float(value)


def page(
    call: Call,
    key: str,
    rows: Sequence[Any],
    *,
    size: int = 10,
    limit: str = "MaxResults",
    token: str = "NextToken",
    bad_token: str = "ValidationException",
) -> dict[str, Any]:
    """One page of `rows` under `key`, with a token if there is more."""
    start = 0
    given = call.params.get(token)
    if given:
        try:
            start = int(base64.urlsafe_b64decode(str(given).encode()).decode())
        except (ValueError, binascii.Error) as error:
            raise Fault(bad_token, "The token is not valid.", 400) from error
    end = start + int(call.params.get(limit) or size)
    answer: dict[str, Any] = {key: list(rows[start:end])}
    if end < len(rows):
        answer[token] = base64.urlsafe_b64encode(str(end).encode()).decode()
    return answer


_TIMES = {
    "CreationTimeAfter": ("CreationTime", True),
    "CreationTimeBefore": ("CreationTime", False),
    "CreatedAfter": ("CreationTime", True),
    "CreatedBefore": ("CreationTime", False),
    "LastModifiedTimeAfter": ("LastModifiedTime", True),
    "LastModifiedTimeBefore": ("LastModifiedTime", False),
    "ScheduledTimeAfter": ("ScheduledTime", True),
    "ScheduledTimeBefore": ("ScheduledTime", False),
}


def select(
    call: Call,
    records: Iterable[Record],
    *,
    name: str,
    status: str = "",
    ascending: bool = False,
    equal: Mapping[str, str] | None = None,
    created: str = "CreationTime",
) -> list[Record]:
    """The records a List operation asks for, in the order it asks for.

    `name` and `status` are the members that NameContains and StatusEquals look at; `equal`
    maps other parameters to the members they must equal. Sorted by SortBy (a time unless
    Name or Status is asked for) and SortOrder, `ascending` being the operation's default.
    """
    asked = call.params
    found = list(records)
    text = asked.get("NameContains")
    if text:
        found = [each for each in found if str(text).lower() in str(each[name]).lower()]
    checks = {"StatusEquals": status, **(equal or {})} if status else dict(equal or {})
    for parameter, member in checks.items():
        if asked.get(parameter) is not None:
            found = [each for each in found if each.get(member) == asked[parameter]]
    for parameter, (member, after) in _TIMES.items():
        if asked.get(parameter) is None:
            continue
        bound, of = epoch(asked[parameter]), created if member == "CreationTime" else member
        found = [each for each in found if of in each and _side(each[of], bound, after)]
    return _sorted(call, found, name, status, ascending, created)


def _side(value: Any, bound: float, after: bool) -> bool:
    return epoch(value) > bound if after else epoch(value) < bound


def _sorted(
    call: Call, found: list[Record], name: str, status: str, ascending: bool, created: str
) -> list[Record]:
    by = str(call.params.get("SortBy") or "CreationTime").lower()
    order = str(call.params.get("SortOrder") or ("Ascending" if ascending else "Descending"))
    key: Callable[[Record], Any]
    if by.endswith("name"):
        key = lambda each: str(each[name]).lower()  # noqa: E731
    elif by == "status" and status:
        key = lambda each: str(each[status])  # noqa: E731
    elif by in ("lastmodifiedtime", "modifiedtime"):
        key = lambda each: epoch(each.get("LastModifiedTime", each[created]))  # noqa: E731
    else:
        key = lambda each: epoch(each[created])  # noqa: E731
    return sorted(found, key=key, reverse=order == "Descending")


@functools.lru_cache(maxsize=2048)
def output_shape(service: str, operation: str) -> Any:
    return models.model(service).operation_model(operation).output_shape


def fit(record: Any, shape: Any) -> Any:
    """The parts of `record` that `shape` has: private and unknown members left out."""
    kind = shape.type_name
    if kind == "structure" and isinstance(record, Mapping):
        return {
            name: fit(record[name], member)
            for name, member in shape.members.items()
            if record.get(name) is not None
        }
    if kind == "list" and isinstance(record, (list, tuple)):
        return [fit(each, shape.member) for each in record]
    if kind == "map" and isinstance(record, Mapping):
        return {key: fit(value, shape.value) for key, value in record.items()}
    return record


def described(call: Call, record: Record) -> dict[str, Any]:
    """A record as the call's operation describes it."""
    return dict(fit(record, output_shape(call.service, call.operation)))


def summaries(call: Call, key: str, records: Sequence[Record], **paging: Any) -> dict[str, Any]:
    """One page of records as the call's List operation shows them."""
    member = output_shape(call.service, call.operation).members[key].member
    answer = page(call, key, records, **paging)
    answer[key] = [fit(each, member) for each in answer[key]]
    return answer
