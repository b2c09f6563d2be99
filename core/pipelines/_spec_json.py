"""A pipeline as plain JSON and back, without loss: what a run keeps of its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from core.domain.pipeline import Param, PipelineSpec, Source, StepSpec
from core.errors import StateVersion

FORMAT = 1
_STEP_FIELDS = frozenset(field.name for field in fields(StepSpec))


def spec_to_json(spec: PipelineSpec) -> dict[str, Any]:
    """`spec` as JSON values only (dict, list, str, int, float, bool, None)."""
    return {
        "format": FORMAT,
        "name": spec.name,
        "path": spec.path,
        "description": spec.description,
        "env": dict(spec.env),
        "sagemaker": dict(spec.sagemaker),
        "params": [asdict(param) | {"choices": list(param.choices)} for param in spec.params],
        "steps": [_step_to_json(step) for step in spec.steps],
    }


def spec_from_json(data: Mapping[str, Any]) -> PipelineSpec:
    """The pipeline that `spec_to_json` wrote; equal to the original.

    Raises `StateVersion` when it was written in another format.
    """
    if data.get("format") != FORMAT:
        message = f"a pipeline was stored in format {data.get('format')}, not {FORMAT}"
        raise StateVersion(message, "use the version of opsdeck that wrote it")
    return PipelineSpec(
        name=data["name"],
        path=data["path"],
        steps=tuple(_step_from_json(step) for step in data["steps"]),
        params=tuple(
            Param(**{**param, "choices": tuple(param["choices"])}) for param in data["params"]
        ),
        description=data["description"],
        env=dict(data["env"]),
        sagemaker=dict(data.get("sagemaker", {})),  # runs of before have none
    )


def _step_to_json(step: StepSpec) -> dict[str, Any]:
    plain = {name: getattr(step, name) for name in _STEP_FIELDS}
    return plain | {
        "inputs": {name: asdict(source) for name, source in step.inputs.items()},
        "outputs": list(step.outputs),
        "needs": list(step.needs),
        "env": dict(step.env),
        "options": dict(step.options),
        "sagemaker": dict(step.sagemaker),
    }


def _step_from_json(data: Mapping[str, Any]) -> StepSpec:
    return StepSpec(
        **{
            **data,
            "inputs": {name: Source(**source) for name, source in data["inputs"].items()},
            "outputs": tuple(data["outputs"]),
            "needs": tuple(data["needs"]),
            "env": dict(data["env"]),
            "options": dict(data["options"]),
        }
    )
