"""What a pipeline is made of there, whichever service runs it: jobs, registrations, questions,
deployments, and the values that they hand on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from core.domain.pipeline import PipelineSpec

# --- values, known when the pipeline runs --------------------------------------------------


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of the pipeline, as text."""

    name: str


@dataclass(frozen=True, slots=True)
class Rows:
    """The S3 folder of a dataset's snapshot; `key` is of `Lowered.datasets`."""

    key: str


@dataclass(frozen=True, slots=True)
class Code:
    """The S3 folder of the packaged source."""


@dataclass(frozen=True, slots=True)
class Made:
    """The S3 address of what a step put out; of a trained model its model.tar.gz."""

    step: str
    output: str


@dataclass(frozen=True, slots=True)
class Joined:
    """Texts and values, one after the other."""

    parts: tuple[Value, ...]


Value = str | Param | Rows | Code | Made | Joined


# --- what is done --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Machine:
    """What a job runs on. Times are seconds; `cache` is None where nothing is reused."""

    image: str
    instance_type: str
    instance_count: int
    volume_gb: int
    role: str
    timeout: int
    spot: bool = False
    max_wait: int | None = None
    kms_key: str = ""
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    cache: int | None = None
    retries: int = 0
    backoff: float = 1.0


@dataclass(frozen=True, slots=True)
class Job:
    """A function, script or notebook as a processing or training job.

    `arguments` are hyperparameters of a training job and `--set` arguments of a processing
    job; `channels` are its inputs by name; `program` is what a training container starts.
    """

    name: str
    type: Literal["processing", "training"]
    machine: Machine
    needs: tuple[str, ...]
    arguments: Mapping[str, Value] = field(default_factory=dict)
    channels: Mapping[str, Value] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    program: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Registration:
    """A model version: a model package of the group. `pending`: a gate asks about it."""

    name: str
    needs: tuple[str, ...]
    group: str
    model: Value
    image: str
    pending: bool
    metrics: Value | None = None
    description: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Value] = field(default_factory=dict)
    retries: int = 0
    backoff: float = 1.0


@dataclass(frozen=True, slots=True)
class Question:
    """A gate: somebody is asked about the version that the step `register` made."""

    name: str
    needs: tuple[str, ...]
    register: str
    environment: str
    queue: str
    expires: int | None = None
    evidence: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deployment:
    """The version of the step `register` brought to an endpoint by a DeploymentConfig."""

    name: str
    needs: tuple[str, ...]
    register: str
    endpoint: str
    config: Mapping[str, Any]
    role: str
    instance_type: str
    instance_count: int
    kms_key: str = ""


Node = Job | Registration | Question | Deployment


@dataclass(frozen=True, slots=True)
class Lowered:
    """A pipeline there: its nodes in a topological order; `datasets` maps a key to the dataset
    and the version that is wanted; `plans` is what the runner is told of each step; `remarks`
    are what is otherwise than here."""

    spec: PipelineSpec
    nodes: tuple[Node, ...]
    datasets: Mapping[str, tuple[str, str | None]]
    plans: Mapping[str, Mapping[str, Any]]
    remarks: tuple[str, ...] = ()

    def node(self, name: str) -> Node:
        """The node of a step."""
        return next(each for each in self.nodes if each.name == name)

    def job(self, name: str) -> Job:
        """The job of a step that puts something out."""
        found = self.node(name)
        assert isinstance(found, Job), name
        return found
