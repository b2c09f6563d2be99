"""What is expected of a dataset, what came of looking, and the batches that were held back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class CheckSeverity(StrEnum):
    """`error`: what fails it is held back and stops what comes after; `warn`: it is told."""

    ERROR = "error"
    WARN = "warn"


class CheckScope(StrEnum):
    """What a check of the whole is asked of: a batch before its commit, a snapshot, or both."""

    BATCH = "batch"
    SNAPSHOT = "snapshot"
    BOTH = "both"


class CheckStatus(StrEnum):
    """`skipped`: it could not be asked, for a reason that its message gives."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation. `key` is its place in the file (`columns.cnt.ge`), `kind` its last word.

    `allow` is the share of rows that may fail it; `options` is what its kind needs beside
    `value`.
    """

    kind: str
    key: str
    line: int
    columns: tuple[str, ...] = ()
    value: Any = None
    severity: CheckSeverity = CheckSeverity.ERROR
    scope: CheckScope = CheckScope.BOTH
    allow: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The expectation in a few words, as reasons give it: `cnt: ge 0`."""
        name = self.options.get("name")
        if name:
            return str(name)
        if self.kind in _WORDS and self.columns:
            return f"{self.columns[0]}: {_WORDS[self.kind]}"
        shown = "" if self.value is None or self.value is True else f" {_short(self.value)}"
        of = "+".join(self.columns)
        return f"{of}: {self.kind}{shown}" if of else f"{self.kind}{shown}"


@dataclass(frozen=True, slots=True)
class Expectations:
    """All that a file expects of one dataset. `strict`: no columns but those named.

    `fingerprint` is the SHA-256 of the file's text.
    """

    dataset: str
    path: str
    checks: tuple[Check, ...]
    strict: bool = False
    description: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What came of one check.

    `failed_rows` is None where it is not about rows; `observed` says what was found, and
    `examples` are a few failing values (of columns that the reader may see).
    """

    key: str
    title: str
    line: int
    severity: CheckSeverity
    status: CheckStatus
    columns: tuple[str, ...] = ()
    failed_rows: int | None = None
    observed: str = ""
    message: str = ""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Validation:
    """One validation of a snapshot or of a batch on its way in. `passed`: no error failed.

    `failed_rows` counts the rows that fail any error check. Times are epoch seconds (UTC).
    """

    id: str
    dataset: str
    snapshot_id: str | None
    batch_id: str | None
    at: float
    by: str
    passed: bool
    rows: int
    failed_rows: int
    results: tuple[CheckResult, ...]
    run_id: str | None = None
    file: str = ""
    notes: tuple[str, ...] = ()

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """Results that failed, errors first."""
        failed = [each for each in self.results if each.status is CheckStatus.FAILED]
        return tuple(sorted(failed, key=lambda each: each.severity is not CheckSeverity.ERROR))

    @property
    def warnings(self) -> int:
        """How many checks of severity `warn` failed."""
        return sum(each.severity is CheckSeverity.WARN for each in self.failures)

    @property
    def why(self) -> str:
        """The error that failed first and how many others did; empty where none did."""
        failed = [each for each in self.failures if each.severity is CheckSeverity.ERROR]
        if not failed:
            return ""
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        return f"{failed[0].title}: {failed[0].message}{more}"


class QuarantineState(StrEnum):
    """`held`: it waits for somebody; `repaired`: its rows were mended; `replaying`: on its way
    into the dataset; `replayed`: it is there; `discarded`: it will never be."""

    HELD = "held"
    REPAIRED = "repaired"
    REPLAYING = "replaying"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class QuarantinedBatch:
    """A batch that failed validation. `bad_rows` counts rows with reasons of their own;
    `reasons` maps each failed check's title to the rows that fail it (None: not about rows)."""

    id: str
    dataset: str
    batch_id: str
    validation_id: str | None
    at: float
    by: str
    state: QuarantineState
    rows: int
    bad_rows: int
    path: str
    reasons: Mapping[str, int | None]
    decided_by: str | None = None
    decided_at: float | None = None
    snapshot_id: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class HoldPreview:
    """What taking rows into quarantine would do: `rows` of `of` leave `dataset`, whose newest
    version is number `version`. `users` are what is made from it or looks at it, nearest first,
    as (what, name); some of them may not read these rows."""

    dataset: str
    where: str
    rows: int
    of: int
    version: int
    users: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """One row of a held batch: its place in it (from 1), its values, why it was refused."""

    number: int
    values: Mapping[str, Any]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate answers: whether the batch may be committed, else where it was put."""

    passed: bool
    validation: Validation | None
    quarantine_id: str | None = None
    message: str = ""


_WORDS = {"nullable": "not missing", "required": "is there"}


def _short(value: Any) -> str:
    if isinstance(value, list | tuple):
        shown = ", ".join(str(each) for each in value[:5])
        return f"[{shown}, … {len(value)}]" if len(value) > 5 else f"[{shown}]"
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"
