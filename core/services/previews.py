"""What a change of an endpoint would do, told before anything is done."""

from __future__ import annotations

from core.domain.preview import ChangePreview
from core.domain.release import (
    DEPLOYMENT_ENDED,
    Deployment,
    DeploymentStatus,
    Endpoint,
    ReleasePlan,
    Revision,
    StrategyStep,
    lasting,
)
from core.domain.rollback import RollbackPreview
from core.errors import BadInput, NotFound, WrongState
from core.reads import releases as _releases
from core.releases.busy import still_deploying
from core.releases.byhand import check_weight
from core.releases.removal import check_deletable
from core.releases.rollback import rollback_target
from core.services.rules import gate_words
from core.serving.records import EndpointInfo
from core.session import Session

_ALIASES = {"production": "champion", "staging": "staging"}
ACTIONS = ("promote", "hold", "weight", "abort", "delete")


def of_deploy(
    session: Session,
    name: str,
    model: str,
    version: int,
    plan: ReleasePlan,
    environment: str,
    wanted: str | None = None,
) -> ChangePreview:
    """What a deployment would do; `wanted` is the environment that was asked for. Raises
    `WrongState` where another deployment is open, or the endpoint belongs elsewhere."""
    try:
        endpoint = _releases.find_endpoint(session.reader, name)
    except NotFound:
        endpoint = None
    stable = None if endpoint is None else _stable(endpoint)
    if endpoint is not None and wanted not in (None, endpoint.environment):
        raise WrongState(
            f"endpoint {name} belongs to {endpoint.environment}, not to {wanted}",
            "deploy to another endpoint",
        )
    if endpoint is not None and (open_one := _open(endpoint)) is not None:
        raise still_deploying(
            name,
            open_one.version,
            status=open_one.status,
            message=open_one.message,
            reason=open_one.reason,
            actor=open_one.actor,
        )
    told = [] if endpoint else [f"endpoint {name} is made, in {environment}"]
    told.append(f"{model} v{version} is loaded beside what is served")
    steps, alarms = plan.steps, tuple(_alarms(plan))
    if stable is None:
        steps, alarms = (StrategyStep("set_weight", weight=100.0),), ()
        told.append("there is no version to compare with: it gets all of the traffic at once")
    else:
        told.append(f"{stable.model} v{stable.version} stays loaded {_span(plan)} for a way back")
    return ChangePreview(
        action="deploy",
        endpoint=name,
        environment=environment,
        model=model,
        version=version,
        from_version=stable.version if stable else None,
        consequences=tuple(told),
        steps=tuple(step.words() for step in steps),
        alarms=alarms,
        aliases=tuple(_moves(environment, stable, version)),
        gate=gate_words(session.reader, model, version),
        undo=f"opsdeck endpoints rollback {name}",
    )


def of_change(
    action: str,
    endpoint: Endpoint,
    *,
    full: bool = False,
    percent: float | None = None,
    force: bool = True,
    routed: bool = False,
) -> ChangePreview:
    """What promote, hold, weight, abort or delete would do; raises what they would raise.

    `routed` says whether an endpoint that is to be deleted answers requests now.
    """
    if action not in ACTIONS:
        raise BadInput(f"no preview of {action!r}", "known: " + ", ".join(ACTIONS))
    if action == "delete":
        check_deletable(endpoint, routed, force)
        return _of_delete(endpoint)
    deployment = _open(endpoint)
    if deployment is None:
        raise WrongState(f"endpoint {endpoint.name}: nothing is being deployed")
    stable = _stable(endpoint)
    told, steps, undo = _told(action, endpoint, deployment, stable, full, percent)
    ends = action == "promote" and (full or not steps)
    return ChangePreview(
        action=action,
        endpoint=endpoint.name,
        environment=endpoint.environment,
        model=deployment.model,
        version=deployment.version,
        from_version=stable.version if stable else None,
        consequences=told,
        steps=tuple(step.words() for step in steps),
        alarms=tuple(_alarms(deployment.plan)) if deployment.plan and action != "abort" else (),
        aliases=tuple(_moves(endpoint.environment, stable, deployment.version)) if ends else (),
        undo=undo,
    )


def _told(
    action: str,
    endpoint: Endpoint,
    deployment: Deployment,
    stable: Revision | None,
    full: bool,
    percent: float | None,
) -> tuple[tuple[str, ...], tuple[StrategyStep, ...], str]:
    """Sentences, the steps that are left, and the way back."""
    left = deployment.strategy[deployment.step_index + 1 :]
    way_back = f"opsdeck endpoints rollback {endpoint.name}"
    served = f"v{stable.version}" if stable else "no version"
    now = f"v{deployment.version} has {deployment.set_weight:g} % of the traffic"
    match action:
        case "promote" if full:
            return (now, "it gets all of it; the steps that are left are left out"), (), way_back
        case "promote":
            _check_waits(endpoint, deployment)
            return (now, "it goes on to the next step"), left, way_back
        case "hold":
            _check_has_begun(endpoint, deployment)
            told = (now, "it stays so, its clock stops, and a person has to promote it")
            return told, left, f"opsdeck endpoints promote {endpoint.name}"
        case "weight":
            check_weight(-1 if percent is None else percent)
            _check_has_begun(endpoint, deployment)
            told = (now, f"it gets {percent:g} % at once and is held there")
            return told, left, f"opsdeck endpoints weight {endpoint.name} {deployment.set_weight:g}"
    told = (now, f"all traffic goes to {served} at once, and the deployment ends")
    again = f"--model {deployment.model} --version {deployment.version}"
    return told, (), f"opsdeck endpoints deploy {endpoint.name} {again}"


def _of_delete(endpoint: Endpoint) -> ChangePreview:
    stable = _stable(endpoint)
    return ChangePreview(
        action="delete",
        endpoint=endpoint.name,
        environment=endpoint.environment,
        model=stable.model if stable else "",
        version=None,
        from_version=stable.version if stable else None,
        consequences=(
            "its processes end: clients get no answer any more",
            "its logs and captured requests are deleted",
            "its journal, deployments and receipts stay",
        ),
        aliases=tuple(_dropped(endpoint, stable)),
        undo="deploy a version to it again; what was captured is gone",
    )


def _dropped(endpoint: Endpoint, stable: Revision | None) -> list[str]:
    if stable is None or endpoint.environment != "production":
        return []
    return [f"champion: v{stable.version} → none, unless another endpoint serves it"]


def _check_waits(endpoint: Endpoint, deployment: Deployment) -> None:
    """What a promotion checks, on what was read."""
    if deployment.status is DeploymentStatus.HELD:
        return
    if deployment.status is not DeploymentStatus.PAUSED:
        raise WrongState(
            f"endpoint {endpoint.name}: the deployment is {deployment.status}, not paused",
            "wait for its next pause, or promote it in full",
        )
    index = deployment.step_index
    if index < len(deployment.strategy) and deployment.strategy[index].kind == "bake":
        raise WrongState(
            f"endpoint {endpoint.name}: a bake is not cut short",
            "wait for its end, or promote it in full",
        )


def _check_has_begun(endpoint: Endpoint, deployment: Deployment) -> None:
    if deployment.status in (DeploymentStatus.QUEUED, DeploymentStatus.LOADING):
        raise WrongState(
            f"endpoint {endpoint.name}: the deployment is {deployment.status}:"
            " there is nothing to hold yet",
            "wait until it has its first traffic, or abort it",
        )


def of_rollback(
    endpoint: Endpoint, info: EndpointInfo | None, to_version: int | None
) -> RollbackPreview:
    """What a rollback would move; raises `WrongState` when there is nothing to go to."""
    target = rollback_target(endpoint, to_version)
    routed = {v.revision: v.weight for v in info.variants} if info and info.alive else {}
    moves: tuple[str, ...] = ()
    stable = _stable(endpoint)
    alias = _ALIASES.get(endpoint.environment)
    if alias and stable is not None and stable.revision != target.good.revision:
        moves = (f"{alias}: v{stable.version} → v{target.good.version}",)
        if alias == "champion":
            moves += tuple(_previous_after(endpoint, target.good))
    again = f"--model {target.bad.model} --version {target.bad.version}"
    return RollbackPreview(
        endpoint=endpoint.name,
        environment=endpoint.environment,
        model=target.bad.model,
        from_version=target.bad.version,
        from_revision=target.bad.revision,
        to_model=target.good.model,
        to_version=target.good.version,
        to_revision=target.good.revision,
        weights=tuple(
            (r.revision, weight)
            for r in endpoint.revisions
            if (weight := routed.get(r.revision, 0.0) if routed else r.weight)
        ),
        aliases=moves,
        loaded=info is not None and target.good.revision in info.loads,
        deployment_id=target.deployment.id if target.deployment else None,
        requests_per_second=None,
        undo=f"opsdeck endpoints deploy {endpoint.name} {again}",
    )


def _previous_after(endpoint: Endpoint, good: Revision) -> list[str]:
    """Where `previous` points once `good` serves again: at the good version before it."""
    known = (r for r in endpoint.revisions if r.model == good.model)
    before = next((r for r in known if r.state == "previous"), None)
    earlier = next(
        (
            r
            for r in endpoint.revisions
            if r.state in ("previous", "retired")
            and r.revision < good.revision
            and (r.model, r.version) != (good.model, good.version)
        ),
        None,
    )
    then = f"v{earlier.version}" if earlier and earlier.model == good.model else "none"
    if before is None or then == f"v{before.version}":
        return []
    return [f"previous: v{before.version} → {then}"]


def _stable(endpoint: Endpoint) -> Revision | None:
    return next((r for r in endpoint.revisions if r.state == "stable"), None)


def _open(endpoint: Endpoint) -> Deployment | None:
    found = endpoint.deployment
    return found if found is not None and found.status not in DEPLOYMENT_ENDED else None


def _alarms(plan: ReleasePlan) -> list[str]:
    """What is watched, in words."""
    told = [
        f"alarm {a.name}: {a.metric} {a.comparison} {a.threshold:g} in {a.datapoints_to_alarm}"
        f" of {a.evaluation_periods} periods of {lasting(a.period)}" + (", dry run" * a.dry_run)
        for a in plan.alarms
    ]
    told += [f"alarm {name} of the workspace" for name in plan.rollback_alarms]
    for rule in plan.analysis.metrics:
        margin = f"{rule.margin * 100:g} %" if rule.relative else f"{rule.margin:g}"
        told.append(f"compared: {rule.metric}, margin {margin}" + (", dry run" * rule.dry_run))
    return [*told, f"on a breach: {plan.on_breach}"] if told else []


def _moves(environment: str, stable: Revision | None, version: int) -> list[str]:
    """The aliases that move when a version has taken over."""
    if environment == "staging":
        return [f"staging: v{version}"]
    if environment != "production":
        return []
    if stable is None:
        return [f"champion: v{version}"]
    return [f"champion: v{stable.version} → v{version}", f"previous: v{stable.version}"]


def _span(plan: ReleasePlan) -> str:
    return f"for {lasting(plan.keep_seconds)}"
