"""Models, their versions and aliases, as read from the state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.domain.model import Model, ModelVersion
from core.errors import NotFound
from core.state.reading import Reader

_SELECT = (
    "SELECT v.*, r.number AS run_number FROM model_versions v LEFT JOIN runs r ON r.id = v.run_id"
)


def list_models(reader: Reader) -> tuple[Model, ...]:
    """Every registered model, by name."""
    rows = reader.rows(
        "SELECT name, count(*) AS versions, max(version) AS latest, max(created_at) AS updated_at"
        " FROM model_versions GROUP BY name ORDER BY name"
    )
    aliases = _aliases(reader)
    return tuple(
        Model(
            name=row["name"],
            versions=row["versions"],
            latest=row["latest"],
            aliases=aliases.get(row["name"], {}),
            updated_at=row["updated_at"],
        )
        for row in rows
    )


def list_versions(reader: Reader, name: str) -> tuple[ModelVersion, ...]:
    """The versions of a model, newest first; raises `NotFound`."""
    rows = reader.rows(f"{_SELECT} WHERE v.name = :name ORDER BY v.version DESC", name=name)
    if not rows:
        known = ", ".join(model.name for model in list_models(reader)) or "none yet"
        raise NotFound(f"model {name}: no such model", f"known: {known}")
    aliases = _aliases(reader).get(name, {})
    return tuple(version_of(row, aliases) for row in rows)


def find_version(reader: Reader, name: str, which: str = "latest") -> ModelVersion:
    """A version by number, alias or `latest`; raises `NotFound`."""
    versions = list_versions(reader, name)
    if which == "latest":
        return versions[0]
    for version in versions:
        if which.lstrip("v") == str(version.version) or which in version.aliases:
            return version
    raise NotFound(f"model {name}: no version or alias {which}", f"see: opsdeck models show {name}")


def version_of(row: Mapping[str, Any], aliases: Mapping[str, int]) -> ModelVersion:
    """A row of `model_versions` as a record."""
    return ModelVersion(
        name=row["name"],
        version=row["version"],
        run_id=row["run_id"],
        step=row["step"],
        path=row["path"],
        digest=row["digest"],
        created_at=row["created_at"],
        aliases=tuple(sorted(a for a, v in aliases.items() if v == row["version"])),
        metrics=json.loads(row["metrics"]),
        lineage=json.loads(row["lineage"]),
        mlflow_run_id=row["mlflow_run_id"],
        approval=row["approval"],
        run_number=row.get("run_number") or 0,
    )


def _aliases(reader: Reader) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for row in reader.rows("SELECT name, alias, version FROM model_aliases"):
        found.setdefault(row["name"], {})[row["alias"]] = row["version"]
    return found
