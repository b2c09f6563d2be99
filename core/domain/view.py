"""A materialised view: a query over datasets whose rows are kept in a dataset of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class ViewState(StrEnum):
    """How a view stands beside its sources."""

    NEW = "new"  # never refreshed
    FRESH = "fresh"
    STALE = "stale"  # a source has newer snapshots
    FAILED = "failed"  # the last refresh did not succeed; the rows are of the one before


@dataclass(frozen=True, slots=True)
class ViewDefinition:
    """What a view's file says. `every` is how often the worker looks after it, in seconds;
    `None` leaves that to people. `keys` make a row unique; without them each refresh is full."""

    name: str
    sql: str
    keys: tuple[str, ...] = ()
    every: float | None = None
    owner: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class SourceLag:
    """One source of a view: the snapshot that the view has seen, and the source's newest.

    `behind` counts the snapshots between; `since` is when the first of them was made (epoch
    seconds; `None` where nothing is missing).
    """

    dataset: str
    seen: int | None
    newest: int | None
    behind: int
    since: float | None


@dataclass(frozen=True, slots=True)
class View:
    """A view as it stands. `mode` is `incremental` or `full`, `why_full` the reason by source
    (under the empty name for all of them)."""

    name: str
    sql: str
    keys: tuple[str, ...]
    sources: tuple[SourceLag, ...]
    mode: str
    why_full: Mapping[str, str]
    state: ViewState
    every: float | None
    owner: str
    description: str
    created_at: float
    refreshed_at: float | None
    rows: int | None
    snapshot: int | None
    message: str = ""

    @property
    def stale_since(self) -> float | None:
        """When the oldest change that the view has not seen was made."""
        return min((s.since for s in self.sources if s.since is not None), default=None)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did: `how` is nothing, append, upsert or full; `keys` were made anew."""

    name: str
    how: str
    keys: int | None
    rows: int
    snapshot: int | None
    seconds: float
    why_full: str = ""
