"""Taking an endpoint away: its processes and files go, its journal and receipts stay."""

from __future__ import annotations

import shutil

from core.domain.release import DEPLOYMENT_ENDED, DeploymentStatus, Endpoint
from core.errors import WrongState
from core.reads import releases as _releases
from core.releases.lock import release_lock
from core.serving.control import EndpointControl
from core.session import Session


def check_deletable(endpoint: Endpoint, routed: bool, force: bool) -> None:
    """Raise `WrongState` where an endpoint still answers or a version is on its way there."""
    if force:
        return
    open_one = endpoint.deployment
    if open_one is not None and open_one.status not in DEPLOYMENT_ENDED:
        raise WrongState(
            f"endpoint {endpoint.name}: version {open_one.version} is being deployed",
            "abort that first, or add --force",
        )
    if routed:
        raise WrongState(
            f"endpoint {endpoint.name} still serves", "stop its clients and add --force"
        )


def delete_endpoint(session: Session, name: str, *, force: bool, reason: str) -> None:
    """Stop an endpoint and take its folder away, with logs and captured requests.

    Raises `NotFound`, `WrongState` where it serves and `force` is not given, and
    `EndpointUnavailable` where it does not stop.
    """
    from core.releases import endpointrows, rows
    from core.releases.environments import withdraw_aliases

    directory = session.workspace.endpoints_dir / name
    control = EndpointControl(directory)
    info = control.info()
    endpoint = _releases.find_endpoint(session.reader, name)
    check_deletable(endpoint, bool(info and info.alive and info.variants), force)
    with release_lock(directory):
        control.stop()
        with session.store().transaction(session.actor) as tx:
            deployment = rows.open_deployment(tx, name)
            if deployment is not None:
                rows.withdraw_canary(
                    tx, deployment, DeploymentStatus.ABORTED, "the endpoint was deleted"
                )
                tx.outbox("control", f"deployment:{deployment['id']}", command="aborted")
            endpointrows.retire_all(tx, name)
            withdraw_aliases(tx, name)
            tx.journal("endpoint.delete", f"endpoint/{name}", reason=reason, forced=force)
        shutil.rmtree(directory, ignore_errors=True)
