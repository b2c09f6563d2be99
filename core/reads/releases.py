"""Endpoints, revisions, deployments and receipts, as read from the state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.domain.plans import plan_from_json
from core.domain.release import (
    Deployment,
    DeploymentEvent,
    DeploymentStatus,
    Endpoint,
    Receipt,
    Revision,
)
from core.errors import NotFound
from core.state.reading import Reader


def list_endpoints(reader: Reader) -> tuple[Endpoint, ...]:
    """Every endpoint as the state has it (without what its supervisor would say)."""
    rows = reader.rows("SELECT * FROM endpoints WHERE status <> 'deleted' ORDER BY name")
    return tuple(_endpoint(reader, row, history=1) for row in rows)


def find_endpoint(reader: Reader, name: str, *, history: int = 20) -> Endpoint:
    """One endpoint with its last deployments and receipts; raises `NotFound`."""
    alive = "FROM endpoints WHERE status <> 'deleted'"
    rows = reader.rows(f"SELECT * {alive} AND name = :name", name=name)
    if not rows:
        known = ", ".join(r["name"] for r in reader.rows(f"SELECT name {alive}"))
        raise NotFound(f"endpoint {name}: no such endpoint", f"known: {known or 'none yet'}")
    return _endpoint(reader, rows[0], history=history)


def list_deployments(reader: Reader, endpoint: str, limit: int = 20) -> tuple[Deployment, ...]:
    """Deployments of an endpoint, newest first, with their events."""
    rows = reader.rows(
        "SELECT * FROM deployments WHERE endpoint = :endpoint"
        " ORDER BY revision DESC LIMIT :limit",  # clocks may disagree; revisions only rise
        endpoint=endpoint,
        limit=limit,
    )
    return tuple(deployment_of(row, _events(reader, row["id"])) for row in rows)


def find_deployment(reader: Reader, deployment_id: str) -> Deployment:
    """One deployment with its events; raises `NotFound`."""
    rows = reader.rows("SELECT * FROM deployments WHERE id = :id", id=deployment_id)
    if not rows:
        raise NotFound(f"deployment {deployment_id}: no such deployment")
    return deployment_of(rows[0], _events(reader, deployment_id))


def list_revisions(reader: Reader, endpoint: str) -> tuple[Revision, ...]:
    """Revisions of an endpoint, newest first."""
    rows = reader.rows(
        "SELECT * FROM revisions WHERE endpoint = :endpoint ORDER BY revision DESC",
        endpoint=endpoint,
    )
    return tuple(revision_of(row) for row in rows)


def list_receipts(reader: Reader, endpoint: str, limit: int = 20) -> tuple[Receipt, ...]:
    """Rollback receipts of an endpoint, newest first."""
    rows = reader.rows(
        "SELECT * FROM receipts WHERE endpoint = :endpoint ORDER BY at DESC LIMIT :limit",
        endpoint=endpoint,
        limit=limit,
    )
    return tuple(Receipt(**row) for row in rows)


def deployment_of(row: Mapping[str, Any], events: tuple[DeploymentEvent, ...] = ()) -> Deployment:
    """A row of `deployments` as a record."""
    plan = plan_from_json(row["strategy"])
    return Deployment(
        id=row["id"],
        endpoint=row["endpoint"],
        model=row["model"],
        version=row["version"],
        revision=row["revision"],
        from_revision=row["from_revision"],
        status=DeploymentStatus(row["status"]),
        strategy=plan.steps,
        step_index=row["step_index"],
        set_weight=row["set_weight"],
        actor=row["actor"],
        reason=row["reason"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
        next_at=row["next_at"],
        message=row["message"],
        run_id=row["run_id"],
        events=events,
        plan=plan,
    )


def revision_of(row: Mapping[str, Any]) -> Revision:
    """A row of `revisions` as a record."""
    return Revision(
        endpoint=row["endpoint"],
        revision=row["revision"],
        model=row["model"],
        version=row["version"],
        state=row["state"],
        weight=row["weight"],
        deployment_id=row["deployment_id"],
        created_at=row["created_at"],
    )


def _events(reader: Reader, deployment_id: str) -> tuple[DeploymentEvent, ...]:
    rows = reader.rows(
        "SELECT at, actor, kind, message FROM deployment_events"
        " WHERE deployment_id = :id ORDER BY id",
        id=deployment_id,
    )
    return tuple(DeploymentEvent(**row) for row in rows)


def _endpoint(reader: Reader, row: Mapping[str, Any], history: int) -> Endpoint:
    past = list_deployments(reader, row["name"], history)
    return Endpoint(
        name=row["name"],
        environment=row["environment"],
        status=row["status"],
        host=row["host"],
        port=row["port"],
        revisions=list_revisions(reader, row["name"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        deployment=past[0] if past else None,
        message=row["message"],
        history=past,
        receipts=list_receipts(reader, row["name"], history),
    )
