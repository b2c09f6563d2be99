"""How a monitor stands after a window: its state, where it goes on, whom it tells."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from core.domain.looked import Outcome
from core.domain.monitor import Findings, MonitorDefinition, RunStatus, State
from core.monitors import claims
from core.monitors.jobs import Job
from core.monitors.kinds import kind_of
from core.monitors.plan import WindowPlan
from core.monitors.syncing import set_row
from core.monitors.telling import tell_failed, tell_state, tell_working
from core.state.monitor_tables import monitor_runs, monitors
from core.state.store import Transaction

ATTEMPTS = 3
"""How often a window that fails is tried before the next one is."""
BACKOFF_SECONDS = 30.0
MOST_BACKOFF_SECONDS = 3600.0


def looked_well(tx: Transaction, name: str) -> dict[str, Any]:
    """What changes once it can be told again what is due, without a new window: a monitor that
    waited for its endpoint, or could not look, is as its newest window left it."""
    row = tx.row(sa.select(monitors).where(monitors.c.name == name)) or {}
    if not row.get("reason"):
        return {}
    values: dict[str, Any] = {"reason": "", "failures": 0, "backoff_until": None}
    if row["state"] == "failed":
        state = _state_of(tx, str(row["last_run"])) if row["last_run"] else "pending"
        if state is None:
            return {}  # its newest window has failed: that stands
        tell_working(tx, name)
        values["state"] = state
    return values


def stands(tx: Transaction, job: Job, plan: WindowPlan, run: str, found: Findings) -> None:
    """How the monitor stands after the window: not after a replay, nor where a newer window is
    on record already."""
    name = job.definition.name
    row = tx.row(sa.select(monitors).where(monitors.c.name == name)) or {}
    if job.cause == "replay":
        return
    if row.get("reason"):
        tell_working(tx, name)
    values: dict[str, Any] = {"failures": 0, "backoff_until": None, "reason": ""}
    newest = _newest(tx, name, decided=False)
    if job.cause != "labels":
        values["cursor"] = json.dumps({**json.loads(row["cursor"]), **plan.cursor})
    if found.memory is not None and (job.cause != "labels" or newest == run):
        values["memory"] = json.dumps(found.memory)  # of the newest: the next one gets it
    if newest is not None and _waits_for_labels(tx, job.definition, newest):
        newest = _newest(tx, name, decided=True) or newest
    if newest == run:
        values |= {
            "state": found.state.value,
            "headline": found.headline,
            "last_run": run,
            "last_run_at": tx.now,
        }
        tell_state(tx, job.definition, plan.key, found)
        if row.get("state") != found.state.value:
            tx.journal(
                "monitor.state", f"monitor/{name}", was=row.get("state"), now=found.state.value,
                window=plan.key, headline=found.headline,
            )  # fmt: skip
    elif row.get("state") == "failed" and row.get("last_run"):
        values["state"] = _state_of(tx, str(row["last_run"])) or found.state.value
    set_row(tx, name, **values)


def _newest(tx: Transaction, name: str, *, decided: bool) -> str | None:
    """The newest window on record; where labels come late, the newest that has enough of them
    for a statement: those after it say nothing yet."""
    table = monitor_runs
    mine = [
        table.c.monitor == name,
        table.c.status == RunStatus.DONE.value,
        table.c.cause != "replay",
    ]
    if decided:
        mine.append(table.c.state != State.INSUFFICIENT.value)
    row = tx.row(
        sa.select(table.c.id)
        .where(*mine)
        .order_by(table.c.window_end.desc(), table.c.started_at.desc())
        .limit(1)
    )
    return None if row is None else str(row["id"])


def _waits_for_labels(tx: Transaction, definition: MonitorDefinition, run: str) -> bool:
    """Whether a window says nothing although it has rows enough."""
    if not kind_of(definition.kind).uses_labels:
        return False
    table = monitor_runs
    row = tx.row(sa.select(table.c.state, table.c.rows).where(table.c.id == run)) or {}
    enough = int(row.get("rows") or 0) >= max(1, definition.window.minimum_rows)
    return row.get("state") == State.INSUFFICIENT and enough


def _state_of(tx: Transaction, run: str) -> str | None:
    row = tx.row(sa.select(monitor_runs.c.state).where(monitor_runs.c.id == run))
    return None if row is None else row["state"]


def failed(job: Job, plan: WindowPlan, run: str, reason: str) -> Outcome:
    """A failed run: its reason, an alert, and the monitor waits a while. After a few attempts
    the window is left as it is."""
    name = job.definition.name
    with job.session.change(f"monitors run {name}") as tx:
        claims.check(tx, name, job.claim)
        row = tx.row(sa.select(monitors).where(monitors.c.name == name)) or {}
        before = tx.row(sa.select(monitor_runs).where(monitor_runs.c.id == run)) or {}
        status = RunStatus.DONE if before.get("state") else RunStatus.FAILED
        tx.execute(
            monitor_runs.update()
            .where(monitor_runs.c.id == run)
            .values(status=status.value, reason=reason, ended_at=tx.now)
        )
        if job.cause == "replay":
            return Outcome(run, RunStatus.FAILED, None, "", reason)
        failures = int(row.get("failures") or 0) + 1
        wait = min(BACKOFF_SECONDS * 2 ** (failures - 1), MOST_BACKOFF_SECONDS)
        values: dict[str, Any] = {
            "failures": failures,
            "backoff_until": tx.now + wait,
            "reason": reason,
            "state": "failed",
            "last_run_at": tx.now,
        }
        if job.cause != "labels" and failures % ATTEMPTS == 0:
            values["cursor"] = json.dumps({**json.loads(row["cursor"]), **plan.cursor})
        set_row(tx, name, **values)
        tell_failed(tx, job.definition, plan.key, reason)
        tx.journal(
            "monitor.failed", f"monitor/{name}", window=plan.key, reason=reason, failures=failures
        )
    return Outcome(run, RunStatus.FAILED, None, "", reason)
