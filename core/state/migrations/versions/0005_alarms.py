"""Points of metrics, alarms and their history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    _series()
    _alarms()


def _series() -> None:
    op.create_table(
        "metric_series",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("dims", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "metric", "dims", name="metric_series_name"),
    )
    op.create_table(
        "metric_points",
        sa.Column("series", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Float(precision=53), nullable=False),
        sa.Column("span", sa.Float(precision=53), server_default="60", nullable=False),
        sa.Column("samples", sa.Float(precision=53), server_default="1", nullable=False),
        sa.Column("total", sa.Float(precision=53), server_default="0", nullable=False),
        sa.Column("low", sa.Float(precision=53), nullable=True),
        sa.Column("high", sa.Float(precision=53), nullable=True),
        sa.Column("buckets", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("series", "at"),
        sqlite_with_rowid=False,
    )


def _alarms() -> None:
    op.create_table(
        "alarms",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="INSUFFICIENT_DATA", nullable=False),
        sa.Column("since", sa.Float(precision=53), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("datapoints", sa.Text(), server_default="[]", nullable=False),
        sa.Column("evaluated_at", sa.Float(precision=53), nullable=True),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("armed_at", sa.Float(precision=53), server_default="0", nullable=False),
        sa.Column("actions_enabled", sa.Integer(), server_default="1", nullable=False),
        sa.Column("switched_by", sa.Text(), nullable=True),
        sa.Column("switched_at", sa.Float(precision=53), nullable=True),
        sa.Column("switched_why", sa.Text(), server_default="", nullable=False),
        sa.Column("held", sa.Text(), nullable=True),
        sa.Column("test", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("gone_at", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "alarm_history",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("alarm", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(precision=53), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("from_state", sa.Text(), server_default="", nullable=False),
        sa.Column("to_state", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("datapoints", sa.Text(), server_default="[]", nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("alarm_history_alarm", "alarm_history", ["alarm", "id"], unique=False)
    op.create_table(
        "alarm_actions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("alarm", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("deployment_id", sa.Text(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", sa.Float(precision=53), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("ended_at", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("alarm_actions_state", "alarm_actions", ["state", "next_at"], unique=False)
    op.create_table(
        "watch_beats",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(precision=53), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "slos",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
