"""The tables of triggers of continuous training and rows that wait for a label."""

from __future__ import annotations

import sqlalchemy as sa

from core.state.schema import metadata

_T = sa.Text
_F = sa.Float(53)
_I = sa.Integer

triggers = sa.Table(
    "triggers",
    metadata,
    sa.Column("name", _T, primary_key=True),
    sa.Column("paused", _I, nullable=False, server_default="0"),
    sa.Column("paused_by", _T),
    sa.Column("paused_at", _F),
    sa.Column("paused_reason", _T, nullable=False, server_default=""),
    sa.Column("seen", _T, nullable=False, server_default="{}"),
    sa.Column("looked_at", _F),
)
"""What is known of a trigger besides its file: whether somebody has switched it off, and (JSON,
by condition) what each condition has seen: when a schedule last came round, which version of a
dataset the last run had, which alarm it has answered."""

trigger_firings = sa.Table(
    "trigger_firings",
    metadata,
    sa.Column("id", _T, primary_key=True),
    sa.Column("trigger", _T, nullable=False),
    sa.Column("at", _F, nullable=False),
    sa.Column("kind", _T, nullable=False),
    sa.Column("cause_key", _T, nullable=False),
    sa.Column("cause", _T, nullable=False, server_default="{}"),
    sa.Column("actor", _T, nullable=False),
    sa.Column("model", _T, nullable=False, server_default=""),
    sa.Column("pipeline", _T, nullable=False, server_default=""),
    sa.Column("decision", _T, nullable=False),
    sa.Column("reason", _T, nullable=False, server_default=""),
    sa.Column("decided_at", _F),
    sa.Column("times", _I, nullable=False, server_default="1"),
    sa.Column("last_at", _F, nullable=False),
    sa.Column("run_id", _T),
    sa.Column("params", _T, nullable=False, server_default="{}"),
    sa.Column("data", _T, nullable=False, server_default="{}"),
    sa.Column("attempts", _I, nullable=False, server_default="0"),
    sa.Column("taken_by", _T),
    sa.Column("taken_at", _F),
    sa.Column("alert_id", _T),
    sa.Index("trigger_firings_of", "trigger", "at"),
    sa.Index("trigger_firings_decision", "decision", "at"),
)
"""Every firing. `decision` is `asked` until somebody has decided, `accepted` until its run has
been made: these rows are the outbox of triggers. `times` counts further firings of the same
cause with the same decision, the last of them at `last_at`; `data` is the augmented set."""

label_batches = sa.Table(
    "label_batches",
    metadata,
    sa.Column("id", _T, primary_key=True),
    sa.Column("endpoint", _T, nullable=False),
    sa.Column("at", _F, nullable=False),
    sa.Column("by", _T, nullable=False),
    sa.Column("policy", _T, nullable=False, server_default="{}"),
    sa.Column("rows", _I, nullable=False),
    sa.Column("detail", _T, nullable=False, server_default="{}"),
    sa.Index("label_batches_of", "endpoint", "at"),
)
"""One picking of rows for people: by which policy, and how many for which reason."""

label_tasks = sa.Table(
    "label_tasks",
    metadata,
    sa.Column("endpoint", _T, primary_key=True),
    sa.Column("inference_id", _T, primary_key=True),
    sa.Column("batch_id", _T, nullable=False),
    sa.Column("position", _I, nullable=False),
    sa.Column("picked_at", _F, nullable=False),
    sa.Column("captured_at", _F, nullable=False),
    sa.Column("variant", _T, nullable=False, server_default=""),
    sa.Column("reason", _T, nullable=False),
    sa.Column("score", _F, nullable=False, server_default="0"),
    sa.Column("why", _T, nullable=False, server_default=""),
    sa.Column("inputs", _T, nullable=False),
    sa.Column("prediction", _T, nullable=False),
    sa.Column("wanted", _I, nullable=False, server_default="1"),
    sa.Column("state", _T, nullable=False, server_default="open"),
    sa.Column("assigned_to", _T),
    sa.Column("label", _T),
    sa.Column("done_at", _F),
    sa.Column("handed_at", _F),
    sa.Index("label_tasks_state", "endpoint", "state", "position"),
)
"""One captured request that wants a label from so many (`wanted`) people. `inputs` is a JSON
object of the one row, `prediction` JSON; `label` (JSON) is what people have agreed on, and
`handed_at` when it became a label of the endpoint."""

label_claims = sa.Table(
    "label_claims",
    metadata,
    sa.Column("endpoint", _T, primary_key=True),
    sa.Column("inference_id", _T, primary_key=True),
    sa.Column("actor", _T, primary_key=True),
    sa.Column("claimed_at", _F, nullable=False),
    sa.Column("expires_at", _F, nullable=False),
)
"""Who is looking at which row just now, so that nobody else is shown it."""

label_answers = sa.Table(
    "label_answers",
    metadata,
    sa.Column("endpoint", _T, primary_key=True),
    sa.Column("inference_id", _T, primary_key=True),
    sa.Column("actor", _T, primary_key=True),
    sa.Column("at", _F, nullable=False),
    sa.Column("value", _T),
    sa.Column("comment", _T, nullable=False, server_default=""),
    sa.Column("source", _T, nullable=False, server_default=""),
)
"""What a person said of a row; without a `value` they have passed it over."""
