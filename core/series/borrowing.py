"""Series of what is kept elsewhere: `dataset/NAME` from its rows, `run/N` from MLflow's store.

Only what an alarm names is recorded, each minute: the truth stays where it is.

| source | metric | what |
|---|---|---|
| `dataset/NAME` | `rows`, `bytes` | of its newest version |
| | `age` | seconds since its newest version |
| | `versions` | how many there have been |
| `run/N` | any metric of the run | as it was logged, at the time of logging |
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from core.domain.series import Point, SeriesName
from core.errors import NotFound, OpsdeckError
from core.reads.runs import find_run
from core.series.recording import record
from core.session import Session

MINUTE = 60.0
DATASET_METRICS = ("rows", "bytes", "age", "versions")


class BorrowedSeries:
    """Records what alarms want of datasets and runs. Not thread-safe."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._minute = 0.0
        self._steps: dict[tuple[str, str], int] = {}

    def take(self, wanted: Iterable[SeriesName], now: float | None = None) -> int:
        """Record these series once a minute; returns how many points there were. One source
        that cannot be read keeps no other from it; the first such error is raised at the end."""
        now = self._session.reader.clock() if now is None else now
        minute = math.floor(now / MINUTE) * MINUTE
        if minute == self._minute:
            return 0
        self._minute = minute
        sources: dict[str, set[str]] = {}
        for name in wanted:
            if name.source.startswith(("dataset/", "run/")):
                sources.setdefault(name.source, set()).add(name.metric)
        done, failed = 0, None
        for source, metrics in sorted(sources.items()):
            try:
                points = self._points(source, metrics, now)
            except NotFound:
                continue  # there is no such thing (yet): a gap, which alarms show
            except OpsdeckError as error:
                failed = failed or error
                continue
            if points:
                with self._session.change("record series") as tx:
                    done += record(tx, source, points)
        if failed is not None:
            raise failed
        return done

    def _points(self, source: str, metrics: set[str], now: float) -> list[Point]:
        kind, _, name = source.partition("/")
        return self._dataset(name, now) if kind == "dataset" else self._run(name, metrics)

    def _dataset(self, name: str, now: float) -> list[Point]:
        found = self._session.reader.rows(
            "SELECT d.rows, d.bytes, d.updated_at, d.created_at, (SELECT max(number)"
            " FROM dataset_snapshots s WHERE s.dataset = d.name) AS versions"
            " FROM datasets d WHERE d.name = :name AND d.dropped_at IS NULL",
            name=name,
        )
        if not found:
            return []
        row: dict[str, Any] = {**found[0]}
        row["age"] = max(0.0, now - (row["updated_at"] or row["created_at"]))
        minute = math.floor(now / MINUTE) * MINUTE
        return [
            Point(metric, minute, None if row[metric] is None else float(row[metric]))
            for metric in DATASET_METRICS
        ]

    def _run(self, number: str, metrics: set[str]) -> list[Point]:
        """What the run has logged since the last time."""
        from core.tracking import open_reader

        run = find_run(self._session.reader, number)
        if not run.mlflow_run_id:
            return []
        reader = open_reader(self._session.workspace.tracking_uri)
        found: list[Point] = []
        try:
            for key in sorted(metrics & set(reader.metric_keys(run.mlflow_run_id))):
                place = run.mlflow_run_id, key
                history = reader.metric_history(run.mlflow_run_id, key, self._steps.get(place))
                # Of several values within a millisecond the last: a series has one at a time.
                found += [
                    Point(key, at / 1000, value)
                    for at, value in zip(history.timestamps, history.values, strict=True)
                ]
                if len(history):
                    self._steps[place] = history.steps[-1]
        finally:
            reader.close()
        return list({(point.metric, point.at): point for point in found}.values())
