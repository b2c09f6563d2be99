"""What the Alerts mode reads: all alerts, and everything beside the selected one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import NotFound

if TYPE_CHECKING:
    from core.domain.alert import Alert
    from core.domain.alertview import AlertDetail, Triage
    from core.ops import Ops

PANES = ("what", "do", "before", "log", "notified")
KEPT_SECONDS = 5.0
"""How long what stands beside an alert is shown before it is read again: it asks git too."""


@dataclass(frozen=True, slots=True)
class AlertsView:
    """What was read; `detail` is of the alert that was asked for, where it is still there."""

    triage: Triage
    detail: AlertDetail | None


class AlertsReader:
    """Reads the list each time, and what is beside the selected alert when it has changed or
    some seconds have passed. Used by the polling thread."""

    def __init__(self, selected: str | None, hidden: bool) -> None:
        self._selected = selected
        self._hidden = hidden
        self._detail: AlertDetail | None = None
        self._read_at = 0.0

    def __call__(self, ops: Ops) -> AlertsView:
        """Read it. Without a selection the first alert is the selected one."""
        triage = ops.alerts.triage(hidden=self._hidden)
        wanted = self._selected or (triage.alerts[0].id if triage.alerts else None)
        if wanted is None:
            return AlertsView(triage, None)
        now = next((each for each in triage.alerts if each.id == wanted), None)
        if self._stale(wanted, now):
            try:
                self._detail, self._read_at = ops.alerts.detail(wanted), time.monotonic()
            except NotFound:
                self._detail = None
        return AlertsView(triage, self._detail)

    def _stale(self, wanted: str, now: Alert | None) -> bool:
        kept = self._detail
        return (
            kept is None
            or kept.alert.id != wanted
            or (now is not None and kept.alert != now)
            or time.monotonic() - self._read_at > KEPT_SECONDS
        )
