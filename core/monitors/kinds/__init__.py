"""The kinds of monitors, loaded by name when they are asked for."""

from __future__ import annotations

import importlib
from functools import cache

from core.monitors.kind import Kind

NAMES = (
    "data_quality",
    "drift",
    "model_quality",
    "bias",
    "attribution",
    "anomaly",
    "service",
)
"""Every kind; each has a module of its name here, which has its `Kind` as `KIND`."""


@cache
def kind_of(name: str) -> Kind:
    """The kind of this name. Raises `KeyError` for any other word."""
    if name not in kind_names():
        raise KeyError(name)
    found: Kind = importlib.import_module(f"{__name__}.{name}").KIND
    return found


def kind_names() -> tuple[str, ...]:
    """The kinds there are."""
    return NAMES
