"""Monitors, their baselines, runs and measurements."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _monitors()
    _monitor_baselines()
    _monitor_runs()
    _monitor_measurements()
    _monitor_violations()


def _monitors() -> None:
    op.create_table(
        "monitors",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("watch", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), server_default="0", nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("shown", sa.Text(), server_default="{}", nullable=False),
        sa.Column("fingerprint", sa.Text(), server_default="", nullable=False),
        sa.Column("problems", sa.Text(), server_default="[]", nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Float(precision=53), nullable=False),
        sa.Column("gone_at", sa.Float(precision=53), nullable=True),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("headline", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("paused_at", sa.Float(precision=53), nullable=True),
        sa.Column("paused_by", sa.Text(), nullable=True),
        sa.Column("pause_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("next_at", sa.Float(precision=53), nullable=True),
        sa.Column("seen", sa.Text(), server_default="", nullable=False),
        sa.Column("cursor", sa.Text(), server_default="{}", nullable=False),
        sa.Column("memory", sa.Text(), server_default="{}", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("backoff_until", sa.Float(precision=53), nullable=True),
        sa.Column("skipped", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_run", sa.Text(), nullable=True),
        sa.Column("last_run_at", sa.Float(precision=53), nullable=True),
        sa.Column("claim", sa.Text(), nullable=True),
        sa.Column("claimed_until", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )


def _monitor_baselines() -> None:
    op.create_table(
        "monitor_baselines",
        sa.Column("monitor", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), server_default="{}", nullable=False),
        sa.Column("model", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("made_at", sa.Float(precision=53), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("promoted_at", sa.Float(precision=53), nullable=True),
        sa.Column("promoted_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("monitor", "id"),
    )


def _monitor_runs() -> None:
    op.create_table(
        "monitor_runs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("monitor", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("window_key", sa.Text(), nullable=False),
        sa.Column("window_start", sa.Float(precision=53), nullable=False),
        sa.Column("window_end", sa.Float(precision=53), nullable=False),
        sa.Column("place", sa.Text(), server_default="{}", nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("generation", sa.Integer(), server_default="1", nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("duplicates", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("late", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("label_coverage", sa.Float(precision=53), nullable=True),
        sa.Column("model", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("baseline", sa.Text(), server_default="", nullable=False),
        sa.Column("snapshot", sa.Integer(), nullable=True),
        sa.Column("headline", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("violations", sa.Integer(), server_default="0", nullable=False),
        sa.Column("memory", sa.Text(), server_default="{}", nullable=False),
        sa.Column("history", sa.Text(), server_default="[]", nullable=False),
        sa.Column("started_at", sa.Float(precision=53), nullable=False),
        sa.Column("ended_at", sa.Float(precision=53), nullable=True),
        sa.Column("worker", sa.Text(), server_default="", nullable=False),
        sa.Column("folder", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("monitor", "window_key"),
    )
    op.create_index("monitor_runs_newest", "monitor_runs", ["monitor", "window_end"])


def _monitor_measurements() -> None:
    op.create_table(
        "monitor_measurements",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("monitor", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("feature", sa.Text(), server_default="", nullable=False),
        sa.Column("segment", sa.Text(), server_default="", nullable=False),
        sa.Column("value", sa.Float(precision=53), nullable=True),
        sa.Column("low", sa.Float(precision=53), nullable=True),
        sa.Column("high", sa.Float(precision=53), nullable=True),
        sa.Column("p_value", sa.Float(precision=53), nullable=True),
        sa.Column("threshold", sa.Float(precision=53), nullable=True),
        sa.Column("comparison", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("run", "place"),
    )
    op.create_index(
        "monitor_measurements_of", "monitor_measurements", ["monitor", "feature", "metric"]
    )


def _monitor_violations() -> None:
    op.create_table(
        "monitor_violations",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("monitor", sa.Text(), nullable=False),
        sa.Column("feature", sa.Text(), server_default="", nullable=False),
        sa.Column("segment", sa.Text(), server_default="", nullable=False),
        sa.Column("check_type", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), server_default="", nullable=False),
        sa.Column("value", sa.Float(precision=53), nullable=True),
        sa.Column("threshold", sa.Float(precision=53), nullable=True),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run", "place"),
    )
