"""The rows of endpoints, revisions and deployments: every change of them is here.

All functions work in a transaction of the caller's and journal what they do. States of a
revision: canary → stable → previous → retired, or canary → aborted / failed, or
canary / stable → rolled_back. An endpoint has at most one stable revision and at most one
deployment that has not ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from core.domain.analysis import AnalysisPlan
from core.domain.plans import plan_json
from core.domain.release import DEPLOYMENT_ENDED, DeploymentStatus, ReleasePlan, StrategyStep
from core.releases import endpointrows
from core.releases.alerts import raise_alert, resolve_alerts
from core.releases.busy import still_deploying
from core.releases.environments import point_aliases
from core.state import schema
from core.state.store import Transaction

Row = Mapping[str, Any]
ALL_AT_ONCE = (StrategyStep("set_weight", weight=100.0),)
_OPEN = [status.value for status in DeploymentStatus if status not in DEPLOYMENT_ENDED]


def create_deployment(
    tx: Transaction,
    deployment_id: str,
    *,
    endpoint: str,
    model: str,
    version: int,
    strategy: ReleasePlan | Sequence[StrategyStep],
    port: int = 0,
    environment: str | None = None,
    reason: str = "",
    run_id: str | None = None,
    step: str | None = None,
) -> Row:
    """Open a deployment (and the endpoint, the first time); the same id again changes nothing.

    A first deployment has nothing to be compared with or to go back to: it goes all at once,
    unwatched. Raises `WrongState` while another deployment of the endpoint is open.
    """
    table = schema.deployments
    found = tx.row(sa.select(table).where(table.c.id == deployment_id))
    if found is not None:
        return found
    endpointrows.ensure_endpoint(tx, endpoint, port, environment)
    active = open_deployment(tx, endpoint)
    if active is not None:
        raise still_deploying(
            endpoint,
            active["version"],
            status=active["status"],
            message=active["message"],
            reason=active["reason"],
            actor=active["actor"],
        )
    stable = stable_revision(tx, endpoint)
    revisions = schema.revisions
    last = tx.execute(
        sa.select(sa.func.coalesce(sa.func.max(revisions.c.revision), 0)).where(
            revisions.c.endpoint == endpoint
        )
    ).scalar_one()
    plan = strategy if isinstance(strategy, ReleasePlan) else ReleasePlan(tuple(strategy))
    if stable is None:
        plan = first_plan(plan)
    tx.execute(
        revisions.insert().values(
            endpoint=endpoint,
            revision=last + 1,
            model=model,
            version=version,
            state="canary",
            weight=0.0,
            deployment_id=deployment_id,
            created_at=tx.now,
        )
    )
    tx.execute(
        table.insert().values(
            id=deployment_id,
            endpoint=endpoint,
            model=model,
            version=version,
            revision=last + 1,
            from_revision=stable["revision"] if stable else None,
            status=DeploymentStatus.QUEUED,
            strategy=plan_json(plan),
            actor=tx.actor,
            reason=reason,
            created_at=tx.now,
            run_id=run_id,
            step=step,
        )
    )
    if stable is None:
        endpointrows.touch(tx, endpoint, status="creating")
    event(tx, deployment_id, "created", f"{model} v{version} as revision {last + 1}. {reason}")
    tx.journal(
        "deployment.create",
        f"endpoint/{endpoint}",
        deployment=deployment_id,
        model=f"{model} v{version}",
        revision=last + 1,
        reason=reason,
    )
    made = tx.row(sa.select(table).where(table.c.id == deployment_id))
    assert made is not None
    return made


def first_plan(plan: ReleasePlan) -> ReleasePlan:
    """What is left of a plan where there is no version to compare with or to go back to."""
    return replace(
        plan,
        steps=ALL_AT_ONCE,
        name="all-at-once",
        alarms=(),
        analysis=AnalysisPlan(),
        rollback_alarms=(),
    )


def open_deployment(tx: Transaction, endpoint: str) -> Row | None:
    """The endpoint's deployment that has not ended, if any."""
    table = schema.deployments
    return tx.row(sa.select(table).where(table.c.endpoint == endpoint, table.c.status.in_(_OPEN)))


def stable_revision(tx: Transaction, endpoint: str) -> Row | None:
    """The revision that is in production, if any."""
    table = schema.revisions
    return tx.row(
        sa.select(table)
        .where(table.c.endpoint == endpoint, table.c.state == "stable")
        .order_by(table.c.revision.desc())
        .limit(1)
    )


def set_progress(
    tx: Transaction,
    deployment: Row,
    status: DeploymentStatus,
    *,
    step_index: int | None = None,
    next_at: float | None = None,
    message: str = "",
) -> None:
    """Record where a deployment stands; `next_at` is when it goes on by itself."""
    values: dict[str, Any] = {"status": status, "next_at": next_at, "message": message}
    if step_index is not None:
        values["step_index"] = step_index
    update_deployment(tx, deployment["id"], **values)
    endpointrows.touch(tx, deployment["endpoint"], status="updating")


def record_weight(tx: Transaction, deployment: Row, weight: float, message: str) -> None:
    """Record that the canary now has `weight` percent and the stable revision the rest."""
    update_deployment(tx, deployment["id"], set_weight=weight)
    _set_revision(tx, deployment["endpoint"], deployment["revision"], weight=weight)
    if deployment["from_revision"] is not None:
        _set_revision(
            tx, deployment["endpoint"], deployment["from_revision"], weight=100.0 - weight
        )
    event(tx, deployment["id"], "weight", message)
    tx.journal(
        "deployment.weight",
        f"endpoint/{deployment['endpoint']}",
        deployment=deployment["id"],
        weight=weight,
    )


def finish_deployment(tx: Transaction, deployment: Row) -> list[int]:
    """The canary becomes stable, the stable revision previous; aliases follow.

    The same version brought again is nothing to go back to: then what was previous stays
    so. Returns the revisions that need not stay loaded any longer.
    """
    endpoint, old = deployment["endpoint"], deployment["from_revision"]
    behind = _in_state(tx, endpoint, "previous")
    before = behind[0]["revision"] if behind else None
    leaving = {row["revision"] for row in behind}
    if old is not None:
        leaving.add(old)
        row = _revision(tx, endpoint, old)
        if not _same_version(row, deployment):
            before = old
    for revision in leaving:
        state = "previous" if revision == before else "retired"
        _set_revision(tx, endpoint, revision, state=state, weight=0.0)
    _set_revision(tx, endpoint, deployment["revision"], state="stable", weight=100.0)
    previous = _revision(tx, endpoint, before) if before is not None else None
    point_aliases(tx, endpoint, deployment, previous)
    end_deployment(tx, deployment, DeploymentStatus.SUCCEEDED, "in production")
    return sorted(leaving - {before})


def end_deployment(
    tx: Transaction, deployment: Row, status: DeploymentStatus, message: str
) -> None:
    """Close a deployment with its outcome."""
    update_deployment(
        tx, deployment["id"], status=status, ended_at=tx.now, next_at=None, message=message
    )
    event(tx, deployment["id"], str(status), message)
    resolve_alerts(tx, deployment["id"], ("held", "frozen"))
    serving = stable_revision(tx, deployment["endpoint"]) is not None
    endpointrows.touch(tx, deployment["endpoint"], status="in_service" if serving else "failed")
    tx.journal(
        f"deployment.{status}",
        f"endpoint/{deployment['endpoint']}",
        deployment=deployment["id"],
        model=f"{deployment['model']} v{deployment['version']}",
        message=message,
    )


def withdraw_canary(
    tx: Transaction,
    deployment: Row,
    status: DeploymentStatus,
    message: str,
    receipt_id: str | None = None,
) -> None:
    """End an open deployment with all traffic back on the stable revision; `receipt_id` is the
    receipt that its alert, if it failed, points at."""
    state = {
        DeploymentStatus.ABORTED: "aborted",
        DeploymentStatus.ROLLED_BACK: "rolled_back",
        DeploymentStatus.FAILED: "failed",
    }[status]
    endpoint = deployment["endpoint"]
    _set_revision(tx, endpoint, deployment["revision"], state=state, weight=0.0)
    if deployment["from_revision"] is not None:
        _set_revision(tx, endpoint, deployment["from_revision"], weight=100.0)
    update_deployment(tx, deployment["id"], set_weight=0.0)
    end_deployment(tx, deployment, status, message)
    if status is DeploymentStatus.FAILED:
        raise_alert(
            tx,
            "deployment_failed",
            f"endpoint/{endpoint}",
            f"{deployment['model']} v{deployment['version']} could not be deployed",
            message,
            deployment_id=deployment["id"],
            receipt_id=receipt_id,
        )


def return_to(tx: Transaction, endpoint: str, bad: int, good: int) -> None:
    """After a rollback of a finished deployment: `good` is stable again, `bad` never again."""
    _set_revision(tx, endpoint, bad, state="rolled_back", weight=0.0)
    _set_revision(tx, endpoint, good, state="stable", weight=100.0)
    stable = _revision(tx, endpoint, good)
    # What was passed over on the way back is not what to go back to next.
    for row in _in_state(tx, endpoint, "previous"):
        _set_revision(tx, endpoint, row["revision"], state="retired")
    earlier = next(
        (
            row
            for row in _in_state(tx, endpoint, "retired")
            if row["revision"] < good and not _same_version(row, stable)
        ),
        None,
    )
    if earlier is not None:
        _set_revision(tx, endpoint, earlier["revision"], state="previous")
    point_aliases(tx, endpoint, stable, earlier)
    endpointrows.touch(tx, endpoint, status="in_service")


def event(tx: Transaction, deployment_id: str, kind: str, message: str) -> None:
    """Add a line to a deployment's own log."""
    tx.execute(
        schema.deployment_events.insert().values(
            deployment_id=deployment_id, at=tx.now, actor=tx.actor, kind=kind, message=message
        )
    )


def update_deployment(tx: Transaction, deployment_id: str, **values: Any) -> None:
    """Change a deployment's row."""
    table = schema.deployments
    tx.execute(table.update().where(table.c.id == deployment_id).values(**values))


def _set_revision(tx: Transaction, endpoint: str, revision: int, **values: Any) -> None:
    table = schema.revisions
    tx.execute(
        table.update()
        .where(table.c.endpoint == endpoint, table.c.revision == revision)
        .values(**values)
    )


def _in_state(tx: Transaction, endpoint: str, state: str) -> list[Row]:
    """The endpoint's revisions in this state, newest first."""
    table = schema.revisions
    return tx.rows(
        sa.select(table)
        .where(table.c.endpoint == endpoint, table.c.state == state)
        .order_by(table.c.revision.desc())
    )


def revision_row(tx: Transaction, endpoint: str, revision: int | None) -> Row | None:
    """A revision's row; `None` for none."""
    return None if revision is None else _revision(tx, endpoint, revision)


def _same_version(one: Row, other: Row) -> bool:
    return (one["model"], one["version"]) == (other["model"], other["version"])


def _revision(tx: Transaction, endpoint: str, revision: int) -> Row:
    table = schema.revisions
    row = tx.row(sa.select(table).where(table.c.endpoint == endpoint, table.c.revision == revision))
    assert row is not None, (endpoint, revision)
    return row
