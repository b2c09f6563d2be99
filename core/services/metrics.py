"""The metric histories of a run, read from MLflow's store by our own reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from core.domain.run import RunDetail, StepStatus
from core.reads import runs as _runs
from core.session import Session

if TYPE_CHECKING:
    from core.tracking import MetricSeries


def run_metrics(
    session: Session, detail: RunDetail, after: Mapping[str, int]
) -> tuple[MetricSeries, ...]:
    """Series by key, the run's own first, then those of the runs its steps were taken from."""
    from core.tracking import open_reader

    reader = open_reader(session.workspace.tracking_uri)
    try:
        found: dict[str, MetricSeries] = {}
        for mlflow_run in _mlflow_runs(session, detail):
            for key in reader.metric_keys(mlflow_run):
                if key not in found:
                    found[key] = reader.metric_history(mlflow_run, key, after.get(key))
    finally:
        reader.close()
    return tuple(found[key] for key in sorted(found))


def _mlflow_runs(session: Session, detail: RunDetail) -> list[str]:
    ids = [detail.run.mlflow_run_id] if detail.run.mlflow_run_id else []
    for step in detail.steps:
        if step.cached_from and step.status in (StepStatus.CACHED, StepStatus.REUSED):
            source = _runs.find_run(session.reader, step.cached_from).mlflow_run_id
            if source and source not in ids:
                ids.append(source)
    return ids
