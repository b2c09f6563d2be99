"""The tables of monitors, their baselines, runs and measurements.

Definitions stand in files; these rows are how monitors stand and what they found. Times, JSON
and texts are as in `core.state.schema`.
"""

from __future__ import annotations

import sqlalchemy as sa

from core.state.schema import metadata

_T = sa.Text
_F = sa.Float(53)
_I = sa.Integer
_B = sa.BigInteger

monitors = sa.Table(
    "monitors",
    metadata,
    sa.Column("name", _T, primary_key=True),
    sa.Column("kind", _T, nullable=False),
    sa.Column("watch", _T, nullable=False),
    sa.Column("file", _T, nullable=False),
    sa.Column("line", _I, nullable=False, server_default="0"),
    sa.Column("definition", _T, nullable=False),
    sa.Column("shown", _T, nullable=False, server_default="{}"),
    sa.Column("fingerprint", _T, nullable=False, server_default=""),
    sa.Column("problems", _T, nullable=False, server_default="[]"),
    sa.Column("created_at", _F, nullable=False),
    sa.Column("created_by", _T, nullable=False),
    sa.Column("updated_at", _F, nullable=False),
    sa.Column("gone_at", _F),
    sa.Column("state", _T, nullable=False, server_default="pending"),
    sa.Column("headline", _T, nullable=False, server_default=""),
    sa.Column("reason", _T, nullable=False, server_default=""),
    sa.Column("paused_at", _F),
    sa.Column("paused_by", _T),
    sa.Column("pause_reason", _T, nullable=False, server_default=""),
    sa.Column("next_at", _F),
    sa.Column("seen", _T, nullable=False, server_default=""),
    sa.Column("cursor", _T, nullable=False, server_default="{}"),
    sa.Column("memory", _T, nullable=False, server_default="{}"),
    sa.Column("failures", _I, nullable=False, server_default="0"),
    sa.Column("backoff_until", _F),
    sa.Column("skipped", _I, nullable=False, server_default="0"),
    sa.Column("last_run", _T),
    sa.Column("last_run_at", _F),
    sa.Column("claim", _T),
    sa.Column("claimed_until", _F),
)
"""`created_by` stands for what it reads (see `core.monitors.rights`). `definition` is the last
good one as it was written (JSON); `shown` what lists show of it. `seen` marks the data of the
last look; `cursor` is where the next window begins, `memory` what the kind kept for it. Whoever
works on a monitor holds its `claim`, until `claimed_until`."""

monitor_baselines = sa.Table(
    "monitor_baselines",
    metadata,
    sa.Column("monitor", _T, primary_key=True),
    sa.Column("id", _T, primary_key=True),
    sa.Column("kind", _T, nullable=False),
    sa.Column("source", _T, nullable=False),
    sa.Column("origin", _T, nullable=False, server_default="{}"),
    sa.Column("model", _T, nullable=False, server_default=""),
    sa.Column("version", _I),
    sa.Column("fingerprint", _T, nullable=False),
    sa.Column("rows", _B, nullable=False),
    sa.Column("bytes", _B, nullable=False),
    sa.Column("path", _T, nullable=False),
    sa.Column("made_at", _F, nullable=False),
    sa.Column("made_by", _T, nullable=False),
    sa.Column("promoted_at", _F),
    sa.Column("promoted_by", _T),
)
"""`id` is the digest of the file at `path` (of the state folder): one file may stand behind
several rows. A promoted one holds for its monitor, whatever its definition says."""

monitor_runs = sa.Table(
    "monitor_runs",
    metadata,
    sa.Column("id", _T, primary_key=True),
    sa.Column("monitor", _T, nullable=False),
    sa.Column("kind", _T, nullable=False),
    sa.Column("window_key", _T, nullable=False),
    sa.Column("window_start", _F, nullable=False),
    sa.Column("window_end", _F, nullable=False),
    sa.Column("place", _T, nullable=False, server_default="{}"),
    sa.Column("status", _T, nullable=False),
    sa.Column("state", _T),
    sa.Column("generation", _I, nullable=False, server_default="1"),
    sa.Column("cause", _T, nullable=False),
    sa.Column("rows", _B, nullable=False, server_default="0"),
    sa.Column("duplicates", _B, nullable=False, server_default="0"),
    sa.Column("late", _B, nullable=False, server_default="0"),
    sa.Column("label_coverage", _F),
    sa.Column("model", _T, nullable=False, server_default=""),
    sa.Column("version", _I),
    sa.Column("baseline", _T, nullable=False, server_default=""),
    sa.Column("snapshot", _I),
    sa.Column("headline", _T, nullable=False, server_default=""),
    sa.Column("reason", _T, nullable=False, server_default=""),
    sa.Column("violations", _I, nullable=False, server_default="0"),
    sa.Column("memory", _T, nullable=False, server_default="{}"),
    sa.Column("history", _T, nullable=False, server_default="[]"),
    sa.Column("started_at", _F, nullable=False),
    sa.Column("ended_at", _F),
    sa.Column("worker", _T, nullable=False, server_default=""),
    sa.Column("folder", _T, nullable=False, server_default=""),
    sa.UniqueConstraint("monitor", "window_key"),
    sa.Index("monitor_runs_newest", "monitor", "window_end"),
)
"""`place` says which rows the window is of; `memory` is what its evaluation was handed, so that
it can be computed again; `history` is how its earlier generations came out."""

monitor_measurements = sa.Table(
    "monitor_measurements",
    metadata,
    sa.Column("run", _T, primary_key=True),
    sa.Column("place", _I, primary_key=True, autoincrement=False),
    sa.Column("monitor", _T, nullable=False),
    sa.Column("metric", _T, nullable=False),
    sa.Column("feature", _T, nullable=False, server_default=""),
    sa.Column("segment", _T, nullable=False, server_default=""),
    sa.Column("value", _F),
    sa.Column("low", _F),
    sa.Column("high", _F),
    sa.Column("p_value", _F),
    sa.Column("threshold", _F),
    sa.Column("comparison", _T, nullable=False, server_default=""),
    sa.Column("state", _T, nullable=False),
    sa.Column("definition", _T, nullable=False, server_default=""),
    sa.Column("detail", _T, nullable=False, server_default="{}"),
    sa.Index("monitor_measurements_of", "monitor", "feature", "metric"),
)

monitor_violations = sa.Table(
    "monitor_violations",
    metadata,
    sa.Column("run", _T, primary_key=True),
    sa.Column("place", _I, primary_key=True, autoincrement=False),
    sa.Column("monitor", _T, nullable=False),
    sa.Column("feature", _T, nullable=False, server_default=""),
    sa.Column("segment", _T, nullable=False, server_default=""),
    sa.Column("check_type", _T, nullable=False),
    sa.Column("description", _T, nullable=False),
    sa.Column("metric", _T, nullable=False, server_default=""),
    sa.Column("value", _F),
    sa.Column("threshold", _F),
    sa.Column("severity", _T, nullable=False),
)
