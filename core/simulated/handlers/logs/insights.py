"""Queries of CloudWatch Logs Insights: fields, display, filter, parse, stats, sort, limit, dedup.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
What it does not read is refused by name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.logs import expressions
from core.simulated.handlers.logs.expressions import Row, number, text_of

DEFAULT_LIMIT, MOST = 1_000, 10_000
_NAMED = re.compile(r"^(?P<what>.+?)\s+as\s+(?P<name>[\w@.`\-]+)$", re.IGNORECASE | re.DOTALL)
Step = Callable[[list[Row]], list[Row]]


@dataclass
class Query:
    """The steps of a query, and the columns it shows ([] = @timestamp and @message)."""

    steps: list[Step]
    shown: list[str]
    limit: int | None
    grouped: bool


def refused(text: str) -> Fault:
    return Fault("MalformedQueryException", text, 400)


def split(text: str, by: str) -> list[str]:
    """`text` cut at `by` outside quotes, slashes of a pattern and brackets."""
    parts, depth, quote, start, at = [], 0, "", 0, 0
    while at < len(text):
        letter = text[at]
        if quote:
            if letter == "\\":
                at += 1
            elif letter == quote:
                quote = ""
        elif letter in "\"'`" or (letter == "/" and _begins_pattern(text, at)):
            quote = letter
        elif letter in "([":
            depth += 1
        elif letter in ")]":
            depth -= 1
        elif letter == by and depth == 0:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    return [*parts, text[start:]]


def _begins_pattern(text: str, at: int) -> bool:
    before = text[:at].rstrip()
    return before.endswith(("like", "=~", "parse")) or bool(re.search(r"parse\s+\S+$", before))


def parse(text: str) -> Query:
    """Read a query; Fault MalformedQueryException if it is none."""
    query = Query([], [], None, False)
    lines = "\n".join(line for line in text.splitlines() if not line.strip().startswith("#"))
    for command in split(lines, "|"):
        name, _, rest = command.strip().partition(" ")
        reader = _COMMANDS.get(name.lower())
        if reader is None:
            raise refused(f"unexpected symbol found: {name or '(nothing)'}")
        reader(query, rest.strip())
    return query


def run(
    query: Query, events: Sequence[tuple[Any, tuple[int, str, Any]]], limit: int | None
) -> tuple[list[list[dict[str, str]]], int]:
    """The rows as GetQueryResults gives them, and how many records matched the filters."""
    rows = [_row(group, at, stream, event) for group, (at, stream, event) in events]
    rows.sort(key=lambda row: float(row["@timestamp"]), reverse=True)
    matched = len(rows)
    for step in query.steps:
        before = rows
        rows = step(rows)
        if rows is before or not getattr(step, "filters", False):
            continue
        matched = len(rows)
    most = min(query.limit or limit or DEFAULT_LIMIT, MOST)
    shown = query.shown or ["@timestamp", "@message"]
    out = []
    for row in rows[:most]:
        cells = [
            {"field": name, "value": text_of(name, row[name])}
            for name in shown
            if row.get(name) is not None
        ]
        if not query.grouped:
            cells.append({"field": "@ptr", "value": str(row["@ptr"])})
        out.append(cells)
    return out, matched


def _row(group: Any, at: int, stream: str, event: Any) -> Row:
    row: Row = {
        "@timestamp": at,
        "@ingestionTime": event.ingestion_time,
        "@message": event.message,
        "@logStream": stream,
        "@log": f"{group.account_id}:{group.name}",
        "@ptr": str(event.event_id),
    }
    if event.message.lstrip().startswith("{"):
        try:
            _flatten(row, "", json.loads(event.message))
        except ValueError:
            return row
    return row


def _flatten(row: Row, prefix: str, value: Any) -> None:
    pairs = (
        value.items()
        if isinstance(value, dict)
        else ((str(number), inner) for number, inner in enumerate(value))
    )
    for key, inner in pairs:
        if isinstance(inner, (dict, list)):
            _flatten(row, f"{prefix}{key}.", inner)
        else:
            row[f"{prefix}{key}"] = inner


def _named(text: str) -> tuple[str, str]:
    """(expression, name) of `expression as name`."""
    found = _NAMED.match(text.strip())
    if found:
        return found["what"].strip(), found["name"].strip("`")
    return text.strip(), text.strip().strip("`")


def _fields(query: Query, rest: str) -> None:
    for part in split(rest, ","):
        what, name = _named(part)
        if not what:
            raise refused("fields: a name is missing")
        query.shown.append(name)
        if what.strip("`") != name or "(" in what:
            query.steps.append(_computed(name, expressions.parse(what)))


def _computed(name: str, value: Callable[[Row], Any]) -> Step:
    def step(rows: list[Row]) -> list[Row]:
        return [{**row, name: value(row)} for row in rows]

    return step


def _display(query: Query, rest: str) -> None:
    query.shown = [each.strip().strip("`") for each in split(rest, ",")]


def _filter(query: Query, rest: str) -> None:
    test = expressions.parse(rest)

    def step(rows: list[Row]) -> list[Row]:
        return [row for row in rows if expressions.truth(test(row))]

    step.filters = True  # type: ignore[attr-defined]
    query.steps.append(step)


_GLOB = re.compile(
    r"^(?:(?P<field>[@\w.`]+)\s+)?(?P<quote>[\"'])(?P<glob>.*)(?P=quote)\s+as\s+(?P<names>.+)$",
    re.IGNORECASE | re.DOTALL,
)
_REGEX = re.compile(
    r"^(?:(?P<field>[@\w.`]+)\s+)?/(?P<regex>.*)/(?:\s+as\s+(?P<names>.+))?$", re.DOTALL
)


def _parse(query: Query, rest: str) -> None:
    found = _GLOB.match(rest)
    if found:
        regex = ".*?".join(re.escape(part) for part in [""])  # a glob matches anywhere
        regex += "(.*?)".join(re.escape(part) for part in found["glob"].split("*"))
        regex += "$" if found["glob"].endswith("*") else ""
        names = [each.strip() for each in found["names"].split(",")]
    else:
        found = _REGEX.match(rest)
        if not found:
            raise refused(f"parse: cannot read {rest}")
        regex = found["regex"]
        names = [each.strip() for each in (found["names"] or "").split(",") if each.strip()]
    field = (found["field"] or "@message").strip("`")
    try:
        pattern = re.compile(re.sub(r"\(\?<([A-Za-z])", r"(?P<\1", regex), re.DOTALL)
    except re.error as error:
        raise refused(f"parse: {error}") from error
    if names and len(names) != pattern.groups:
        raise refused(f"parse: {pattern.groups} values for {len(names)} names")
    query.shown.extend(names or list(pattern.groupindex))

    def step(rows: list[Row]) -> list[Row]:
        out = []
        for row in rows:
            match = pattern.search(str(row.get(field, "")))
            if match:
                row = row | (
                    dict(zip(names, match.groups(), strict=True)) if names else match.groupdict()
                )
            out.append(row)
        return out

    query.steps.append(step)


_BY = re.compile(r"\s+by\s+", re.IGNORECASE)


def _stats(query: Query, rest: str) -> None:
    parts = _BY.split(rest, maxsplit=1)
    sums = [(name, expressions.aggregate(what)) for what, name in map(_named, split(parts[0], ","))]
    keys = [
        (name, expressions.parse(what))
        for what, name in (map(_named, split(parts[1], ",")) if len(parts) > 1 else ())
    ]
    query.grouped = True
    query.shown = [name for name, _ in keys] + [name for name, _ in sums]

    def step(rows: list[Row]) -> list[Row]:
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in rows:
            groups.setdefault(tuple(value(row) for _, value in keys), []).append(row)
        out: list[Row] = []
        for key, members in groups.items():
            row = {name: value for (name, _), value in zip(keys, key, strict=True)}
            out.append(row | {name: total(members) for name, total in sums})
        return out

    query.steps.append(step)


def _sort(query: Query, rest: str) -> None:
    keys = []
    for part in split(rest, ","):
        what, _, way = part.strip().rpartition(" ")
        descending = way.lower() == "desc"
        if way.lower() not in ("asc", "desc"):
            what = part.strip()
        keys.append((_column(what), descending))

    def step(rows: list[Row]) -> list[Row]:
        for value, descending in reversed(keys):
            rows = sorted(rows, key=lambda row: _order(value(row)), reverse=descending)
        return rows

    query.steps.append(step)


def _column(what: str) -> Callable[[Row], Any]:
    """A column of that very name, such as `count(*)` after stats; else an expression."""
    parsed = None if re.match(r"^[\w@.`]+$", what) else what
    value = expressions.parse(what) if parsed is None or not _is_sum(what) else None
    name = what.strip("`")
    return lambda row: row[name] if name in row or value is None else value(row)


def _is_sum(what: str) -> bool:
    return what.partition("(")[0].strip().lower() in expressions.AGGREGATES


def _order(value: Any) -> tuple[int, float, str]:
    found = number(value)
    if found is not None:
        return (1, found, "")
    return (0, 0.0, "") if value is None else (2, 0.0, str(value))


def _limit(query: Query, rest: str) -> None:
    if not rest.isdigit() or not 1 <= int(rest) <= MOST:
        raise refused(f"limit: {rest!r} is not a number from 1 to {MOST}")
    query.limit = int(rest)
    query.steps.append(lambda rows: rows[: int(rest)])


def _dedup(query: Query, rest: str) -> None:
    names = [each.strip().strip("`") for each in rest.split(",")]

    def step(rows: list[Row]) -> list[Row]:
        first = {tuple(str(row.get(name)) for name in names): row for row in reversed(rows)}
        return list(reversed(first.values()))

    query.steps.append(step)


_COMMANDS: dict[str, Callable[[Query, str], None]] = {
    "fields": _fields,
    "display": _display,
    "filter": _filter,
    "parse": _parse,
    "stats": _stats,
    "sort": _sort,
    "limit": _limit,
    "dedup": _dedup,
}
