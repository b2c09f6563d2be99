"""Where labels are kept: Parquet parts in `labels/`, beside the capture.

Nothing in them is ever changed. Of several labels of one request the latest holds: the one with
the latest time (that of the file, else when it was received), then the one received last.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from core.capture.disk import writing
from core.capture.labelfile import Label
from core.domain.capture import Task
from core.errors import StateCorrupt
from core.serving.process.parts import parse_name, put_table

FOLDER = "labels"
PART_ROWS = 20_000


class StoredLabel(NamedTuple):
    """A label as it is kept. `order` grows with how late it is; `value` is JSON text."""

    inference_id: str
    value: str
    task: Task
    order: tuple[int, int, int]


def store_labels(folder: Path, labels: Iterable[Label], task: Task = Task.AUTO) -> int:
    """Keep labels in the endpoint's folder; how many there were.

    They are put there when all of them have been read. Raises `BadInput` (what reading them
    raises; then nothing is kept), `DiskFull` and OSError.
    """
    received = time.time_ns()
    target = folder / FOLDER
    tables = [
        _table(chunk, task, received // 1000, number * PART_ROWS)
        for number, chunk in enumerate(_chunks(labels))
    ]
    written: list[Path] = []
    try:
        with writing(target):
            for number, table in enumerate(tables):
                written.append(put_table(target, table, received + number))
    except BaseException:
        for part in written:
            part.unlink(missing_ok=True)
        raise
    return sum(table.num_rows for table in tables)


def label_parts(folder: Path) -> list[Path]:
    """The parts with labels, in the order in which they were received."""
    found = (folder / FOLDER).glob("part-*.parquet")
    return sorted(found, key=lambda path: (parse_name(path.name) or (0, None))[0])


def read_part(path: Path) -> Iterator[StoredLabel]:
    """The labels of one part. Raises `StateCorrupt`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        batches = list(pq.ParquetFile(path, memory_map=False).iter_batches())
    except (OSError, pa.ArrowException) as error:
        said = " ".join(str(error).split())[:200]
        raise StateCorrupt(f"{path}: cannot be read: {said}", "remove it") from error
    for batch in batches:
        columns = [
            batch.column(name).to_pylist()
            for name in ("inference_id", "label", "task", "at_us", "received_us", "row")
        ]
        for inference_id, value, task, at, received, row in zip(*columns, strict=True):
            yield StoredLabel(inference_id, value, Task(task), (at, received, row))


def _chunks(labels: Iterable[Label]) -> Iterator[list[Label]]:
    source = iter(labels)
    while chunk := list(itertools.islice(source, PART_ROWS)):
        yield chunk


def _table(labels: list[Label], task: Task, received_us: int, first: int) -> Any:
    """One part's table. By way of JSON: building a column from a Python list would have
    pyarrow import pandas, which takes longer than all the rest."""
    import orjson
    import pyarrow as pa
    import pyarrow.json as pj

    schema = pa.schema(
        [
            ("inference_id", pa.string()),
            ("label", pa.string()),
            ("task", pa.string()),
            ("at_us", pa.int64()),
            ("received_us", pa.int64()),
            ("row", pa.int64()),
        ]
    )
    lines = b"\n".join(
        orjson.dumps(
            {
                "inference_id": label.inference_id,
                "label": json.dumps(label.value),
                "task": task.value,
                "at_us": received_us if label.at is None else int(label.at * 1e6),
                "received_us": received_us,
                "row": number,
            }
        )
        for number, label in enumerate(labels, start=first)
    )
    options = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
    blocks = pj.ReadOptions(block_size=max(1 << 20, len(lines) + 1))
    return pj.read_json(pa.BufferReader(lines), read_options=blocks, parse_options=options)
