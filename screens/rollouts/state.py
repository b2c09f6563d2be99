"""How an endpoint and its release stand, in what lists and the first screen show of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from core.domain.release import DeploymentStatus
from screens.glyphs import Sign, sign
from screens.words import percent

if TYPE_CHECKING:
    from core.domain.analysis import Acted
    from core.domain.release import Deployment, Endpoint, StrategyStep
    from screens.widgets.lines import Line


def current_step(deployment: Deployment) -> StrategyStep | None:
    """The rung that it stands on; `None` where it has ended or is past the last one."""
    if deployment.status.ended or deployment.step_index >= len(deployment.strategy):
        return None
    return deployment.strategy[deployment.step_index]


def waits_for_person(deployment: Deployment) -> bool:
    """Whether nothing happens until somebody does something."""
    step = current_step(deployment)
    if deployment.status is DeploymentStatus.HELD:
        return True
    if step is None or deployment.status is not DeploymentStatus.PAUSED:
        return False
    return step.kind == "ask" or (step.kind == "pause" and step.seconds is None)


def mirrors(deployment: Deployment) -> bool:
    """Whether the new version only gets copies of requests now."""
    step = current_step(deployment)
    return step is not None and step.kind == "shadow" and not deployment.set_weight


def acted_on(endpoint: Endpoint) -> Acted | None:
    """What the supervisor did by itself to the deployment that is shown."""
    analysis, deployment = endpoint.analysis, endpoint.deployment
    if analysis is None or deployment is None or analysis.deployment != deployment.id:
        return None
    return analysis.acted


def effective(endpoint: Endpoint) -> Endpoint:
    """The endpoint with its deployment as the supervisor has it.

    What the supervisor did by itself is recorded by a worker, a moment later or once one
    lives again; the screen tells it at once.
    """
    acted, deployment = acted_on(endpoint), endpoint.deployment
    if acted is None or deployment is None or deployment.status.ended:
        return endpoint
    back = acted.kind == "rolled_back"
    status = DeploymentStatus.ROLLED_BACK if back else DeploymentStatus.HELD
    return replace(endpoint, deployment=replace(deployment, status=status, message=""))


def state_of(endpoint: Endpoint) -> Sign:
    """An endpoint's state, or what is more pressing: an alarm that is off, a release held."""
    analysis, deployment = endpoint.analysis, endpoint.deployment
    if endpoint.status not in ("in_service", "updating"):
        return sign(endpoint.status)
    acted = acted_on(endpoint)
    if acted is not None and acted.kind == "rolled_back":
        return sign("rolled_back")
    if analysis is not None and analysis.alarming:
        return sign("ALARM")
    if deployment is not None and deployment.status is DeploymentStatus.HELD:
        return sign("held")
    return sign(endpoint.status)


def serving(endpoint: Endpoint) -> Line:
    """Which versions take requests: `v2 90 % v3 10 %`."""
    pieces: list[tuple[str, str]] = []
    for revision in sorted(endpoint.revisions, key=lambda r: -r.weight):
        if revision.weight > 0:
            pieces.append((f"{' ' * bool(pieces)}v{revision.version}", "bold"))
            if revision.weight < 100:
                pieces.append((f" {percent(revision.weight)}", "dim"))
    return pieces or [("nothing", "faint")]
