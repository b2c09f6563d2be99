"""Which handler answers which operation."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any, TypeVar

from core.simulated.state import Call, State

Handler = Callable[[State, Call], dict[str, Any]]
HANDLERS: dict[tuple[str, str], Handler] = {}
_H = TypeVar("_H", bound=Handler)
_loaded = False


def operation(service: str, *names: str) -> Callable[[_H], _H]:
    """Register a handler: `@operation("sagemaker", "UpdateEndpoint")`.

    `service` is botocore's name of the service. The handler gets the state of the caller's
    account and region and the call, returns the output's members (times in epoch seconds),
    and raises `Fault` for an error. It runs under the account's lock.
    """

    def register(handler: _H) -> _H:
        for name in names:
            if (service, name) in HANDLERS:
                raise ValueError(f"{service}:{name} has two handlers")
            HANDLERS[service, name] = handler
        return handler

    return register


def load() -> dict[tuple[str, str], Handler]:
    """Import every module of `core.simulated.handlers`, and all handlers they registered."""
    global _loaded
    if not _loaded:
        import core.simulated.handlers as package

        for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            importlib.import_module(found.name)
        _loaded = True
    return HANDLERS
