"""Model versions and their aliases, as MLflow knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ALIASES = ("candidate", "staging", "champion", "previous")
"""The aliases that Opsdeck sets; `champion` is the version in production."""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One registered version of a model.

    `path` is the folder of the MLflow model, relative to the state folder; `lineage` holds
    code, data, parameters, seeds and environment; `created_at` is epoch seconds (UTC).
    """

    name: str
    version: int
    run_id: str
    step: str
    path: str
    digest: str
    created_at: float
    aliases: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    lineage: Mapping[str, Any] = field(default_factory=dict)
    mlflow_run_id: str | None = None
    approval: str = ""
    run_number: int = 0


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model with what its aliases point at."""

    name: str
    versions: int
    latest: int
    aliases: Mapping[str, int]
    updated_at: float
