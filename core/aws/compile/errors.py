"""What of a pipeline cannot be said in AWS's words, each in one line: pipeline, step, why."""

from __future__ import annotations

from core.errors import OpsdeckError


class CannotCompile(OpsdeckError):
    """A step, or one of its settings, that has no counterpart there."""

    code = "E740"


class StrategyNotThere(CannotCompile):
    """A deployment strategy that SageMaker has no words for."""

    code = "E741"


class OverLimit(CannotCompile):
    """More inputs, outputs, time or text than a job may have there."""

    code = "E742"


class NameNotThere(CannotCompile):
    """A name that nothing can have there."""

    code = "E743"


class NoImage(CannotCompile):
    """The container image of a job is not known."""

    code = "E744"


def at(pipeline: str, step: str, why: str) -> str:
    """The line: which pipeline, which step, why."""
    return f"pipeline {pipeline}, step {step}: {why}"
