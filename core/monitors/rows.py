"""Windows as kinds get them: rows in files, read by column, several times if need be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.monitors.kind import AT, LABEL, PREDICTION
from core.monitors.spool import BATCH_ROWS, Spool, epochs

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class SpooledWindow:
    """A window whose rows stand in a spool. `duplicates` is for the record."""

    spool: Spool
    start: float
    end: float
    target: str
    has_labels: bool = False
    duplicates: int = 0

    @property
    def rows(self) -> int:
        return self.spool.rows

    @property
    def label_coverage(self) -> float | None:
        if not self.has_labels:
            return None
        return self.spool.labelled / self.spool.rows if self.spool.rows else 0.0

    @property
    def schema(self) -> pa.Schema:
        return self.spool.schema

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        return self.spool.batches(columns)

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        return whole(self, columns)


@dataclass(frozen=True, slots=True)
class EmptyWindow:
    """A window of a kind that reads no rows: just its time."""

    start: float
    end: float
    target: str
    rows: int = 0
    label_coverage: float | None = None

    @property
    def schema(self) -> pa.Schema:
        import pyarrow as pa

        return pa.schema([])

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        return iter(())

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        import pyarrow as pa

        return pa.table({})


Predict = Callable[["pa.Table"], Sequence[Any]]


class ParquetWindow:
    """Rows of a Parquet file (or of all files in a folder), with columns of it under further
    names, and predictions made when they are asked for.

    `renamed` maps a further name to the column that it copies; `at` is the column that becomes
    `__at`. `predict` gives `__prediction` for a table of rows, of the type `predicted`.
    """

    start = 0.0
    end = 0.0

    def __init__(
        self,
        path: Path,
        target: str,
        renamed: Mapping[str, str] | None = None,
        predict: Predict | None = None,
        predicted: pa.DataType | None = None,
        at: str = "",
    ) -> None:
        import pyarrow.dataset as ds

        self._data = ds.dataset(str(path), format="parquet")
        self.target = target
        self._renamed = dict(renamed or {})
        self._predict = predict
        self._predicted = predicted
        self._at = at
        self._rows: int | None = None

    @property
    def rows(self) -> int:
        if self._rows is None:
            self._rows = int(self._data.count_rows())
        return self._rows

    @property
    def label_coverage(self) -> float | None:
        return 1.0 if LABEL in self._renamed else None

    @property
    def schema(self) -> pa.Schema:
        import pyarrow as pa

        found = [field for field in self._data.schema if not field.name.startswith("__")]
        for name, source in self._renamed.items():
            found.append(pa.field(name, self._data.schema.field(source).type))
        if self._predict is not None and self._predicted is not None:
            found.append(pa.field(PREDICTION, self._predicted))
        if self._at:
            found.append(pa.field(AT, pa.float64()))
        return pa.schema(found)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        whole_schema = self.schema
        names = [name for name in (columns or whole_schema.names) if name in whole_schema.names]
        predict = self._predict if PREDICTION in names else None
        own = {AT: self._at, **self._renamed}
        read = None if predict else sorted({own.get(name, name) for name in names})
        for batch in self._data.to_batches(columns=read, batch_size=BATCH_ROWS):
            if not batch.num_rows:
                continue
            made: dict[str, pa.Array] = {}
            if predict is not None:
                said = predict(pa.Table.from_batches([batch]))
                made[PREDICTION] = pa.array(said, self._predicted, from_pandas=True)
            if AT in names:
                made[AT] = epochs(batch.column(batch.schema.get_field_index(self._at)))
            arrays = [
                made[name]
                if name in made
                else batch.column(batch.schema.get_field_index(own.get(name, name)))
                for name in names
            ]
            yield pa.record_batch(arrays, names=names) if names else batch.select([])

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        return whole(self, columns)


def whole(window: Any, columns: Sequence[str] | None = None) -> pa.Table:
    """All rows of a window as one table."""
    import pyarrow as pa

    names = [name for name in (columns or window.schema.names) if name in window.schema.names]
    schema = pa.schema([window.schema.field(name) for name in names])
    return pa.Table.from_batches(list(window.batches(names)), schema=schema)


def spool_batches(
    spool: Spool, batches: Iterable[pa.RecordBatch], renamed: Mapping[str, str]
) -> None:
    """Keep batches, with columns of them under further names as well."""
    for batch in batches:
        for name, source in renamed.items():
            place = batch.schema.get_field_index(source)
            if place >= 0:
                batch = batch.append_column(name, batch.column(place))
        spool.add_batch(batch)
