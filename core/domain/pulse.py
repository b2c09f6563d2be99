"""What one glance should tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.domain.alert import Alert
from core.domain.gate import Approval
from core.domain.journal import JournalEntry
from core.domain.release import Endpoint
from core.domain.run import Run
from core.domain.worker import Worker


@dataclass(frozen=True, slots=True)
class Pulse:
    """A snapshot of everything that runs, waits or is wrong. `read_at` is epoch seconds."""

    read_at: float
    counts: Mapping[str, int]
    running: tuple[Run, ...]
    recent: tuple[Run, ...]
    approvals: tuple[Approval, ...]
    endpoints: tuple[Endpoint, ...]
    workers: tuple[Worker, ...]
    events: tuple[JournalEntry, ...]
    alerts: tuple[Alert, ...] = ()
