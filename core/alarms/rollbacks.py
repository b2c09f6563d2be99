"""Rollbacks that alarms decide on: decided in a transaction, done after it, exactly once.

The decision is a row of `alarm_actions`, whose id follows from what is taken back: the same
thing is never decided twice. Whichever worker lives does it, by the code by which a person rolls
back, with the row's id as the receipt's: a worker that dies in between leaves the row pending,
and where only the paperwork was missing the receipt is found, or an intent beside the endpoint.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.alarms import rows
from core.domain.alarm import AlarmDefinition
from core.domain.release import lasting
from core.errors import EndpointUnavailable, NotFound, OpsdeckError, WrongState
from core.session import Session

if TYPE_CHECKING:
    from core.state.store import Transaction

log = logging.getLogger(__name__)

RETRY_SECONDS = 20.0
"""After so long a rollback that was begun, and of which nothing was heard, is begun again."""
ATTEMPTS = 30


@dataclass(frozen=True, slots=True)
class Plan:
    """What an alarm takes back: a revision of an endpoint. `id` names it for good."""

    id: str
    endpoint: str
    revision: int
    reason: str
    deployment: str | None = None


def plan_for_alarm(
    tx: Transaction, alarm: AlarmDefinition, endpoint: str, reason: str
) -> Plan | str:
    """What an alarm's own `rollback` takes back, or why nothing: the deployment that is open;
    else the version in production, where it came within the alarm's `rollback_within`."""
    from core.releases.rows import open_deployment, stable_revision

    if not endpoint:
        return "the alarm names no endpoint (key `endpoint`)"
    words = f"alarm {alarm.name}: {reason}"
    deployment = open_deployment(tx, endpoint)
    if deployment is not None:
        if deployment["from_revision"] is None:
            return f"endpoint {endpoint} has no earlier version to go back to"
        return _of_deployment(deployment, words)
    stable = stable_revision(tx, endpoint)
    if stable is None:
        return f"endpoint {endpoint} serves nothing"
    released = _ended_at(tx, stable["deployment_id"]) or stable["created_at"]
    age = tx.now - released
    if age > alarm.rollback_within:
        since, most = lasting(age), lasting(alarm.rollback_within)
        return f"v{stable['version']} was released {since} ago, more than {most}"
    if not _has_previous(tx, endpoint):
        return f"endpoint {endpoint} has no earlier version to go back to"
    return Plan(f"alarm-{endpoint}-r{stable['revision']}", endpoint, stable["revision"], words)


def _of_deployment(deployment: Mapping[str, Any], reason: str) -> Plan:
    number = deployment["revision"]
    endpoint, made_for = deployment["endpoint"], deployment["id"]
    return Plan(f"alarm-{endpoint}-r{number}", endpoint, number, reason, made_for)


def plan_for_deployment(deployment: Mapping[str, Any], alarm: str, reason: str) -> Plan:
    """What a deployment's own alarm takes back: the deployment's revision."""
    return _of_deployment(deployment, f"alarm {alarm}: {reason}")


def decide(tx: Transaction, alarm: str, plan: Plan) -> bool:
    """Put the decision on record, once; whether it is a new one."""
    import sqlalchemy as sa

    from core.state.alarm_tables import alarm_actions as table

    if tx.row(sa.select(table.c.id).where(table.c.id == plan.id)) is not None:
        return False
    tx.execute(
        table.insert().values(
            id=plan.id,
            alarm=alarm,
            endpoint=plan.endpoint,
            deployment_id=plan.deployment,
            revision=plan.revision,
            reason=plan.reason,
            next_at=0.0,  # at once, whatever the clocks say
            created_at=tx.now,
        )
    )
    words = f"rolls back {plan.endpoint} from revision {plan.revision}"
    rows.remember(tx, alarm, "action", words)
    tx.journal(
        "alarm.rollback", f"alarm/{alarm}", endpoint=plan.endpoint, revision=plan.revision,
        deployment=plan.deployment, reason=plan.reason,
    )  # fmt: skip
    return True


def do_pending(session: Session, now: float) -> int:
    """Do what was decided and is not done; returns how many were looked at."""
    due = session.reader.rows(
        "SELECT * FROM alarm_actions WHERE state = 'pending'"
        " AND (next_at <= :now OR next_at > :far) ORDER BY created_at",
        now=now,
        far=now + 2 * RETRY_SECONDS,  # a clock that was put back
    )
    for row in due:
        if _claim(session, row, now):
            _do(session, row)
    return len(due)


def _claim(session: Session, row: Mapping[str, Any], now: float) -> bool:
    """Begin it, so that no other worker does meanwhile."""
    from core.state.alarm_tables import alarm_actions as table

    with session.change("alarms rollback") as tx:
        same = (
            table.c.id == row["id"],
            table.c.state == "pending",
            table.c.attempts == row["attempts"],
        )
        values = {"attempts": row["attempts"] + 1, "next_at": now + RETRY_SECONDS}
        return tx.execute(table.update().where(*same).values(**values)).rowcount == 1


def _do(session: Session, row: Mapping[str, Any]) -> None:
    from core.releases.rollback import ByItself, roll_back

    try:
        by = ByItself(receipt=row["id"], actor=f"opsdeck (alarm {row['alarm']})")
        receipt = roll_back(
            session, row["endpoint"], None, row["reason"], row["revision"], by_itself=by
        )
    except EndpointUnavailable as error:
        if row["attempts"] + 1 < ATTEMPTS:  # its intent stands, or nothing moved: once more
            log.warning("rollback of %s: %s", row["endpoint"], error.one_line())
        else:
            _end(session, row, "failed", error.one_line())
    except (NotFound, WrongState) as error:
        done = _receipt(session, row["id"])
        _end(session, row, "done" if done else "overtaken", "" if done else error.one_line())
    except OpsdeckError as error:
        log.warning("rollback of %s: %s", row["endpoint"], error.one_line())
        if row["attempts"] + 1 >= ATTEMPTS:
            _end(session, row, "failed", error.one_line())
    else:
        _end(session, row, "done", f"{receipt.from_name} → {receipt.to_name}")


def _receipt(session: Session, action: str) -> bool:
    return bool(session.reader.rows("SELECT id FROM receipts WHERE id = :id", id=action))


def _end(session: Session, row: Mapping[str, Any], state: str, message: str) -> None:
    """Write how it ended; a rollback that could not be done wakes somebody."""
    from core.state.alarm_tables import alarm_actions as table

    with session.change("alarms rollback") as tx:
        tx.execute(
            table.update()
            .where(table.c.id == row["id"])
            .values(state=state, message=message, ended_at=tx.now)
        )
        words = {"done": "rolled back", "overtaken": "nothing was left to roll back"}
        said = words.get(state, "the rollback failed") + (f": {message}" if message else "")
        rows.remember(tx, row["alarm"], "action", said)
        if state == "failed":
            _tell(tx, row, message)


def _tell(tx: Transaction, row: Mapping[str, Any], message: str) -> None:
    from core.alerting import raise_incident
    from core.domain.alert import Severity

    raise_incident(
        tx,
        cause_key=f"rollback/{row['id']}",
        kind="rollback_failed",
        target=f"endpoint/{row['endpoint']}",
        title=f"{row['endpoint']} could not be rolled back, as alarm {row['alarm']} wanted",
        message=message,
        severity=Severity.CRITICAL,
        evidence={"open": [f"endpoint/{row['endpoint']}", f"alarm/{row['alarm']}"]},
    )


def _ended_at(tx: Transaction, deployment_id: str) -> float | None:
    import sqlalchemy as sa

    from core.state.schema import deployments as table

    row = tx.row(sa.select(table.c.ended_at).where(table.c.id == deployment_id))
    return None if row is None else row["ended_at"]


def _has_previous(tx: Transaction, endpoint: str) -> bool:
    import sqlalchemy as sa

    from core.state.schema import revisions as table

    wanted = sa.select(table.c.revision).where(
        table.c.endpoint == endpoint, table.c.state == "previous"
    )
    return tx.row(wanted) is not None
