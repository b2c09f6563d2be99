"""Which versions of a dataset something refers to, and who reads it: plain reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from core.state.reading import Reader

RUNS = 20
"""Of each pipeline: what its newest runs have read stays."""

MODEL_VERSIONS = 100
"""Of each model: what its newest versions were made from stays."""


def referred(reader: Reader, name: str) -> dict[str, str]:
    """Snapshot ids that must stay readable, each with who needs it.

    These are the cursors of views and feature views, and what runs and models read: of models
    the newest versions and those in use, of other runs the newest. Tags and branches are the
    lake's own and not among them.
    """
    runs, found = _kept_runs(reader), dict[str, str]()
    for row in reader.rows(
        "SELECT target_kind, target, snapshot_id FROM lineage_edges WHERE source_kind = 'dataset'"
        " AND source = :name AND snapshot_id IS NOT NULL"
        " AND target_kind IN ('run', 'model', 'endpoint')",
        name=name,
    ):
        if row["target_kind"] == "run":
            if row["target"] in runs:
                found[row["snapshot_id"]] = runs[row["target"]]
        else:
            found[row["snapshot_id"]] = f"{row['target_kind']} {row['target']}"
    found |= _pinned(reader, name, runs)
    for row in reader.rows(
        "SELECT name, version, cursor FROM feature_views WHERE state <> 'deleted'"
    ):
        for identity in _of(name, row["cursor"]):
            found[identity] = f"feature view {row['name']}@{row['version']}"
    for row in reader.rows("SELECT name, cursor FROM views WHERE dropped_at IS NULL"):
        for identity in _of(name, row["cursor"]):
            found[identity] = f"view {row['name']}"
    return found


def _kept_runs(reader: Reader) -> dict[str, str]:
    """Numbers of the runs whose data stay, each with why, in words."""
    kept = {
        str(row["number"]): f"run {row['number']}"
        for row in reader.rows(
            "SELECT number FROM (SELECT number, status, row_number() OVER"
            " (PARTITION BY pipeline ORDER BY number DESC) AS place FROM runs) r"
            " WHERE place <= :most OR status IN ('queued', 'running', 'waiting')",
            most=RUNS,
        )
    }
    for row in reader.rows(
        "SELECT v.name, v.version, r.number FROM (SELECT name, version, run_id, row_number() OVER"
        " (PARTITION BY name ORDER BY version DESC) AS place FROM model_versions) v"
        " JOIN runs r ON r.id = v.run_id WHERE v.place <= :most"
        " OR EXISTS (SELECT 1 FROM model_aliases a WHERE a.name = v.name"
        " AND a.version = v.version)"
        " OR EXISTS (SELECT 1 FROM revisions e WHERE e.model = v.name AND e.version = v.version"
        " AND e.state IN ('stable', 'canary', 'previous'))",
        most=MODEL_VERSIONS,
    ):
        kept[str(row["number"])] = f"model {row['name']}/{row['version']}"
    # A run that repeats another from a step on has kept what that one had read. Newest first:
    # so may that one have.
    for row in reader.rows(
        "SELECT r.number, p.number AS before FROM runs r JOIN runs p ON p.id = r.parent_run_id"
        " WHERE r.from_step IS NOT NULL ORDER BY r.number DESC"
    ):
        if str(row["number"]) in kept:
            kept.setdefault(str(row["before"]), kept[str(row["number"])])
    return kept


def _pinned(reader: Reader, name: str, runs: Mapping[str, str]) -> dict[str, str]:
    """Every version that these runs read: an edge knows the last one alone."""
    found = {}
    for row in reader.rows(
        "SELECT number, lineage FROM runs WHERE lineage LIKE :named", named=f'%"{name}%'
    ):
        why = runs.get(str(row["number"]))
        pins = json.loads(row["lineage"] or "{}").get("datasets", {}) if why else {}
        for key, identity in pins.items():
            if why and key.partition("@")[0] == name:
                found[str(identity)] = why
    return found


def _of(name: str, cursor: str) -> Iterator[str]:
    """Snapshot ids in a cursor: of this dataset where it says which, else all of them."""
    value = json.loads(cursor or "{}")
    if isinstance(value, dict) and name in value:
        value = value[name]
    yield from _ids(value)


def _ids(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _ids(each)
    elif isinstance(value, list):
        for each in value:
            yield from _ids(each)
    elif isinstance(value, str | int) and str(value).isdecimal():
        yield str(value)


def readers_of(reader: Reader, name: str) -> tuple[str, ...]:
    """Views, feature views and others that would miss the dataset, in words."""
    found = {
        f"view {row['name']}"
        for row in reader.rows("SELECT name, sources FROM views WHERE dropped_at IS NULL")
        if name in json.loads(row["sources"])
    }
    found |= {
        f"{row['target_kind'].replace('_', ' ')} {row['target']}"
        for row in reader.rows(
            "SELECT DISTINCT target_kind, target FROM lineage_edges WHERE source_kind = 'dataset'"
            " AND source = :name AND target_kind IN ('view', 'feature_view')",
            name=name,
        )
    }
    return tuple(sorted(found))
