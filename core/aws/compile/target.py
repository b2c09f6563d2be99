"""Where a pipeline is compiled for: bucket, role and images, or placeholders for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.aws.compile.errors import NameNotThere
from core.domain.pipeline import PipelineSpec

BUCKET = "${ArtifactBucket}"
ROLE = "${ExecutionRoleArn}"
QUEUE = "${ApprovalQueueUrl}"
WORK_IMAGE = "${WorkImage}"
SERVING_IMAGE = "${ServingImage}"
PLACEHOLDERS: Mapping[str, str] = {
    BUCKET: "Name of the S3 bucket for source, data and outputs.",
    ROLE: "ARN of the role that the jobs have.",
    QUEUE: "URL of the SQS queue that gates ask by.",
    WORK_IMAGE: "Container image of the jobs, as the region has it.",
    SERVING_IMAGE: "Container image that serves the model, as the region has it.",
}
"""What stands where an account would be named, as CloudFormation substitutes it."""

DEFAULT_PREFIX = "opsdeck"
_EDGES = re.compile(r"[^A-Za-z0-9]+")
LONGEST_NAME = 63
LONGEST_PIPELINE = 80
"""A state machine's name; a SageMaker pipeline's may be 256 long."""


@dataclass(frozen=True, slots=True)
class Target:
    """An account, as far as a definition names it. `tracking` is MLflow's address there."""

    name: str
    bucket: str = BUCKET
    prefix: str = DEFAULT_PREFIX
    role: str = ROLE
    queue: str = QUEUE
    work_image: str = WORK_IMAGE
    serving_image: str = SERVING_IMAGE
    tracking: str = ""

    @property
    def runs(self) -> str:
        """The S3 folder of everything that the pipeline's executions put out."""
        return f"s3://{self.bucket}/{self.prefix}/runs/{self.name}"

    @property
    def open(self) -> tuple[str, ...]:
        """The placeholders that are left."""
        fields = (self.bucket, self.role, self.queue, self.work_image, self.serving_image)
        return tuple(each for each in fields if each in PLACEHOLDERS)


def target_of(spec: PipelineSpec, base: Target | None = None, **known: str) -> Target:
    """The pipeline's own settings over `known` ones over placeholders; raises `NameNotThere`."""
    given: Mapping[str, Any] = spec.sagemaker
    found = base or Target(there(str(given.get("name", spec.name)), spec.name, LONGEST_PIPELINE))
    values = {key: value for key, value in known.items() if value}
    for key, field in (
        ("bucket", "bucket"),
        ("prefix", "prefix"),
        ("role", "role"),
        ("approvals_queue", "queue"),
        ("tracking", "tracking"),
        ("image", "work_image"),
        ("serving_image", "serving_image"),
    ):
        if key in given:
            values[field] = str(given[key]).strip("/") if key == "prefix" else str(given[key])
    return replace(found, **values)


def there(name: str, pipeline: str, longest: int = LONGEST_NAME) -> str:
    """A name of ours as AWS takes it: letters, digits and single hyphens."""
    found = _EDGES.sub("-", name).strip("-")
    if not found or len(found) > longest:
        raise NameNotThere(
            f"pipeline {pipeline}: {name[:40]!r} is no name there",
            f"at most {longest} letters, digits and hyphens: set name: under sagemaker:",
        )
    return found
