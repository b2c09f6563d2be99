"""Reading MLflow without its client: what the front end asks of a tracking store.

Only the standard library is imported here (psycopg for PostgreSQL, when one is opened):
the client costs seconds to import and, for 10,000 runs, minutes to list them.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from core.errors import BadInput

DEFAULT_HISTORY_LIMIT = 100_000

_LARGEST = 1.7976931348623157e308  # what MLflow stores for infinity


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """Logged values of one metric, ordered by step, time, value.

    `timestamps` are milliseconds since the epoch. `truncated`: there is more after the last
    step than the limit allowed. `values` may hold NaN and infinities.
    """

    key: str
    steps: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    timestamps: tuple[int, ...] = ()
    truncated: bool = False

    def __len__(self) -> int:
        return len(self.steps)


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run as MLflow has it. Times are milliseconds since the epoch; `metrics` the latest.

    `status` is one of RUNNING, SCHEDULED, FINISHED, FAILED, KILLED.
    """

    run_id: str
    name: str
    experiment: str
    status: str
    start_time: int | None
    end_time: int | None
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A registered model; `latest_version` is 0 when it has none."""

    name: str
    description: str
    created: int | None
    updated: int | None
    latest_version: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version of a registered model; `aliases` are those that point at it, sorted."""

    name: str
    version: int
    run_id: str
    source: str
    status: str
    description: str
    created: int | None
    updated: int | None
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()


class TrackingReader(Protocol):
    """Read-only access to an MLflow tracking store and model registry.

    Contract, which one test suite holds every adapter and MLflow's own client to:

    - Every method may be called from any thread, at any time; each call sees what is
      committed when it starts, and answers are immutable snapshots that nobody shares.
    - Nothing is ever written, created or locked for longer than a statement.
    - What doesn't exist reads as empty: an unknown run, experiment or model, and a store that
      has not been created yet. A store that is broken, locked or out of reach raises
      `TrackingUnavailable`; every wait ends (at most about 10 s each).
    - Deleted runs, experiments and model versions, and prompts, are not seen.
    - Numbers come as logged: NaN as NaN, and infinities, which MLflow stores as the largest
      double, as infinities.
    """

    def metric_keys(self, run_id: str) -> list[str]:
        """Names of the metrics that a run has, sorted."""

    def metric_history(
        self,
        run_id: str,
        key: str,
        after_step: int | None = None,
        limit: int = DEFAULT_HISTORY_LIMIT,
    ) -> MetricSeries:
        """Values at steps greater than `after_step` (None: all), the first `limit` of them.

        A step's values are kept together: a cut falls between steps, unless one step alone
        has more than `limit`. To follow a metric use `tail`, which also sees further values
        of the last step.
        """

    def latest_metrics(self, run_ids: Sequence[str]) -> dict[str, dict[str, float]]:
        """For each run that exists, its metrics' values at their last step."""

    def params(self, run_id: str) -> dict[str, str]:
        """A run's parameters."""

    def tags(self, run_id: str) -> dict[str, str]:
        """A run's tags, MLflow's own (`mlflow.…`) included."""

    def runs(
        self, experiment: str | None = None, limit: int = 100, offset: int = 0
    ) -> list[RunInfo]:
        """Runs of an experiment (None: of all), the last started first, then by id."""

    def registered_models(self) -> list[RegisteredModel]:
        """All registered models, by name."""

    def model_versions(self, name: str) -> list[ModelVersion]:
        """All versions of a model, the newest first."""

    def aliases(self, name: str) -> dict[str, int]:
        """A model's aliases and the versions they point at."""

    def close(self) -> None:
        """Close connections; the reader opens new ones when it is used again."""


def open_reader(uri: str) -> TrackingReader:
    """A reader for `sqlite:///PATH`, `postgresql://…`, `http(s)://…` or the ARN of a managed MLflow
    of SageMaker; connects when used.

    Raises `BadInput` for anything else.
    """
    if uri.startswith("arn:"):
        from core.tracking._rest import RestReader
        from core.tracking._sagemaker import SignedHttp

        return RestReader(uri, SignedHttp(uri))
    if uri.startswith("sqlite:///"):
        from core.tracking._sql import SqlReader
        from core.tracking._sqlite import SqliteDatabase

        return SqlReader(SqliteDatabase(uri))
    if uri.startswith(("postgresql://", "postgres://", "postgresql+")):
        from core.tracking._postgres import PostgresDatabase
        from core.tracking._sql import SqlReader

        return SqlReader(PostgresDatabase(uri))
    if uri.startswith(("http://", "https://")):
        from core.tracking._rest import RestReader

        return RestReader(uri)
    scheme = uri.split(":", 1)[0] if ":" in uri else "a path"
    raise BadInput(
        f"tracking URI: {scheme!r} is not supported",
        "use sqlite:///PATH, postgresql://…, http(s)://… or an ARN of managed MLflow",
    )


def tail(
    reader: TrackingReader,
    run_id: str,
    series: MetricSeries,
    limit: int = DEFAULT_HISTORY_LIMIT,
) -> MetricSeries:
    """`series` and what has been logged since, or `series` itself when that is nothing.

    The last step is read again: `log_metric` without a step logs everything at step 0.
    Values that arrive late for earlier steps are not seen; read the whole history once the
    run has ended.
    """
    if not series.steps:
        fresh = reader.metric_history(run_id, series.key, limit=limit)
        return fresh if fresh.steps else series
    last = series.steps[-1]
    fresh = reader.metric_history(run_id, series.key, after_step=last - 1, limit=limit)
    keep = bisect_left(series.steps, last)
    unchanged = len(fresh) == len(series) - keep
    if unchanged and fresh.timestamps == series.timestamps[keep:]:
        return series
    return MetricSeries(
        series.key,
        series.steps[:keep] + fresh.steps,
        series.values[:keep] + fresh.values,
        series.timestamps[:keep] + fresh.timestamps,
        fresh.truncated,
    )


def number(value: float, is_nan: bool = False) -> float:
    """A metric's value from what MLflow stores for it."""
    if is_nan:
        return math.nan
    if abs(value) >= _LARGEST:
        return math.copysign(math.inf, value)
    return value


def series_of(key: str, points: Iterable[tuple[int, int, float]], limit: int) -> MetricSeries:
    """A series from (step, timestamp, value) in order, cut between steps at `limit` points.

    One point beyond the limit is enough to tell whether the last step is whole.
    """
    kept = list(points)
    limit = max(limit, 1)
    more = len(kept) > limit
    if more:
        cut = limit
        while cut > 0 and kept[cut - 1][0] == kept[limit][0]:
            cut -= 1
        del kept[cut or limit :]
    steps, timestamps, values = zip(*kept, strict=True) if kept else ((), (), ())
    return MetricSeries(key, steps, values, timestamps, more)
