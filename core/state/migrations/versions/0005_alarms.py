"""Points of metrics, alarms and their history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    _series()


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
