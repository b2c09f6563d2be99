"""Handing out what monitors found: SageMaker's files of a run, or measurements as a table."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path

from core.errors import BadInput
from core.monitors.errors import NoMonitor
from core.reads import monitors as _monitors
from core.session import Session


class ExportFormat(StrEnum):
    """`sagemaker`: the files of one run; `csv`, `parquet`: a row for each measurement."""

    SAGEMAKER = "sagemaker"
    CSV = "csv"
    PARQUET = "parquet"


COLUMNS = (
    "monitor", "kind", "run", "window", "start", "end", "generation", "model", "version",
    "baseline", "metric", "feature", "segment", "value", "low", "high", "p_value", "threshold",
    "comparison", "state", "definition",
)  # fmt: skip


def export_files(session: Session, ref: str, folder: Path) -> tuple[Path, ...]:
    """Copy the files of a run (an id, NAME, or NAME@WINDOW) into a folder, and for a data
    quality monitor's baseline its statistics.json and constraints.json are among them. Raises
    `NotFound`, `BadInput` where the folder is a file, `NoMonitor` where the files are gone."""
    run = _monitors.find_run(session.reader, ref).run
    source = session.workspace.state_dir / run.folder
    if not run.folder or not source.is_dir():
        raise NoMonitor(f"run {run.id}: it has no files (any more)", "only the newest are kept")
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder}: not a folder")
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for file in sorted(source.iterdir()):
        shutil.copyfile(file, folder / file.name)
        made.append(folder / file.name)
    return tuple(made)


def export_measurements(
    session: Session, monitor: str, path: Path, format: ExportFormat, limit: int = 10_000
) -> int:
    """Write the measurements of a monitor's newest windows to a file, a row each; returns how
    many. Raises `NotFound`, `BadInput`."""
    _monitors.find_monitor(session.reader, monitor)
    if path.is_dir():
        raise BadInput(f"{path}: is a folder", "name a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    if format is ExportFormat.CSV:
        count = 0
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            for row in _rows(session, monitor, limit):
                writer.writerow(["" if each is None else each for each in row])
                count += 1
        return count
    return _parquet(session, monitor, path, limit)


def _parquet(session: Session, monitor: str, path: Path, limit: int) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = list(_rows(session, monitor, limit))
    numbers = {"start", "end", "value", "low", "high", "p_value", "threshold"}
    whole = {"generation", "version"}
    columns = {
        name: pa.array(
            [row[place] for row in rows],
            pa.float64() if name in numbers else pa.int64() if name in whole else pa.string(),
        )
        for place, name in enumerate(COLUMNS)
    }
    pq.write_table(pa.table(columns), path, compression="zstd")
    return len(rows)


def _rows(session: Session, monitor: str, limit: int) -> Iterator[Sequence[object]]:
    for run in reversed(_monitors.list_runs(session.reader, monitor, limit=limit)):
        head = (
            run.monitor, run.kind, run.id, run.window, run.start, run.end, run.generation,
            run.model, run.version, run.baseline,
        )  # fmt: skip
        for m in _monitors.find_run(session.reader, run.id).measurements:
            yield (
                *head, m.metric, m.feature, m.segment, m.value, m.low, m.high, m.p_value,
                m.threshold, m.comparison, m.state.value, m.definition,
            )  # fmt: skip
