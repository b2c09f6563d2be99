"""Deciding on firings, in a transaction: nobody else decides or starts anything meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from core.alerting import raise_incident
from core.domain.alert import Severity
from core.domain.trigger import (
    Cause,
    CauseKind,
    Firing,
    FiringDecision,
    TriggerDefinition,
)
from core.reads.triggers import cause_of
from core.state.store import Transaction
from core.state.trigger_tables import trigger_firings, triggers
from core.triggers.arbitration import arbitrate
from core.triggers.standing import facts_for, within

TABLE = trigger_firings


def decide_all(
    tx: Transaction, known: Callable[[str], Known | str], *, force: str = ""
) -> list[str]:
    """Decide on every firing that waits for it, those of the highest priority first; returns
    the ids of the accepted ones.

    `known(name)` is what is known of a trigger, or why it can start nothing. `force` is a
    firing (by hand) that passes over cool-down and budget.
    """
    asked = tx.rows(sa.select(TABLE).where(TABLE.c.decision == FiringDecision.ASKED))
    found = {row["trigger"]: known(row["trigger"]) for row in asked}

    def order(row: Mapping[str, Any]) -> tuple[int, float, str]:
        one = found[row["trigger"]]
        priority = 0 if isinstance(one, str) else one.definition.priority
        return -priority, row["at"], row["id"]

    return [
        row["id"]
        for row in sorted(asked, key=order)
        if _decide(tx, row, found[row["trigger"]], force=row["id"] == force)
        is FiringDecision.ACCEPTED
    ]


class Known:
    """What deciding needs of a trigger: its definition, the model that it is about, how its
    run would make it fire again ("" where it would not)."""

    __slots__ = ("cycle", "definition", "model")

    def __init__(self, definition: TriggerDefinition, model: str, cycle: str = "") -> None:
        self.definition, self.model, self.cycle = definition, model, cycle


def _decide(
    tx: Transaction, row: Mapping[str, Any], known: Known | str, *, force: bool
) -> FiringDecision:
    cause = cause_of(row)
    if isinstance(known, str):
        close(tx, row["id"], FiringDecision.REFUSED, known)
        _tell_refused(tx, row, known)
        return FiringDecision.REFUSED
    definition = known.definition
    facts = facts_for(
        within(tx), definition, known.model, cause, tx.now, firing=row["id"], cycle=known.cycle
    )
    decision, reason = arbitrate(definition, cause, facts, tx.now, force=force)
    alert = None
    if decision is FiringDecision.RELAPSED:
        alert = _tell_relapsed(tx, row, cause, known, reason, facts.last_run)
    close(
        tx,
        row["id"],
        decision,
        reason,
        model=known.model,
        pipeline=definition.pipeline,
        alert_id=alert,
    )
    return decision


def close(
    tx: Transaction, firing: str, decision: FiringDecision, reason: str, **values: Any
) -> None:
    """Write down what became of a firing, in its row and in the journal."""
    row = tx.row(sa.select(TABLE.c.trigger).where(TABLE.c.id == firing))
    assert row is not None, firing
    tx.execute(
        TABLE.update()
        .where(TABLE.c.id == firing)
        .values(decision=decision, reason=reason, decided_at=tx.now, **values)
    )
    tx.journal(
        f"trigger.{decision}",
        f"trigger/{row['trigger']}",
        firing=firing,
        reason=reason,
        **({"run": values["run"]} if "run" in values else {}),
    )


def refuse(tx: Transaction, firing: Firing, reason: str) -> None:
    """A firing that was accepted cannot become a run: say so, to people too."""
    close(tx, firing.id, FiringDecision.REFUSED, reason)
    _alert(tx, firing.trigger, firing.cause, firing.model, reason)


def put_seen(tx: Transaction, name: str, seen: Mapping[str, Mapping[str, Any]]) -> None:
    """Keep what the conditions of a trigger have seen."""
    text = json.dumps({key: dict(value) for key, value in seen.items()})
    values = {"seen": text, "looked_at": tx.now}
    changed = tx.execute(triggers.update().where(triggers.c.name == name).values(**values))
    if not changed.rowcount:
        tx.execute(triggers.insert().values(name=name, **values))


def _tell_refused(tx: Transaction, row: Mapping[str, Any], reason: str) -> None:
    alert = _alert(tx, row["trigger"], cause_of(row), row["model"], reason)
    tx.execute(TABLE.update().where(TABLE.c.id == row["id"]).values(alert_id=alert))


def _alert(tx: Transaction, name: str, cause: Cause, model: str, reason: str) -> str:
    lost = cause.kind.degradation
    return raise_incident(
        tx,
        cause_key=f"trigger/{name} refused",
        kind="trigger",
        target=f"model/{model}" if model else f"trigger/{name}",
        title=f"Trigger {name} could not start a run",
        message=f"{reason}. It fired for: {cause.message or cause.subject}",
        severity=Severity.WARNING if lost or cause.kind is not CauseKind.HAND else Severity.INFO,
        evidence={"open": [f"trigger/{name}", cause.subject]},
    )


def _tell_relapsed(
    tx: Transaction,
    row: Mapping[str, Any],
    cause: Cause,
    known: Known,
    reason: str,
    run: int | None,
) -> str:
    name, model = row["trigger"], known.model
    runs = [] if run is None else [f"run/{run}"]
    return raise_incident(
        tx,
        cause_key=f"trigger/{name} relapsed",
        kind="relapse",
        target=f"model/{model}",
        title=f"{model} is {reason}",
        message=(
            f"{cause.message or cause.subject}. Trigger {name} does not retrain it once more by"
            " itself: what has changed may need a person. By hand: opsdeck triggers fire"
            f" {name}"
        ),
        severity=Severity.CRITICAL,
        evidence={"open": [cause.subject, *runs, f"trigger/{name}"], **dict(cause.evidence)},
    )
