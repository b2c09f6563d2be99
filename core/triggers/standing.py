"""How things stand for a trigger: the facts that arbitration goes by, read in plain SQL.

The same statements are asked of the reader, to tell what would happen, and in the transaction
that decides, in which nobody else can change what they say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.domain.trigger import Cause, FiringDecision, TriggerDefinition
from core.triggers.arbitration import Facts

if TYPE_CHECKING:
    from core.state.store import Transaction

Rows = Callable[..., Sequence[Mapping[str, Any]]]
"""`rows(sql, name=value, …)`, as a reader has it."""

_OPEN = "('queued', 'running', 'waiting')"
_DEGRADATION = "('monitor', 'metric', 'alarm')"


def within(tx: Transaction) -> Rows:
    """The statements of this module, asked in a transaction."""
    import sqlalchemy as sa

    def rows(sql: str, **params: Any) -> Sequence[Mapping[str, Any]]:
        return tx.rows(sa.text(sql).bindparams(**params))

    return rows


def facts_for(
    rows: Rows,
    definition: TriggerDefinition,
    model: str,
    cause: Cause,
    now: float,
    *,
    firing: str = "",
    cycle: str = "",
) -> Facts:
    """The facts about a firing (`firing` its id, where it is on record already)."""
    name = definition.name
    runs, cpu = _used(rows, name, now - definition.budget.seconds)
    retrainings, last = _retrainings(rows, model, now - definition.relapse.within)
    return Facts(
        off=_off(rows, definition),
        cycle=cycle,
        same=_same(rows, name, cause.same, firing),
        answered=_answered(rows, name, cause.same, firing),
        busy=_busy(rows, definition.pipeline, model, firing),
        ended_at=_ended_at(rows, definition.pipeline, model, name),
        runs=runs,
        cpu_seconds=cpu,
        retrainings=retrainings,
        last_run=last,
    )


def _off(rows: Rows, definition: TriggerDefinition) -> str:
    if not definition.enabled:
        return "its file says enabled: false"
    for row in rows("SELECT * FROM triggers WHERE name = :name", name=definition.name):
        if row["paused"]:
            why = f": {row['paused_reason']}" if row["paused_reason"] else ""
            return f"switched off by {row['paused_by']}{why}"
    return ""


def _same(rows: Rows, name: str, key: str, firing: str) -> str:
    found = rows(
        "SELECT f.id, r.number, r.status FROM trigger_firings f LEFT JOIN runs r"
        " ON r.id = f.run_id WHERE f.trigger = :name AND f.cause_key = :key AND f.id <> :firing"
        f" AND (f.decision = 'accepted' OR (f.decision = 'started' AND r.status IN {_OPEN}))"
        " ORDER BY f.at LIMIT 1",
        name=name,
        key=key,
        firing=firing,
    )
    return _words(found[0]) if found else ""


def _answered(rows: Rows, name: str, key: str, firing: str) -> str:
    found = rows(
        "SELECT f.id, r.number, r.status FROM trigger_firings f JOIN runs r ON r.id = f.run_id"
        " WHERE f.trigger = :name AND f.cause_key = :key AND f.id <> :firing"
        " AND f.decision = 'started' ORDER BY f.at DESC LIMIT 1",
        name=name,
        key=key,
        firing=firing,
    )
    return _words(found[0]) if found else ""


def _busy(rows: Rows, pipeline: str, model: str, firing: str) -> str:
    preparing = rows(
        "SELECT id, trigger FROM trigger_firings WHERE decision = 'accepted' AND id <> :firing"
        " AND (pipeline = :pipeline OR (model <> '' AND model = :model)) ORDER BY at LIMIT 1",
        firing=firing,
        pipeline=pipeline,
        model=model,
    )
    if preparing:
        return f"firing {preparing[0]['id']} of {preparing[0]['trigger']} is being prepared"
    running = rows(
        "SELECT r.number, r.status FROM runs r LEFT JOIN trigger_firings f ON f.run_id = r.id"
        f" WHERE r.status IN {_OPEN} AND (r.pipeline = :pipeline"
        " OR (f.model <> '' AND f.model = :model)) ORDER BY r.number LIMIT 1",
        pipeline=pipeline,
        model=model,
    )
    if not running:
        return ""
    waits = running[0]["status"] == "waiting"
    return f"run {running[0]['number']} {'waits for a decision' if waits else 'is under way'}"


def _ended_at(rows: Rows, pipeline: str, model: str, name: str) -> float | None:
    """When a run of the trigger or for the model ended, or one of the pipeline went well."""
    found = rows(
        "SELECT max(r.ended_at) AS at FROM runs r LEFT JOIN trigger_firings f ON f.run_id = r.id"
        " WHERE f.trigger = :name OR (f.model <> '' AND f.model = :model)"
        " OR (r.pipeline = :pipeline AND r.status = 'succeeded')",
        name=name,
        model=model,
        pipeline=pipeline,
    )
    return found[0]["at"] if found else None


def _used(rows: Rows, name: str, since: float) -> tuple[int, float]:
    """Runs, and processor seconds of their steps, that the trigger has had since then."""
    found = rows(
        "SELECT count(DISTINCT f.id) AS runs, coalesce(sum(s.cpu_seconds), 0) AS cpu"
        " FROM trigger_firings f LEFT JOIN step_runs s ON s.run_id = f.run_id"
        " WHERE f.trigger = :name AND f.decision IN ('accepted', 'started') AND f.at >= :since",
        name=name,
        since=since,
    )
    return (int(found[0]["runs"]), float(found[0]["cpu"])) if found else (0, 0.0)


def _retrainings(rows: Rows, model: str, since: float) -> tuple[int, int | None]:
    """How often the model was retrained for a degradation since then, and the last such run."""
    found = rows(
        "SELECT count(*) AS times, max(r.number) AS last FROM trigger_firings f"
        f" JOIN runs r ON r.id = f.run_id WHERE f.model = :model AND f.kind IN {_DEGRADATION}"
        " AND f.decision = 'started' AND f.at >= :since",
        model=model,
        since=since,
    )
    return (int(found[0]["times"]), found[0]["last"]) if found else (0, None)


def _words(row: Mapping[str, Any]) -> str:
    if row["number"] is None:
        return f"firing {row['id']}"
    return f"run {row['number']} ({row['status']})"


def last_decision(rows: Rows, name: str, key: str) -> FiringDecision | None:
    """What was decided on the newest firing of a cause."""
    found = rows(
        "SELECT decision FROM trigger_firings WHERE trigger = :name AND cause_key = :key"
        " ORDER BY at DESC, id DESC LIMIT 1",
        name=name,
        key=key,
    )
    return FiringDecision(found[0]["decision"]) if found else None
