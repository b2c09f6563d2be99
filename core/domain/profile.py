"""What is in a snapshot of a dataset, column by column, and how two snapshots differ.

Numbers of times are epoch seconds (UTC); shares are from 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ColumnKind(StrEnum):
    """What a column is treated as, whatever its exact type."""

    NUMBER = "number"
    TEXT = "text"
    FLAG = "flag"
    TIME = "time"
    OTHER = "other"  # lists, structs, binary: counted, not measured


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts between `edges` (one more than `counts`); the last bin holds its upper edge.

    `below` and `above` count what lies outside: the edges may be those of an earlier snapshot,
    kept so that the two can be compared bin by bin.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    below: int = 0
    above: int = 0

    @property
    def total(self) -> int:
        """All that was counted."""
        return sum(self.counts) + self.below + self.above


@dataclass(frozen=True, slots=True)
class Outliers:
    """Values outside `low` to `high` by the rule that is named."""

    rule: str
    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class NumberStats:
    """Of the finite values of a column of numbers. `quantiles` maps shares to values, in
    order."""

    minimum: float | None
    maximum: float | None
    mean: float | None
    std: float | None
    quantiles: tuple[tuple[float, float], ...] = ()
    zeros: int = 0
    negatives: int = 0
    nan: int = 0
    infinite: int = 0
    histogram: Histogram | None = None
    outliers: Outliers | None = None

    def quantile(self, share: float) -> float | None:
        """The quantile that was kept for `share`; None where it wasn't."""
        return next((value for at, value in self.quantiles if abs(at - share) < 1e-9), None)


@dataclass(frozen=True, slots=True)
class TextStats:
    """Lengths in characters, and texts that are empty or only blanks."""

    min_length: int | None
    max_length: int | None
    mean_length: float | None
    blank: int = 0


@dataclass(frozen=True, slots=True)
class Gap:
    """Times that are missing: the first and the last of them, and how many."""

    first: float
    last: float
    missing: int


@dataclass(frozen=True, slots=True)
class TimeStats:
    """What a column of times covers.

    `step` is the usual distance between two neighbours in seconds (None: there is none, and
    then no gaps are told), `calendar` names it where it has no fixed length (`month`).
    `missing` counts the times that the step asks for and that are not there, in `gap_count`
    gaps; `gaps` are the longest of them, in order of time.
    """

    first: float | None
    last: float | None
    distinct: int | None = None
    step: float | None = None
    calendar: str = ""
    regular: float = 0.0
    missing: int = 0
    gap_count: int = 0
    gaps: tuple[Gap, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column. `distinct` is exact unless `distinct_approximate`; `top` are the most
    frequent values with their counts, all of them where `top_complete`."""

    name: str
    type: str
    kind: ColumnKind
    rows: int
    missing: int
    distinct: int | None = None
    distinct_approximate: bool = False
    top: tuple[tuple[str, int], ...] = ()
    top_complete: bool = False
    number: NumberStats | None = None
    text: TextStats | None = None
    time: TimeStats | None = None
    note: str = ""

    @property
    def missing_share(self) -> float:
        """The share of rows without a value."""
        return self.missing / self.rows if self.rows else 0.0


@dataclass(frozen=True, slots=True)
class Correlation:
    """How two columns go together. `method`: pearson, spearman (-1 to 1) or cramers_v (0 to
    1)."""

    first: str
    second: str
    method: str
    value: float


@dataclass(frozen=True, slots=True)
class DatasetProfile:
    """A snapshot's profile.

    Where `sampled_rows` is not None, quantiles, histograms, top values, outliers and texts'
    details are of a uniform sample of that many rows; counts, bounds, means and times are of
    all. `duplicate_rows` counts rows equal to an earlier one (None: not counted).
    """

    dataset: str
    snapshot_id: str
    at: float
    rows: int
    columns: tuple[ColumnProfile, ...]
    snapshot_number: int | None = None
    sampled_rows: int | None = None
    duplicate_rows: int | None = None
    correlations: tuple[Correlation, ...] = ()
    correlated_rows: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    restricted: bool = False

    def column(self, name: str) -> ColumnProfile | None:
        """The column of this name."""
        return next((each for each in self.columns if each.name == name), None)


@dataclass(frozen=True, slots=True)
class Shift:
    """How far a column's distribution has moved.

    `psi`: population stability index; `js`: Jensen-Shannon distance (base 2, 0 to 1); `ks`: the
    greatest difference of the cumulated shares, for numbers. `exact` is False where the two
    histograms had different edges and one was spread over the other's.
    """

    psi: float
    js: float
    ks: float | None = None
    exact: bool = True


@dataclass(frozen=True, slots=True)
class ColumnDiff:
    """One column in two snapshots; `change` says added, removed, retyped, shifted or same."""

    name: str
    change: str
    before: ColumnProfile | None
    after: ColumnProfile | None
    shift: Shift | None = None
    new_values: tuple[str, ...] = ()
    lost_values: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProfileDiff:
    """Two snapshots of one dataset set side by side."""

    dataset: str
    before: DatasetProfile
    after: DatasetProfile
    columns: tuple[ColumnDiff, ...]

    @property
    def rows_changed(self) -> int:
        """Rows more (or fewer) than before."""
        return self.after.rows - self.before.rows
