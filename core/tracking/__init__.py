"""MLflow: a reader of our own for the front end, a helper process for what we write."""

from core.tracking.reader import (
    MetricSeries,
    ModelVersion,
    RegisteredModel,
    RunInfo,
    TrackingReader,
    open_reader,
    tail,
)

__all__ = [
    "MetricSeries",
    "ModelVersion",
    "RegisteredModel",
    "RunInfo",
    "TrackingReader",
    "open_reader",
    "tail",
]
