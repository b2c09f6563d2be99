"""Pipelines of the workspace, as their files say."""

from __future__ import annotations

import builtins
from pathlib import PurePath
from typing import TYPE_CHECKING

from core.session import Session

if TYPE_CHECKING:
    from core.domain.pipeline import PipelineSpec, Problem
    from core.pipelines import PipelineFile


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
