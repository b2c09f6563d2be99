"""A run that happens in an AWS account, as that account tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from core.domain.run import StepStatus

Service = Literal["sagemaker", "stepfunctions"]
SERVICES: tuple[Service, ...] = ("sagemaker", "stepfunctions")
SERVICE_WORDS: Mapping[str, str] = {
    "sagemaker": "SageMaker Pipelines",
    "stepfunctions": "Step Functions",
}


class RemoteState(StrEnum):
    """How far a run there is: asked for, about to be started, started, to be resumed, over."""

    REQUESTED = "requested"
    STARTING = "starting"
    FOLLOWING = "following"
    AGAIN = "again"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class SeenStep:
    """A step there. `job` is its kind ("processing", "training") and name; `question` is the
    token that a gate waits by, `package` the model package that it registered."""

    status: StepStatus
    started_at: float | None = None
    ended_at: float | None = None
    attempt: int = 1
    message: str = ""
    job: tuple[str, str] | None = None
    question: str = ""
    package: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """An execution there, at one moment. Steps that have not begun are left out."""

    status: Literal["running", "succeeded", "failed", "stopped"]
    message: str = ""
    steps: Mapping[str, SeenStep] = field(default_factory=dict)
