"""Runs that happen in an AWS account: which are due to be looked at, and one look at one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from core.session import Session

if TYPE_CHECKING:
    from core.aws.running.work import RemoteWork


class RemoteService:
    """Looking after runs there."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def due(self, now: float) -> Sequence[str]:
        """Ids of the runs that should be looked at now; reads rows only."""
        from core.aws.running.rows import due_remotes

        return due_remotes(self._session.reader, now)

    def advance(self, run_id: str) -> None:
        """One look at a run, with what follows from it: start, mirror, ask, answer, end.

        What goes wrong is on the run's record. Does nothing where another process has it.
        """
        self._session.refuse_when_read_only("remote advance")
        self._work.advance(run_id)

    @cached_property
    def _work(self) -> RemoteWork:
        from core.aws.running.work import RemoteWork

        return RemoteWork(self._session)
