"""What a supervisor did by itself: its event files, and writing them on record.

A supervisor rolls back (or freezes) without asking anybody, also while no worker lives. It
leaves `events/NS-ID.json` in its folder; whoever looks next writes the receipt, the rows, the
aliases, the journal and an alert, and takes the file away.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.domain.release import DEPLOYMENT_ENDED, DeploymentStatus
from core.errors import NotFound, OpsdeckError
from core.reads import releases as _releases
from core.releases import holding
from core.releases.lock import release_lock
from core.releases.rollback import Intent, record_rollback
from core.serving.control import EndpointControl
from core.session import Session
from core.state.store import Transaction

FOLDER = "events"
log = logging.getLogger(__name__)


def pending_events(directory: Path) -> list[Path]:
    """The event files of an endpoint's folder, oldest first."""
    return sorted((directory / FOLDER).glob("*.json"))


def record_events(session: Session, directory: Path) -> int:
    """Write on record what an endpoint's supervisor did; returns how many files that were.

    One that cannot be read is put aside. Raises what a transaction raises: the file stays.
    """
    done = 0
    for path in pending_events(directory):
        try:
            found = json.loads(path.read_bytes())
            kind, deployment = found["kind"], found["deployment"]
            int(found["candidate"]), float(found["at"])
        except FileNotFoundError:
            continue  # another worker has just done it
        except (ValueError, KeyError, TypeError):
            log.exception("event %s cannot be read", path)
            with contextlib.suppress(FileNotFoundError):
                path.rename(path.with_suffix(".broken"))
            continue
        with release_lock(directory):
            if path.exists():
                _record(session, directory.name, path.stem, kind, deployment, found)
                path.unlink(missing_ok=True)
                done += 1
    return done


def _record(
    session: Session,
    name: str,
    event_id: str,
    kind: str,
    deployment_id: str,
    found: Mapping[str, Any],
) -> None:
    try:
        _releases.find_deployment(session.reader, deployment_id)
        endpoint = _releases.find_endpoint(session.reader, name)
    except NotFound as error:
        log.warning("event %s: %s", event_id, error.one_line())
        return
    actor = str(found.get("actor") or session.actor)
    if kind == "frozen":
        with session.store().transaction(actor) as tx:
            freeze(tx, deployment_id, event_id, str(found.get("reason", "")))
        return
    bad, good = found["candidate"], found.get("champion")
    serving = {r.revision for r in endpoint.revisions if r.state in ("stable", "canary")}
    if good is None or bad not in serving:
        log.warning("event %s: revision %s has been taken away since", event_id, bad)
        return
    _see_that_it_holds(session, name, int(good), str(found.get("reason", "")))
    report = found.get("report") or {}
    intent = Intent(
        receipt=event_id,
        endpoint=name,
        bad=int(bad),
        good=int(good),
        actor=actor,
        reason=str(found.get("reason", "")),
        deployment=deployment_id,
        at=float(found["at"]),
    )
    record_rollback(
        session,
        intent,
        requests_failed=int(report.get("requests_failed", 0)),
        in_flight=int(report.get("in_flight_at_swap", 0)),
        milliseconds=float(report.get("milliseconds_to_swap", 0.0)),
        automatic=True,
    )


def _see_that_it_holds(session: Session, name: str, good: int, reason: str) -> None:
    """Send everything to the good revision again where somebody has moved it since, who did
    not know yet. Raises what the control raises: then the event stays to be recorded."""
    control = EndpointControl(session.workspace.endpoints_dir / name)
    info = control.info()
    if info is not None and info.alive and {v.revision for v in info.variants} != {good}:
        control.rollback(good, reason)


def freeze(tx: Transaction, deployment_id: str, event_id: str, reason: str) -> bool:
    """Hold a deployment and tell somebody, once: the same event may be found again. One that
    has come to its end is in production: nothing is left to be held, but it is told of.
    Whether this was the first time."""
    import sqlalchemy as sa

    from core.releases import rows
    from core.state import schema

    table, alerts = schema.deployments, schema.alerts
    alert_id = hashlib.sha256(event_id.encode()).hexdigest()[:10]  # short enough to be typed
    row = tx.row(sa.select(table).where(table.c.id == deployment_id))
    if row is None or tx.row(sa.select(alerts.c.id).where(alerts.c.id == alert_id)) is not None:
        return False
    if DeploymentStatus(row["status"]) in DEPLOYMENT_ENDED:
        stable = rows.stable_revision(tx, row["endpoint"])
        if stable is not None and stable["revision"] == row["revision"]:
            holding.alert_after_promotion(tx, row, reason, alert_id)
    else:
        holding.hold(tx, row, f"frozen: {reason}", kind="frozen")
        holding.alert_of_hold(tx, row, reason, kind="frozen", alert_id=alert_id)
        tx.outbox("control", f"deployment:{deployment_id}", command="frozen")
    return True


def record_all(session: Session, endpoints_dir: Path) -> None:
    """`record_events` for every endpoint; what fails for one keeps no other from being done."""
    for folder in sorted(endpoints_dir.glob(f"*/{FOLDER}")):
        try:
            record_events(session, folder.parent)
        except OpsdeckError as error:
            log.warning("events of %s: %s", folder.parent.name, error.one_line())
