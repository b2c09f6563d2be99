"""The table of runs that happen in an AWS account."""

from __future__ import annotations

import sqlalchemy as sa

from core.state.schema import metadata

_T = sa.Text
_F = sa.Float(53)
_I = sa.Integer

remote_runs = sa.Table(
    "remote_runs",
    metadata,
    sa.Column("run_id", _T, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("service", _T, nullable=False),
    sa.Column("context", _T, nullable=False),
    sa.Column("region", _T, nullable=False, server_default=""),
    sa.Column("state", _T, nullable=False),
    sa.Column("token", _T, nullable=False),
    sa.Column("execution", _T, nullable=False, server_default=""),
    sa.Column("detail", _T, nullable=False, server_default="{}"),
    sa.Column("failures", _I, nullable=False, server_default="0"),
    sa.Column("next_at", _F, nullable=False, server_default="0"),
    sa.Index("remote_runs_due", "state", "next_at"),
)
"""`service` is sagemaker or stepfunctions; `state` is requested, starting, following, again (to
be resumed) or ended; `token` stands for one start, so that the service makes one execution of
it however often it is asked; `execution` is that one's ARN; whoever looks after the run next
may do so from `next_at` on; `detail` (JSON) is what is remembered between two looks."""
