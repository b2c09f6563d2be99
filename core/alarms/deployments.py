"""Alarms of the workspace that a deployment names: while it is open, and for as long after its
end as the version before it is kept, one in ALARM sends it back (or freezes it, as its plan says).

One that was in ALARM when the deployment began refuses it, unless somebody forced it; it counts
then only once it has gone off anew.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.alarms import rows
from core.alarms.errors import AlarmInAlarm, NoSuchAlarm
from core.alarms.rollbacks import decide, plan_for_deployment
from core.domain.analysis import AlarmState, OnBreach
from core.domain.plans import plan_from_json
from core.domain.release import DEPLOYMENT_ENDED, DeploymentStatus, ReleasePlan

if TYPE_CHECKING:
    from core.alarms.rows import Standing
    from core.state.reading import Reader
    from core.state.store import Transaction

_OPEN = tuple(status.value for status in DeploymentStatus if status not in DEPLOYMENT_ENDED)


def check_alarms(tx: Transaction, endpoint: str, plan: ReleasePlan, forced: bool) -> None:
    """Refuse a deployment whose alarms are in ALARM before it begins. Raises `NoSuchAlarm`,
    and `AlarmInAlarm` unless it is forced. A first version has nothing to go back to."""
    from core.releases.rows import stable_revision

    standings = [_standing(tx, name) for name in plan.rollback_alarms]
    off = [each for each in standings if each.real_state is AlarmState.ALARM]
    if off and not forced and stable_revision(tx, endpoint) is not None:
        raise AlarmInAlarm(
            f"alarm {off[0].name} is in ALARM: {off[0].reason}",
            "mend that first, or deploy all the same with --force-alarms and a --reason",
        )
    for each in off:
        words = f"endpoint {endpoint}: deployed although it is in ALARM"
        rows.remember(tx, each.name, "action", words)


def _standing(tx: Transaction, name: str) -> Standing:
    import sqlalchemy as sa

    from core.state.alarm_tables import alarms as table

    found = rows.find(tx, name)
    if found is not None:
        return found
    known = [row["name"] for row in tx.rows(sa.select(table.c.name))]
    close = difflib.get_close_matches(name, known, n=1)
    raise NoSuchAlarm(
        f"alarm {name}: no such alarm, and the deployment names it",
        f"did you mean {close[0]}?" if close else "see: opsdeck alarms list",
    )


def watched_deployments(reader: Reader, now: float) -> list[Mapping[str, Any]]:
    """The newest deployment of each endpoint, where it names alarms and is not long over."""
    found = reader.rows(
        'SELECT d.* FROM deployments d WHERE d.strategy LIKE \'%"rollback_alarms": ["%\''
        " AND d.revision ="
        " (SELECT max(o.revision) FROM deployments o WHERE o.endpoint = d.endpoint)"
        " AND (d.ended_at IS NULL OR d.status = 'succeeded')"
    )
    return [row for row in found if _is_watched(row, plan_from_json(row["strategy"]), now)]


def _is_watched(row: Mapping[str, Any], plan: ReleasePlan, now: float) -> bool:
    if row["from_revision"] is None:
        return False
    return row["status"] in _OPEN or (row["ended_at"] or 0.0) + plan.keep_seconds > now


def send_back(
    tx: Transaction, deployments: Sequence[Mapping[str, Any]], standings: Mapping[str, Standing]
) -> int:
    """Decide on what the alarms of these deployments ask for; how many decisions were new."""
    decided = 0
    for before in deployments:
        row = _fresh(tx, before["id"])
        if row is None:
            continue
        plan = plan_from_json(row["strategy"])
        for name in plan.rollback_alarms:
            alarm = standings.get(name)
            if alarm is not None and _is_off(tx, alarm, row):
                decided += _breach(tx, row, plan, alarm)
                break
    return decided


def _is_off(tx: Transaction, alarm: Standing, deployment: Mapping[str, Any]) -> bool:
    """Whether it is in ALARM, and has come to that since the deployment began: by the clock of
    whoever wrote it down, as the deployment's beginning is."""
    import sqlalchemy as sa

    from core.state.alarm_tables import alarm_history as table

    if alarm.real_state is not AlarmState.ALARM:
        return False
    came = sa.select(table.c.id).where(
        table.c.alarm == alarm.name,
        table.c.to_state == AlarmState.ALARM,
        table.c.at > deployment["created_at"],
    )
    return tx.row(came.limit(1)) is not None


def _fresh(tx: Transaction, deployment_id: str) -> Mapping[str, Any] | None:
    """The deployment as it is now, where it can still be taken back."""
    import sqlalchemy as sa

    from core.releases.rows import stable_revision
    from core.state.schema import deployments as table

    row = tx.row(sa.select(table).where(table.c.id == deployment_id))
    if row is None or row["status"] in _OPEN:
        return row
    stable = stable_revision(tx, row["endpoint"])
    serves = stable is not None and stable["revision"] == row["revision"]
    return row if serves and row["status"] == DeploymentStatus.SUCCEEDED else None


def _breach(
    tx: Transaction, deployment: Mapping[str, Any], plan: ReleasePlan, alarm: Standing
) -> bool:
    if plan.on_breach is OnBreach.FREEZE:
        from core.releases.events import freeze

        reason = f"alarm {alarm.name}: {alarm.reason}"
        frozen = freeze(tx, deployment["id"], f"{deployment['id']}-{alarm.name}", reason)
        if frozen:
            rows.remember(tx, alarm.name, "action", f"froze the deployment {deployment['id']}")
        return frozen
    return decide(tx, alarm.name, plan_for_deployment(deployment, alarm.name, alarm.reason))
