"""What comes into datasets: batches and their files, intakes, and what a crawler found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class IngestState(StrEnum):
    """`open`: on its way; `done`: in the dataset; `failed`: not; `quarantined`: kept aside."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"
    QUARANTINED = "quarantined"


class FileState(StrEnum):
    """What is done with a file: `new` and `again` are read, the others are left out."""

    NEW = "new"
    AGAIN = "again"
    KNOWN = "known"
    CHANGED = "changed"
    SAME = "same"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class IngestFile:
    """One file of a batch. `size` is in bytes as stored; `note` says why it is left out."""

    uri: str
    size: int
    format: str
    state: FileState
    rows: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """One difference between a source and a dataset. `kind`: add, widen, missing, type, rename.
    A breaking one would change or take away what readers rely on."""

    kind: str
    column: str
    before: str = ""
    after: str = ""
    breaking: bool = False

    @property
    def text(self) -> str:
        """The change in words."""
        match self.kind:
            case "add":
                return f"new column {self.column} ({self.after})"
            case "widen":
                return f"column {self.column}: {self.before} widens to {self.after}"
            case "missing":
                return f"column {self.column} ({self.before}) is missing"
            case "rename":
                return f"column {self.before} seems to be called {self.column} now"
        return f"column {self.column}: {self.before} became {self.after}"


@dataclass(frozen=True, slots=True)
class IngestColumn:
    """A column as it would be taken in. `note` says what was noticed about its values."""

    name: str
    type: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be taken in: where it stands and why. `text` is what stands there."""

    uri: str
    line: int
    reason: str
    text: str = ""
    column: str = ""


@dataclass(frozen=True, slots=True)
class Ingest:
    """One batch, planned or done. `rows` counts what was or would be taken in. Times are epoch
    seconds (UTC)."""

    id: str
    dataset: str
    kind: str
    source: str
    state: str
    at: float
    by: str
    ended_at: float | None = None
    rows: int | None = None
    snapshot_id: str | None = None
    files: tuple[IngestFile, ...] = ()
    message: str = ""
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingest found and did. `ingest` is None where there was nothing new, or nothing
    was to be done (`dry_run`). `preview` has the first rows as text."""

    dataset: str
    dry_run: bool
    creates: bool
    mode: str
    files: tuple[IngestFile, ...]
    columns: tuple[IngestColumn, ...] = ()
    changes: tuple[SchemaChange, ...] = ()
    rows: int = 0
    bad: tuple[BadRow, ...] = ()
    bad_rows: int = 0
    preview: tuple[Mapping[str, Any], ...] = ()
    ingest: Ingest | None = None

    @property
    def read(self) -> int:
        """How many files were read."""
        return sum(one.state in (FileState.NEW, FileState.AGAIN) for one in self.files)


@dataclass(frozen=True, slots=True)
class IntakeCounts:
    """What an intake's process has done since it started, and what waits in its spool."""

    accepted: int = 0
    refused: int = 0
    flushed: int = 0
    waiting: int = 0
    waiting_bytes: int = 0
    segments: int = 0
    last_error: str = ""
    last_flush_at: float | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """A way into a dataset that stays open. `url` is empty where it only reads standard input;
    `counts` are of the running process, of the spool alone where there is none."""

    name: str
    dataset: str
    created_at: float
    by: str
    running: bool
    pid: int | None = None
    url: str = ""
    closed_at: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    counts: IntakeCounts = IntakeCounts()


class CrawlState(StrEnum):
    """What became of what a crawler proposed."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Crawl:
    """One table that a crawler found under `root`, and what it proposes for the dataset.

    `found` has `files`, `bytes`, `format`, `folder`, `partitions`, `columns` and `exists`.
    """

    id: str
    root: str
    dataset: str
    at: float
    by: str
    state: CrawlState
    found: Mapping[str, Any]
    changes: tuple[SchemaChange, ...]
    breaking: bool
    decided_by: str | None = None
    decided_at: float | None = None
