"""How long a version that gave its traffic away stays loaded, and what is watched till then."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from core.domain.plans import plan_from_json
from core.domain.release import DEPLOYMENT_ENDED, Endpoint
from core.errors import OpsdeckError
from core.reads import releases as _releases
from core.releases import standing
from core.releases.lock import release_lock
from core.serving.control import EndpointControl
from core.serving.records import EndpointInfo
from core.session import Session

WITHDRAWN = ("aborted", "failed", "rolled_back")
WITHDRAWN_SECONDS = 60.0
log = logging.getLogger(__name__)


def let_go(session: Session, endpoints_dir: Path, stood_down: set[str]) -> None:
    """Unload, at every endpoint, what has been kept for its time, and watch no longer what is
    past its own; `stood_down` remembers the deployments for which that was done."""
    names = session.reader.rows("SELECT name FROM endpoints WHERE status = 'in_service'")
    for row in names:
        control = EndpointControl(endpoints_dir / row["name"])
        try:
            info = control.info()
            if info is not None and info.alive:
                _let_go_at(session, control, row["name"], info, stood_down)
        except OpsdeckError as error:  # it stays loaded: that costs memory only
            log.warning("endpoint %s: %s", row["name"], error.one_line())


def _let_go_at(
    session: Session, control: EndpointControl, name: str, info: EndpointInfo, stood_down: set[str]
) -> None:
    routed = {variant.revision for variant in info.variants}
    idle = [revision for revision in info.loads if revision not in routed]
    rows = session.reader.rows(
        "SELECT id, strategy, ended_at FROM deployments WHERE endpoint = :name"
        " AND ended_at IS NOT NULL ORDER BY revision DESC LIMIT 1",
        name=name,
    )
    if rows and rows[0]["id"] not in stood_down and _over(rows[0]):
        standing.stand_down(control, rows[0]["id"], plan_from_json(rows[0]["strategy"]))
        stood_down.add(rows[0]["id"])
    if not idle:
        return
    endpoint = _releases.find_endpoint(session.reader, name)
    for revision in overdue(endpoint, idle, time.time()):
        with release_lock(control.folder.root):
            latest = control.info()
            if latest is None or any(v.revision == revision for v in latest.variants):
                continue  # somebody has just gone back to it
            control.unload(revision)
        log.info("endpoint %s: revision %d was kept long enough", name, revision)


def _over(row: Any) -> bool:
    return bool(row["ended_at"] + plan_from_json(row["strategy"]).keep_seconds < time.time())


def overdue(endpoint: Endpoint, idle: list[int], now: float) -> list[int]:
    """Those among the `idle` revisions (loaded, without traffic) that need not stay loaded."""
    return [revision for revision in idle if kept_until(endpoint, revision) < now]


def kept_until(endpoint: Endpoint, revision: int) -> float:
    """Until when (epoch seconds) a revision stays loaded without traffic.

    A version that served is kept for the `keep` of the newest deployment that it was part of,
    from that deployment's end or the rollback of it on; one that was withdrawn, to which
    nobody can go back, for a minute; any while that deployment is open.
    """
    about = [d for d in endpoint.history if revision in (d.revision, d.from_revision)]
    if not about:
        return 0.0
    deployment = about[0]  # the newest
    if deployment.status not in DEPLOYMENT_ENDED or deployment.plan is None:
        return float("inf")
    states = {r.revision: r.state for r in endpoint.revisions}
    withdrawn = states.get(revision) in WITHDRAWN
    moves = [r.at for r in endpoint.receipts if r.deployment_id == deployment.id]
    last = max([deployment.ended_at or 0.0, *moves])
    return last + (WITHDRAWN_SECONDS if withdrawn else deployment.plan.keep_seconds)
