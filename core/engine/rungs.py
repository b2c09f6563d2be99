"""The steps of a strategy that wait: for a time, a verdict, a person, a time of the week.

Where a deployment stands is in its row: the step, when it ends (by the clock, so that it goes
on as planned whatever was killed meanwhile), and what a person let pass. Whoever holds it,
lets it pass or ends it changes that row and rings the bell.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core.domain.analysis import AnalysisStatus, ShadowStatus, Verdict
from core.domain.plans import is_watched, plan_from_json
from core.domain.release import (
    DEPLOYMENT_ENDED,
    DeploymentStatus,
    ReleasePlan,
    StrategyStep,
    lasting,
)
from core.engine import runstate
from core.engine.context import SYSTEM, Engine
from core.errors import OpsdeckError, WrongState
from core.releases import holding, rows, standing
from core.releases.events import record_events
from core.serving.control import EndpointControl
from core.state import schema
from core.state.store import Transaction
from core.windows import parse_window

CANCELLED = "cancelled"
"""What a step of the workflow returns where the run of the deployment was cancelled."""

BEGIN = "begin"
"""What waiting returns where a deployment that was held before a step goes on into it."""

LOOK_SECONDS = 1.0
"""Between looks at what is watched. A person's word rings the bell and waits for none."""

IDLE_SECONDS = 30.0
"""Between looks where only a person or the clock can end the wait."""

ASK_SECONDS = 2.0
SHADOW_FAILURES = 0.01
"""Share of the mirrored requests that a candidate may fail before its shadow is held."""

_LOOKED_AT = ("bake", "analyse", "shadow")
_TABLE = schema.deployments
log = logging.getLogger("opsdeck.worker")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a step came to: it is over, it must be held, or wait so long."""

    over: bool = False
    held: str = ""
    wait: float = LOOK_SECONDS


OVER = Look(over=True)


def begin(engine: Engine, deployment_id: str, index: int) -> str:
    """Begin a step that waits, unless it was let pass; returns the deployment's state then."""
    with engine.store.transaction(SYSTEM) as tx:
        row = load_row(tx, deployment_id)
        state = _state(tx, row)
    plan = plan_from_json(row["strategy"])
    step = plan.steps[index]
    if state not in (DeploymentStatus.PROGRESSING, DeploymentStatus.PAUSED):
        return state
    if row["promoted"] > index:
        return DeploymentStatus.PROGRESSING
    if state == DeploymentStatus.PAUSED and row["step_index"] == index:
        return state  # begun before this worker took over: its clock goes on
    if step.kind == "shadow":
        _control(engine, row).shadow(row["revision"], step.weight or 0.0)
    with engine.store.transaction(SYSTEM) as tx:
        row = load_row(tx, deployment_id)
        if _state(tx, row) == DeploymentStatus.PROGRESSING:
            _record_begin(tx, row, index, step)
        state = _state(tx, load_row(tx, deployment_id))
    if state in DEPLOYMENT_ENDED:
        _end(engine, row, step)  # whoever ended it did not know of the mirror yet
    return state


def _record_begin(tx: Transaction, row: Row, index: int, step: StrategyStep) -> None:
    until = None if step.seconds is None else tx.now + step.seconds
    if step.kind == "window":
        window = parse_window(step.window)
        until = tx.now if window.contains(tx.now) else window.next_start(tx.now)
    rows.set_progress(
        tx,
        row,
        DeploymentStatus.PAUSED,
        step_index=index,
        next_at=until,
        message=_message(step),
    )
    if step.kind == "pause":
        words = "until promoted" if step.seconds is None else f"for {lasting(step.seconds)}"
        rows.event(tx, row["id"], "paused", words)
    else:
        rows.event(tx, row["id"], step.kind, step.words())


def _message(step: StrategyStep) -> str:
    match step.kind:
        case "pause":
            lasts = "until promoted" if step.seconds is None else f"for {lasting(step.seconds)}"
            return f"paused {lasts}"
        case "ask":
            return step.message or "waits for a person"
        case "window":
            return f"waits for {step.window}"
    return step.words()


def wait(engine: Engine, deployment_id: str, index: int) -> str:
    """Block until a step that has begun is over, or the deployment; returns its state then.

    `held` is waited for as well: until a person lets it go on.
    """
    row = _read(engine, deployment_id)
    plan = plan_from_json(row["strategy"])
    names = [f"deployment:{deployment_id}", *([row["run_id"]] if row["run_id"] else [])]
    with engine.bell.listening(*names) as rung:
        while True:
            engine.hold_if_stopping()
            rung.clear()
            state, seconds = _look(engine, deployment_id, plan, index)
            if state is not None:
                return state
            rung.wait(seconds)


def _look(
    engine: Engine, deployment_id: str, plan: ReleasePlan, index: int
) -> tuple[str | None, float]:
    """The state to go on in, or `None` and how long to wait before the next look."""
    row = _read(engine, deployment_id)
    cancelled = row["cancel_requested"] and not has_ended(row)
    state = CANCELLED if cancelled else str(row["status"])
    if state == DeploymentStatus.HELD:
        return None, IDLE_SECONDS
    if state not in (DeploymentStatus.PAUSED, DeploymentStatus.PROGRESSING):
        return state, 0.0
    step = plan.steps[index]
    if state == DeploymentStatus.PROGRESSING:
        if row["step_index"] < index:
            return BEGIN, 0.0
        _end(engine, row, step)
        return state, 0.0
    if row["promoted"] > index:
        _end(engine, row, step)
        return _go_on(engine, row), 0.0
    if is_watched(plan) and take_events(engine, row["endpoint"]):
        return None, 0.0  # the supervisor has acted: see what it came to
    found = _judge(engine, row, plan, step)
    if found.held:
        _hold(engine, row, found.held)
        return None, 0.0
    if not found.over:
        return None, found.wait
    _end(engine, row, step)
    return _go_on(engine, row), 0.0


def take_events(engine: Engine, endpoint: str) -> int:
    """Put on record what the endpoint's supervisor did by itself; returns how much that was.

    Where somebody is changing the routing just now it is left for the next time.
    """
    try:
        return record_events(engine.session, engine.workspace.endpoints_dir / endpoint)
    except WrongState as error:
        log.info("events of %s: %s", endpoint, error.one_line())
        return 0


def _go_on(engine: Engine, row: Row) -> str | None:
    """Leave the step, unless somebody was quicker."""
    with engine.store.transaction(SYSTEM) as tx:
        now = load_row(tx, row["id"])
        if now["status"] != DeploymentStatus.PAUSED:
            return None
        rows.set_progress(tx, now, DeploymentStatus.PROGRESSING)
    return DeploymentStatus.PROGRESSING


def _hold(engine: Engine, row: Row, message: str) -> None:
    with engine.store.transaction(SYSTEM) as tx:
        now = load_row(tx, row["id"])
        if now["status"] == DeploymentStatus.PAUSED:
            holding.hold(tx, now, message)
            holding.alert_of_hold(tx, now, message)


def _end(engine: Engine, row: Row, step: StrategyStep) -> None:
    """What a step leaves behind is taken away."""
    if step.kind == "shadow":
        try:
            _control(engine, row).shadow(None, 0.0)
        except OpsdeckError as error:  # it goes on mirroring: that costs time only
            log.warning("deployment %s: %s", row["id"], error.one_line())


def _judge(engine: Engine, row: Row, plan: ReleasePlan, step: StrategyStep) -> Look:
    left = float("inf") if row["next_at"] is None else row["next_at"] - time.time()
    if step.kind in _LOOKED_AT:
        analysis = _analysis(engine, row) if is_watched(plan) else None
        return judge(plan, step, analysis, left)
    if step.kind == "window":
        return _at_window(engine, row, step)
    return OVER if left <= 0 else Look(wait=min(left, IDLE_SECONDS))


def judge(
    plan: ReleasePlan, step: StrategyStep, analysis: AnalysisStatus | None, left: float
) -> Look:
    """What a bake, an analysis or a shadow has come to, `left` seconds before its end.

    Nothing passes while an alarm is off or the candidate is called worse: the supervisor acts
    on that by itself. Undecided at the end of its time is held, never promoted.
    """
    again = Look(wait=max(0.01, min(left, LOOK_SECONDS)) if left > 0 else LOOK_SECONDS)
    if analysis is None:
        if is_watched(plan):
            return again  # nobody says how it does: that is no good sign
        return OVER if left <= 0 else again
    if analysis.alarming or analysis.verdict is Verdict.WORSE:
        return again
    if step.kind == "analyse":
        if analysis.verdict is Verdict.NON_INFERIOR:
            return OVER
        return again if left > 0 else Look(held=_undecided(analysis))
    if step.kind == "shadow":
        return _judge_shadow(step, analysis.shadow or ShadowStatus(), left) or again
    return OVER if left <= 0 else again


def _judge_shadow(step: StrategyStep, shadow: ShadowStatus, left: float) -> Look | None:
    enough = step.requests is not None and shadow.compared >= step.requests
    if not enough and left > 0:
        return None
    tried = shadow.compared + shadow.failed
    if shadow.failed > SHADOW_FAILURES * tried:
        return Look(held=f"the shadow failed on {shadow.failed:,} of {tried:,} requests")
    if shadow.compared == 0:
        return Look(held="the shadow has compared no request: there was no traffic")
    return OVER


def _undecided(analysis: AnalysisStatus) -> str:
    """Why an analysis did not come to an end."""
    ratio = analysis.sample_ratio
    if ratio is not None and not ratio.ok:
        return "undecided: the traffic is not split as it was set, so the arms cannot be compared"
    open_ones = [
        m.metric + (f" ({m.note})" if m.note else "")
        for m in analysis.metrics
        if not m.dry_run and m.verdict is Verdict.UNDECIDED
    ]
    return f"undecided at the end of the analysis: {', '.join(open_ones) or 'no metric counts'}"


def _at_window(engine: Engine, row: Row, step: StrategyStep) -> Look:
    window, now = parse_window(step.window), time.time()
    if window.contains(now):
        return OVER
    start = window.next_start(now)
    if row["next_at"] != start:  # it was missed while nobody lived
        with engine.store.transaction(SYSTEM) as tx:
            rows.update_deployment(tx, row["id"], next_at=start)
    return Look(wait=max(0.01, min(start - now, IDLE_SECONDS)))


def _analysis(engine: Engine, row: Row) -> AnalysisStatus | None:
    """How the deployment does, as its supervisor sees it; `None` where nobody says.

    A supervisor that does not watch it is told to (again).
    """
    control = _control(engine, row)
    try:
        found = control.analysis(ASK_SECONDS)
        if found is None or found.deployment != row["id"]:
            standing.arm(control, row)
            return None
    except OpsdeckError as error:
        log.warning("deployment %s: %s", row["id"], error.one_line())
        return None
    return found


def _read(engine: Engine, deployment_id: str) -> Row:
    """The deployment's row and whether its run was cancelled, without a transaction: it is
    looked at each second."""
    rows = engine.session.reader.rows(
        "SELECT d.*, r.cancel_requested FROM deployments d LEFT JOIN runs r ON r.id = d.run_id"
        " WHERE d.id = :id",
        id=deployment_id,
    )
    return rows[0]


def load_row(tx: Transaction, deployment_id: str) -> Row:
    """A deployment's row."""
    row = tx.row(sa.select(_TABLE).where(_TABLE.c.id == deployment_id))
    assert row is not None, deployment_id
    return row


def run_cancelled(tx: Transaction, row: Row) -> bool:
    """Whether the run that the deployment is part of was cancelled."""
    run_id = row["run_id"]
    return run_id is not None and bool(runstate.load_run(tx, run_id)["cancel_requested"])


def has_ended(row: Row) -> bool:
    """Whether nothing further happens to the deployment."""
    return DeploymentStatus(row["status"]) in DEPLOYMENT_ENDED


def _state(tx: Transaction, row: Row) -> str:
    """The deployment's state, and `cancelled` where its run was."""
    if not has_ended(row) and run_cancelled(tx, row):
        return CANCELLED
    return str(row["status"])


def _control(engine: Engine, row: Row) -> EndpointControl:
    return EndpointControl(engine.workspace.endpoints_dir / row["endpoint"])
