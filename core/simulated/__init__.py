"""A simulated AWS account: one HTTP server on loopback, strict against the service models.

`SimulatedAccount` starts it. moto keeps the resources it knows; handlers add what moto
lacks or answers at once (jobs, deployments, schedules), on a clock of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.simulated.server import SimulatedAccount

__all__ = ["SimulatedAccount"]


def __getattr__(name: str) -> object:
    if name == "SimulatedAccount":
        from core.simulated.server import SimulatedAccount

        return SimulatedAccount
    raise AttributeError(name)
