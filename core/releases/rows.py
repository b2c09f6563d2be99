"""The rows of endpoints, revisions and deployments: every change of them is here.

All functions work in a transaction of the caller's and journal what they do. States of a
revision: canary → stable → previous → retired, or canary → aborted / failed, or
canary / stable → rolled_back. An endpoint has at most one stable revision and at most one
deployment that has not ended.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from core.domain.release import DEPLOYMENT_ENDED, DeploymentStatus, StrategyStep
from core.errors import WrongState
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
    strategy: Sequence[StrategyStep],
    reason: str = "",
    run_id: str | None = None,
    step: str | None = None,
) -> Row:
    """Open a deployment (and the endpoint, the first time); the same id again changes nothing.

    A first deployment has nothing to be compared with and goes all at once. Raises
    `WrongState` while another deployment of the endpoint is open.
    """
    table = schema.deployments
    found = tx.row(sa.select(table).where(table.c.id == deployment_id))
    if found is not None:
        return found
    _ensure_endpoint(tx, endpoint)
    active = open_deployment(tx, endpoint)
    if active is not None:
        raise WrongState(
            f"endpoint {endpoint}: version {active['version']} is still being deployed",
            "promote it, abort it, or roll back first",
        )
    stable = stable_revision(tx, endpoint)
    revisions = schema.revisions
    last = tx.execute(
        sa.select(sa.func.coalesce(sa.func.max(revisions.c.revision), 0)).where(
            revisions.c.endpoint == endpoint
        )
    ).scalar_one()
    steps = tuple(strategy) if stable is not None else ALL_AT_ONCE
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
            strategy=json.dumps([asdict(s) for s in steps]),
            actor=tx.actor,
            reason=reason,
            created_at=tx.now,
            run_id=run_id,
            step=step,
        )
    )
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
    _update_deployment(tx, deployment["id"], **values)
    _touch_endpoint(tx, deployment["endpoint"], status="updating")


def record_weight(tx: Transaction, deployment: Row, weight: float, message: str) -> None:
    """Record that the canary now has `weight` percent and the stable revision the rest."""
    _update_deployment(tx, deployment["id"], set_weight=weight)
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

    Returns the revisions that need not stay loaded any longer.
    """
    endpoint, revisions = deployment["endpoint"], schema.revisions
    retired = [
        row["revision"]
        for row in tx.rows(
            sa.select(revisions.c.revision).where(
                revisions.c.endpoint == endpoint, revisions.c.state == "previous"
            )
        )
    ]
    for revision in retired:
        _set_revision(tx, endpoint, revision, state="retired", weight=0.0)
    old = deployment["from_revision"]
    if old is not None:
        _set_revision(tx, endpoint, old, state="previous", weight=0.0)
    _set_revision(tx, endpoint, deployment["revision"], state="stable", weight=100.0)
    set_production_aliases(tx, endpoint, deployment["revision"], old)
    end_deployment(tx, deployment, DeploymentStatus.SUCCEEDED, "in production")
    return retired


def set_production_aliases(
    tx: Transaction, endpoint: str, champion: int, previous: int | None
) -> None:
    """Point `champion` and `previous` at the versions of these revisions; asks to mirror it."""
    now = _revision(tx, endpoint, champion)
    before = _revision(tx, endpoint, previous) if previous is not None else None
    set_alias(tx, now["model"], "champion", now["version"])
    if before is not None and (before["model"], before["version"]) != (
        now["model"],
        now["version"],
    ):
        set_alias(tx, before["model"], "previous", before["version"])
    else:
        drop_alias(tx, now["model"], "previous")
    candidate = _alias(tx, now["model"], "candidate")
    if candidate == now["version"]:
        drop_alias(tx, now["model"], "candidate")
    tx.outbox("mirror", now["model"])


def set_alias(tx: Transaction, model: str, alias: str, version: int) -> None:
    """Point an alias at a version."""
    table = schema.model_aliases
    old = _alias(tx, model, alias)
    if old == version:
        return
    tx.execute(table.delete().where(table.c.name == model, table.c.alias == alias))
    tx.execute(table.insert().values(name=model, alias=alias, version=version, updated_at=tx.now))
    tx.journal("model.alias", f"model/{model}", alias=alias, version=version, was=old)


def drop_alias(tx: Transaction, model: str, alias: str) -> None:
    """Take an alias away, where there is one."""
    table = schema.model_aliases
    old = _alias(tx, model, alias)
    if old is not None:
        tx.execute(table.delete().where(table.c.name == model, table.c.alias == alias))
        tx.journal("model.alias", f"model/{model}", alias=alias, version=None, was=old)


def end_deployment(
    tx: Transaction, deployment: Row, status: DeploymentStatus, message: str
) -> None:
    """Close a deployment with its outcome."""
    _update_deployment(
        tx, deployment["id"], status=status, ended_at=tx.now, next_at=None, message=message
    )
    event(tx, deployment["id"], str(status), message)
    serving = stable_revision(tx, deployment["endpoint"]) is not None
    _touch_endpoint(tx, deployment["endpoint"], status="in_service" if serving else "failed")
    tx.journal(
        f"deployment.{status}",
        f"endpoint/{deployment['endpoint']}",
        deployment=deployment["id"],
        model=f"{deployment['model']} v{deployment['version']}",
        message=message,
    )


def withdraw_canary(
    tx: Transaction, deployment: Row, status: DeploymentStatus, message: str
) -> None:
    """End an open deployment with all traffic back on the stable revision."""
    state = {
        DeploymentStatus.ABORTED: "aborted",
        DeploymentStatus.ROLLED_BACK: "rolled_back",
        DeploymentStatus.FAILED: "failed",
    }[status]
    endpoint = deployment["endpoint"]
    _set_revision(tx, endpoint, deployment["revision"], state=state, weight=0.0)
    if deployment["from_revision"] is not None:
        _set_revision(tx, endpoint, deployment["from_revision"], weight=100.0)
    _update_deployment(tx, deployment["id"], set_weight=0.0)
    end_deployment(tx, deployment, status, message)


def return_to(tx: Transaction, endpoint: str, bad: int, good: int) -> None:
    """After a rollback of a finished deployment: `good` is stable again, `bad` never again."""
    table = schema.revisions
    _set_revision(tx, endpoint, bad, state="rolled_back", weight=0.0)
    _set_revision(tx, endpoint, good, state="stable", weight=100.0)
    earlier = tx.row(
        sa.select(table)
        .where(
            table.c.endpoint == endpoint,
            table.c.revision < good,
            table.c.state.in_(["previous", "retired"]),
        )
        .order_by(table.c.revision.desc())
        .limit(1)
    )
    if earlier is not None:
        _set_revision(tx, endpoint, earlier["revision"], state="previous")
    set_production_aliases(tx, endpoint, good, earlier["revision"] if earlier else None)
    _touch_endpoint(tx, endpoint, status="in_service")


def event(tx: Transaction, deployment_id: str, kind: str, message: str) -> None:
    """Add a line to a deployment's own log."""
    tx.execute(
        schema.deployment_events.insert().values(
            deployment_id=deployment_id, at=tx.now, actor=tx.actor, kind=kind, message=message
        )
    )


def set_address(tx: Transaction, endpoint: str, host: str, port: int) -> None:
    """Record where the endpoint answers."""
    tx.execute(
        schema.endpoints.update()
        .where(schema.endpoints.c.name == endpoint)
        .values(host=host, port=port, updated_at=tx.now)
    )


def _ensure_endpoint(tx: Transaction, name: str) -> None:
    table = schema.endpoints
    if tx.row(sa.select(table.c.name).where(table.c.name == name)) is None:
        tx.execute(
            table.insert().values(
                name=name,
                status="creating",
                host="127.0.0.1",
                port=0,
                created_at=tx.now,
                updated_at=tx.now,
            )
        )
        tx.journal("endpoint.create", f"endpoint/{name}")


def _touch_endpoint(tx: Transaction, name: str, **values: Any) -> None:
    tx.execute(
        schema.endpoints.update()
        .where(schema.endpoints.c.name == name)
        .values(updated_at=tx.now, **values)
    )


def _update_deployment(tx: Transaction, deployment_id: str, **values: Any) -> None:
    table = schema.deployments
    tx.execute(table.update().where(table.c.id == deployment_id).values(**values))


def _set_revision(tx: Transaction, endpoint: str, revision: int, **values: Any) -> None:
    table = schema.revisions
    tx.execute(
        table.update()
        .where(table.c.endpoint == endpoint, table.c.revision == revision)
        .values(**values)
    )


def _revision(tx: Transaction, endpoint: str, revision: int) -> Row:
    table = schema.revisions
    row = tx.row(sa.select(table).where(table.c.endpoint == endpoint, table.c.revision == revision))
    assert row is not None, (endpoint, revision)
    return row


def _alias(tx: Transaction, model: str, alias: str) -> int | None:
    table = schema.model_aliases
    row = tx.row(sa.select(table.c.version).where(table.c.name == model, table.c.alias == alias))
    return None if row is None else int(row["version"])
