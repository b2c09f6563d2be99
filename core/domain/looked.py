"""What looking at a monitor came to: plain records, which every process can read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.domain.monitor import RunStatus, State


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a window came out: its run, and whether it came to an end. `memory` is what the kind
    keeps for the next one."""

    run: str
    status: RunStatus
    state: State | None
    headline: str
    reason: str = ""
    memory: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at a monitor came to. `why` says why nothing was run, where nothing was."""

    monitor: str
    outcomes: tuple[Outcome, ...] = ()
    skipped: int = 0
    why: str = ""
