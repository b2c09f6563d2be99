"""Stopping a deployment where it is, and letting it go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.domain.alert import Severity
from core.domain.plans import plan_from_json
from core.domain.release import DeploymentStatus
from core.errors import WrongState
from core.releases import rows
from core.releases.alerts import raise_alert, resolve_alerts
from core.state.store import Transaction

Row = Mapping[str, Any]

_CAN_BE_HELD = (DeploymentStatus.PROGRESSING, DeploymentStatus.PAUSED)


def hold(tx: Transaction, deployment: Row, message: str, kind: str = "held") -> None:
    """Stop the deployment's clock; it goes on when a person says so.

    `kind` is held, or frozen where an alarm or a verdict did it.
    """
    rows.update_deployment(
        tx, deployment["id"], status=DeploymentStatus.HELD, next_at=None, message=message
    )
    rows.event(tx, deployment["id"], kind, message)
    tx.journal(
        f"deployment.{kind}",
        f"endpoint/{deployment['endpoint']}",
        deployment=deployment["id"],
        step=deployment["step_index"],
        reason=message,
    )


def alert_of_hold(
    tx: Transaction,
    deployment: Row,
    message: str,
    kind: str = "held",
    alert_id: str | None = None,
) -> None:
    """Tell somebody that a deployment waits for a person: nobody asked it to."""
    raise_alert(
        tx,
        kind,
        f"endpoint/{deployment['endpoint']}",
        f"{deployment['model']} v{deployment['version']} is held at"
        f" {deployment['set_weight']:g} % of the traffic",
        message,
        severity=Severity.CRITICAL if kind == "frozen" else Severity.WARNING,
        deployment_id=deployment["id"],
        alert_id=alert_id,
    )


def alert_after_promotion(tx: Transaction, deployment: Row, message: str, alert_id: str) -> None:
    """Tell somebody that a version in production breaches, and that nothing was done about it."""
    version = f"{deployment['model']} v{deployment['version']}"
    rows.event(tx, deployment["id"], "frozen", f"nothing was moved: {message}")
    raise_alert(
        tx,
        "frozen",
        f"endpoint/{deployment['endpoint']}",
        f"{version} does badly in production, and still has the traffic",
        message,
        deployment_id=deployment["id"],
        alert_id=alert_id,
    )
    tx.journal(
        "deployment.frozen",
        f"endpoint/{deployment['endpoint']}",
        deployment=deployment["id"],
        reason=message,
    )


def check_holdable(deployment: Row) -> None:
    """Raise `WrongState` where a deployment cannot be held."""
    if deployment["status"] not in (*_CAN_BE_HELD, DeploymentStatus.HELD):
        raise WrongState(
            f"endpoint {deployment['endpoint']}: the deployment is {deployment['status']}:"
            " there is nothing to hold yet",
            "wait until it has its first traffic, or abort it",
        )


def check_promotable(deployment: Row, *, full: bool) -> None:
    """Raise `WrongState` where a promotion has nothing to end, or must not end it."""
    status = deployment["status"]
    if full or status == DeploymentStatus.HELD:
        return
    name = deployment["endpoint"]
    if status != DeploymentStatus.PAUSED:
        raise WrongState(
            f"endpoint {name}: the deployment is {status}, not paused",
            "wait for its next pause, or promote it in full",
        )
    steps = plan_from_json(deployment["strategy"]).steps
    index = deployment["step_index"]
    if index < len(steps) and steps[index].kind == "bake":
        raise WrongState(
            f"endpoint {name}: a bake is not cut short", "wait for its end, or promote it in full"
        )


def check_seen(deployment: Row, seen: tuple[str, int] | None, *, full: bool) -> None:
    """Raise `WrongState` where a promotion was meant for another deployment (its id) or, unless
    `full`, for another step (its index) than the present one."""
    if seen is None or seen == (deployment["id"], deployment["step_index"]):
        return
    name = deployment["endpoint"]
    if seen[0] != deployment["id"]:
        words = f"another deployment, of version {deployment['version']}, is under way now"
    elif not full:
        words = "it has gone on to another step since"
    else:
        return
    raise WrongState(f"endpoint {name}: {words}: nothing was promoted", "look at it again")


def let_pass(tx: Transaction, deployment: Row, *, full: bool) -> None:
    """Let the deployment pass the step at which it is, or (`full`) all that are left.

    One that was held at a weight just goes on: there is nothing to pass.
    """
    steps = plan_from_json(deployment["strategy"]).steps
    index = deployment["step_index"]
    waits = index >= len(steps) or steps[index].kind != "set_weight"
    passed = len(steps) if full else index + 1 if waits else index
    values: dict[str, Any] = {"promoted": max(passed, deployment["promoted"])}
    if deployment["status"] == DeploymentStatus.HELD:
        values |= {"status": DeploymentStatus.PROGRESSING, "message": ""}
        resolve_alerts(tx, deployment["id"], ("held", "frozen"))
    rows.update_deployment(tx, deployment["id"], **values)
