"""Splits of a dataset into parts, and what leaks between them, as records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KINDS = ("time", "group", "stratum", "hash", "random")
PARTS = ("train", "valid", "test")


@dataclass(frozen=True, slots=True)
class SplitSpec:
    """How rows are divided.

    `kind`: `time` (by `column`; later parts are later), `group` (values of `columns` stay
    together, shares by rows), `stratum` (each value of `columns` in the same shares), `hash`
    (by the values of `columns`: a key stays in its part for ever), `random` (by `seed`).
    `shares` maps part to share; for `time`, `starts` may map a part to the moment it starts
    at instead. `gap` (as 24h, 7d) leaves out the rows within it before each boundary. `bins`:
    a number as stratum is cut at so many quantiles.
    """

    kind: str
    columns: tuple[str, ...] = ()
    shares: Mapping[str, float] = field(default_factory=dict)
    starts: Mapping[str, str] = field(default_factory=dict)
    gap: str = ""
    seed: int = 0
    bins: int = 10


@dataclass(frozen=True, slots=True)
class PartReport:
    """One part: rows, share of the whole, first and last time, mean of the target, how often
    each of its classes (or strata) is in it, how many groups."""

    name: str
    rows: int
    share: float
    first: str = ""
    last: str = ""
    target_mean: float | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    groups: int | None = None
    dataset: str = ""
    snapshot: str = ""


@dataclass(frozen=True, slots=True)
class SplitReport:
    """What a split came to. `left_out` rows are in a gap; `fingerprint` is of who is where."""

    dataset: str
    snapshot: str
    spec: SplitSpec
    rows: int
    left_out: int
    parts: tuple[PartReport, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Leak:
    """One finding. `severity`: `leak` (the model would see the answer) or `suspect` (look at
    it). `measure` and `threshold` say by how much, `columns` where, `advice` what to do."""

    kind: str
    severity: str
    columns: tuple[str, ...]
    message: str
    advice: str = ""
    measure: float | None = None
    threshold: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LeakReport:
    """All findings, the worst first, and what was looked for."""

    dataset: str
    snapshot: str
    target: str
    rows: int
    sampled_rows: int
    checks: tuple[str, ...]
    skipped: Mapping[str, str]
    leaks: tuple[Leak, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing was found that is surely a leak."""
        return not any(each.severity == "leak" for each in self.leaks)
