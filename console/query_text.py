"""Results of queries, and what was asked before, as text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from console.session import Session
from console.tables import Column, table
from console.words import Cell, duration, when

if TYPE_CHECKING:
    from core.domain.query import PastQuery, QueriedDataset, QueryResult

_NUMBERS = ("INT", "DECIMAL", "FLOAT", "DOUBLE", "HUGEINT")
_WIDEST = 60


def result_text(session: Session, result: QueryResult) -> str:
    """The rows as a table, numbers to the right; a plan as it was drawn."""
    if [column.name for column in result.columns] == ["explain_key", "explain_value"]:
        return "\n".join(str(row[1]).rstrip() for row in result.rows)
    right = [any(word in column.type for word in _NUMBERS) for column in result.columns]
    columns = [
        Column(column.name, right=is_right, flexible=not is_right)
        for column, is_right in zip(result.columns, right, strict=True)
    ]
    rows = [
        [Cell(_shown(value), "bright_black" if value is None else "") for value in row]
        for row in result.rows
    ]
    return table(session, columns, rows)


def result_remark(result: QueryResult) -> str:
    """How many rows, of what, and how long it took."""
    if result.truncated:
        count = f"first {len(result.rows):,} rows (more: --limit N, all: --out FILE)"
    else:
        count = f"{len(result.rows):,} row" + ("" if len(result.rows) == 1 else "s")
    of = f" of {datasets_text(result.datasets)}" if result.datasets else ""
    return f"{count}{of}, {duration(result.milliseconds / 1000)}"


def datasets_text(datasets: Sequence[QueriedDataset]) -> str:
    """Datasets with the versions that were read."""
    return ", ".join(
        f"{each.name}#{each.number or each.snapshot}" + (f" ({each.at})" if each.at else "")
        for each in datasets
    )


def history_text(session: Session, found: Sequence[PastQuery]) -> str:
    """What was asked, newest first."""
    if not found:
        return "no queries yet"
    columns = [
        Column("when"),
        Column("who"),
        Column("state"),
        Column("rows", right=True),
        Column("took", right=True),
        Column("query", flexible=True),
    ]
    colours = {"failed": "red", "refused": "red", "limited": "yellow", "cancelled": "yellow"}
    rows = [
        (
            when(each.at, terminal=session.terminal),
            each.actor,
            Cell(each.state, colours.get(each.state, "green")),
            "-" if each.rows is None else f"{each.rows:,}",
            "-" if each.milliseconds is None else duration(each.milliseconds / 1000),
            " ".join(each.sql.split()),
        )
        for each in found
    ]
    return table(session, columns, rows)


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        text = value.isoformat(sep=" ", timespec="auto")
        return text.removesuffix("+00:00") + ("Z" if text.endswith("+00:00") else "")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        value = value.hex()
    text = str(value)
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
