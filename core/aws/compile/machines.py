"""The settings of a step over its pipeline's: what its job runs on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from core.aws.compile.errors import CannotCompile, OverLimit, at
from core.aws.compile.nodes import Machine
from core.aws.compile.target import Target
from core.domain.pipeline import PipelineSpec, StepSpec

LONGEST_PROCESSING = 777_600
LONGEST_TRAINING = 2_419_200
"""Seconds: what the service's model allows for a processing job, and 28 days for training."""

VOLUME_GB = 30
CACHE_SECONDS = 30 * 86_400
DEFAULT_INSTANCE = "ml.m5.large"
_HEADROOM = 0.85
"""Of an instance's memory: the container and its agent need the rest."""

_BY_MEMORY = (
    (8, DEFAULT_INSTANCE),
    (16, "ml.m5.xlarge"),
    (32, "ml.m5.2xlarge"),
    (64, "ml.m5.4xlarge"),
    (192, "ml.m5.12xlarge"),
    (384, "ml.m5.24xlarge"),
)
"""GiB of memory, and the smallest general instance that has it."""


def settings_of(spec: PipelineSpec, step: StepSpec) -> Mapping[str, Any]:
    """The step's settings, where it has none the pipeline's."""
    return {**spec.sagemaker, **step.sagemaker}


def machine_of(spec: PipelineSpec, step: StepSpec, target: Target, training: bool) -> Machine:
    """What the job of a step runs on; raises `CannotCompile`."""
    given = settings_of(spec, step)
    if step.python is not None and "image" not in step.sagemaker:
        raise CannotCompile(
            at(spec.name, step.name, f"python: {step.python} is not in a container"),
            "give the step an image that has it: sagemaker: {image: …}",
        )
    spot = bool(given.get("spot", False))
    if step.sagemaker.get("spot") and not training:
        raise CannotCompile(
            at(spec.name, step.name, "spot: only training runs on spot instances"),
            "a step trains where a register step takes its model, or where it is a script",
        )
    limit = LONGEST_TRAINING if training else LONGEST_PROCESSING
    if step.timeout > limit:
        raise OverLimit(
            at(spec.name, step.name, f"timeout {step.timeout:g} s: a job ends after {limit:,} s"),
            "give it a smaller timeout",
        )
    groups, subnets = given.get("security_groups", ()), given.get("subnets", ())
    if bool(groups) != bool(subnets):
        raise CannotCompile(
            at(spec.name, step.name, "subnets and security_groups go together"),
            "give both under sagemaker:, or neither",
        )
    timeout = max(1, math.ceil(step.timeout))
    spot = spot and training
    return Machine(
        image=str(step.sagemaker.get("image", target.work_image)),
        instance_type=str(given.get("instance_type") or _instance(spec, step)),
        instance_count=int(given.get("instance_count", 1)),
        volume_gb=int(given.get("volume_gb", VOLUME_GB)),
        role=str(given.get("role", target.role)),
        timeout=timeout,
        spot=spot,
        max_wait=max(timeout, math.ceil(given.get("max_wait", 2 * timeout))) if spot else None,
        kms_key=str(given.get("kms_key", "")),
        subnets=tuple(subnets),
        security_groups=tuple(groups),
        cache=math.ceil(given.get("cache", CACHE_SECONDS)) if step.cache else None,
        retries=step.retries,
        backoff=step.backoff,
    )


def _instance(spec: PipelineSpec, step: StepSpec) -> str:
    wanted = (step.memory_mb or 0) / 1024
    for gib, name in _BY_MEMORY:
        if wanted <= gib * _HEADROOM:
            return name
    raise OverLimit(
        at(spec.name, step.name, f"memory {wanted:g} GiB is more than a general instance has"),
        "name the instance: sagemaker: {instance_type: …}",
    )
