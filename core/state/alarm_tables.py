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

alarms = sa.Table(
    "alarms",
    metadata,
    sa.Column("name", _T, primary_key=True),
    sa.Column("definition", _T, nullable=False),
    sa.Column("problem", _T, nullable=False, server_default=""),
    sa.Column("state", _T, nullable=False, server_default="INSUFFICIENT_DATA"),
    sa.Column("since", _F, nullable=False),
    sa.Column("reason", _T, nullable=False, server_default=""),
    sa.Column("datapoints", _T, nullable=False, server_default="[]"),
    sa.Column("evaluated_at", _F),
    sa.Column("created_at", _F, nullable=False),
    sa.Column("armed_at", _F, nullable=False, server_default="0"),
    sa.Column("actions_enabled", _I, nullable=False, server_default="1"),
    sa.Column("switched_by", _T),
    sa.Column("switched_at", _F),
    sa.Column("switched_why", _T, nullable=False, server_default=""),
    sa.Column("held", _T),
    sa.Column("test", _T),
    sa.Column("version", _I, nullable=False, server_default="1"),
    sa.Column("gone_at", _F),
)
"""How each alarm stands. `definition` is the last good one of its file; `problem` says that the
file has become wrong since. `held` has why and since when actions wait (a suppressor), `test`
what a test-fire put aside; both JSON. What happened before `armed_at` does not count."""

alarm_history = sa.Table(
    "alarm_history",
    metadata,
    sa.Column("id", _I, primary_key=True, autoincrement=True),
    sa.Column("alarm", _T, nullable=False),
    sa.Column("at", _F, nullable=False),
    sa.Column("kind", _T, nullable=False),
    sa.Column("from_state", _T, nullable=False, server_default=""),
    sa.Column("to_state", _T, nullable=False, server_default=""),
    sa.Column("reason", _T, nullable=False, server_default=""),
    sa.Column("datapoints", _T, nullable=False, server_default="[]"),
    sa.Column("actor", _T, nullable=False),
    sa.Index("alarm_history_alarm", "alarm", "id"),
)

alarm_actions = sa.Table(
    "alarm_actions",
    metadata,
    sa.Column("id", _T, primary_key=True),
    sa.Column("alarm", _T, nullable=False),
    sa.Column("endpoint", _T, nullable=False),
    sa.Column("deployment_id", _T),
    sa.Column("revision", _I, nullable=False),
    sa.Column("reason", _T, nullable=False, server_default=""),
    sa.Column("state", _T, nullable=False, server_default="pending"),
    sa.Column("message", _T, nullable=False, server_default=""),
    sa.Column("attempts", _I, nullable=False, server_default="0"),
    sa.Column("next_at", _F, nullable=False),
    sa.Column("created_at", _F, nullable=False),
    sa.Column("ended_at", _F),
    sa.Index("alarm_actions_state", "state", "next_at"),
)
"""Rollbacks that an alarm has decided on: done after the commit, by whichever worker lives.
The id is the receipt's: the same decision never rolls back twice."""

watch_beats = sa.Table(
    "watch_beats",
    metadata,
    sa.Column("name", _T, primary_key=True),
    sa.Column("at", _F, nullable=False),
    sa.Column("holder", _T, nullable=False),
)
"""Who looks after alarms and samples, and when it did last: one worker of several at a time."""

slos = sa.Table(
    "slos",
    metadata,
    sa.Column("name", _T, primary_key=True),
    sa.Column("definition", _T, nullable=False),
    sa.Column("problem", _T, nullable=False, server_default=""),
)
"""The objectives that a worker looks after, as their files define them."""
