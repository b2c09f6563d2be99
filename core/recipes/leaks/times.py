"""Features that were not known yet at the row's own time."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from core.domain.split import Leak

SHARE = 0.0


def future_times(frame: pl.DataFrame, time: str, features: list[str]) -> Iterator[Leak]:
    """Columns of times that lie after the row's time in some rows."""
    event = _comparable(frame[time])
    for name in features:
        if name == time or frame[name].dtype not in (pl.Date, pl.Datetime):
            continue
        other = _comparable(frame[name])
        # A date says only the day: it is later only when its day is.
        base = event.dt.truncate("1d") if frame[name].dtype == pl.Date else event
        later = int((other > base).sum())
        known = len(other) - other.null_count()
        if later and known:
            share = later / known
            yield Leak(
                "future time",
                "leak",
                (name,),
                f"{name} is later than {time} in {later:,} rows ({share:.1%})",
                f"leave {name} out, with all that was known only then",
                share,
                SHARE,
            )


def _comparable(series: pl.Series) -> pl.Series:
    made = series.cast(pl.Datetime("us")) if series.dtype == pl.Date else series
    if getattr(made.dtype, "time_zone", None):
        made = made.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return made.cast(pl.Datetime("us"))
