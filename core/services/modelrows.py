"""A model version and rows for it: a file's, a dataset's, those that it learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.domain.model import ModelVersion
from core.domain.monitor import Reference
from core.errors import BadInput, ModelUnusable, NotFound, OpsdeckError
from core.monitors.lineage import RowsOf, model_inputs, rows_of, version_run
from core.monitors.model import loader
from core.reads import models as _models
from core.reads import signatures as _signatures
from core.session import Session

if TYPE_CHECKING:
    import pyarrow as pa

    from core.monitors.kind import LoadedModel

DATASET = "dataset:"


@dataclass(frozen=True, slots=True)
class NamedRows:
    """Rows, and where they are from in words. `target` is the column of labels, if known."""

    table: pa.Table
    where: str
    target: str = ""


def version_of(session: Session, name: str, which: str | None) -> ModelVersion:
    """The version meant: the champion, else the newest, where none is named. Raises
    `NotFound`."""
    if which is not None:
        return _models.find_version(session.reader, name, which)
    try:
        return _models.find_version(session.reader, name, "champion")
    except NotFound:
        return _models.find_version(session.reader, name)


def load(session: Session, version: ModelVersion) -> LoadedModel:
    """The version's model, loaded (heavy). Raises `ModelUnusable`."""
    return load_folder(session.workspace.state_dir / version.path)


def load_folder(path: Path) -> LoadedModel:
    """The model in a folder in MLflow's format, loaded (heavy). Raises `ModelUnusable`."""
    try:
        inputs = tuple(_signatures.read_inputs(path))
    except OpsdeckError:
        inputs = ()  # it has no signature with named columns
    try:
        return loader(path, inputs)()
    except OpsdeckError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        raise ModelUnusable(f"the model in {path.name} cannot be loaded: {said}") from error


def inputs_of(session: Session, version: ModelVersion) -> tuple[str, ...]:
    """The names of the model's inputs; none where it has no signature."""
    return model_inputs(session, version)


def named_rows(session: Session, text: str, purpose: str) -> NamedRows:
    """The rows of `dataset:NAME[@VERSION]`, read with the actor's rights, or of a file (CSV,
    Parquet, JSON Lines). Raises `BadInput`, `NotFound`, `Refused`."""
    if not text.startswith(DATASET):
        return NamedRows(_of_file(text), text)
    name, _, at = text.removeprefix(DATASET).partition("@")
    return NamedRows(_of_dataset(session, name, at or None, purpose), text)


def training_rows(
    session: Session, version: ModelVersion, wanted: Reference, purpose: str
) -> NamedRows:
    """The rows that a version learned from, or was judged on, by the lineage of its run. Raises
    `NoBaseline` where it does not tell."""
    import pyarrow.dataset as ds

    found = version_run(session, version.name, version.version)
    rows = rows_of(session, found, wanted)
    if rows.path is None:
        table = _of_dataset(session, rows.dataset, rows.snapshot, purpose)
    else:
        table = ds.dataset(str(rows.path), format="parquet").to_table()
    return NamedRows(table, _where(rows, wanted), rows.target)


def _where(rows: RowsOf, wanted: Reference) -> str:
    origin = rows.origin
    if "step" in origin:
        return f"{wanted.value} rows: {origin['step']}.{origin['output']} of run #{origin['run']}"
    return f"{wanted.value} rows: dataset {rows.dataset}"


def _of_dataset(session: Session, name: str, at: str | None, purpose: str) -> pa.Table:
    import pyarrow as pa

    from core.governance.access import open_access

    access = open_access(session)
    try:
        reader = access.scan(name, at=at, purpose=purpose)
        batches = list(reader)
        schema = batches[0].schema if batches else access.schema(name, at=at, purpose=purpose)
        return pa.Table.from_batches(batches, schema=schema)
    finally:
        access.close()


def _of_file(text: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv as csv
    import pyarrow.json as json
    import pyarrow.parquet as parquet

    path = Path(text).expanduser()
    name = path.name.removesuffix(".gz")
    if not path.is_file():
        raise BadInput(f"{text}: no such file", f"a dataset is written {DATASET}NAME")
    try:
        if name.endswith(".parquet"):
            return parquet.read_table(path)
        if name.endswith((".csv", ".tsv")):
            split = csv.ParseOptions(delimiter="\t" if name.endswith(".tsv") else ",")
            return csv.read_csv(path, parse_options=split)
        if name.endswith((".jsonl", ".ndjson")):
            return json.read_json(path)
    except (OSError, pa.ArrowException) as error:
        said = " ".join(str(error).split())[:160]
        raise BadInput(f"{text}: cannot be read: {said}") from error
    raise BadInput(f"{text}: neither Parquet, CSV nor JSON Lines", "name it by its kind")


def need_columns(table: pa.Table, wanted: Sequence[str], where: str) -> None:
    """Raises `BadInput` naming the columns that are not there."""
    missing = [name for name in wanted if name not in table.column_names]
    if missing:
        raise BadInput(
            f"{where}: no column {', '.join(missing[:5])}",
            f"it has {', '.join(table.column_names[:8])}",
        )
