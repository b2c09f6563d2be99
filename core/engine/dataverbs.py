"""What the verbs of data steps do. Each gives its outputs: name to kind and path."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.domain.datalineage import NodeKind, edges_between
from core.engine.dataorigins import (
    edges_of,
    labels_of,
    of_features,
    of_query,
    of_transform,
    with_origins,
)
from core.engine.datasettings import Settings
from core.errors import NotFound, StepFailed

if TYPE_CHECKING:
    import pyarrow as pa

    from core.domain.dataset import Snapshot
    from core.domain.features import FeatureUse, FeatureView
    from core.governance.access import Access
    from core.lineage import Origins
    from core.ops import Ops

Stored = dict[str, tuple[str, Path]]
Verb = Callable[["Ops", Settings, Mapping[str, Any], Path], Stored]

MODES = ("append", "overwrite", "upsert")


def say(text: str) -> None:
    """A line in the step's log."""
    print(text, flush=True)  # noqa: T201


def ingest(ops: Ops, settings: Settings, request: Mapping[str, Any], out: Path) -> Stored:
    """New files or rows into a dataset; puts out the version after it."""
    dataset = settings.needed("dataset")
    types, stamps = settings.pairs("types"), settings.pairs("timestamp")
    report = ops.ingest.ingest(
        dataset,
        settings.texts("source"),
        query=settings.text("query"),
        format=settings.text("format"),
        mode=settings.choice("mode", MODES),
        keys=settings.texts("keys"),
        create=True,
        types=[f"{column}={kind}" for column, kind in types.items()],
        timestamps=[f"{column}={form}" for column, form in stamps.items()],
        run_id=request["run_id"],
        base=ops.workspace.root,
        progress=say,
    )
    say(f"{report.rows:,} rows of {report.read} files into {dataset}")
    return {name: _dataset_file(ops, out, dataset, None) for name in request["outputs"][:1]}


def refresh(ops: Ops, settings: Settings, request: Mapping[str, Any], out: Path) -> Stored:
    """Views brought up to their sources; puts out the version of each."""
    made: Stored = {}
    for name in settings.texts("views"):
        done = ops.views.refresh(name)
        say(f"view {name}: {done.how}, {done.rows:,} rows {done.why_full}".rstrip())
        made[name] = _dataset_file(ops, out, name, None)
    return made


def query(ops: Ops, settings: Settings, request: Mapping[str, Any], out: Path) -> Stored:
    """The rows of an SQL query over datasets, and over what `tables` names."""
    from core.governance.access import open_access

    tables = {name: settings.rows(f"tables.{name}") for name in settings.names("tables")}
    sql = settings.needed("sql")
    read = set(ops.queries.queries.datasets_of(sql)) - tables.keys()
    at = {name: snapshot for name, snapshot in settings.pins().items() if name in read}
    rows = ops.queries.table(sql, at=at, tables=tables)
    say(f"{rows.num_rows:,} rows")
    own = {name: settings.origins(f"tables.{name}") for name in tables}
    with contextlib.closing(open_access(ops.session)) as access:
        made = of_query(access, sql, own, at, rows.column_names)
    return {name: _frame(out, name, rows, made) for name in request["outputs"][:1]}


def validate(ops: Ops, settings: Settings, request: Mapping[str, Any], out: Path) -> Stored:
    """A version against its expectations: raises where it fails them, else puts it out."""
    found = settings.dataset("rows")
    if found is None:
        raise settings.wrong("rows", "must be a dataset: store the frame first")
    dataset, snapshot = found
    file = settings.file("expectations") if settings.has("expectations") else None
    result = ops.quality.validate(dataset, snapshot, file=file, run_id=request["run_id"])
    for note in result.notes:
        say(note)
    for each in result.failures:
        say(f"{each.severity}: {each.title}: {each.message or each.observed}")
    if not result.passed:
        failed = [each.title for each in result.failures]
        more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
        raise StepFailed(
            f"{dataset}: {len(failed)} checks failed: {', '.join(failed[:3])}{more}",
            f"see: opsdeck data validate {dataset} --at {snapshot}",
        )
    say(f"{dataset}: {len(result.results)} checks, none failed")
    names = list(request["outputs"])
    made: Stored = {names[0]: _dataset_file(ops, out, dataset, snapshot)} if names else {}
    if len(names) > 1:
        made[names[1]] = as_json(out, names[1], asdict(result))
    return made


def transform(ops: Ops, settings: Settings, request: Mapping[str, Any], out: Path) -> Stored:
    """A recipe fitted on some rows and applied to others; puts out these and the recipe."""
    from core.recipes.steps import run_transform

    inputs = {name: settings.rows(f"apply.{name}") for name in settings.names("apply")}
    done = run_transform(
        ops.session,
        settings.needed("recipe"),
        inputs,
        fit_on=settings.rows("fit"),
        target=settings.text("target") or "",
    )
    own = {name: settings.origins(f"apply.{name}") for name in inputs}
    origins = of_transform(done, own, settings.origins("fit"))
    made: Stored = {
        name: _frame(out, name, table, origins[name]) for name, table in done.outputs.items()
    }
    for name, table in done.outputs.items():
        say(f"{name}: {inputs[name].num_rows:,} rows before, {table.num_rows:,} after")
    return {**made, "recipe": ("folder", _copied(done.folder, out / "recipe"))}


def split(ops: Ops, settings: Settings, request: Mapping[str, Any], out: Path) -> Stored:
    """Rows in parts, with what leaks between or into them; raises where something does."""
    from core.recipes.steps import run_split, surely

    done = run_split(
        settings.rows("rows"),
        by=settings.needed("by"),
        column=settings.texts("column"),
        parts=settings.pairs("parts"),
        gap=settings.text("gap") or "",
        seed=settings.whole("seed", 0),
        target=settings.text("target") or "",
    )
    for name, part in done.parts.items():
        say(f"{name}: {part.num_rows:,} rows")
    found = done.leaks.leaks if done.leaks else ()
    for leak in found:
        say(f"{leak.severity}: {leak.message}")
    leaks = surely(done.leaks)
    if leaks and settings.choice("leaks", ("fail", "warn")) == "fail":
        raise StepFailed(f"the split leaks: {leaks[0].message}", "mend it, or say leaks: warn")
    origins = settings.origins("rows").deciding(settings.texts("column"))
    made: Stored = {name: _frame(out, name, part, origins) for name, part in done.parts.items()}
    told = {"split": asdict(done.report), "leaks": [asdict(leak) for leak in found]}
    return {**made, "report": as_json(out, "report", told)}


def features(ops: Ops, settings: Settings, request: Mapping[str, Any], out: Path) -> Stored:
    """Features joined to entities as they were known at their times."""
    views = settings.texts("views")
    table = ops.features.join_table(
        settings.rows("entities"),
        views,
        time_column=settings.needed("time"),
        at=_versions(ops, settings, views),
    )
    uses = [_use(ops, ref) for ref in views]
    have = {view.spec.source: _columns_of(ops, view.spec.source) for _, view in uses}
    made = of_features(settings.origins("entities"), uses, have, table.column_names)
    return {name: _frame(out, name, table, made) for name in request["outputs"][:1]}


def store(ops: Ops, settings: Settings, request: Mapping[str, Any], out: Path) -> Stored:
    """Rows into a dataset, through the gate of its expectations; puts out the version."""
    from core.governance.access import open_access
    from core.lake import open_lake
    from core.quality.gate import gate

    dataset, rows = settings.needed("dataset"), settings.rows("rows")
    mode, keys = settings.choice("mode", MODES), settings.texts("keys")
    if (mode == "upsert") != bool(keys):
        raise settings.wrong("keys", "belong to mode: upsert, and it needs them")
    access = open_access(ops.session)
    access.check_write(dataset)
    how: dict[str, Any] = {
        "by": ops.actor,
        "batch_id": f"run-{request['run_id']}-{out.name}",
        "message": settings.text("message") or f"{request['pipeline']} #{request['run_number']}",
        "run_id": request["run_id"],
    }
    with open_lake(ops.session) as lake:
        lake.ensure(dataset, rows.schema, owner=ops.actor)
        # Labels first: nobody sees a row of it before, nor one that is held and replayed.
        origins = settings.origins("rows")
        _hand_on(access, request, dataset, rows, origins)
        verdict = gate(
            ops.session, dataset, rows, batch_id=how["batch_id"], by=ops.actor,
            run_id=request["run_id"], mode=mode, keys=keys, lake=lake,
        )  # fmt: skip
        if not verdict.passed:
            raise StepFailed(f"{dataset}: the rows are in quarantine: {verdict.message}")
        if mode == "upsert":
            snapshot: Snapshot = lake.upsert(dataset, rows, keys=keys, **how)
        else:
            write = lake.append if mode == "append" else lake.overwrite
            snapshot = write(dataset, rows, **how)
    say(f"{rows.num_rows:,} rows into {dataset}: snapshot #{snapshot.number}")
    _derived(ops, request, dataset, rows.column_names, origins, snapshot.id)
    return {name: _dataset_file(ops, out, dataset, snapshot.id) for name in request["outputs"][:1]}


def export(ops: Ops, settings: Settings, request: Mapping[str, Any], out: Path) -> Stored:
    """A version's rows as a file, for steps with code."""
    from core.governance.access import open_access

    found = settings.dataset("rows")
    assert found is not None
    purpose = f"{request['pipeline']} #{request['run_number']}"
    reader = open_access(ops.session).scan(found[0], at=found[1], purpose=purpose)
    return {"rows": _frame(out, "rows", reader)}


VERBS: Mapping[str, Verb] = {
    "ingest": ingest,
    "refresh": refresh,
    "query": query,
    "validate": validate,
    "transform": transform,
    "split": split,
    "features": features,
    "store": store,
    "export": export,
}


def _versions(ops: Ops, settings: Settings, views: tuple[str, ...]) -> dict[str, str]:
    """By feature view: the snapshot of its source that this run reads."""
    found, pins = {}, settings.pins()
    for ref in views:
        with contextlib.suppress(NotFound):  # its file is taken over by the join
            use, view = _use(ops, ref)
            if view.spec.source in pins:
                found[use.view] = pins[view.spec.source]
    return found


def _use(ops: Ops, ref: str) -> tuple[FeatureUse, FeatureView]:
    """The view that a reference means, and how it is used; raises `NotFound`."""
    from core.features.uses import parse_use

    use = parse_use(ref)
    return use, ops.features.find(use.ref if use.version else use.view)


def _columns_of(ops: Ops, dataset: str) -> list[str]:
    return [column.name for column in ops.data.get(dataset).columns]


def _hand_on(
    access: Access, request: Mapping[str, Any], dataset: str, rows: pa.Table, origins: Origins
) -> None:
    """Labels of what the rows were made from, column by column; it is closed like any of it."""
    sources = _sources(request, dataset)
    if sources:
        labels = labels_of(origins, rows.column_names, sources)
        access.inherit(dataset, labels, like=sources)


def _derived(
    ops: Ops,
    request: Mapping[str, Any],
    dataset: str,
    columns: Sequence[str],
    origins: Origins,
    snapshot: str,
) -> None:
    """Put on record what the rows were made from: columns of datasets, or else the run by
    itself."""
    from core.state.edges import record_edges

    of = {"detail": request["pipeline"], "run_id": request["run_id"], "snapshot_id": snapshot}
    sources = _sources(request, dataset)
    edges = edges_of(origins, columns, sources, dataset, **of)
    if not sources:
        run = (NodeKind.RUN, str(request["run_number"]))
        edges = list(edges_between(run, (NodeKind.DATASET, dataset), "pipeline", **of))
    with ops.session.change("store") as tx:
        record_edges(tx, edges)


def _sources(request: Mapping[str, Any], dataset: str) -> list[str]:
    """The other datasets that a step's rows come from."""
    return [each for each in request["origins"] if each != dataset]


def _dataset_file(ops: Ops, out: Path, dataset: str, snapshot: str | None) -> tuple[str, Path]:
    """A version of a dataset by its name, for the steps that come after."""
    known = ops.data.snapshot(dataset, snapshot) if snapshot else None
    identity = known.id if known else ops.data.get(dataset).current_snapshot
    told = {"dataset": dataset, "snapshot": identity}
    return "dataset", as_json(out, f"{dataset}.version", told)[1]


def _copied(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    return to


def _frame(
    out: Path, name: str, rows: pa.Table | pa.RecordBatchReader, origins: Origins | None = None
) -> tuple[str, Path]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = out / f"{name}.parquet"
    try:
        if isinstance(rows, pa.Table):
            pq.write_table(with_origins(rows, origins), path)
        else:
            with pq.ParquetWriter(path, rows.schema) as writer:
                for batch in rows:
                    writer.write_batch(batch)
    except (OSError, pa.ArrowInvalid) as error:
        raise StepFailed(f"{name}: the rows cannot be written: {error}") from error
    return "frame", path


def as_json(out: Path, name: str, value: object) -> tuple[str, Path]:
    """A document as an output."""
    path = out / f"{name}.json"
    path.write_text(json.dumps(value, sort_keys=True, indent=1, default=str), encoding="utf-8")
    return "json", path
