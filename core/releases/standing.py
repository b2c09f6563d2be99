"""What a supervisor is told to watch and to mirror for a deployment."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from core.domain.plans import is_watched, plan_from_json, watched
from core.domain.release import ReleasePlan
from core.errors import OpsdeckError
from core.serving.control import EndpointControl

log = logging.getLogger(__name__)


def arm(control: EndpointControl, deployment: Mapping[str, Any]) -> None:
    """Have the supervisor watch a deployment by itself, where there is a version to go back
    to and anything to watch. Raises what the control raises."""
    plan = plan_from_json(deployment["strategy"])
    if deployment["from_revision"] is not None and is_watched(plan):
        control.arm(
            deployment["id"], deployment["revision"], deployment["from_revision"], watched(plan)
        )


def stand_down(control: EndpointControl, deployment_id: str, plan: ReleasePlan) -> None:
    """Have the supervisor watch and mirror nothing for a deployment any more. One that does
    not answer is no reason to stop: it sees in its own routing that there is nothing left."""
    try:
        info = control.info()
        if info is None or not info.alive:
            return
        if any(step.kind == "shadow" for step in plan.steps):
            control.shadow(None, 0.0)
        if is_watched(plan):
            control.disarm(deployment_id)
    except OpsdeckError as error:
        log.warning("deployment %s is still watched: %s", deployment_id, error.one_line())
