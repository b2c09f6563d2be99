"""Ending an open deployment with all traffic back on the stable version."""

from __future__ import annotations

from core.domain.release import DEPLOYMENT_ENDED, DeploymentStatus
from core.errors import WrongState
from core.reads import releases as _releases
from core.releases.events import record_events
from core.releases.lock import release_lock
from core.releases.sendback import SentBack, leave_receipt, send_back
from core.releases.standing import stand_down
from core.serving.control import EndpointControl
from core.session import Session


def abort_deployment(session: Session, name: str, reason: str) -> str:
    """Abort the endpoint's open deployment and leave a receipt; returns the deployment's id.

    Raises `WrongState` when nothing is being deployed."""
    from core.releases import rows

    directory = session.workspace.endpoints_dir / name
    _releases.find_endpoint(session.reader, name)  # before a folder is made for its lock
    record_events(session, directory)  # what the supervisor did keeps its receipt and its alert
    with release_lock(directory):
        deployment = _releases.find_endpoint(session.reader, name).deployment
        if deployment is None or deployment.status in DEPLOYMENT_ENDED:
            raise WrongState(f"endpoint {name}: nothing is being deployed")
        control = EndpointControl(directory)
        info = control.info()
        words = reason or "aborted"
        sent = SentBack()
        if info is not None and info.alive:
            sent = send_back(
                control, deployment.revision, deployment.from_revision, deployment.set_weight, words
            )
        with session.store().transaction(session.actor) as tx:
            row = rows.open_deployment(tx, name)
            if row is None or row["id"] != deployment.id:
                raise WrongState(f"endpoint {name}: the deployment has just ended")
            leave_receipt(tx, row, sent, f"aborted: {reason}" if reason else words)
            rows.withdraw_canary(tx, row, DeploymentStatus.ABORTED, words)
            tx.outbox("control", f"deployment:{deployment.id}", command="aborted")
        if deployment.plan is not None:
            stand_down(control, deployment.id, deployment.plan)
    return deployment.id
