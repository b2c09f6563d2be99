"""What the state and the lake know around a batch or snapshot, for the checks of the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import polars as pl

from core.errors import NotFound
from core.explore.frames import frames
from core.reads import datasets as _datasets

if TYPE_CHECKING:
    import pyarrow as pa

    from core.session import Session
    from core.state.reading import Reader

    Read = Callable[[str, Sequence[str]], pa.RecordBatchReader]

MOST_EARLIER = 100
_ADDING = "('append', 'upsert', 'overwrite')"


def earlier_rows(reader: Reader, dataset: str, before: int | None = None) -> list[int]:
    """Rows of the snapshots before number `before`, newest first."""
    return _numbers(reader, dataset, before, "rows", "operation != 'create'")


def earlier_batches(reader: Reader, dataset: str, before: int | None = None) -> list[int]:
    """Rows that the batches before snapshot number `before` added, newest first."""
    return _numbers(reader, dataset, before, "added_rows", f"operation IN {_ADDING}")


def _numbers(
    reader: Reader, dataset: str, before: int | None, column: str, which: str
) -> list[int]:
    narrowed = "" if before is None else " AND number < :before"
    given = {} if before is None else {"before": before}
    rows = reader.rows(
        f"SELECT {column} AS n FROM dataset_snapshots WHERE dataset = :dataset AND {which}"
        f" AND {column} IS NOT NULL{narrowed} ORDER BY number DESC LIMIT :most",
        dataset=dataset,
        most=MOST_EARLIER,
        **given,
    )
    return [int(row["n"]) for row in rows]


def is_there(session: Session, dataset: str) -> bool:
    """Whether the dataset exists yet: a first batch makes it."""
    try:
        _datasets.find_dataset(session.reader, dataset)
    except NotFound:
        return False
    return True


def committed(reader: Reader, dataset: str, batch_id: str) -> str | None:
    """The snapshot that a batch went into; None where it went into none."""
    rows = reader.rows(
        "SELECT s.snapshot_id FROM dataset_snapshots s JOIN datasets d ON d.name = s.dataset"
        " WHERE s.dataset = :dataset AND s.batch_id = :batch AND s.at >= d.created_at",
        dataset=dataset,
        batch=batch_id,
    )
    return str(rows[0]["snapshot_id"]) if rows else None


def values_by(read: Read) -> Callable[[str, str], Iterator[pl.Series]]:
    """The values of a column of another dataset, part by part."""

    def values(dataset: str, key: str) -> Iterator[pl.Series]:
        for frame in frames(read(dataset, [key])):
            yield frame[key]

    return values


def column_names(reader: Reader, dataset: str) -> frozenset[str]:
    """The columns that the dataset has now."""
    return frozenset(column.name for column in _datasets.find_dataset(reader, dataset).columns)
