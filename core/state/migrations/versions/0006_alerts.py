"""Alerts as people work on them, notifications, silences."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    _alerts()
    _work()
    _notifications()


def _alerts() -> None:
    with op.batch_alter_table("alerts") as alerts:
        for column in (
            sa.Column("family", sa.Text(), server_default="", nullable=False),
            sa.Column("events", sa.Integer(), server_default="1", nullable=False),
            sa.Column("causes", sa.Integer(), server_default="1", nullable=False),
            sa.Column("last_at", sa.Float(precision=53), nullable=True),
            sa.Column("opened_at", sa.Float(precision=53), nullable=True),
            sa.Column("owner", sa.Text(), nullable=True),
            sa.Column("labels", sa.Text(), server_default="{}", nullable=False),
            sa.Column("evidence", sa.Text(), server_default="{}", nullable=False),
            sa.Column("runbook", sa.Text(), server_default="", nullable=False),
            sa.Column("level", sa.Integer(), server_default="0", nullable=False),
            sa.Column("level_at", sa.Float(precision=53), nullable=True),
            sa.Column("wakes_at", sa.Float(precision=53), nullable=True),
            sa.Column("snoozed_by", sa.Text(), nullable=True),
            sa.Column("reopened", sa.Integer(), server_default="0", nullable=False),
        ):
            alerts.add_column(column)
        alerts.create_index("alerts_group", ["target", "family", "state"], unique=False)


def _work() -> None:
    op.create_table(
        "alert_causes",
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("cause_key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), server_default="{}", nullable=False),
        sa.Column("count", sa.Integer(), server_default="1", nullable=False),
        sa.Column("first_at", sa.Float(precision=53), nullable=False),
        sa.Column("last_at", sa.Float(precision=53), nullable=False),
        sa.Column("over_at", sa.Float(precision=53), nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"]),
        sa.PrimaryKeyConstraint("alert_id", "cause_key"),
    )
    op.create_index("alert_causes_key", "alert_causes", ["cause_key"], unique=False)
    op.create_table(
        "alert_events",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(precision=53), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("alert_events_of", "alert_events", ["alert_id", "id"], unique=False)
    op.create_table(
        "alert_silences",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("matcher", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.Float(precision=53), nullable=False),
        sa.Column("ends_at", sa.Float(precision=53), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("alert_silences_end", "alert_silences", ["ends_at"], unique=False)


def _notifications() -> None:
    op.create_table(
        "alert_notices",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("level", sa.Integer(), server_default="0", nullable=False),
        sa.Column("at", sa.Float(precision=53), nullable=False),
        sa.Column("routed_at", sa.Float(precision=53), nullable=True),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("alert_notices_open", "alert_notices", ["routed_at", "id"], unique=False)
    op.create_table(
        "alert_deliveries",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("due_at", sa.Float(precision=53), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("taken_by", sa.Text(), nullable=True),
        sa.Column("taken_at", sa.Float(precision=53), nullable=True),
        sa.Column("sent_at", sa.Float(precision=53), nullable=True),
        sa.Column("gave_up_at", sa.Float(precision=53), nullable=True),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "alert_deliveries_open", "alert_deliveries", ["sent_at", "gave_up_at", "due_at"]
    )
    op.create_index("alert_deliveries_of", "alert_deliveries", ["alert_id", "id"])
    op.create_index("alert_deliveries_target", "alert_deliveries", ["target", "sent_at"])
    op.create_table(
        "alert_settings",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
