"""Writing captured requests to files for other tools: all of them or none."""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from core.capture.disk import writing
from core.capture.index import looking
from core.capture.reader import every
from core.capture.sagemaker import capture_path, capture_record, file_name
from core.domain.capture import CapturedRequest, CaptureExport, CaptureFilter, CaptureFormat
from core.errors import BadInput, WrongState
from core.serving.folder import EndpointFolder

FIELDS = (
    "inference_id",
    "time",
    "variant",
    "revision",
    "model",
    "version",
    "status",
    "latency_ms",
    "content_type",
    "sampling_rate",
    "shadow",
    "inputs",
    "outputs",
    "label",
)
_OPEN_FILES = 32
_BATCH = 5_000
_Row = dict[str, Any]


def export(
    folder: Path, name: str, target: Path, kind: CaptureFormat, wanted: CaptureFilter
) -> CaptureExport:
    """Write what an endpoint (its folder) captured to `target`, a folder.

    `sagemaker` makes one file an hour and variant; the others one file, `NAME.jsonl`, `.csv` or
    `.parquet`, with the label where there is one. Files appear when all have been written.
    Raises `BadInput` (the target is no folder), `WrongState` (the file is there already),
    `DiskFull`, OSError.
    """
    if target.exists() and not target.is_dir():
        raise BadInput(f"{target} is not a folder", "name a folder for the export")
    single = kind is not CaptureFormat.SAGEMAKER
    goal = target / f"{name}.{kind}"
    if single and goal.exists():
        raise WrongState(f"{goal} exists already", "export to another folder, or remove it")
    with writing(target):
        target.mkdir(parents=True, exist_ok=True)
        work = target / f".export-{uuid.uuid4().hex[:8]}"
        work.mkdir()
        try:
            requests = every(EndpointFolder(folder).capture, wanted)
            if single:
                rows = _WRITERS[kind](work / goal.name, _rows(folder, requests))
            else:
                rows = _write_sagemaker(work, name, requests)
            return _publish(work, target, name, kind, rows)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _publish(work: Path, target: Path, name: str, kind: CaptureFormat, rows: int) -> CaptureExport:
    """Move what was written into its place."""
    files = sorted(path for path in work.rglob("*") if path.is_file())
    size = 0
    for path in files:
        goal = target / path.relative_to(work)
        goal.parent.mkdir(parents=True, exist_ok=True)
        size += path.stat().st_size
        path.replace(goal)
    return CaptureExport(name, kind, str(target), len(files), rows, size)


def _write_sagemaker(work: Path, name: str, requests: Iterable[CapturedRequest]) -> int:
    count = 0
    with _Files() as files:
        for request in requests:
            count += 1
            line = json.dumps(capture_record(request), ensure_ascii=False)
            files.write(work / capture_path(name, request), request, line)
    return count


class _Files:
    """A file for each folder; only so many are open at once."""

    def __init__(self) -> None:
        self._names: dict[Path, Path] = {}
        self._open: dict[Path, TextIO] = {}

    def write(self, folder: Path, request: CapturedRequest, line: str) -> None:
        """Append a line to the folder's file."""
        path = self._names.get(folder)
        if path is None:
            folder.mkdir(parents=True, exist_ok=True)
            path = self._names[folder] = folder / file_name(request)
        file = self._open.pop(path, None)
        if file is None:
            if len(self._open) >= _OPEN_FILES:
                self._open.pop(next(iter(self._open))).close()
            file = path.open("a", encoding="utf-8")
        self._open[path] = file  # the last used stands last
        file.write(line + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.ExitStack() as stack:
            for file in self._open.values():
                stack.callback(file.close)


def _rows(folder: Path, requests: Iterable[CapturedRequest]) -> Iterator[_Row]:
    """Requests as rows of FIELDS: `time` in ISO-8601, bodies and label as JSON text."""
    with looking(folder) as db:
        source = iter(requests)
        while batch := list(islice(source, _BATCH)):
            for request in batch:
                row = asdict(request)
                moment = datetime.fromtimestamp(row.pop("at"), UTC)
                row["time"] = moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
                row["label"] = None
                if db is not None:
                    found = db.execute(
                        "SELECT value FROM labels WHERE id = ?", (request.inference_id,)
                    ).fetchone()
                    row["label"] = found[0] if found else None
                yield row


def _write_jsonl(path: Path, rows: Iterable[_Row]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            count += 1
            for name in ("inputs", "outputs", "label"):
                row[name] = None if row[name] is None else json.loads(row[name])
            file.write(json.dumps({name: row[name] for name in FIELDS}, ensure_ascii=False) + "\n")
    return count


def _write_csv(path: Path, rows: Iterable[_Row]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        for row in rows:
            count += 1
            writer.writerow(row)
    return count


def _write_parquet(path: Path, rows: Iterable[_Row]) -> int:
    import orjson
    import pyarrow as pa
    import pyarrow.json as pj
    import pyarrow.parquet as pq

    types = {
        "time": pa.timestamp("us", tz="UTC"),
        "revision": pa.int32(),
        "version": pa.int32(),
        "status": pa.int32(),
        "latency_ms": pa.float64(),
        "sampling_rate": pa.float64(),
        "shadow": pa.bool_(),
    }
    schema = pa.schema([(name, types.get(name, pa.string())) for name in FIELDS])
    options = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
    source, count = iter(rows), 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while batch := list(islice(source, _BATCH)):
            # By way of JSON: pyarrow imports pandas to make columns of Python's lists.
            lines = b"\n".join(map(orjson.dumps, batch))
            size = pj.ReadOptions(block_size=max(1 << 20, len(lines) + 1))
            table = pj.read_json(pa.BufferReader(lines), read_options=size, parse_options=options)
            writer.write_table(table.select(list(FIELDS)).cast(schema))
            count += len(batch)
    return count


_WRITERS = {
    CaptureFormat.JSONL: _write_jsonl,
    CaptureFormat.CSV: _write_csv,
    CaptureFormat.PARQUET: _write_parquet,
}
