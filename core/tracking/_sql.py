"""The reader over the tracking store's own SQL tables, in what SQLite and PostgreSQL share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from core.tracking.reader import (
    DEFAULT_HISTORY_LIMIT,
    MetricSeries,
    ModelVersion,
    RegisteredModel,
    RunInfo,
    number,
    series_of,
)

_CHUNK = 500  # ids a statement: SQLite takes 32,766 variables, older ones 999

_RUNS = """
SELECT r.run_uuid, r.name, e.name, r.status, r.start_time, r.end_time
FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id
WHERE r.lifecycle_stage = 'active' AND e.lifecycle_stage = 'active'{where}
ORDER BY r.start_time DESC, r.run_uuid LIMIT ? OFFSET ?
"""
_HISTORY = """
SELECT step, timestamp, value, is_nan FROM metrics
WHERE run_uuid = ? AND key = ?{where} ORDER BY step, timestamp, value, is_nan LIMIT ?
"""
_MODELS = """
SELECT m.name, m.description, m.creation_time, m.last_updated_time,
  (SELECT MAX(v.version) FROM model_versions v
   WHERE v.name = m.name AND v.current_stage <> 'Deleted_Internal')
FROM registered_models m WHERE NOT EXISTS (
  SELECT 1 FROM registered_model_tags t
  WHERE t.name = m.name AND t.key = 'mlflow.prompt.is_prompt' AND LOWER(t.value) = 'true')
"""
_VERSIONS = """
SELECT version, run_id, source, status, description, creation_time, last_updated_time
FROM model_versions WHERE name = ? AND current_stage <> 'Deleted_Internal'
ORDER BY version DESC
"""


class Database(Protocol):
    """Runs a statement read-only, from any thread; placeholders are `?`.

    A store, or a table of it, that does not exist gives no rows; any other failure raises
    `TrackingUnavailable`.
    """

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows."""

    def close(self) -> None:
        """Close all connections."""


class SqlReader:
    """`TrackingReader` on a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def metric_keys(self, run_id: str) -> list[str]:
        """Names of the metrics that a run has, sorted."""
        sql = "SELECT key FROM latest_metrics WHERE run_uuid = ?"
        return sorted(key for (key,) in self._database.rows(sql, run_id))

    def metric_history(
        self,
        run_id: str,
        key: str,
        after_step: int | None = None,
        limit: int = DEFAULT_HISTORY_LIMIT,
    ) -> MetricSeries:
        """Values at steps greater than `after_step`, by the index on run, key and step."""
        values: list[Any] = [run_id, key]
        if after_step is not None:
            values.append(after_step)
        where = "" if after_step is None else " AND step > ?"
        rows = self._database.rows(_HISTORY.format(where=where), *values, limit + 1)
        points = ((step, time, number(value, bool(nan))) for step, time, value, nan in rows)
        return series_of(key, points, limit)

    def latest_metrics(self, run_ids: Sequence[str]) -> dict[str, dict[str, float]]:
        """For each run that exists, its metrics' values at their last step."""
        sql = "SELECT run_uuid FROM runs WHERE run_uuid IN ({})"
        found: dict[str, dict[str, float]] = {
            run_id: {} for (run_id,) in self._in_chunks(sql, run_ids)
        }
        return found | self._metrics(run_ids)

    def params(self, run_id: str) -> dict[str, str]:
        """A run's parameters."""
        return self._texts("params", [run_id]).get(run_id, {})

    def tags(self, run_id: str) -> dict[str, str]:
        """A run's tags."""
        return self._texts("tags", [run_id]).get(run_id, {})

    def runs(
        self, experiment: str | None = None, limit: int = 100, offset: int = 0
    ) -> list[RunInfo]:
        """Runs, the last started first, then by id: four statements a page of 500."""
        values = [] if experiment is None else [experiment]
        where = "" if experiment is None else " AND e.name = ?"
        rows = self._database.rows(_RUNS.format(where=where), *values, limit, offset)
        ids = [row[0] for row in rows]
        params, tags = self._texts("params", ids), self._texts("tags", ids)
        metrics = self._metrics(ids)
        return [
            RunInfo(
                run_id, name or "", of, status or "", start, end,
                params.get(run_id, {}), tags.get(run_id, {}), metrics.get(run_id, {}),
            )
            for run_id, name, of, status, start, end in rows
        ]  # fmt: skip

    def registered_models(self) -> list[RegisteredModel]:
        """All registered models, by name."""
        tags: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for name, key, value in self._database.rows(
            "SELECT name, key, value FROM registered_model_tags"
        ):
            tags[name][key] = value or ""
        aliases: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for name, alias, version in self._database.rows(
            "SELECT name, alias, version FROM registered_model_aliases"
        ):
            aliases[name][alias] = int(version)
        models = [
            RegisteredModel(
                name, description or "", created, updated, latest or 0,
                tags.get(name, {}), aliases.get(name, {}),
            )
            for name, description, created, updated, latest in self._database.rows(_MODELS)
        ]  # fmt: skip
        return sorted(models, key=lambda model: model.name)

    def model_versions(self, name: str) -> list[ModelVersion]:
        """All versions of a model, the newest first."""
        tags: defaultdict[int, dict[str, str]] = defaultdict(dict)
        for version, key, value in self._database.rows(
            "SELECT version, key, value FROM model_version_tags WHERE name = ?", name
        ):
            tags[version][key] = value or ""
        pointing: defaultdict[int, list[str]] = defaultdict(list)
        for alias, version in self.aliases(name).items():
            pointing[version].append(alias)
        return [
            ModelVersion(
                name, version, run_id or "", source or "", status or "", description or "",
                created, updated, tags.get(version, {}), tuple(sorted(pointing[version])),
            )
            for version, run_id, source, status, description, created, updated
            in self._database.rows(_VERSIONS, name)
        ]  # fmt: skip

    def aliases(self, name: str) -> dict[str, int]:
        """A model's aliases and the versions they point at."""
        sql = "SELECT alias, version FROM registered_model_aliases WHERE name = ?"
        return {alias: int(version) for alias, version in self._database.rows(sql, name)}

    def close(self) -> None:
        """Close connections; the reader opens new ones when it is used again."""
        self._database.close()

    def _texts(self, table: str, run_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        sql = f"SELECT run_uuid, key, value FROM {table} WHERE run_uuid IN ({{}})"
        for run_id, key, value in self._in_chunks(sql, run_ids):
            found.setdefault(run_id, {})[key] = value or ""
        return found

    def _metrics(self, run_ids: Sequence[str]) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = {}
        sql = "SELECT run_uuid, key, value, is_nan FROM latest_metrics WHERE run_uuid IN ({})"
        for run_id, key, value, nan in self._in_chunks(sql, run_ids):
            found.setdefault(run_id, {})[key] = number(value, bool(nan))
        return found

    def _in_chunks(self, sql: str, ids: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            yield from self._database.rows(sql.format(", ".join("?" * len(chunk))), *chunk)
