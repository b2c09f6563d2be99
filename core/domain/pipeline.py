"""What a pipeline is once its file has been read: parameters, steps and how they hang together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

StepKind = Literal["function", "script", "notebook", "tune", "data", "register", "gate", "deploy"]
ParamType = Literal["str", "int", "float", "bool"]


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of a pipeline, as declared in its file."""

    name: str
    type: ParamType
    default: Any = None
    required: bool = False
    pattern: str | None = None
    choices: tuple[Any, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where one input of a step comes from.

    `kind` "output": `step` and `name` of an artifact; "param": `name` of a parameter;
    "value": a literal in `value`; "dataset": `name` of a dataset of the lake, at the version
    (a number, tag, branch or time) in `value`, or its newest where that is None.
    """

    kind: Literal["output", "param", "value", "dataset"]
    name: str = ""
    step: str = ""
    value: Any = None


@dataclass(frozen=True, slots=True)
class StepSpec:
    """A node of the pipeline.

    `target` is `module:function` for a function, a path relative to the workspace for a
    script or a notebook, either of them for a tune step (its search is in `options`), the verb
    of a data step (its settings are its `inputs`), and "" for the built-in kinds, whose settings
    are in `options`.
    `needs` are the steps that must have ended well before this one starts (inferred from
    `inputs`, plus `after`). Times are seconds. `sagemaker` is how it runs in an AWS account.
    """

    name: str
    kind: StepKind
    target: str = ""
    inputs: Mapping[str, Source] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    retries: int = 0
    backoff: float = 1.0
    timeout: float = 3600.0
    cache: bool = True
    memory_mb: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    python: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0
    sagemaker: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PipelineSpec:
    """A pipeline: a directed acyclic graph of steps, in a topological order."""

    name: str
    path: str
    steps: tuple[StepSpec, ...]
    params: tuple[Param, ...] = ()
    description: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    sagemaker: Mapping[str, Any] = field(default_factory=dict)

    def step(self, name: str) -> StepSpec:
        """The step called `name`; raises `KeyError` when there is none."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)

    def downstream(self, name: str) -> frozenset[str]:
        """`name` and every step that depends on it, directly or not."""
        reached = {name}
        for step in self.steps:  # topological order: parents come first
            if reached.intersection(step.needs):
                reached.add(step.name)
        return frozenset(reached)


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in a pipeline file: where it is, what it is, what to do about it."""

    file: str
    line: int
    key: str
    message: str
    suggestion: str = ""

    def one_line(self) -> str:
        """`file:line key: message (suggestion)`."""
        tail = f" ({self.suggestion})" if self.suggestion else ""
        where = f"{self.line} {self.key}" if self.key else f"{self.line}"
        return f"{self.file}:{where}: {self.message}{tail}"
