"""Pipelines of the workspace, as their files say."""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal

from core.session import Session

if TYPE_CHECKING:
    from core.domain.pipeline import PipelineSpec, Problem
    from core.pipelines import PipelineFile


Form = Literal["sagemaker", "asl", "cloudformation"]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A pipeline in AWS's words; `remarks` are what is otherwise there than here, and `open`
    the placeholders that are left, with what each stands for."""

    document: dict[str, Any]
    remarks: tuple[str, ...]
    open: dict[str, str]


class PipelinesService:
    """Reading and checking pipeline files."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(self) -> builtins.list[PipelineFile]:
        """Every pipeline file, with its problems."""
        from core.pipelines import find_pipelines

        return find_pipelines(self._session.workspace.root)

    def show(self, name: str) -> PipelineSpec:
        """A pipeline by name; raises `NotFound` and `PipelineInvalid`."""
        from core.pipelines import load_pipeline

        return load_pipeline(self._session.workspace.root, name)

    def compiled(
        self,
        name: str,
        form: Form,
        *,
        service: Literal["sagemaker", "stepfunctions"] = "sagemaker",
        region: str = "",
    ) -> Compiled:
        """A pipeline as it would be sent to AWS; asks no account. With a `region` the images
        are that region's. `service` is which of the two a CloudFormation template makes.

        Raises `NotFound`, `PipelineInvalid`, and `CannotCompile` for what can't be said there.
        """
        from core.aws import compile as aws

        spec = self.show(name)
        target = aws.target_of(spec)
        if region and not {"image", "serving_image"} <= spec.sagemaker.keys():
            from core.aws.running.images import images_of

            images = images_of(region)
            target = aws.target_of(spec, work_image=images.work, serving_image=images.serving)
        lowered = aws.lower(spec, target)
        if form == "cloudformation":
            document = aws.template(lowered, target, service)
        elif form == "asl":
            document = aws.state_machine(lowered, target)
        else:
            document = aws.pipeline_definition(lowered, target)
        text = str(document)
        left = {each: words for each, words in aws.PLACEHOLDERS.items() if each in text}
        return Compiled(document, lowered.remarks, left)

    def validate(self, name: str | None = None) -> builtins.list[Problem]:
        """Every problem of one pipeline, or of all; raises `NotFound`."""
        from core.errors import NotFound

        found = self.list()
        if name is not None:
            found = [
                item for item in found if name in (item.name, item.path, PurePath(item.path).name)
            ]
            if not found:
                raise NotFound(f"pipeline {name}: no such pipeline", "see: opsdeck pipelines list")
        return [problem for item in found for problem in item.problems]
