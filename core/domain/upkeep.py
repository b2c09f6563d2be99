"""What was done, or would be done, to keep a dataset small and quick."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeptVersion:
    """A version that is not among the newest and is kept all the same, and why."""

    number: int | None
    snapshot_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Expiry:
    """Versions let go: their numbers, how many stay, and which only for a reason.

    `files` and `bytes` are what was deleted of the store at once; the rest goes with the next
    sweep. `dry_run` says that nothing was done.
    """

    dataset: str
    numbers: tuple[int, ...]
    live: int
    kept: tuple[KeptVersion, ...] = ()
    files: int = 0
    bytes: int = 0
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Compaction:
    """Small files merged. `snapshot` is the number of the version it made; none: nothing to do."""

    dataset: str
    snapshot: int | None
    files_before: int
    files_after: int
    bytes: int
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Sweep:
    """Files that no version refers to: deleted, and seen but too young to be deleted."""

    dataset: str
    files: int
    bytes: int
    waiting: int
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """A dataset taken out of the lake, or what that would take out.

    `until` is when its files are deleted (epoch seconds), until when it can be brought back;
    `readers` are views, feature views and others that read it.
    """

    dataset: str
    rows: int | None
    bytes: int | None
    snapshots: int
    names: tuple[str, ...]
    readers: tuple[str, ...]
    until: float | None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class RollbackPlan:
    """What a rollback would change: version numbers, rows, columns. Not `possible` where the
    version has been expired."""

    dataset: str
    before: int | None
    after: int
    rows_before: int | None
    rows_after: int | None
    columns: tuple[str, ...]
    possible: bool
