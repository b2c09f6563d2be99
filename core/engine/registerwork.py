"""The register step: a model version in MLflow's registry and in the state, with lineage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core.domain.datalineage import NodeKind, edges_between
from core.domain.pipeline import StepSpec
from core.domain.run import OutputRef, StepStatus
from core.engine import runstate, tunespec
from core.engine.context import STATE_AWAY, SYSTEM, Engine
from core.engine.plan import Plan, load_plan
from core.errors import BadInput, OpsdeckError
from core.features.uses import uses_of_model
from core.pipelines import code_fingerprint
from core.releases import aliases
from core.state import schema
from core.state.edges import record_edges
from core.state.store import Transaction
from core.workspace import Workspace


def register_step(engine: Engine, run_id: str, generation: int, name: str, attempt: int) -> str:
    """Register the version once, whatever dies in between; returns the step run's state.

    Raises `Overtaken`.
    """
    with engine.store.transaction(SYSTEM) as tx:
        run = runstate.load_run(tx, run_id, generation)
        row = runstate.load_step(tx, run_id, name)
        if StepStatus(row["status"]).ended:
            return str(row["status"])
        if run["cancel_requested"]:
            runstate.end_step(tx, run_id, name, StepStatus.CANCELLED, message="cancelled")
            return StepStatus.CANCELLED
        plan = load_plan(tx, run)
        runstate.set_step(
            tx,
            run_id,
            name,
            status=StepStatus.RUNNING,
            attempt=attempt,
            started_at=tx.now,
            worker_id=engine.worker_id,
        )
        lineage = _lineage(tx, plan, run, engine.workspace)
    tuned = tunespec.chosen(engine, run_id)
    if tuned:
        lineage["tuned"] = tuned
    try:
        return _register(engine, plan, plan.step(name), lineage)
    except STATE_AWAY:
        raise
    except OpsdeckError as error:
        engine.hold_if_stopping()
        message = error.one_line()
        with engine.store.transaction(SYSTEM) as tx:
            runstate.load_run(tx, run_id, generation)
            if attempt < row["max_attempts"]:
                runstate.set_step(tx, run_id, name, status=StepStatus.RETRYING, message=message)
                return StepStatus.RETRYING
            runstate.end_step(tx, run_id, name, StepStatus.FAILED, message=message)
        return StepStatus.FAILED


def _register(engine: Engine, plan: Plan, step: StepSpec, lineage: Mapping[str, Any]) -> str:
    model = plan.output(step.inputs["model"].step, step.inputs["model"].name)
    name, run_id = str(step.options["name"]), plan.run["id"]
    metrics = _metrics(engine, plan, step)
    version = engine.tracker.call(
        "register_version",
        name=name,
        source=str(engine.workspace.state_dir / model.path),
        run_id=plan.run["mlflow_run_id"],
        description=str(step.options.get("description", "")),
        tags={
            "opsdeck.step_execution": f"{run_id}:{step.name}",
            "opsdeck.run": f"{plan.spec.name} #{plan.run['number']}",
            "opsdeck.git_commit": str(lineage["code"].get("commit", "")),
            "opsdeck.git_dirty": str(lineage["code"].get("dirty", "")).lower(),
            "opsdeck.code_sha256": str(lineage["code_sha256"]),
            "opsdeck.data_sha256": str(lineage["data_sha256"]),
            "opsdeck.environment_sha256": str(lineage["code"].get("environment_sha256", "")),
            "opsdeck.model_sha256": model.digest,
        },
    )
    engine.tracker.call("set_alias", name=name, alias="candidate", version=version)
    with engine.store.transaction(SYSTEM) as tx:
        runstate.load_run(tx, run_id, plan.run["generation"])
        _record(tx, plan, step.name, name, int(version), model, metrics, lineage)
        _note_features(tx, run_id, f"{name}/{version}", engine.workspace.state_dir / model.path)
        runstate.end_step(tx, run_id, step.name, StepStatus.SUCCEEDED, message=f"{name} v{version}")
    return StepStatus.SUCCEEDED


def _record(
    tx: Transaction,
    plan: Plan,
    step: str,
    name: str,
    version: int,
    model: OutputRef,
    metrics: Mapping[str, Any],
    lineage: Mapping[str, Any],
) -> None:
    table = schema.model_versions
    found = tx.row(sa.select(table).where(table.c.name == name, table.c.version == version))
    if found is None:
        tx.execute(
            table.insert().values(
                name=name,
                version=version,
                run_id=plan.run["id"],
                step=step,
                path=model.path,
                digest=model.digest,
                created_at=tx.now,
                metrics=json.dumps(metrics),
                lineage=json.dumps(lineage),
                mlflow_run_id=plan.run["mlflow_run_id"],
            )
        )
        tx.journal(
            "model.register",
            f"model/{name}",
            version=version,
            run=plan.run["number"],
            digest=model.digest,
        )
    aliases.set_alias(tx, name, "candidate", version)


def _note_features(tx: Transaction, run_id: str, model: str, path: Path) -> None:
    """Put on record which feature views a model says that it reads."""
    try:
        uses = uses_of_model(path)
    except BadInput:  # its deployment will say so
        return
    for use in uses:
        view, reader = (NodeKind.FEATURE_VIEW, use.ref), (NodeKind.MODEL, model)
        record_edges(tx, edges_between(view, reader, "train", run_id=run_id))


def registered_version(tx: Transaction, run_id: str, step: str) -> Mapping[str, Any] | None:
    """The version that a register step of this run made, or that a kept step had made."""
    table = schema.model_versions
    row = runstate.load_step(tx, run_id, step)
    owner = row["cached_from"] or run_id
    return tx.row(sa.select(table).where(table.c.run_id == owner, table.c.step == step))


def _metrics(engine: Engine, plan: Plan, step: StepSpec) -> dict[str, Any]:
    """The numbers among the metrics that the register step was given."""
    source = step.inputs.get("metrics")
    if source is None:
        return {}
    ref = plan.output(source.step, source.name)
    if ref.kind != "json":
        return {}
    loaded = json.loads((engine.workspace.state_dir / ref.path).read_text())
    if not isinstance(loaded, dict):
        return {}
    return {
        key: value
        for key, value in loaded.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _lineage(
    tx: Transaction, plan: Plan, run: Mapping[str, Any], workspace: Workspace
) -> dict[str, Any]:
    """Code, data, parameters, seed and environment of a version, each with its hash.

    `data_sha256` is over every table and version of a dataset that the run's steps put out,
    `code_sha256` over the source of every step of the user's.
    """
    data = {
        f"{step}.{name}": ref.digest
        for step, refs in plan.outputs.items()
        for name, ref in refs.items()
        if ref.kind in ("frame", "dataset")
    }
    code = {
        step.name: code_fingerprint(workspace.root, step) for step in plan.spec.steps if step.target
    }
    steps = runstate.load_steps(tx, run["id"])
    return {
        "code": json.loads(run["lineage"]),
        "code_sha256": _combined(code),
        "data": dict(sorted(data.items())),
        "data_sha256": _combined(data),
        "params": dict(plan.params),
        "seed": plan.params.get("seed"),
        "step_keys": {row["step"]: row["cache_key"] for row in steps if row["cache_key"]},
        "run": run["number"],
        "pipeline": plan.spec.name,
    }


def _combined(hashes: Mapping[str, str]) -> str:
    """One hash over named hashes."""
    text = "".join(f"{name} {digest}\n" for name, digest in sorted(hashes.items()))
    return hashlib.sha256(text.encode()).hexdigest()
