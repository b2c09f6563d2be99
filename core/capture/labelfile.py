"""Reading a file of labels: CSV, JSON Lines, Parquet, or SageMaker's ground-truth JSON Lines.

SageMaker's form is described at
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-merge.html: its
`eventId` is the inference id that the caller gave, or else the one that the endpoint made.
"""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from core.errors import BadInput

ID = "inference_id"
TIME = "time"
_SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


class Label(NamedTuple):
    """What turned out to be true of one request. `value` is JSON: a number, text, a truth
    value, or a list with one for each row of the request. `at` is when it was found out
    (epoch seconds), None for when it was received."""

    inference_id: str
    value: Any
    at: float | None = None


def read_labels(path: Path, column: str = "label") -> Iterator[Label]:
    """The labels of a file, row by row. The kind of file is told by its name: .csv, .jsonl (or
    .ndjson), .parquet. Raises `BadInput` naming the file and the line."""
    kind = _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise BadInput(
            f"{path}: what kind of file is this?", "name it .csv, .jsonl, .ndjson or .parquet"
        )
    readers = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}
    try:
        yield from readers[kind](path, column)
    except OSError as error:
        raise BadInput(
            f"{path}: {error.strerror or error}", "name a file that can be read"
        ) from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 text (byte {error.start})") from error


def _csv(path: Path, column: str) -> Iterator[Label]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, strict=True)
        _need(path, rows.fieldnames or (), column)
        try:
            for row in rows:
                where = f"{path}:{rows.line_num}"
                if None in row or any(value is None for value in row.values()):
                    raise BadInput(f"{where}: not as many fields as the first line names")
                yield _label(where, row[ID], cell(row[column]), row.get(TIME) or None)
        except csv.Error as error:
            raise BadInput(f"{path}:{rows.line_num}: {error}") from error


def _jsonl(path: Path, column: str) -> Iterator[Label]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            where = f"{path}:{number}"
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise BadInput(f"{where}: not JSON ({error})", "one object a line") from error
            if not isinstance(row, dict):
                raise BadInput(f"{where}: not a JSON object", "one object a line")
            if "groundTruthData" in row:
                yield _of_sagemaker(where, row)
                continue
            for name in (ID, column):
                if name not in row:
                    raise BadInput(f"{where}: lacks {name!r}", f"it has: {', '.join(row)}")
            yield _label(where, row[ID], row[column], row.get(TIME))


def _of_sagemaker(where: str, row: Mapping[str, Any]) -> Label:
    try:
        truth, event = row["groundTruthData"], row["eventMetadata"]
        data, encoding, inference_id = truth["data"], truth["encoding"], event["eventId"]
    except (KeyError, TypeError) as error:
        raise BadInput(
            f"{where}: no ground-truth record of SageMaker's (lacks {error})",
            "it has groundTruthData (data, encoding) and eventMetadata (eventId)",
        ) from error
    if encoding == "JSON":
        try:
            return _label(where, inference_id, json.loads(data), None)
        except (TypeError, ValueError, RecursionError) as error:
            raise BadInput(f"{where}: groundTruthData.data is not JSON") from error
    if encoding != "CSV" or not isinstance(data, str):
        raise BadInput(f"{where}: encoding {encoding!r} is not read", "use CSV or JSON")
    cells = [each for line in csv.reader(io.StringIO(data)) for each in line]
    values = [cell(each) for each in cells]
    return _label(where, inference_id, values[0] if len(values) == 1 else values, None)


def _parquet(path: Path, column: str) -> Iterator[Label]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        _need(path, names, column)
        kept = [name for name in (ID, column, TIME) if name in names]
        number = 0
        for batch in file.iter_batches(10_000, columns=kept):
            for row in batch.to_pylist():
                number += 1
                yield _label(f"{path} row {number}", row[ID], row[column], row.get(TIME))
    except pa.ArrowException as error:
        said = " ".join(str(error).split())[:200]
        raise BadInput(f"{path}: cannot be read as Parquet: {said}") from error


def _need(path: Path, names: Any, column: str) -> None:
    for name in (ID, column):
        if name not in names:
            raise BadInput(
                f"{path}: no column {name!r}",
                f"it has: {', '.join(map(str, names)) or 'none'}"
                + ("; name the labels' with --column" if name == column else ""),
            )


def _label(where: str, inference_id: Any, value: Any, at: Any) -> Label:
    if isinstance(inference_id, int) and not isinstance(inference_id, bool):
        inference_id = str(inference_id)
    if not isinstance(inference_id, str) or not inference_id or not _encodable(inference_id):
        raise BadInput(f"{where}: the inference id is {inference_id!a:.60}", "it must be text")
    return Label(inference_id, _value(where, value), _moment(where, at))


def _encodable(text: str) -> bool:
    """Whether it is text: JSON can name halves of characters, which no file can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _value(where: str, value: Any) -> Any:
    """The label, if it is one."""
    if isinstance(value, list) and value:
        return [_value(where, item) for item in value]
    finite = not isinstance(value, (int, float)) or abs(value) <= sys.float_info.max
    if isinstance(value, (str, bool, int, float)) and value != "" and finite:
        return value
    shown = "nothing" if value in (None, "") else f"{value!r:.60}"
    raise BadInput(
        f"{where}: the label is {shown}", "a number, text, true or false, or a list of them"
    )


def _moment(where: str, value: Any) -> float | None:
    """A time as epoch seconds: a number, ISO-8601 (UTC unless it says otherwise), a datetime."""
    if value is None:
        return None
    try:
        if isinstance(value, str):
            try:
                return _finite(float(value))
            except ValueError:
                value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        if not isinstance(value, bool):
            return _finite(float(value))
    except (TypeError, ValueError, OverflowError):
        pass
    raise BadInput(f"{where}: time {value!r:.60} is no time", "use ISO-8601 or seconds since 1970")


def _finite(value: float) -> float:
    if not math.isfinite(value) or abs(value) > 1e11:
        raise ValueError(value)
    return value


def cell(text: str) -> Any:
    """A CSV cell as JSON would have given it; a list in brackets is read as one."""
    text = text.strip()
    if text.startswith("["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    for kind in (int, float) if "_" not in text else ():
        try:
            found = kind(text)
        except ValueError:
            continue
        return found if abs(found) <= sys.float_info.max else text
    return {"true": True, "false": False}.get(text.lower(), text)
