"""The rows of alarms: how they stand, and every change of that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.alarms.stored import definition_from_json, points_from_json, points_json
from core.domain.alarm import AlarmDefinition, AlarmPoint
from core.domain.analysis import AlarmState

if TYPE_CHECKING:
    from core.state.reading import Reader
    from core.state.store import Transaction

BEAT = "alarms"
BEAT_SECONDS = 20.0
"""A worker that has not evaluated for so long has lost the alarms to another one."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A row of `alarms`. `held` and `test` as the row has them, or None; `real_state` is what
    it would be without a test."""

    definition: AlarmDefinition
    state: AlarmState
    since: float
    reason: str
    datapoints: tuple[AlarmPoint, ...]
    created_at: float
    armed_at: float
    evaluated_at: float | None
    actions_enabled: bool
    held: Mapping[str, Any] | None
    test: Mapping[str, Any] | None
    problem: str
    version: int

    @property
    def name(self) -> str:
        """The alarm's name."""
        return self.definition.name

    @property
    def real_state(self) -> AlarmState:
        """The state that other alarms and deployments go by: a test changes it only where it
        was asked to act."""
        if self.test is None or self.test["act"]:
            return self.state
        return AlarmState(self.test["before"])


def standing_of(row: Mapping[str, Any]) -> Standing:
    """A row as a record."""
    return Standing(
        definition=definition_from_json(row["definition"]),
        state=AlarmState(row["state"]),
        since=row["since"],
        reason=row["reason"],
        datapoints=points_from_json(row["datapoints"]),
        created_at=row["created_at"],
        armed_at=row["armed_at"],
        evaluated_at=row["evaluated_at"],
        actions_enabled=bool(row["actions_enabled"]),
        held=json.loads(row["held"]) if row["held"] else None,
        test=json.loads(row["test"]) if row["test"] else None,
        problem=row["problem"],
        version=row["version"],
    )


def load(reader: Reader) -> dict[str, Standing]:
    """Every alarm that is defined, by name."""
    rows = reader.rows("SELECT * FROM alarms WHERE gone_at IS NULL ORDER BY name")
    return {row["name"]: standing_of(row) for row in rows}


def find(tx: Transaction, name: str) -> Standing | None:
    """The alarm as this transaction sees it."""
    import sqlalchemy as sa

    from core.state.alarm_tables import alarms as table

    row = tx.row(sa.select(table).where(table.c.name == name, table.c.gone_at.is_(None)))
    return None if row is None else standing_of(row)


def change(tx: Transaction, name: str, **values: Any) -> None:
    """Change an alarm's row, and its version with it."""
    from core.state.alarm_tables import alarms as table

    for key in ("held", "test"):
        if key in values and values[key] is not None:
            values[key] = json.dumps(values[key])
    if "datapoints" in values:
        values["datapoints"] = points_json(values["datapoints"])
    statement = table.update().where(table.c.name == name)
    tx.execute(statement.values(version=table.c.version + 1, **values))


def remember(
    tx: Transaction,
    alarm: str,
    kind: str,
    reason: str,
    *,
    from_state: str = "",
    to_state: str = "",
    datapoints: tuple[AlarmPoint, ...] = (),
) -> None:
    """A line of the alarm's history."""
    from core.state.alarm_tables import alarm_history

    tx.execute(
        alarm_history.insert().values(
            alarm=alarm,
            at=tx.now,
            kind=kind,
            from_state=from_state,
            to_state=to_state,
            reason=reason,
            datapoints=points_json(datapoints),
            actor=tx.actor,
        )
    )


def take_beat(tx: Transaction, holder: str, now: float, name: str = BEAT) -> bool:
    """Say that this worker looks after the alarms now; False where another one does.

    A beat that lies in the future, of a clock that was put back, is nobody's.
    """
    import sqlalchemy as sa

    from core.state.alarm_tables import watch_beats as table

    row = tx.row(sa.select(table).where(table.c.name == name))
    if row is None:
        tx.execute(table.insert().values(name=name, at=now, holder=holder))
        return True
    if row["holder"] != holder and 0 <= now - row["at"] < BEAT_SECONDS:
        return False
    tx.execute(table.update().where(table.c.name == name).values(at=now, holder=holder))
    return True
