"""The tables of metric points, alarms and their history.

A series is one metric of one source with its dimensions. A point stands for `span` seconds from
`at` on and keeps what CloudWatch calls a statistic set: how many samples, their sum, lowest and
highest, and (where there is more than one) counts by the logarithmic buckets of
`core.analysis.buckets.score_bucket`, from which percentiles are read. `samples` 0 is a gap that
somebody has looked at: there was nothing to measure. Times, JSON and texts are as in
`core.state.schema`.
"""

from __future__ import annotations

import sqlalchemy as sa

from core.state.schema import metadata

_T = sa.Text
_F = sa.Float(53)
_I = sa.Integer

metric_series = sa.Table(
    "metric_series",
    metadata,
    sa.Column("id", _I, primary_key=True, autoincrement=True),
    sa.Column("source", _T, nullable=False),
    sa.Column("metric", _T, nullable=False),
    sa.Column("dims", _T, nullable=False, server_default="{}"),
    sa.UniqueConstraint("source", "metric", "dims", name="metric_series_name"),
)

metric_points = sa.Table(
    "metric_points",
    metadata,
    sa.Column("series", _I, primary_key=True, autoincrement=False),
    sa.Column("at", _F, primary_key=True),
    sa.Column("span", _F, nullable=False, server_default="60"),
    sa.Column("samples", _F, nullable=False, server_default="1"),
    sa.Column("total", _F, nullable=False, server_default="0"),
    sa.Column("low", _F),
    sa.Column("high", _F),
    sa.Column("buckets", _T),
    sqlite_with_rowid=False,
)
"""By series and time, in the table itself: what is read together lies together."""
