"""One glance: what runs, what waits for a person, what is wrong."""

from __future__ import annotations

import time

from core.domain.features import FeatureView
from core.domain.pulse import Pulse, is_late
from core.domain.run import RunStatus
from core.domain.view import View, ViewState
from core.reads import approvals as _approvals
from core.reads import features as _features
from core.reads import journal as _journal
from core.reads import runs as _runs
from core.reads import views as _views
from core.services.alerts import AlertsService
from core.services.endpoints import EndpointsService
from core.services.workers import WorkersService
from core.session import Session

DAY_SECONDS = 86_400.0
RECENT = 12


class PulseService:
    """The snapshot behind the first screen."""

    def __init__(
        self,
        session: Session,
        endpoints: EndpointsService,
        workers: WorkersService,
        alerts: AlertsService,
    ) -> None:
        self._session = session
        self._alerts = alerts
        self._endpoints = endpoints
        self._workers = workers

    def snapshot(self) -> Pulse:
        """Everything at once; `counts` are of runs of the last day, and open ones of any age."""
        reader, now = self._session.reader, time.time()
        open_states = (RunStatus.RUNNING, RunStatus.WAITING, RunStatus.QUEUED)
        return Pulse(
            read_at=now,
            counts=_runs.counts_by_status(reader, since=now - DAY_SECONDS),
            running=tuple(
                run
                for status in open_states
                for run in _runs.list_runs(reader, status=status, limit=RECENT)
            ),
            recent=_runs.list_runs(reader, limit=RECENT),
            approvals=_approvals.list_approvals(reader),
            endpoints=self._endpoints.list(),
            workers=self._workers.list(),
            events=_journal.list_entries(reader, limit=RECENT),
            alerts=self._alerts.waiting(RECENT),
            views=self._failed_views(),
            features=self._late_features(now),
        )

    def _failed_views(self) -> tuple[View, ...]:
        found = _views.list_views(self._session.reader)
        return tuple(view for view in found if view.state is ViewState.FAILED)

    def _late_features(self, now: float) -> tuple[FeatureView, ...]:
        found = _features.list_versions(self._session.reader, retired=False)
        return tuple(view for view in found if view.message or is_late(view, now))
