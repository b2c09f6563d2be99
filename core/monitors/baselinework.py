"""Baselines by hand: made now, promoted, let go of."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace

from core.domain.monitor import Baseline
from core.errors import WrongState
from core.ids import new_id
from core.monitors import claims
from core.monitors.baselines import Asked, make
from core.monitors.definition import baseline_fingerprint
from core.monitors.filing import work_folder
from core.monitors.jobs import context_of
from core.monitors.kinds import kind_of
from core.monitors.limit import time_limit
from core.monitors.plan import WindowPlan
from core.monitors.rights import reader_of
from core.monitors.served import served_at
from core.monitors.syncing import definition_of
from core.reads import baselines as _baselines
from core.session import Session
from core.state.monitor_tables import monitor_baselines as table


def make_now(session: Session, name: str, source: str | None) -> Baseline:
    """Make a baseline, of what the definition says or of `source`; the latter is promoted.
    Raises `NoBaseline`, `MonitorBusy`, `WrongState` where the kind compares with nothing."""
    definition, row = definition_of(session, name)
    kind = kind_of(definition.kind)
    if not kind.needs_baseline:
        raise WrongState(f"monitor {name}: a {kind.name} monitor has no baseline")
    now = time.time()
    served = None
    if definition.target_kind == "endpoint":
        served = served_at(session.reader, definition.target, definition.variant, now)
    plan = WindowPlan("", 0.0, now, {}, model=served.model if served else "",
                      version=served.version if served else None)  # fmt: skip
    work = work_folder(session.workspace.state_dir, name, new_id())
    with claims.claimed(session, name, definition.timeout):
        try:
            work.mkdir(parents=True, exist_ok=True)
            context = context_of(session, definition, plan, now, work)
            learnt = baseline_fingerprint(json.loads(row["definition"]), kind.format)
            # What the caller names is read with the caller's rights, not the monitor's.
            own = source is None or source == definition.baseline
            actor = reader_of(row) if own else session.actor
            asked = Asked(session, definition, kind, context, learnt, actor)
            with time_limit(name, definition.timeout):
                made, _ = make(asked, source or definition.baseline)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    if source is None or source == definition.baseline:
        return made
    return promote(session, name, made.id)


def promote(session: Session, name: str, begin: str) -> Baseline:
    """Have a stored baseline hold for its monitor; raises `NotFound`."""
    found = _baselines.find_baseline(session.reader, begin, name)
    with session.change(f"monitors baseline {name}") as tx:
        tx.execute(
            table.update().where(table.c.monitor == name).values(promoted_at=None, promoted_by=None)
        )
        tx.execute(
            table.update()
            .where(table.c.monitor == name, table.c.id == found.id)
            .values(promoted_at=tx.now, promoted_by=tx.actor)
        )
        tx.journal("monitor.promote", f"monitor/{name}", baseline=found.id, source=found.source)
    return replace(found, active=True)


def demote(session: Session, name: str) -> None:
    """Go back to what the definition says; raises `WrongState` where none was promoted."""
    promoted = [each for each in _baselines.list_baselines(session.reader, name) if each.active]
    if not promoted:
        raise WrongState(f"monitor {name}: no baseline was promoted")
    with session.change(f"monitors baseline {name}") as tx:
        tx.execute(
            table.update().where(table.c.monitor == name).values(promoted_at=None, promoted_by=None)
        )
        tx.journal("monitor.demote", f"monitor/{name}", baseline=promoted[0].id)
