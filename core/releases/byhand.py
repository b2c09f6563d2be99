"""Setting an open deployment's weight by hand: at once, without a worker, and it is held."""

from __future__ import annotations

from core.domain.release import DEPLOYMENT_ENDED, DeploymentStatus
from core.errors import BadInput, EndpointUnavailable, WrongState
from core.reads import releases as _releases
from core.releases.lock import release_lock
from core.serving.control import EndpointControl
from core.session import Session


def check_weight(percent: float) -> None:
    """Raise `BadInput` for what is no share of the traffic."""
    if not 0 <= percent <= 100:  # also refuses what is no number
        raise BadInput(f"weight {percent:g} is not between 0 and 100")


def set_weight(session: Session, name: str, percent: float, reason: str) -> str:
    """Give the open deployment's version `percent` of the traffic and hold it there.

    Returns the deployment's id. Raises `BadInput`, `NotFound`, `WrongState` (nothing is being
    deployed, it is still loading, or it is the first version), `EndpointUnavailable`.
    """
    from core.releases import holding, rows
    from core.releases.events import record_events

    check_weight(percent)
    directory = session.workspace.endpoints_dir / name
    _releases.find_endpoint(session.reader, name)  # before a folder is made for its lock
    record_events(session, directory)  # what the supervisor took away is not given back
    with release_lock(directory):
        deployment = _releases.find_endpoint(session.reader, name).deployment
        if deployment is None or deployment.status in DEPLOYMENT_ENDED:
            raise WrongState(f"endpoint {name}: nothing is being deployed")
        if deployment.from_revision is None:
            raise WrongState(
                f"endpoint {name}: its first version has nobody to share the traffic with"
            )
        with session.store().transaction(session.actor) as tx:
            row = rows.open_deployment(tx, name)
            if row is None or row["id"] != deployment.id:
                raise WrongState(f"endpoint {name}: the deployment has just ended")
            holding.check_holdable(row)
            words = f"{percent:g} % by hand" + (f": {reason}" if reason else "")
            # Held before the traffic moves: the workflow must not set its own weight after.
            if row["status"] != DeploymentStatus.HELD:
                holding.hold(tx, row, words)
        control = EndpointControl(directory)
        info = control.info()
        if info is None or not info.alive:
            raise EndpointUnavailable(
                f"endpoint {name} does not run: its weight was not changed",
                f"start it with: opsdeck endpoints start {name}",
            )
        table = {deployment.revision: percent, deployment.from_revision: 100.0 - percent}
        control.set_table({r: share for r, share in table.items() if share > 0}, words)
        with session.store().transaction(session.actor) as tx:
            row = rows.open_deployment(tx, name)
            if row is None or row["id"] != deployment.id:
                raise WrongState(f"endpoint {name}: the deployment has just ended")
            rows.record_weight(tx, row, percent, words)
            tx.outbox("control", f"deployment:{deployment.id}", command="weight")
    return deployment.id
