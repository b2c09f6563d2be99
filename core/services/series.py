"""Series of any metric of any source: what there is, and its datapoints, for charts."""

from __future__ import annotations

from collections.abc import Mapping

from core.domain.series import Datapoint, SeriesName
from core.series.reading import latest, list_series, read
from core.session import Session

PERIODS = 120


class SeriesService:
    """The workspace's series; only reads. Workers record them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(self, source: str | None = None, metric: str | None = None) -> tuple[SeriesName, ...]:
        """Every series, or those of a source (`endpoint/bike-demand`) and a metric, by name."""
        return list_series(self._session.reader, source, metric)

    def read(
        self,
        source: str,
        metric: str,
        dims: Mapping[str, str] | None = None,
        *,
        since: float | None = None,
        until: float | None = None,
        period: float = 60.0,
        stat: str = "Average",
    ) -> tuple[Datapoint, ...]:
        """A datapoint a period (seconds) from `since` (default: 120 periods ago) up to `until`
        (now), None where nothing was measured. Raises `BadInput`."""
        end = self._session.reader.clock() if until is None else until
        begin = end - PERIODS * period if since is None else since
        return read(
            self._session.reader,
            source,
            metric,
            dims,
            since=begin,
            until=end,
            period=period,
            stat=stat,
        )

    def latest(
        self,
        source: str,
        metric: str,
        dims: Mapping[str, str] | None = None,
        *,
        count: int = PERIODS,
        stat: str = "Average",
    ) -> tuple[Datapoint, ...]:
        """The last points as they were recorded, such as a monitor's windows, newest last."""
        return latest(self._session.reader, source, metric, dims, count=count, stat=stat)
