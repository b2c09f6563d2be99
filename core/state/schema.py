"""The tables of the state database (SQLAlchemy Core, SQLite and PostgreSQL alike).

Times are epoch seconds in UTC as floats; JSON is stored as text, so that both databases
and every reader agree on it byte for byte (the journal hashes it).
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

_T = sa.Text
_F = sa.Float(53)
_I = sa.Integer

journal = sa.Table(
    "journal",
    metadata,
    sa.Column("seq", _I, primary_key=True, autoincrement=False),
    sa.Column("at", _F, nullable=False),
    sa.Column("actor", _T, nullable=False),
    sa.Column("action", _T, nullable=False),
    sa.Column("subject", _T, nullable=False),
    sa.Column("detail", _T, nullable=False),
    sa.Column("previous_hash", _T, nullable=False),
    sa.Column("hash", _T, nullable=False),
    sa.Index("journal_subject", "subject", "seq"),
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", _I, primary_key=True, autoincrement=True),
    sa.Column("kind", _T, nullable=False),
    sa.Column("target", _T, nullable=False),
    sa.Column("payload", _T, nullable=False, server_default="{}"),
    sa.Column("created_at", _F, nullable=False),
    sa.Column("taken_by", _T),
    sa.Column("taken_at", _F),
    sa.Column("done_at", _F),
    sa.Column("error", _T),
    sa.Index("outbox_open", "done_at", "id"),
    # Whoever has seen the newest message waits for a higher number, also after a purge.
    sqlite_autoincrement=True,
)
"""What the worker is asked to do, written in the transaction of the change that asks."""

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", _T, primary_key=True),
    sa.Column("host", _T, nullable=False),
    sa.Column("pid", _I, nullable=False),
    sa.Column("started_at", _F, nullable=False),
    sa.Column("heartbeat_at", _F, nullable=False),
    sa.Column("slots", _I, nullable=False),
    sa.Column("state", _T, nullable=False),
    sa.Column("reaped", _I, nullable=False, server_default="0"),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", _T, primary_key=True),
    sa.Column("number", _I, nullable=False, unique=True),
    sa.Column("pipeline", _T, nullable=False),
    sa.Column("status", _T, nullable=False),
    sa.Column("params", _T, nullable=False),
    sa.Column("spec", _T, nullable=False),
    sa.Column("created_at", _F, nullable=False),
    sa.Column("started_at", _F),
    sa.Column("ended_at", _F),
    sa.Column("requested_by", _T, nullable=False),
    sa.Column("reason", _T, nullable=False, server_default=""),
    sa.Column("message", _T, nullable=False, server_default=""),
    sa.Column("parent_run_id", _T),
    sa.Column("from_step", _T),
    sa.Column("use_cache", _I, nullable=False, server_default="1"),
    sa.Column("generation", _I, nullable=False, server_default="1"),
    sa.Column("cancel_requested", _I, nullable=False, server_default="0"),
    sa.Column("git_commit", _T),
    sa.Column("git_dirty", _I, nullable=False, server_default="0"),
    sa.Column("lineage", _T, nullable=False, server_default="{}"),
    sa.Column("mlflow_run_id", _T),
    sa.Index("runs_status", "status", "number"),
    sa.Index("runs_pipeline", "pipeline", "number"),
)

step_runs = sa.Table(
    "step_runs",
    metadata,
    sa.Column("run_id", _T, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("step", _T, primary_key=True),
    sa.Column("position", _I, nullable=False),
    sa.Column("kind", _T, nullable=False),
    sa.Column("needs", _T, nullable=False),
    sa.Column("status", _T, nullable=False),
    sa.Column("attempt", _I, nullable=False, server_default="0"),
    sa.Column("max_attempts", _I, nullable=False, server_default="1"),
    sa.Column("execution_id", _T),
    sa.Column("executions", _I, nullable=False, server_default="0"),
    sa.Column("worker_id", _T),
    sa.Column("started_at", _F),
    sa.Column("ended_at", _F),
    sa.Column("cached_from", _T),
    sa.Column("cache_key", _T),
    sa.Column("exit_code", _I),
    sa.Column("signal", _I),
    sa.Column("cpu_seconds", _F),
    sa.Column("max_rss_mb", _F),
    sa.Column("pid", _I),
    sa.Column("message", _T, nullable=False, server_default=""),
    sa.Column("outputs", _T, nullable=False, server_default="[]"),
)

cache_entries = sa.Table(
    "cache_entries",
    metadata,
    sa.Column("key", _T, primary_key=True),
    sa.Column("run_id", _T, nullable=False),
    sa.Column("step", _T, nullable=False),
    sa.Column("outputs", _T, nullable=False),
    sa.Column("created_at", _F, nullable=False),
)

artifacts = sa.Table(
    "artifacts",
    metadata,
    sa.Column("digest", _T, primary_key=True),
    sa.Column("kind", _T, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("path", _T, nullable=False),
    sa.Column("run_id", _T, nullable=False),
    sa.Column("step", _T, nullable=False),
    sa.Column("created_at", _F, nullable=False),
)

model_versions = sa.Table(
    "model_versions",
    metadata,
    sa.Column("name", _T, primary_key=True),
    sa.Column("version", _I, primary_key=True, autoincrement=False),
    sa.Column("run_id", _T, nullable=False),
    sa.Column("step", _T, nullable=False),
    sa.Column("path", _T, nullable=False),
    sa.Column("digest", _T, nullable=False),
    sa.Column("created_at", _F, nullable=False),
    sa.Column("metrics", _T, nullable=False, server_default="{}"),
    sa.Column("lineage", _T, nullable=False, server_default="{}"),
    sa.Column("mlflow_run_id", _T),
    sa.Column("approval", _T, nullable=False, server_default=""),
)

model_aliases = sa.Table(
    "model_aliases",
    metadata,
    sa.Column("name", _T, primary_key=True),
    sa.Column("alias", _T, primary_key=True),
    sa.Column("version", _I, nullable=False),
    sa.Column("updated_at", _F, nullable=False),
)

approvals = sa.Table(
    "approvals",
    metadata,
    sa.Column("id", _T, primary_key=True),
    sa.Column("gate", _T, nullable=False),
    sa.Column("run_id", _T, sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("step", _T, nullable=False),
    sa.Column("model", _T, nullable=False),
    sa.Column("version", _I, nullable=False),
    sa.Column("environment", _T, nullable=False),
    sa.Column("status", _T, nullable=False),
    sa.Column("evidence", _T, nullable=False),
    sa.Column("evidence_hash", _T, nullable=False),
    sa.Column("requested_by", _T, nullable=False),
    sa.Column("opened_at", _F, nullable=False),
    sa.Column("expires_at", _F),
    sa.Column("decided_at", _F),
    sa.Column("approvals_needed", _I, nullable=False, server_default="1"),
    sa.Column("requester_may_decide", _I, nullable=False, server_default="1"),
    sa.Column("workflow_id", _T, nullable=False),
    sa.Index("approvals_status", "status", "opened_at"),
)

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("id", _I, primary_key=True, autoincrement=True),
    sa.Column("approval_id", _T, sa.ForeignKey("approvals.id"), nullable=False),
    sa.Column("actor", _T, nullable=False),
    sa.Column("verdict", _T, nullable=False),
    sa.Column("comment", _T, nullable=False),
    sa.Column("evidence_hash", _T, nullable=False),
    sa.Column("at", _F, nullable=False),
    sa.Index("decisions_approval", "approval_id"),
)

endpoints = sa.Table(
    "endpoints",
    metadata,
    sa.Column("name", _T, primary_key=True),
    sa.Column("environment", _T, nullable=False),
    sa.Column("status", _T, nullable=False),
    sa.Column("host", _T, nullable=False),
    sa.Column("port", _I, nullable=False, server_default="0"),
    sa.Column("message", _T, nullable=False, server_default=""),
    sa.Column("created_at", _F, nullable=False),
    sa.Column("updated_at", _F, nullable=False),
)

revisions = sa.Table(
    "revisions",
    metadata,
    sa.Column("endpoint", _T, sa.ForeignKey("endpoints.name"), primary_key=True),
    sa.Column("revision", _I, primary_key=True, autoincrement=False),
    sa.Column("model", _T, nullable=False),
    sa.Column("version", _I, nullable=False),
    sa.Column("state", _T, nullable=False),
    sa.Column("weight", _F, nullable=False, server_default="0"),
    sa.Column("deployment_id", _T, nullable=False),
    sa.Column("created_at", _F, nullable=False),
)

deployments = sa.Table(
    "deployments",
    metadata,
    sa.Column("id", _T, primary_key=True),
    sa.Column("endpoint", _T, sa.ForeignKey("endpoints.name"), nullable=False),
    sa.Column("model", _T, nullable=False),
    sa.Column("version", _I, nullable=False),
    sa.Column("revision", _I, nullable=False),
    sa.Column("from_revision", _I),
    sa.Column("status", _T, nullable=False),
    sa.Column("strategy", _T, nullable=False),
    sa.Column("step_index", _I, nullable=False, server_default="0"),
    sa.Column("set_weight", _F, nullable=False, server_default="0"),
    sa.Column("actor", _T, nullable=False),
    sa.Column("reason", _T, nullable=False, server_default=""),
    sa.Column("created_at", _F, nullable=False),
    sa.Column("ended_at", _F),
    sa.Column("next_at", _F),
    sa.Column("message", _T, nullable=False, server_default=""),
    sa.Column("run_id", _T),
    sa.Column("step", _T),
    sa.Column("promoted", _I, nullable=False, server_default="0"),
    sa.Index("deployments_endpoint", "endpoint", "created_at"),
)
"""`promoted` counts the steps, from the first, that a person has let pass."""

deployment_events = sa.Table(
    "deployment_events",
    metadata,
    sa.Column("id", _I, primary_key=True, autoincrement=True),
    sa.Column("deployment_id", _T, sa.ForeignKey("deployments.id"), nullable=False),
    sa.Column("at", _F, nullable=False),
    sa.Column("actor", _T, nullable=False),
    sa.Column("kind", _T, nullable=False),
    sa.Column("message", _T, nullable=False),
    sa.Index("deployment_events_of", "deployment_id", "id"),
)

receipts = sa.Table(
    "receipts",
    metadata,
    sa.Column("id", _T, primary_key=True),
    sa.Column("endpoint", _T, sa.ForeignKey("endpoints.name"), nullable=False),
    sa.Column("deployment_id", _T),
    sa.Column("actor", _T, nullable=False),
    sa.Column("reason", _T, nullable=False),
    sa.Column("from_model", _T, nullable=False),
    sa.Column("from_version", _I, nullable=False),
    sa.Column("to_model", _T, nullable=False),
    sa.Column("to_version", _I, nullable=False),
    sa.Column("requests_failed", _I, nullable=False),
    sa.Column("in_flight", _I, nullable=False),
    sa.Column("milliseconds", _F, nullable=False),
    sa.Column("at", _F, nullable=False),
    sa.Index("receipts_endpoint", "endpoint", "at"),
)

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("id", _T, primary_key=True),
    sa.Column("at", _F, nullable=False),
    sa.Column("severity", _T, nullable=False),
    sa.Column("kind", _T, nullable=False),
    sa.Column("target", _T, nullable=False),
    sa.Column("deployment_id", _T),
    sa.Column("receipt_id", _T),
    sa.Column("title", _T, nullable=False),
    sa.Column("message", _T, nullable=False, server_default=""),
    sa.Column("state", _T, nullable=False, server_default="open"),
    sa.Column("acked_by", _T),
    sa.Column("acked_at", _F),
    sa.Column("resolved_by", _T),
    sa.Column("resolved_at", _F),
    sa.Column("family", _T, nullable=False, server_default=""),
    sa.Column("events", _I, nullable=False, server_default="1"),
    sa.Column("causes", _I, nullable=False, server_default="1"),
    sa.Column("last_at", _F),
    sa.Column("opened_at", _F),
    sa.Column("owner", _T),
    sa.Column("labels", _T, nullable=False, server_default="{}"),
    sa.Column("evidence", _T, nullable=False, server_default="{}"),
    sa.Column("runbook", _T, nullable=False, server_default=""),
    sa.Column("level", _I, nullable=False, server_default="0"),
    sa.Column("level_at", _F),
    sa.Column("wakes_at", _F),
    sa.Column("snoozed_by", _T),
    sa.Column("reopened", _I, nullable=False, server_default="0"),
    sa.Index("alerts_state", "state", "at"),
    sa.Index("alerts_group", "target", "family", "state"),
)
"""`events` counts how often its `causes` were seen, from `at` to `last_at`; `opened_at` is when
it was opened the last time; `level` is the level of the policy that has been told, at
`level_at`, from which the next one counts. `owner` is who it was given to by somebody."""
