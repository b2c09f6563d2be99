"""Workers, as their heartbeat rows show them."""

from __future__ import annotations

from dataclasses import dataclass

HEARTBEAT_SECONDS = 1.0
"""How often a worker writes that it is alive."""

DEAD_AFTER_SECONDS = 6.0
"""How long after its last heartbeat a worker counts as dead."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that executes runs. `age` is seconds since its last heartbeat."""

    id: str
    host: str
    pid: int
    started_at: float
    heartbeat_at: float
    slots: int
    state: str
    age: float

    @property
    def alive(self) -> bool:
        """Whether its heartbeat is fresh enough."""
        return self.state != "stopped" and self.age < DEAD_AFTER_SECONDS
