"""Deploy steps: our strategy as SageMaker's DeploymentConfig."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.aws.compile.errors import StrategyNotThere, at
from core.aws.compile.machines import DEFAULT_INSTANCE, settings_of
from core.aws.compile.nodes import Deployment
from core.aws.compile.target import Target, there
from core.aws.deployment import deployment_config
from core.domain.pipeline import PipelineSpec, StepSpec
from core.errors import BadInput


def deployment_of(spec: PipelineSpec, step: StepSpec, target: Target) -> Deployment:
    """The deploy step there; raises `StrategyNotThere`."""
    given = settings_of(spec, step)
    endpoint = step.options.get("endpoint", spec.name)
    return Deployment(
        name=step.name,
        needs=step.needs,
        register=str(step.options["register"]),
        endpoint=there(str(endpoint), spec.name),
        config=_config(spec, step, given),
        role=str(given.get("role", target.role)),
        instance_type=str(given.get("serving_instance_type", DEFAULT_INSTANCE)),
        instance_count=int(given.get("serving_instance_count", 1)),
        kms_key=str(given.get("kms_key", "")),
    )


def _config(spec: PipelineSpec, step: StepSpec, given: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        strategy = step.sagemaker.get("strategy", step.options["strategy"])
        return deployment_config(strategy, given.get("alarms", ()))
    except BadInput as error:
        raise StrategyNotThere(
            at(spec.name, step.name, error.message),
            "give the step one for there: sagemaker: {strategy: …, alarms: […]}",
        ) from error
