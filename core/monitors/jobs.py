"""A monitor that is about to be run, and what its kind gets to know beside the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.domain.monitor import MonitorDefinition
from core.monitors.baselines import Asked
from core.monitors.definition import FEATURES, baseline_fingerprint
from core.monitors.featureviews import watched_view
from core.monitors.kind import KindContext
from core.monitors.kinds import kind_of
from core.monitors.lineage import model_inputs
from core.monitors.model import loader, task_of
from core.monitors.plan import Source, WindowPlan
from core.reads import models as _models
from core.reads import monitors as _monitors
from core.session import Session


@dataclass(frozen=True, slots=True)
class Job:
    """A monitor that is claimed, with all that running it takes."""

    session: Session
    definition: MonitorDefinition
    raw: Mapping[str, Any]
    source: Source
    claim: str
    actor: str
    cause: str = "schedule"


def context_of(
    session: Session, definition: MonitorDefinition, plan: WindowPlan, now: float, workdir: Path
) -> KindContext:
    """What a kind gets to know beside the rows."""
    path = Path()
    inputs: tuple[str, ...] = ()
    task = ""
    if plan.model and plan.version is not None:
        version = _models.find_version(session.reader, plan.model, str(plan.version))
        path = session.workspace.state_dir / version.path
        inputs, task = model_inputs(session, version), task_of(path)
    elif definition.target_kind == FEATURES:
        spec = watched_view(session, definition.target, plan.version).spec
        inputs = tuple(feature.name for feature in spec.features)
    reader, name = session.reader, definition.name
    made = KindContext(
        monitor=name,
        now=now,
        workdir=workdir,
        model=plan.model,
        version=plan.version,
        inputs=inputs,
        task=task,
        previous=lambda count: _monitors.previous_measurements(reader, name, plan.end, count),
        session=session,
    )
    return replace(made, load_model=loader(path, inputs)) if plan.model else made


def asked_for(job: Job, context: KindContext) -> Asked:
    """For which monitor a baseline is wanted."""
    kind = kind_of(job.definition.kind)
    learnt = baseline_fingerprint(job.raw, kind.format)
    return Asked(job.session, job.definition, kind, context, learnt, job.actor)
