"""The table of trials of tune steps."""

from __future__ import annotations

import sqlalchemy as sa

from core.state.schema import metadata

_T = sa.Text
_F = sa.Float(53)
_I = sa.Integer

tune_trials = sa.Table(
    "tune_trials",
    metadata,
    sa.Column("run_id", _T, primary_key=True),
    sa.Column("step", _T, primary_key=True),
    sa.Column("number", _I, primary_key=True),
    sa.Column("search_key", _T, nullable=False),
    sa.Column("trial_key", _T, nullable=False),
    sa.Column("status", _T, nullable=False),
    sa.Column("params", _T, nullable=False),
    sa.Column("metric", _T, nullable=False),
    sa.Column("value", _F),
    sa.Column("curve", _T, nullable=False, server_default="{}"),
    sa.Column("outputs", _T, nullable=False, server_default="[]"),
    sa.Column("message", _T, nullable=False, server_default=""),
    sa.Column("mlflow_run_id", _T),
    sa.Column("cached_from", _T),
    sa.Column("started_at", _F),
    sa.Column("ended_at", _F),
    sa.Column("exit_code", _I),
    sa.Column("signal", _I),
    sa.Column("cpu_seconds", _F),
    sa.Column("max_rss_mb", _F),
    sa.Index("tune_trials_of", "trial_key", "status"),
)
"""`search_key` stands for all that a search depends on: what was done under another one does not
count when a run is resumed. `trial_key` stands for one trial's code, inputs and values: an equal
one that ended well is not executed again. `curve` (JSON) are the metric's values by step."""
