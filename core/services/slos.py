"""Objectives: what is promised, how much of the error budget is left, how fast it burns."""

from __future__ import annotations

from core.domain.slo import SloStatus
from core.reads import alarms as _alarms
from core.session import Session


class SlosService:
    """The workspace's objectives. A worker counts; these are reads."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(self) -> tuple[SloStatus, ...]:
        """Every objective, the least budget left first."""
        return _alarms.list_slos(self._session.reader)

    def get(self, name: str) -> SloStatus:
        """An objective; raises `NotFound`."""
        return _alarms.find_slo(self._session.reader, name)
