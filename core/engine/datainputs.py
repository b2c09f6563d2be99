"""What a step reads of the lake: which version, and for user code the rows as a file.

A run reads one version of a dataset, whichever of its steps asks first: that is on record with
the run, so that it can be repeated. What `dataset:NAME` means then stays so for this run, also
when it is resumed.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core.domain.datalineage import NodeKind, edges_between
from core.domain.pipeline import StepSpec
from core.domain.run import OutputRef
from core.engine import runstate
from core.engine.artifacts import publish
from core.engine.context import SYSTEM, Engine
from core.engine.datareads import READERS, beside
from core.engine.execution import Execution, Order
from core.engine.logfiles import log_path
from core.engine.plan import Plan
from core.errors import StepFailed
from core.reads import datasets as _datasets
from core.reads.runs import outputs_of
from core.state import schema
from core.state.edges import record_edges

Inputs = Mapping[str, Mapping[str, Any]]
_CODE = re.compile(r"^E\d{3} ")
EXPORT = "export"
"""The verb of the data step that writes a version's rows to a file."""


def resolved(engine: Engine, plan: Plan, step: StepSpec) -> dict[str, dict[str, Any]]:
    """A step's inputs with every dataset at its version: `dataset`, `snapshot`, `digest`.

    Raises `NotFound` where there is no such dataset or version.
    """
    inputs = _all_inputs(engine, plan, step)
    wanted = {name: given for name, given in inputs.items() if "dataset" in given}
    if not wanted:
        return inputs
    actor = str(plan.run["requested_by"])
    for name, given in wanted.items():
        dataset = str(given["dataset"])
        snapshot = given.get("snapshot") or _pinned(engine, plan, dataset, given.get("at"))
        inputs[name] = {
            "kind": "dataset",
            "dataset": dataset,
            "at": given.get("at"),
            "snapshot": snapshot,
            "digest": _digest(engine, dataset, snapshot, actor),
        }
    with engine.store.transaction(SYSTEM) as tx:
        node = (NodeKind.RUN, str(plan.run["number"]))
        for name in wanted:
            record_edges(
                tx,
                edges_between(
                    (NodeKind.DATASET, inputs[name]["dataset"]),
                    node,
                    "read",
                    detail=step.name,
                    run_id=plan.run["id"],
                    snapshot_id=inputs[name]["snapshot"],
                ),
            )
    return inputs


def _all_inputs(engine: Engine, plan: Plan, step: StepSpec) -> dict[str, dict[str, Any]]:
    """What its settings tie to a step, and what it reads besides."""
    inputs = plan.inputs(step, engine.workspace)
    if step.kind == "data":
        reader, root = engine.session.reader, engine.workspace.root
        inputs |= beside(reader, root, step.target, inputs)
    return inputs


def _pinned(engine: Engine, plan: Plan, dataset: str, at: str | None) -> str:
    """The version that this run reads under this name; the first to ask decides."""
    key = f"{dataset}@{at}" if at else dataset
    reader = engine.session.reader
    found = _datasets.find_snapshot(reader, dataset, at) if at else None
    newest = found.id if found else _datasets.find_dataset(reader, dataset).current_snapshot
    if newest is None:
        raise StepFailed(f"dataset {dataset} has no version yet", "ingest something into it")
    runs = schema.runs
    with engine.store.transaction(SYSTEM) as tx:
        row = tx.row(sa.select(runs.c.lineage).where(runs.c.id == plan.run["id"]))
        lineage = json.loads(row["lineage"]) if row else {}
        pins: dict[str, str] = lineage.setdefault("datasets", {})
        if key not in pins:
            pins[key] = newest
            tx.execute(
                runs.update().where(runs.c.id == plan.run["id"]).values(lineage=json.dumps(lineage))
            )
        return pins[key]


def _digest(engine: Engine, dataset: str, snapshot: str, actor: str) -> str:
    """Stands for the rows that the actor sees: of which version, under which policy."""
    reader = engine.session.reader
    policy = [
        reader.rows("SELECT * FROM grants WHERE dataset = :name ORDER BY id", name=dataset),
        reader.rows(
            "SELECT column_name, tag FROM dataset_tags WHERE dataset = :name"
            " ORDER BY column_name, tag",
            name=dataset,
        ),
        dict(engine.workspace.lake),
        reader.rows("SELECT owner FROM datasets WHERE name = :name", name=dataset),
    ]
    told = json.dumps([dataset, snapshot, actor, policy], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()


def as_files(
    engine: Engine, plan: Plan, step: StepSpec, inputs: Inputs, attempt: int, execution: str
) -> dict[str, Mapping[str, Any]]:
    """The inputs with every dataset's rows as a Parquet file, made once a version, on behalf
    of an execution that is on record as running.

    Raises `StepFailed` with what kept them from being read.
    """
    found: dict[str, Mapping[str, Any]] = dict(inputs)
    for name, given in inputs.items():
        if "dataset" in given:
            ref = _known(engine, given["digest"])
            if ref is None:
                ref = _export(engine, plan, step, given, attempt, f"{execution}-{name}")
            found[name] = {
                "path": str(engine.workspace.state_dir / ref.path),
                "kind": ref.kind,
                "digest": ref.digest,
            }
    return found


def _known(engine: Engine, digest: str) -> OutputRef | None:
    with engine.store.transaction(SYSTEM) as tx:
        entry = runstate.cached(tx, f"{EXPORT}:{digest}")
    refs = outputs_of(entry["outputs"]) if entry else ()
    if refs and (engine.workspace.state_dir / refs[0].path).exists():
        return refs[0]
    return None


def _export(
    engine: Engine,
    plan: Plan,
    step: StepSpec,
    given: Mapping[str, Any],
    attempt: int,
    execution_id: str,
) -> OutputRef:
    """Have a process write the rows, under the step's limits and into its log."""
    run_id = plan.run["id"]
    work_dir = engine.workspace.state_dir / "tmp" / execution_id
    order = Order(
        execution_id=execution_id,
        request=data_request(engine, plan, EXPORT, {"rows": given}, ("rows",), work_dir),
        work_dir=work_dir,
        log=log_path(engine.workspace.runs_dir, run_id, step.name),
        attempt=attempt,
        timeout=step.timeout,
        memory_mb=step.memory_mb,
    )
    outcome = Execution(engine.warm, order, lambda: run_id in engine.cancelled).run(lambda _: None)
    if outcome.reason:
        shutil.rmtree(work_dir, ignore_errors=True)
        reason = _CODE.sub("", outcome.reason)
        raise StepFailed(f"dataset {given['dataset']} could not be read: {reason}")
    refs = publish(engine.workspace.artifacts_dir, engine.workspace.state_dir, outcome.outputs)
    shutil.rmtree(work_dir, ignore_errors=True)
    with engine.store.transaction(SYSTEM) as tx:
        runstate.remember_artifacts(tx, run_id, step.name, refs)
        runstate.remember_cache(tx, f"{EXPORT}:{given['digest']}", run_id, step.name, refs)
    return refs[0]


def origins(engine: Engine, plan: Plan, step: StepSpec) -> list[str]:
    """The datasets from which a step's rows come, by way of the steps before it."""
    workspace = engine.workspace
    found: set[str] = set()
    waiting, seen = [step.name], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if plan.step(name).target in READERS:
            given = _all_inputs(engine, plan, plan.step(name)).values()
            found |= {str(each["dataset"]) for each in given if "dataset" in each}
        for source in plan.step(name).inputs.values():
            if source.kind == "dataset":
                found.add(source.name)
            elif source.kind == "output":
                ref = plan.output(source.step, source.name)
                if ref.kind == "dataset":
                    found.add(json.loads((workspace.state_dir / ref.path).read_text())["dataset"])
                else:
                    waiting.append(source.step)
    return sorted(found)


def data_request(
    engine: Engine,
    plan: Plan,
    verb: str,
    inputs: Inputs,
    outputs: tuple[str, ...],
    work_dir: Any,
    env: Mapping[str, str] | None = None,
    step: StepSpec | None = None,
) -> dict[str, Any]:
    """What the process of a data step is told."""
    return {
        "origins": [] if step is None else origins(engine, plan, step),
        "kind": "data",
        "target": verb,
        "root": str(engine.workspace.root),
        "inputs": inputs if step is None else _traced(plan, step, inputs),
        "outputs": list(outputs),
        "out_dir": str(work_dir),
        "env": dict(env or {}),
        "threads": engine.threads,
        "actor": str(plan.run["requested_by"]),
        "run_id": plan.run["id"],
        "run_number": plan.run["number"],
        "pipeline": plan.spec.name,
    }


def _traced(plan: Plan, step: StepSpec, inputs: Inputs) -> dict[str, Mapping[str, Any]]:
    """The inputs, with a mark on those that a data step made: what their files say of the
    origins of their columns is true."""
    found = dict(inputs)
    for name, source in step.inputs.items():
        if source.kind == "output" and plan.step(source.step).kind == "data":
            found[name] = {**inputs[name], "traced": True}
    return found
