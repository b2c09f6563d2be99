"""The tables of what people do with alerts: causes, events, silences, notices, deliveries.

The alerts themselves are in `core.state.schema`. Times and JSON are as there.
"""

from __future__ import annotations

import sqlalchemy as sa

from core.state.schema import metadata

_T = sa.Text
_F = sa.Float(53)
_I = sa.Integer

alert_causes = sa.Table(
    "alert_causes",
    metadata,
    sa.Column("alert_id", _T, sa.ForeignKey("alerts.id"), primary_key=True),
    sa.Column("cause_key", _T, primary_key=True),
    sa.Column("kind", _T, nullable=False),
    sa.Column("title", _T, nullable=False),
    sa.Column("message", _T, nullable=False, server_default=""),
    sa.Column("severity", _T, nullable=False),
    sa.Column("evidence", _T, nullable=False, server_default="{}"),
    sa.Column("count", _I, nullable=False, server_default="1"),
    sa.Column("first_at", _F, nullable=False),
    sa.Column("last_at", _F, nullable=False),
    sa.Column("over_at", _F),
    sa.Index("alert_causes_key", "cause_key"),
)
"""What an alert was raised for: one row a cause, however often it is seen again. An alert whose
causes are all over is over."""

alert_events = sa.Table(
    "alert_events",
    metadata,
    sa.Column("id", _I, primary_key=True, autoincrement=True),
    sa.Column("alert_id", _T, sa.ForeignKey("alerts.id"), nullable=False),
    sa.Column("at", _F, nullable=False),
    sa.Column("actor", _T, nullable=False),
    sa.Column("kind", _T, nullable=False),
    sa.Column("message", _T, nullable=False, server_default=""),
    sa.Index("alert_events_of", "alert_id", "id"),
)
"""The timeline of an alert: what changed about it and what was said, not each time it is seen."""

alert_silences = sa.Table(
    "alert_silences",
    metadata,
    sa.Column("id", _T, primary_key=True),
    sa.Column("matcher", _T, nullable=False),
    sa.Column("reason", _T, nullable=False),
    sa.Column("made_by", _T, nullable=False),
    sa.Column("made_at", _F, nullable=False),
    sa.Column("ends_at", _F, nullable=False),
    sa.Column("ended_by", _T),
    sa.Column("ended_at", _F),
    sa.Index("alert_silences_end", "ends_at"),
)
"""`matcher` is JSON: `target`, `kind`, `severity` and `labels`. A silence ends by itself:
whoever reads compares `ends_at` with the clock; `ended_at` is set where somebody ends it."""

alert_notices = sa.Table(
    "alert_notices",
    metadata,
    sa.Column("id", _I, primary_key=True, autoincrement=True),
    sa.Column("alert_id", _T, sa.ForeignKey("alerts.id"), nullable=False),
    sa.Column("kind", _T, nullable=False),
    sa.Column("level", _I, nullable=False, server_default="0"),
    sa.Column("at", _F, nullable=False),
    sa.Column("routed_at", _F),
    sa.Column("outcome", _T, nullable=False, server_default=""),
    sa.Index("alert_notices_open", "routed_at", "id"),
    sqlite_autoincrement=True,
)
"""What somebody should be told, written in the transaction of the change. The worker decides
whom, by the workspace's file, and writes a delivery for each address."""

alert_deliveries = sa.Table(
    "alert_deliveries",
    metadata,
    sa.Column("id", _I, primary_key=True, autoincrement=True),
    sa.Column("target", _T, nullable=False),
    sa.Column("alert_id", _T, sa.ForeignKey("alerts.id")),
    sa.Column("kind", _T, nullable=False),
    sa.Column("severity", _T, nullable=False),
    sa.Column("person", _T, nullable=False, server_default=""),
    sa.Column("created_at", _F, nullable=False),
    sa.Column("due_at", _F, nullable=False),
    sa.Column("attempts", _I, nullable=False, server_default="0"),
    sa.Column("taken_by", _T),
    sa.Column("taken_at", _F),
    sa.Column("sent_at", _F),
    sa.Column("gave_up_at", _F),
    sa.Column("error", _T, nullable=False, server_default=""),
    sa.Column("message_id", _T),
    sa.Index("alert_deliveries_open", "sent_at", "gave_up_at", "due_at"),
    sa.Index("alert_deliveries_of", "alert_id", "id"),
    sa.Index("alert_deliveries_target", "target", "sent_at"),
    sqlite_autoincrement=True,
)
"""One alert for one address, at least once. Those that went out in one message (a digest, or
what had waited for its turn) have the same `message_id`."""

alert_settings = sa.Table(
    "alert_settings",
    metadata,
    sa.Column("key", _T, primary_key=True),
    sa.Column("value", _T, nullable=False),
    sa.Column("updated_at", _F, nullable=False),
)
"""What of the workspace's file is needed where only the state is at hand (`grouping`, `reopen`,
in seconds), and when the last digest was made (`digest`)."""
