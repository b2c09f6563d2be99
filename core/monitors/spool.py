"""Rows on their way into a window: parsed once, kept in files of this run, read by column.

Captured inputs are JSON, a table a request. Their types are those of what was really sent, not
of the signature: a column of whole numbers is int64, with fractions float64, flags bool, and
anything mixed is text, as it was written. A batch's columns may lack what another has.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from core.domain.capture import CapturedRequest
from core.monitors.kind import (
    AT,
    INFERENCE_ID,
    LABEL,
    LATENCY_MS,
    PREDICTION,
    SCORE,
    STATUS,
    VARIANT,
)

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 10_000
CHUNK = 1_000
Columns = dict[str, list[Any]]


class Spool:
    """Files of record batches in a folder, each with the types that its rows have."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: list[Path] = []
        self._kinds: dict[str, set[str]] = {}
        self._types: dict[str, pa.DataType] = {}
        self.rows = 0
        self.labelled = 0
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, columns: Columns) -> None:
        """Keep rows; every list has the same length."""
        import pyarrow as pa

        size = len(next(iter(columns.values()), []))
        if not size:
            return
        arrays: dict[str, pa.Array] = {}
        for name, values in columns.items():
            arrays[name] = _array(values)
            self._kinds.setdefault(name, set()).add(_kind(arrays[name].type))
        if LABEL in arrays:
            self.labelled += size - arrays[LABEL].null_count
        self._write(pa.record_batch(list(arrays.values()), names=list(arrays)))
        self.rows += size

    def add_batch(self, batch: pa.RecordBatch) -> None:
        """Keep rows that have their types already (of a dataset: the same in every batch)."""
        if batch.num_rows:
            for field in batch.schema:
                self._types.setdefault(field.name, field.type)
            if LABEL in batch.schema.names:
                self.labelled += batch.num_rows - batch.column(LABEL).null_count
            self._write(batch)
            self.rows += batch.num_rows

    def _write(self, batch: pa.RecordBatch) -> None:
        import pyarrow as pa

        path = self._folder / f"rows-{len(self._files):05d}.arrow"
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
            writer.write_batch(batch)
        self._files.append(path)

    @property
    def schema(self) -> pa.Schema:
        """The columns of all batches, with a type that holds the values of all."""
        import pyarrow as pa

        found = {name: _common(kinds) for name, kinds in self._kinds.items()}
        return pa.schema(list((found | self._types).items()))

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows; a column that a batch lacks is nulls."""
        import pyarrow as pa

        whole = self.schema
        names = [name for name in (columns or whole.names) if name in whole.names]
        wanted = pa.schema([whole.field(name) for name in names])
        for path in self._files:
            with pa.memory_map(str(path)) as source:
                batch = pa.ipc.open_file(source).get_batch(0)
                arrays = [_cast(batch, field) for field in wanted]
                if names:
                    yield pa.record_batch(arrays, schema=wanted)
                else:
                    yield batch.select([])

    def close(self) -> None:
        """Delete the files."""
        for path in self._files:
            path.unlink(missing_ok=True)
        self._files = []


Labels = Callable[[Sequence[str]], Mapping[str, str]]
"""The labels (JSON) of those inference ids that have one."""


def spool_requests(
    spool: Spool,
    requests: Iterable[CapturedRequest],
    labels: Labels | None,
    events: str = "",
    since: float | None = None,
    until: float | None = None,
) -> None:
    """Keep the rows of requests, by column; without `labels` there is no such column. With
    `events` only rows whose time in that column is within [since, until)."""
    held: Columns = {}
    size = 0
    source = iter(requests)
    while chunk := list(itertools.islice(source, CHUNK)):
        known = {} if labels is None else labels([each.inference_id for each in chunk])
        for request in chunk:
            rows = rows_of_request(request, known.get(request.inference_id))
            if events:
                rows = _within(rows, events, since, until)
            count = len(rows[AT])
            if not count:
                continue
            for name, values in rows.items():
                if name not in held:
                    held[name] = [None] * size
                held[name] += values
            for name in held.keys() - rows.keys():
                held[name] += [None] * count
            size += count
            if size >= BATCH_ROWS:
                _keep(spool, held, labelled=labels is not None)
                held, size = {}, 0
    if size:
        _keep(spool, held, labelled=labels is not None)


def _keep(spool: Spool, held: Columns, *, labelled: bool) -> None:
    if not labelled:
        held.pop(LABEL, None)
    spool.add(held)


def rows_of_request(request: CapturedRequest, label: str | None) -> Columns:
    """A request as columns: its inputs, and the framework's own."""
    inputs = _table(request.inputs)
    answers = _list(request.outputs) if request.status == 200 else None
    count = max([len(values) for values in inputs.values()] or [0])
    if answers is not None:
        count = max(count, len(answers))
    count = max(count, 1)
    for name, values in inputs.items():
        inputs[name] = [*values, *([None] * (count - len(values)))]
    answers = answers if answers is not None and len(answers) == count else [None] * count
    told = [_answer(each) for each in answers]
    return {
        **inputs,
        PREDICTION: [prediction for prediction, _ in told],
        SCORE: [score for _, score in told],
        LABEL: _labels(label, count),
        AT: [request.at] * count,
        INFERENCE_ID: [request.inference_id] * count,
        VARIANT: [request.variant] * count,
        STATUS: [request.status] * count,
        LATENCY_MS: [float(request.latency_ms)] * count,
    }


def event_bounds(request: CapturedRequest, column: str) -> tuple[float, float] | None:
    """The first and last time in a column of a request's inputs, in epoch seconds."""
    found = map(moment, _table(request.inputs).get(column, ()))
    times = [at for at in found if at is not None]
    return (min(times), max(times)) if times else None


def moment(value: Any) -> float | None:
    """Epoch seconds of what people write as a time: ISO-8601, a date, or a number (of seconds,
    or of milli-, micro- or nanoseconds, told apart by their size); None for anything else."""
    from datetime import UTC, datetime

    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        size = abs(value)
        for limit, unit in ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6)):
            if size < limit:
                return float(value) / unit
        return float(value) / 1e9
    try:
        at = datetime.fromisoformat(str(value).strip())
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def epochs(column: Any) -> pa.Array:
    """A column of times as epoch seconds; null where there is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s"))
    if pa.types.is_timestamp(column.type):
        unit = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[column.type.unit]
        numbers = column.cast(pa.int64()).cast(pa.float64(), safe=False)
        return pc.divide(numbers, unit)
    return pa.array([moment(each) for each in column.to_pylist()], pa.float64())


def _within(rows: Columns, column: str, since: float | None, until: float | None) -> Columns:
    times = [moment(each) for each in rows.get(column, [None] * len(rows[AT]))]
    kept = [
        place
        for place, at in enumerate(times)
        if at is not None and (since is None or at >= since) and (until is None or at < until)
    ]
    found = {name: [values[place] for place in kept] for name, values in rows.items()}
    found[AT] = [at for place in kept if (at := times[place]) is not None]
    return found


def _table(text: str) -> Columns:
    """A request's inputs by column; nothing where they are no table."""
    found = _json(text)
    if isinstance(found, dict):
        found = found.get("dataframe_split", found)  # as servers write it
    if not isinstance(found, dict):
        return {}
    names, data = found.get("columns"), found.get("data")
    if not isinstance(names, list) or not isinstance(data, list):
        return {}
    rows = [row for row in data if isinstance(row, list)]
    return {
        str(name): [row[place] if place < len(row) else None for row in rows]
        for place, name in enumerate(names)
        if not str(name).startswith("__")
    }


def _list(text: str) -> list[Any] | None:
    found = _json(text)
    return found if isinstance(found, list) else None


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except (ValueError, TypeError):
        return None


def _answer(item: Any) -> tuple[Any, str | None]:
    """A row's prediction, and its class probabilities as JSON where that is what was answered:
    then the prediction is the number of the likeliest class."""
    if not isinstance(item, list):
        return item, None
    if len(item) == 1:
        return item[0], None
    numbers = [each for each in item if isinstance(each, int | float)]
    if item and len(numbers) == len(item):
        return numbers.index(max(numbers)), json.dumps(item)
    return json.dumps(item), None


def _labels(label: str | None, count: int) -> list[Any]:
    if label is None:
        return [None] * count
    found = _json(label)
    values = found if isinstance(found, list) else [found]
    return values if len(values) == count else [None] * count


def _array(values: list[Any]) -> pa.Array:
    """A column with the narrowest type that holds all of it."""
    import pyarrow as pa

    types = {type(each) for each in values} - {type(None)}
    if not types:
        return pa.nulls(len(values))
    try:
        if types == {bool}:
            return pa.array(values, pa.bool_())
        if types == {int}:
            return pa.array(values, pa.int64())
        if types <= {int, float}:
            return pa.array(values, pa.float64())
    except (pa.ArrowInvalid, OverflowError):  # a whole number too large for one
        return pa.array([None if each is None else float(each) for each in values], pa.float64())
    return pa.array([_text(each) for each in values], pa.string())


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode(errors="replace")


def _kind(found: pa.DataType) -> str:
    import pyarrow as pa

    if pa.types.is_null(found):
        return "null"
    if pa.types.is_boolean(found):
        return "bool"
    if pa.types.is_integer(found):
        return "int"
    return "float" if pa.types.is_floating(found) else "text"


def _common(kinds: set[str]) -> pa.DataType:
    import pyarrow as pa

    known = kinds - {"null"}
    if not known:
        return pa.null()
    if known == {"bool"}:
        return pa.bool_()
    if known == {"int"}:
        return pa.int64()
    return pa.float64() if known <= {"int", "float"} else pa.string()


def _cast(batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    import pyarrow as pa

    place = batch.schema.get_field_index(field.name)
    if place < 0:
        return pa.nulls(batch.num_rows, field.type)
    found = batch.column(place)
    if found.type == field.type:
        return found
    if pa.types.is_string(field.type) and not pa.types.is_null(found.type):
        return pa.array([_text(each) for each in found.to_pylist()], pa.string())
    return found.cast(field.type)
