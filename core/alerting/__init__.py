"""Alerts for people: grouped by cause, worked on, and told to whoever is on call.

Importing this package is cheap: what writes loads SQLAlchemy when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.alerting.incidents import raise_incident, resolve_incident

__all__ = ["raise_incident", "resolve_incident"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from core.alerting import incidents

    return getattr(incidents, name)
