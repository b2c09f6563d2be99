"""Why an endpoint takes no other deployment now."""

from __future__ import annotations

from core.errors import WrongState


def still_deploying(
    endpoint: str, version: int, *, status: str, message: str, reason: str, actor: str
) -> WrongState:
    """What whoever comes second is told: what is open, how it stands and whose it is."""
    stands = message if message.startswith(status) else f"{status}, {message}".rstrip(", ")
    return WrongState(
        f"endpoint {endpoint}: version {version} is still being deployed"
        f" ({stands}; {reason or f'by {actor}'})",
        "promote it, abort it, or roll back first",
    )
