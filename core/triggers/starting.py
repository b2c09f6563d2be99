"""From an accepted firing to its run: the augmented set, the parameters, the run's rows.

Exactly one run for each: the run is written in the transaction that moves the firing from
`accepted` to `started`, and whoever comes second finds it moved. All that comes before can be
done again without harm, so a worker that dies in the middle loses nothing.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core.domain.pipeline import PipelineSpec
from core.domain.trigger import CauseKind, Firing, FiringDecision, TriggerDefinition
from core.engine.runrows import insert_run
from core.errors import DiskFull, NotFound, OpsdeckError, StateBusy, StateCorrupt
from core.pipelines import bind_params, load_pipeline
from core.reads.datasets import find_dataset
from core.reads.triggers import find_firing
from core.session import Session
from core.state.trigger_tables import trigger_firings
from core.triggers.checking import endpoint_of
from core.triggers.deciding import close, refuse
from core.triggers.errors import TriggerRefused
from core.triggers.filling import Filling

TABLE = trigger_firings
LEASE_SECONDS = 120.0
"""How long somebody who prepares a run is left alone with it. Two at once do no harm."""

ATTEMPTS = 5
"""How often a run is prepared before its trigger is given up: each was a crash."""

_PASSING = (DiskFull, StateBusy, StateCorrupt)


def take(session: Session, firing_id: str) -> Firing | None:
    """Take an accepted firing on; None where it is not (any more) to be had."""
    with session.change("triggers start") as tx:
        row = tx.row(sa.select(TABLE).where(TABLE.c.id == firing_id))
        if row is None or row["decision"] != FiringDecision.ACCEPTED:
            return None
        if row["taken_at"] is not None and tx.now - row["taken_at"] < LEASE_SECONDS:
            return None
        if row["attempts"] >= ATTEMPTS:
            firing = find_firing(session.reader, firing_id)
            refuse(tx, firing, f"its run could not be prepared in {ATTEMPTS} attempts")
            return None
        tx.execute(
            TABLE.update()
            .where(TABLE.c.id == firing_id)
            .values(
                taken_by=f"{socket.gethostname()}:{os.getpid()}",
                taken_at=tx.now,
                attempts=row["attempts"] + 1,
            )
        )
    return find_firing(session.reader, firing_id)


def start(session: Session, firing: Firing, definition: TriggerDefinition) -> str | None:
    """Prepare and write the run of a firing that was taken on; its id, None where somebody else
    has written it. What cannot become a run is refused, on record and with an alert."""
    try:
        spec = load_pipeline(session.workspace.root, definition.pipeline)
        actor = requester(firing)
        data = _augmented(session, firing, definition, spec, actor)
        params = Filling(
            session,
            model=firing.model,
            actor=actor,
            cause=firing.cause,
            firing=firing.id,
            now=firing.at,
            augmented=data,
        ).params(definition)
        values = bind_params(spec, params)
    except _PASSING:
        raise
    except OpsdeckError as error:
        with session.change("triggers start") as tx:
            if _still_accepted(tx, firing.id):
                refuse(tx, firing, _words(error))
        raise TriggerRefused(f"trigger {firing.trigger}: {_words(error)}") from error
    return _write(session, firing, definition, spec, values, data, actor)


def requester(firing: Firing) -> str:
    """Who asks for the run: whoever fired it by hand, else the trigger itself, which may be
    granted what it reads as anybody may."""
    return firing.actor if firing.cause.kind is CauseKind.HAND else f"trigger/{firing.trigger}"


def _augmented(
    session: Session,
    firing: Firing,
    definition: TriggerDefinition,
    spec: PipelineSpec,
    actor: str,
) -> Mapping[str, Any]:
    if definition.augment is None:
        return {}
    from core.triggers.augmenting import augment

    endpoint = endpoint_of(definition, spec)
    made = augment(
        session,
        definition.augment,
        endpoint,
        by=actor,
        as_of=firing.at,
        batch_id=f"trigger:{firing.id}",
        message=f"trigger {firing.trigger}, firing {firing.id}",
    )
    reads = any(
        source.kind == "dataset" and source.name == made.dataset
        for step in spec.steps
        for source in step.inputs.values()
    )
    if not made.snapshot and reads and not _is_there(session, made.dataset):
        raise TriggerRefused(
            f"nothing is labelled yet, and {spec.name} reads dataset {made.dataset}",
            f"bring labels: opsdeck endpoints labels {endpoint} FILE",
        )
    return made.facts()


def _is_there(session: Session, dataset: str) -> bool:
    try:
        return find_dataset(session.reader, dataset).current_snapshot is not None
    except NotFound:
        return False


def _write(
    session: Session,
    firing: Firing,
    definition: TriggerDefinition,
    spec: PipelineSpec,
    values: Mapping[str, Any],
    data: Mapping[str, Any],
    actor: str,
) -> str | None:
    with session.change("triggers start") as tx:
        if not _still_accepted(tx, firing.id):
            return None
        pins = {str(data["dataset"]): str(data["snapshot"])} if data.get("snapshot") else {}
        run_id = insert_run(
            tx,
            spec,
            values,
            requested_by=actor,
            use_cache=definition.use_cache,
            reason=f"trigger {firing.trigger}: {firing.cause.message or firing.cause.subject}",
            datasets=pins,
        )
        close(
            tx,
            firing.id,
            FiringDecision.STARTED,
            "",
            run_id=run_id,
            params=json.dumps(values, ensure_ascii=False),
            data=json.dumps(data),
        )
    return run_id


def _still_accepted(tx: Any, firing_id: str) -> bool:
    row = tx.row(sa.select(TABLE.c.decision).where(TABLE.c.id == firing_id))
    return row is not None and row["decision"] == FiringDecision.ACCEPTED


def _words(error: OpsdeckError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message
