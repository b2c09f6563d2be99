"""What one glance should tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.domain.alert import Alert
from core.domain.features import FeatureView, FeatureViewState
from core.domain.gate import Approval
from core.domain.journal import JournalEntry
from core.domain.release import Endpoint
from core.domain.run import Run
from core.domain.view import View
from core.domain.worker import Worker

LATE = 2.0
"""Online rows are late when they were last brought up to date longer ago than so many times what
the view's file asks for."""


def is_late(view: FeatureView, now: float) -> bool:
    """Whether a view's online rows are late (`now` in epoch seconds); one that nobody asked to
    be kept up never is."""
    every, at = view.spec.every, view.materialized_at
    kept = view.spec.online and view.state is FeatureViewState.ACTIVE
    return kept and every is not None and at is not None and now - at > LATE * every


@dataclass(frozen=True, slots=True)
class Pulse:
    """A snapshot of everything that runs, waits or is wrong. `read_at` is epoch seconds.

    `views` are those whose last refresh failed, `features` those whose online rows are late or
    could not be brought up to date.
    """

    read_at: float
    counts: Mapping[str, int]
    running: tuple[Run, ...]
    recent: tuple[Run, ...]
    approvals: tuple[Approval, ...]
    endpoints: tuple[Endpoint, ...]
    workers: tuple[Worker, ...]
    events: tuple[JournalEntry, ...]
    alerts: tuple[Alert, ...] = ()
    views: tuple[View, ...] = ()
    features: tuple[FeatureView, ...] = ()
