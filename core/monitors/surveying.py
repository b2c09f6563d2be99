"""What is known of an endpoint that good defaults follow from: its model, the rows that it
learned from, how it answers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.domain.monitor import Reference
from core.errors import OpsdeckError
from core.monitors.captured import CapturedSource
from core.monitors.errors import NoBaseline, NotWatchable
from core.monitors.lineage import RowsOf, VersionRun, columns_of, rows_of, version_run
from core.monitors.model import task_of
from core.monitors.served import served_at
from core.session import Session

SAMPLE_ROWS = 50_000
FEW_VALUES = 12
_PROTECTED = re.compile(
    r"(^|_)(age|sex|gender|race|ethnicity|ethnic|religion|nationality|disability|foreign|foreigner"
    r"|marital|married|pregnan\w*|orientation|native|citizen\w*)(_|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ColumnSeen:
    """A column of the training rows: how many values a sample has, and a few of them."""

    name: str
    numeric: bool
    distinct: int
    values: tuple[Any, ...] = ()
    median: float | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """What an endpoint serves, and what is known of how that was made. `why` says why the
    training or evaluation rows are not known, by the word `training` or `evaluation`."""

    endpoint: str
    model: str
    version: int
    inputs: tuple[str, ...]
    task: str
    pipeline: str = ""
    target: str = ""
    training: str = ""
    evaluation: str = ""
    why: dict[str, str] = field(default_factory=dict)
    columns: tuple[ColumnSeen, ...] = ()
    labels: tuple[ColumnSeen, ...] = ()
    requests: int = 0
    slow_ms: float | None = None

    @property
    def protected(self) -> tuple[ColumnSeen, ...]:
        """Columns whose names look like what people must not be treated unequally by."""
        return tuple(each for each in self.columns if _PROTECTED.search(each.name))

    @property
    def segments(self) -> tuple[str, ...]:
        """Up to two columns with few values, by which quality may be told apart."""
        few = [each for each in self.columns if 2 <= each.distinct <= 6]
        few.sort(key=lambda each: (each.numeric, each.distinct))
        return tuple(each.name for each in few[:2])


def survey(session: Session, endpoint: str) -> Survey:
    """Look at what an endpoint serves. Raises `NotWatchable` where it serves nothing."""
    served = served_at(session.reader, endpoint, "champion", float("inf"))
    if served is None:
        raise NotWatchable(f"endpoint {endpoint}: serves nothing", "see: opsdeck endpoints list")
    requests, slow = _traffic(session, endpoint)
    try:
        found = version_run(session, served.model, served.version)
    except NoBaseline as error:
        told = error.one_line()
        return Survey(
            endpoint, served.model, served.version, (), "",
            why={"training": told, "evaluation": told}, requests=requests, slow_ms=slow,
        )  # fmt: skip
    why: dict[str, str] = {}
    training = _named(session, found, Reference.TRAINING, why)
    evaluation = _named(session, found, Reference.EVALUATION, why)
    target = (evaluation or training or _nothing()).target
    columns, labels = _columns(session, found, training, target)
    if evaluation is not None and target not in set(columns_of(session, evaluation)):
        why["evaluation"] = "nobody says which of its columns is the target (register: target:)"
        evaluation = None
    return Survey(
        endpoint,
        served.model,
        served.version,
        found.inputs,
        task_of(session.workspace.state_dir / found.version.path),
        found.spec.name,
        target,
        _origin(training),
        _origin(evaluation),
        why,
        columns,
        labels,
        requests,
        slow,
    )


def _nothing() -> RowsOf:
    return RowsOf({})


def _named(
    session: Session, found: VersionRun, wanted: Reference, why: dict[str, str]
) -> RowsOf | None:
    try:
        return rows_of(session, found, wanted)
    except NoBaseline as error:
        why[wanted.value] = error.one_line()
        return None


def _origin(rows: RowsOf | None) -> str:
    if rows is None:
        return ""
    told = rows.origin
    if "dataset" in told and "output" not in told:
        return f"dataset {told['dataset']}, as run #{told['run']} read it"
    return f"{told['step']}.{told['output']} of run #{told['run']}"


def _columns(
    session: Session, found: VersionRun, rows: RowsOf | None, target: str
) -> tuple[tuple[ColumnSeen, ...], tuple[ColumnSeen, ...]]:
    """The inputs, and the target, as a sample of the training rows has them."""
    if rows is None or rows.path is None:
        return (), ()
    sample = _sample(rows.path)
    seen = {name: _seen(name, sample.column(name)) for name in sample.column_names}
    inputs = tuple(seen[name] for name in found.inputs if name in seen)
    return inputs, (seen[target],) if target in seen else ()


def _sample(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.dataset as ds

    data = ds.dataset(str(path), format="parquet")
    batches, rows = [], 0
    for batch in data.to_batches():
        batches.append(batch)
        rows += batch.num_rows
        if rows >= SAMPLE_ROWS:
            break
    return pa.Table.from_batches(batches, schema=data.schema)


def _seen(name: str, column: Any) -> ColumnSeen:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    plain = numeric or pa.types.is_string(kind) or pa.types.is_boolean(kind)
    if pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
        plain, column = True, column.cast(pa.string())
    if not plain:
        return ColumnSeen(name, False, 0)
    values = pc.drop_null(pc.unique(column))
    few = tuple(values.to_pylist()) if len(values) <= FEW_VALUES else ()
    median = None
    if numeric and len(values):
        median = pc.quantile(column, 0.5)[0].as_py()
    return ColumnSeen(name, numeric, len(values), _in_order(few), median)


def _in_order(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(sorted(values, key=lambda each: (str(type(each)), each)))


def _traffic(session: Session, endpoint: str) -> tuple[int, float | None]:
    """How many requests are captured, and a latency (ms) that 99 of 100 of the newest beat."""
    from core.capture.reader import newest
    from core.domain.capture import CaptureFilter
    from core.domain.monitor import MonitorDefinition, Schedule, WindowSpec
    from core.serving.folder import EndpointFolder
    from core.serving.process.parts import count_rows, list_parts

    watched = MonitorDefinition(
        "survey", "", f"endpoint/{endpoint}", Schedule(""), WindowSpec(), None
    )
    folder = EndpointFolder(CapturedSource(session, watched).folder).capture
    try:
        count = sum(count_rows(part) for part in list_parts(folder))
        found = newest(folder, CaptureFilter(shadow=False), 2_000) if count else []
    except (OSError, OpsdeckError):
        return 0, None
    times = sorted(each.latency_ms for each in found)
    return count, times[int(len(times) * 0.99)] if len(times) >= 100 else None
