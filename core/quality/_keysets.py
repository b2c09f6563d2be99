"""Uniqueness over columns, and values that must exist in another dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl


class KeyColumns:
    """Columns of all rows so far, kept for checks that must see them together."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = list(dict.fromkeys(columns))
        self._parts: list[pl.DataFrame] = []

    def add(self, frame: pl.DataFrame) -> None:
        """Keep these columns of one part."""
        if self.columns:
            self._parts.append(frame.select(self.columns))

    def frame(self) -> pl.DataFrame:
        """The columns of all parts, in their order."""
        return pl.concat(self._parts) if self._parts else pl.DataFrame()


def repeated(keys: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """A mask of the rows whose values in `columns` another row has too.

    Rows in which one of them is missing repeat nobody (as in SQL).
    """
    present = keys.select(pl.all_horizontal(pl.col(columns).is_not_null())).to_series()
    return keys.select(pl.struct(columns).is_duplicated()).to_series() & present


def also_in(
    keys: pl.DataFrame, columns: Sequence[str], others: Iterator[pl.DataFrame]
) -> pl.Series:
    """A mask of the rows whose values in `columns` are among those of `others`."""
    wanted = keys.select(columns).with_row_index("_row")
    found: list[pl.Series] = []
    for part in others:
        same = part.select(pl.col(c).cast(keys.schema[c], strict=False) for c in columns)
        found.append(wanted.join(same.unique(), on=list(columns), how="semi")["_row"])
    rows = pl.concat(found) if found else pl.Series("_row", [], dtype=pl.get_index_type())
    return wanted["_row"].is_in(rows.unique().implode())


def missing_from(values: pl.Series, known: Iterator[pl.Series]) -> pl.Series:
    """A mask of the values that are in none of `known`; a missing one is nowhere asked for."""
    left = values.unique().drop_nulls()
    for part in known:
        if left.is_empty():
            break
        same = part.cast(values.dtype, strict=False)
        left = left.filter(~left.is_in(same.unique().implode()))
    return values.is_in(left.implode()).fill_null(False)
