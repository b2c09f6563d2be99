"""A query over datasets: what it gave, and what was asked before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class QueryColumn:
    """A column of a result: `type` in DuckDB's words (`BIGINT`, `VARCHAR`, …)."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class QueriedDataset:
    """A dataset that a query read: at which snapshot (`number` where it is known), and what was
    asked for (`at`: a tag, a number, …; empty for the newest)."""

    name: str
    snapshot: str
    number: int | None = None
    at: str = ""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The first rows of a query, as Python values, row by row.

    `total` is how many there are; `None` where there are more than were fetched (`truncated`).
    """

    id: str
    sql: str
    columns: tuple[QueryColumn, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool
    milliseconds: float
    datasets: tuple[QueriedDataset, ...] = ()

    @property
    def total(self) -> int | None:
        """How many rows there are, where that is known."""
        return None if self.truncated else len(self.rows)


@dataclass(frozen=True, slots=True)
class Exported:
    """A query's rows in a file."""

    path: str
    format: str
    rows: int
    bytes: int
    milliseconds: float
    datasets: tuple[QueriedDataset, ...] = ()


@dataclass(frozen=True, slots=True)
class PastQuery:
    """A line of the history. `state`: done, failed, refused, cancelled, limited (time, memory).

    What looks like a secret is taken out of `sql`; `datasets` are `name#number`.
    """

    id: str
    at: float
    actor: str
    sql: str
    datasets: tuple[str, ...]
    state: str
    rows: int | None
    milliseconds: float | None
    message: str = ""
