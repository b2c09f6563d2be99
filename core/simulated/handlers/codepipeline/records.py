"""What is kept of a pipeline and its executions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers._shared import uid
from core.simulated.state import State

Definition = dict[str, Any]


@dataclass
class ActionRun:
    """One try of an action in an execution; times in epoch seconds."""

    stage: str
    definition: dict[str, Any]
    started: float
    execution: str
    version: int
    id: str = field(default_factory=uid)
    status: str = "InProgress"
    updated: float = 0.0
    by: str = ""
    summary: str = ""
    token: str = ""
    error: dict[str, str] = field(default_factory=dict)
    external: str = ""
    external_url: str = ""
    timer: int | None = None

    @property
    def name(self) -> str:
        return str(self.definition["name"])

    @property
    def category(self) -> str:
        return str(self.definition["actionTypeId"]["category"])


@dataclass
class Execution:
    """One execution of a pipeline."""

    pipeline: str
    version: int
    stages: list[dict[str, Any]]
    started: float
    trigger: dict[str, str]
    mode: str
    id: str = field(default_factory=uid)
    status: str = "InProgress"
    summary: str = ""
    updated: float = 0.0
    variables: list[dict[str, str]] = field(default_factory=list)
    revisions: list[dict[str, Any]] = field(default_factory=list)
    actions: list[ActionRun] = field(default_factory=list)
    stage_status: dict[str, str] = field(default_factory=dict)
    stop_reason: str | None = None
    rollback_of: str = ""
    retries: dict[str, int] = field(default_factory=dict)

    def latest(self, stage: str, action: str) -> ActionRun | None:
        """The last try of an action."""
        return next(
            (run for run in reversed(self.actions) if (run.stage, run.name) == (stage, action)),
            None,
        )

    def index(self, stage: str) -> int:
        return next(i for i, each in enumerate(self.stages) if each["name"] == stage)

    @property
    def live(self) -> bool:
        return self.status in ("InProgress", "Stopping")


@dataclass
class Pipeline:
    """A pipeline's executions (oldest first), who is in which stage and who waits for it."""

    name: str
    executions: dict[str, Execution] = field(default_factory=dict)
    inside: dict[str, str] = field(default_factory=dict)
    """Stage → the execution that is or was last in it."""
    waiting: dict[str, list[str]] = field(default_factory=dict)
    disabled: dict[str, dict[str, Any]] = field(default_factory=dict)


def definition_of(state: State, name: str) -> tuple[Definition, dict[str, Any]]:
    """The pipeline as moto keeps it, and its metadata; Fault if there is none."""
    got = state.moto("codepipeline", "GetPipeline", name=name)
    return got["pipeline"], got["metadata"]


def pipeline_of(state: State, name: str) -> Pipeline:
    """The runtime record of a pipeline that moto knows."""
    definition_of(state, name)
    pipelines: dict[str, Pipeline] = state.table("codepipeline.pipelines")
    return pipelines.setdefault(name, Pipeline(name))


def execution_of(pipeline: Pipeline, execution: str) -> Execution:
    found = pipeline.executions.get(execution)
    if found is None:
        raise Fault(
            "PipelineExecutionNotFoundException",
            f"Could not find pipeline execution '{execution}' in the pipeline '{pipeline.name}'.",
            400,
        )
    return found


def stage_of(state: State, pipeline: Pipeline, stage: str) -> dict[str, Any]:
    """The definition of a stage; Fault StageNotFoundException."""
    definition, _ = definition_of(state, pipeline.name)
    for each in definition["stages"]:
        if each["name"] == stage:
            return dict(each)
    raise Fault(
        "StageNotFoundException",
        f"The pipeline '{pipeline.name}' does not have a stage named '{stage}'.",
        400,
    )
