"""Series of any metric of any source: recording, reading, keeping."""

from core.domain.series import Datapoint, Point, SeriesName, Statistics
from core.series.reading import latest, list_series, read
from core.series.recording import record

__all__ = [
    "Datapoint",
    "Point",
    "SeriesName",
    "Statistics",
    "latest",
    "list_series",
    "read",
    "record",
]
