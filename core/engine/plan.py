"""From a run's rows to what a step process is told: inputs, environment, seed."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core.domain.pipeline import PipelineSpec, StepSpec
from core.domain.run import OutputRef
from core.errors import StepFailed
from core.pipelines import spec_from_json
from core.quiet import QUIET_ENVIRONMENT
from core.reads.runs import outputs_of
from core.state import schema
from core.state.reading import Reader
from core.state.store import Transaction
from core.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Plan:
    """A run as a step sees it: the frozen pipeline, its parameters, what was put out so far."""

    run: Mapping[str, Any]
    spec: PipelineSpec
    params: Mapping[str, Any]
    outputs: Mapping[str, Mapping[str, OutputRef]]

    def step(self, name: str) -> StepSpec:
        """The pipeline's step of that name."""
        return self.spec.step(name)

    def output(self, step: str, name: str) -> OutputRef:
        """An artifact of a step; raises `StepFailed` when it did not put it out."""
        try:
            return self.outputs[step][name]
        except KeyError:
            raise StepFailed(f"step {step} put out no {name}", "see its log") from None

    def inputs(self, step: StepSpec, workspace: Workspace) -> dict[str, dict[str, Any]]:
        """For each input its value, or the path, kind and digest of its artifact; of a dataset
        its name, with the version that is wanted under `at` or the one known under `snapshot`."""
        found: dict[str, dict[str, Any]] = {}
        for name, source in step.inputs.items():
            if source.kind == "dataset":
                found[name] = {"dataset": source.name, "at": source.value}
            elif source.kind == "output":
                ref = self.output(source.step, source.name)
                if ref.kind == "dataset":  # a version that a step wrote or looked at
                    found[name] = json.loads((workspace.state_dir / ref.path).read_text())
                    continue
                found[name] = {
                    "path": str(workspace.state_dir / ref.path),
                    "kind": ref.kind,
                    "digest": ref.digest,
                }
            elif source.kind == "param":
                found[name] = {"value": self.params[source.name]}
            else:
                found[name] = {"value": source.value}
        return found

    def env(self, step: StepSpec) -> dict[str, str]:
        """The variables that the pipeline file sets for a step."""
        return {k: str(v) for k, v in {**self.spec.env, **step.env}.items()}

    def seed(self, step: StepSpec) -> int:
        """The same for the same step and `seed` parameter, whenever it runs."""
        return zlib.crc32(f"{step.name}:{self.params.get('seed', 0)}".encode())


def load_plan(tx: Transaction, run: Mapping[str, Any]) -> Plan:
    """The plan of a run, with what its steps have put out."""
    rows = tx.rows(
        sa.select(schema.step_runs.c.step, schema.step_runs.c.outputs).where(
            schema.step_runs.c.run_id == run["id"]
        )
    )
    return _plan(run, rows)


def read_plan(reader: Reader, run_id: str) -> Plan:
    """The same, outside of a transaction: what steps before this one have put out stands."""
    run = reader.rows("SELECT * FROM runs WHERE id = :run", run=run_id)[0]
    return _plan(
        run, reader.rows("SELECT step, outputs FROM step_runs WHERE run_id = :run", run=run_id)
    )


def _plan(run: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Plan:
    return Plan(
        run=run,
        spec=spec_from_json(json.loads(run["spec"])),
        params=json.loads(run["params"]),
        outputs={
            row["step"]: {ref.name: ref for ref in outputs_of(row["outputs"])} for row in rows
        },
    )


def step_environment(
    tx: Transaction, plan: Plan, step: StepSpec, workspace: Workspace
) -> dict[str, str]:
    """All variables that a step process gets on top of the worker's."""
    env = {
        **QUIET_ENVIRONMENT,
        "MLFLOW_TRACKING_URI": workspace.tracking_uri,
        "MLFLOW_REGISTRY_URI": workspace.tracking_uri,
        "MLFLOW_EXPERIMENT_NAME": plan.spec.name,
        "MLFLOW_ENABLE_ASYNC_LOGGING": "true",  # one transaction a batch, not one a metric
        "OPSDECK_RUN_ID": plan.run["id"],
        "OPSDECK_RUN_NUMBER": str(plan.run["number"]),
        "OPSDECK_STEP": step.name,
        "PYTHONUNBUFFERED": "1",
        **_champion(tx, plan, workspace),
        **plan.env(step),
    }
    if plan.run["mlflow_run_id"]:
        env["MLFLOW_RUN_ID"] = plan.run["mlflow_run_id"]
    return env


def threads_per_step(slots: int) -> int:
    """How many threads a step's libraries may use, so that all slots together fit."""
    return max(1, (os.cpu_count() or 1) // slots)


def _champion(tx: Transaction, plan: Plan, workspace: Workspace) -> dict[str, str]:
    """Where the champion of the pipeline's model is, for steps that compare with it."""
    names = [s.options.get("name") for s in plan.spec.steps if s.kind == "register"]
    if not names:
        return {}
    aliases, versions = schema.model_aliases, schema.model_versions
    row = tx.row(
        sa.select(versions.c.version, versions.c.path)
        .join(
            aliases,
            (aliases.c.name == versions.c.name) & (aliases.c.version == versions.c.version),
        )
        .where(aliases.c.name == names[0], aliases.c.alias == "champion")
    )
    if row is None:
        return {}
    return {
        "OPSDECK_CHAMPION_MODEL": str(workspace.state_dir / row["path"]),
        "OPSDECK_CHAMPION_VERSION": str(row["version"]),
    }
