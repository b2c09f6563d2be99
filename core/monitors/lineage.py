"""Which rows a model version learned from, and on which it was judged: by lineage, never guessed.

The register step may name them (`training:`, `evaluation:`, `target:`, `prediction:`). Where it
does not: the training rows are the one table, among what the step that made the model read, that
has all of the model's inputs; the evaluation rows the one such table among what the step that
made the metrics read, without those that the training step read. Where there are several, or
none, the error lists what there is and says what to name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.domain.model import ModelVersion
from core.domain.monitor import Reference
from core.domain.pipeline import PipelineSpec, Source, StepSpec
from core.domain.run import OutputRef
from core.errors import OpsdeckError
from core.monitors.errors import NoBaseline
from core.pipelines import spec_from_json
from core.reads import models as _models
from core.reads import signatures as _signatures
from core.reads.runs import outputs_of
from core.session import Session


@dataclass(frozen=True, slots=True)
class RowsOf:
    """Rows that a run put out or read: a Parquet file at `path`, or a version of a dataset.

    `columns` are their names where they are known without reading; `target` and `prediction`
    the columns that the register step names; `origin` goes on record with the baseline.
    """

    origin: Mapping[str, Any]
    path: Path | None = None
    dataset: str = ""
    snapshot: str = ""
    target: str = ""
    prediction: str = ""


@dataclass(frozen=True, slots=True)
class VersionRun:
    """A model version with the run that made it: its pipeline and what its steps put out."""

    version: ModelVersion
    number: int
    spec: PipelineSpec
    outputs: Mapping[str, Mapping[str, OutputRef]]
    pins: Mapping[str, str]
    inputs: tuple[str, ...] = ()
    register: StepSpec | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def version_run(session: Session, model: str, version: int) -> VersionRun:
    """The run behind a version; raises `NoBaseline` where there is none."""
    found = _models.find_version(session.reader, model, str(version))
    rows = session.reader.rows("SELECT * FROM runs WHERE id = :id", id=found.run_id)
    if not rows:
        raise NoBaseline(
            f"model {model} v{version}: no run of this workspace made it",
            "name the rows: baseline: dataset:NAME@VERSION",
        )
    run = rows[0]
    spec = spec_from_json(json.loads(run["spec"]))
    steps = session.reader.rows(
        "SELECT step, outputs FROM step_runs WHERE run_id = :id", id=run["id"]
    )
    names = {step.name for step in spec.steps}
    register = spec.step(found.step) if found.step in names else None
    return VersionRun(
        version=found,
        number=run["number"],
        spec=spec,
        outputs={
            row["step"]: {ref.name: ref for ref in outputs_of(row["outputs"])} for row in steps
        },
        pins=json.loads(run["lineage"]).get("datasets") or {},
        inputs=model_inputs(session, found),
        register=register,
        options=dict(register.options) if register else {},
    )


def model_inputs(session: Session, version: ModelVersion) -> tuple[str, ...]:
    """The columns of a version's signature; none where it has no signature."""
    try:
        return tuple(_signatures.read_inputs(session.workspace.state_dir / version.path))
    except OpsdeckError:
        return ()


def rows_of(session: Session, found: VersionRun, wanted: Reference, named: str = "") -> RowsOf:
    """The rows of a version that a baseline is made from. `named` is `step.output` of its run,
    in place of what lineage says. Raises `NoBaseline`."""
    if named:
        step, _, output = named.partition(".")
        return _rows(session, found, Source("output", output, step), named)
    key = wanted.value
    if found.register is not None and key in found.register.inputs:
        source = found.register.inputs[key]
        return _rows(session, found, source, f"{source.step}.{source.name}")
    candidates = _candidates(session, found, wanted)
    if len(candidates) == 1:
        return next(iter(candidates.values()))
    model = f"{found.version.name} v{found.version.version}"
    if candidates:
        told = ", ".join(sorted(candidates))
        raise NoBaseline(
            f"model {model}: its {key} rows may be any of {told}",
            f"name one in the register step ({key}: {sorted(candidates)[0]}) or in the monitor"
            f" (baseline: {key}:{sorted(candidates)[0]})",
        )
    raise NoBaseline(
        f"model {model}: run #{found.number} tells of no {key} rows with all of its inputs",
        f"name them in the register step ({key}: STEP.OUTPUT) or in the monitor (baseline:"
        f" {key}:STEP.OUTPUT, or dataset:NAME@VERSION)",
    )


def rows_of_run(session: Session, number: int, named: str) -> RowsOf:
    """What a step of a run put out, as `step.output`; raises `NoBaseline`."""
    rows = session.reader.rows("SELECT id FROM runs WHERE number = :number", number=number)
    if not rows:
        raise NoBaseline(f"run #{number}: no such run", "see: opsdeck runs list")
    step, _, output = named.partition(".")
    outputs = session.reader.rows(
        "SELECT outputs FROM step_runs WHERE run_id = :id AND step = :step",
        id=rows[0]["id"],
        step=step,
    )
    refs = {ref.name: ref for ref in outputs_of(outputs[0]["outputs"])} if outputs else {}
    if output not in refs:
        known = ", ".join(f"{step}.{name}" for name in refs) or "nothing"
        raise NoBaseline(f"run #{number} put out no {named}", f"{step} put out: {known}")
    origin = {"run": number, "step": step, "output": output}
    return _of_output(session, refs[output], origin, "", "")


def _candidates(session: Session, found: VersionRun, wanted: Reference) -> dict[str, RowsOf]:
    """Tables with all of the model's inputs that the step in question read, by name."""
    register = found.register
    if register is None or "model" not in register.inputs:
        return {}
    train = _tables(session, found, register.inputs["model"].step)
    if wanted is Reference.TRAINING:
        return train
    if "metrics" not in register.inputs:
        return {}
    judged = _tables(session, found, register.inputs["metrics"].step)
    return {name: rows for name, rows in judged.items() if name not in train}


def _tables(session: Session, found: VersionRun, step: str) -> dict[str, RowsOf]:
    if step not in {each.name for each in found.spec.steps}:
        return {}
    tables = {}
    for source in found.spec.step(step).inputs.values():
        if source.kind not in ("output", "dataset"):
            continue
        name = f"{source.step}.{source.name}" if source.kind == "output" else source.name
        try:
            rows = _rows(session, found, source, name)
        except NoBaseline:
            continue  # no table, or gone: it is not among what there is
        if found.inputs and set(found.inputs) <= set(_columns(session, rows)):
            tables[name] = rows
    return tables


def _rows(session: Session, found: VersionRun, source: Source, name: str) -> RowsOf:
    """What an input stands for; raises `NoBaseline`."""
    target = str(found.options.get("target", ""))
    prediction = str(found.options.get("prediction", ""))
    origin: dict[str, Any] = {
        "run": found.number,
        "pipeline": found.spec.name,
        "model": f"{found.version.name}/{found.version.version}",
    }
    if source.kind == "dataset":
        key = f"{source.name}@{source.value}" if source.value else source.name
        snapshot = found.pins.get(key)
        if snapshot is None:
            raise NoBaseline(f"run #{found.number} did not read dataset {source.name}")
        origin |= {"dataset": source.name, "snapshot": snapshot}
        return RowsOf(origin, None, source.name, snapshot, target, prediction)
    ref = found.outputs.get(source.step, {}).get(source.name)
    if ref is None:
        known = ", ".join(
            f"{step}.{output}" for step, refs in found.outputs.items() for output in refs
        )
        raise NoBaseline(f"run #{found.number} put out no {name}", f"it put out: {known}")
    origin |= {"step": source.step, "output": source.name}
    return _of_output(session, ref, origin, target, prediction)


def _of_output(
    session: Session, ref: OutputRef, origin: Mapping[str, Any], target: str, prediction: str
) -> RowsOf:
    path = session.workspace.state_dir / ref.path
    name = f"{origin['step']}.{origin['output']} of run #{origin['run']}"
    if not path.exists():
        raise NoBaseline(f"{name} is gone", "name other rows, such as baseline: dataset:NAME@V")
    told = {**origin, "digest": ref.digest}
    if ref.kind == "dataset":
        given = json.loads(path.read_text())
        told |= {"dataset": given["dataset"], "snapshot": given["snapshot"]}
        return RowsOf(told, None, given["dataset"], str(given["snapshot"]), target, prediction)
    if ref.kind != "frame":
        raise NoBaseline(f"{name} is no table: {ref.kind}", "name a step's table")
    return RowsOf(told, path, target=target, prediction=prediction)


def columns_of(session: Session, rows: RowsOf) -> Sequence[str]:
    """The names of the columns, from the file's foot or the dataset's row."""
    return _columns(session, rows)


def _columns(session: Session, rows: RowsOf) -> Sequence[str]:
    if rows.path is None:
        found = session.reader.rows(
            "SELECT schema FROM dataset_snapshots WHERE dataset = :name AND snapshot_id = :id",
            name=rows.dataset,
            id=rows.snapshot,
        )
        return [each["name"] for row in found for each in json.loads(row["schema"] or "[]")]
    import pyarrow.dataset as ds

    return list(ds.dataset(str(rows.path), format="parquet").schema.names)
