"""The one facade: open a workspace, then a service for every noun.

The command line and the screens call the same methods, so that what one can do the other
can. All calls block and are thread-safe.
"""

from __future__ import annotations

from pathlib import Path

from core.services.approvals import ApprovalsService
from core.services.audit import AuditService
from core.services.endpoints import EndpointsService
from core.services.models import ModelsService
from core.services.pipelines import PipelinesService
from core.services.pulse import PulseService
from core.services.runs import RunsService
from core.services.workers import WorkersService
from core.session import Session, default_actor
from core.workspace import Workspace, open_workspace


class Ops:
    """A workspace, opened by somebody. Close it when done."""

    def __init__(self, workspace: Workspace, actor: str, read_only: bool) -> None:
        self.workspace = workspace
        self.actor = actor
        self.read_only = read_only
        self.session = Session(workspace, actor, read_only)
        self.workers = WorkersService(self.session)
        self.pipelines = PipelinesService(self.session)
        self.runs = RunsService(self.session, self.workers)
        self.models = ModelsService(self.session)
        self.approvals = ApprovalsService(self.session, self.workers)
        self.endpoints = EndpointsService(self.session, self.workers)
        self.audit = AuditService(self.session)
        self.pulse = PulseService(self.session, self.endpoints, self.workers)

    def version(self) -> int:
        """A number that changes whenever the state may have; equal means nothing did."""
        return hash(self.session.reader.change_counter())

    def close(self) -> None:
        """Close every connection."""
        self.session.close()

    def __enter__(self) -> Ops:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_ops(path: Path | None = None, *, actor: str | None = None, read_only: bool = False) -> Ops:
    """Open the workspace at or above `path` (default: the present folder).

    Raises `NotAWorkspace` and `ConfigInvalid`.
    """
    workspace = open_workspace(path)
    return Ops(workspace, actor or default_actor(workspace), read_only)
