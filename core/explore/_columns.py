"""What is counted of every row of a column, part by part."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from core.domain.profile import ColumnKind
from core.explore.sketch import DistinctSketch

MOST_MOMENTS = 5_000_000
"""Different times that are held to find gaps among."""
TIME_TEXT = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?"
)


def kind_of(dtype: pl.DataType) -> ColumnKind:
    """What a polars type is treated as."""
    if dtype.is_numeric():
        return ColumnKind.NUMBER
    if dtype == pl.Boolean:
        return ColumnKind.FLAG
    if dtype in (pl.Date, pl.Datetime):
        return ColumnKind.TIME
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return ColumnKind.TEXT
    return ColumnKind.OTHER


@dataclass(slots=True)
class Totals:
    """Running totals of one column; `mean` and `squares` (about it) are of finite numbers."""

    name: str
    kind: ColumnKind
    rows: int = 0
    missing: int = 0
    nan: int = 0
    infinite: int = 0
    zeros: int = 0
    negatives: int = 0
    finite: int = 0
    mean: float = 0.0
    squares: float = 0.0
    minimum: float | None = None
    maximum: float | None = None
    shortest: int | None = None
    longest: int | None = None
    characters: int = 0
    blank: int = 0
    moments: Moments | None = None
    sketch: DistinctSketch | None = None

    def expressions(self, dtype: pl.DataType) -> list[pl.Expr]:
        """What to ask of one part, each named `column\\0what`; `add` takes the answers."""
        column = pl.col(self.name)
        asked = {"missing": column.null_count()}
        if self.kind is ColumnKind.NUMBER:
            number = column.cast(pl.Float64) if not dtype.is_float() else column
            whole = dtype.is_integer()
            finite = number if whole else number.filter(number.is_finite())
            asked |= {
                "zeros": (column == 0).sum(),
                "negatives": (column < 0).sum(),
                "finite": finite.count(),
                "mean": finite.mean().cast(pl.Float64),
                "var": finite.var(ddof=0).cast(pl.Float64),
                "min": finite.min().cast(pl.Float64),
                "max": finite.max().cast(pl.Float64),
            }
            if dtype.is_float():
                asked |= {"nan": number.is_nan().sum(), "infinite": number.is_infinite().sum()}
        elif self.kind is ColumnKind.TEXT:
            text = column.cast(pl.String)
            asked |= {
                "shortest": text.str.len_chars().min(),
                "longest": text.str.len_chars().max(),
                "characters": text.str.len_chars().sum(),
                "blank": (text.str.strip_chars() == "").sum(),
            }
        return [each.alias(f"{self.name}\0{what}") for what, each in asked.items()]

    def add(self, rows: int, got: dict[str, Any]) -> None:
        """Take in one part's answers."""
        self.rows += rows
        self.missing += got["missing"]
        for what in ("nan", "infinite", "zeros", "negatives", "characters", "blank"):
            setattr(self, what, getattr(self, what) + (got.get(what) or 0))
        if got.get("finite"):
            self._moments(got["finite"], got["mean"], got["var"])
            self.minimum = _least(self.minimum, got["min"])
            self.maximum = _most(self.maximum, got["max"])
        self.shortest = _least(self.shortest, got.get("shortest"))
        self.longest = _most(self.longest, got.get("longest"))

    def _moments(self, count: int, mean: float, variance: float) -> None:
        """Chan, Golub, LeVeque: means and squares of two parts are those of both."""
        total = self.finite + count
        delta = mean - self.mean
        self.squares += variance * count + delta * delta * self.finite * count / total
        self.mean += delta * count / total
        self.finite = total

    @property
    def std(self) -> float | None:
        """The standard deviation of the sample (n - 1)."""
        if self.finite < 2:
            return None
        return float(np.sqrt(max(0.0, self.squares) / (self.finite - 1)))


def _least(one: Any, two: Any) -> Any:
    return two if one is None else one if two is None else min(one, two)


def _most(one: Any, two: Any) -> Any:
    return two if one is None else one if two is None else max(one, two)


@dataclass(slots=True)
class Moments:
    """The different times of a column, in microseconds, or None once there are too many."""

    text: bool = False
    unread: int = 0
    many: bool = False
    first: int | None = None
    last: int | None = None
    _parts: list[npt.NDArray[np.int64]] = field(default_factory=list)
    _held: int = 0

    def add(self, values: pl.Series) -> None:
        """Take in one part."""
        times = as_moments(values)
        if self.text:
            self.unread += times.null_count() - values.null_count()
        found = times.drop_nulls().unique()
        if found.is_empty():
            return
        moments: npt.NDArray[np.int64] = found.to_physical().cast(pl.Int64).to_numpy()
        self.first = _least(self.first, int(moments.min()))
        self.last = _most(self.last, int(moments.max()))
        if self.many:
            return
        self._parts.append(moments)
        self._held += len(moments)
        if self._held > 2 * MOST_MOMENTS:
            self._parts = [_different(self._parts)]
            self._held = len(self._parts[0])
            if self._held > MOST_MOMENTS:
                self.many, self._parts = True, []

    def sorted(self) -> npt.NDArray[np.int64] | None:
        """All of them in order; None where there are too many."""
        if self.many:
            return None
        if not self._parts:
            return np.zeros(0, np.int64)
        return _different(self._parts)


def _different(parts: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """The different values of all parts, in order."""
    found = pl.Series(np.concatenate(parts)).unique().sort()
    return found.to_numpy()


def as_moments(values: pl.Series) -> pl.Series:
    """Dates, times or ISO texts as UTC times of microseconds; what cannot be read is null."""
    if values.dtype == pl.String:
        naive = values.str.replace(r"([Zz]|[+-]\d{2}:?\d{2})$", "").str.replace(" ", "T")
        plain = naive.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us")
        short = naive.str.to_datetime("%Y-%m-%dT%H:%M", strict=False, time_unit="us")
        day = naive.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
        return plain.zip_with(plain.is_not_null(), short.zip_with(short.is_not_null(), day))
    if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone is not None:
        values = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return values.cast(pl.Datetime("us"))


def reads_as_time(values: pl.Series) -> bool:
    """Whether texts are dates or times as ISO 8601 writes them, by their first thousand."""
    few = values.drop_nulls().head(1000)
    return len(few) > 2 and all(TIME_TEXT.fullmatch(str(each)) for each in few)
