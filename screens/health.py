"""Is anything wrong, and does anything wait for a person? Pure functions over a pulse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from core.domain.alert import Alert
from core.domain.pulse import Pulse
from screens.rollouts.state import effective, waits_for_person
from screens.widgets.lines import Line, Piece
from screens.words import plural, span

_COUNTED = ("running", "queued", "waiting", "succeeded", "failed", "rejected", "cancelled")
WRONG, WAITS = "wrong", "waits"
_BROKEN = ("degraded", "failed", "down", "lost", "restarting")


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing that is wrong, or that waits for a person.

    `opens` is the mode that shows it, or `run` or `release`, with which one in `ref`.
    """

    key: str
    kind: str
    text: str
    detail: str
    at: float
    opens: str
    ref: str = ""
    alert: Alert | None = None


def concerns(pulse: Pulse) -> list[Concern]:
    """Everything that somebody should look at: what is wrong first, then what waits."""
    found = [
        *_workers(pulse),
        *_alerts(pulse),
        *_releases(pulse),
        *_endpoints(pulse),
        *_data(pulse),
        *_runs(pulse),
        *_waiting(pulse),
    ]
    return sorted(found, key=lambda concern: (concern.kind != WRONG, -concern.at))


def _workers(pulse: Pulse) -> Iterator[Concern]:
    if any(worker.alive for worker in pulse.workers):
        return
    listed = sum(run.status in ("queued", "running") for run in pulse.running)
    held = max(listed, sum(pulse.counts.get(status, 0) for status in ("queued", "running")))
    if held:
        stand = "stands" if held == 1 else "stand"
        yield Concern(
            key="workers",
            kind=WRONG,
            text=f"{plural(held, 'run')} {stand} still: no worker lives",
            detail="start one with: opsdeck worker",
            at=pulse.read_at,
            opens="runs",
        )


def _endpoints(pulse: Pulse) -> Iterator[Concern]:
    for endpoint in pulse.endpoints:
        if endpoint.status in _BROKEN:
            yield Concern(
                key=f"endpoint/{endpoint.name}",
                kind=WRONG,
                text=f"endpoint {endpoint.name} is {endpoint.status}",
                detail=endpoint.message or "its server does not answer",
                at=endpoint.updated_at,
                opens="release",
                ref=endpoint.name,
            )
        elif endpoint.errors and endpoint.requests:
            share = 100 * endpoint.errors / endpoint.requests
            yield Concern(
                key=f"errors/{endpoint.name}",
                kind=WRONG,
                text=f"endpoint {endpoint.name} fails {share:.2g} % of its requests",
                detail=f"{endpoint.errors:,} of {endpoint.requests:,} since its server started",
                at=pulse.read_at,
                opens="release",
                ref=endpoint.name,
            )


def _alerts(pulse: Pulse) -> Iterator[Concern]:
    """Alerts that nobody looks after yet."""
    for alert in pulse.alerts:
        name = alert.target.partition("/")[2]
        held = alert.kind == "quarantine"
        yield Concern(
            key=f"alert/{alert.id}",
            kind=WAITS if alert.kind in ("held", "quarantine") else WRONG,
            text=f"{name}: {alert.headline}" if held else alert.headline,
            detail=alert.message,
            at=alert.at,
            opens="alerts",
            ref=alert.id,
            alert=alert,
        )


def _data(pulse: Pulse) -> Iterator[Concern]:
    """Views that could not be refreshed, and features that requests get too old."""
    for view in pulse.views:
        yield Concern(
            key=f"view/{view.name}",
            kind=WRONG,
            text=f"view {view.name} could not be refreshed",
            detail=view.message,
            at=view.refreshed_at or view.created_at,
            opens="data",
            ref=f"{view.name}/overview",
        )
    for features in pulse.features:
        at = features.materialized_at or features.created_at
        every = features.spec.every
        late = "" if every is None else f"last filled {span(pulse.read_at - at)} ago, "
        yield Concern(
            key=f"features/{features.ref}",
            kind=WRONG,
            text=f"features {features.ref} "
            + ("could not be brought up to date" if features.message else "are late"),
            detail=features.message or f"{late}every {span(every or 0.0)}",
            at=at,
            opens="features",
            ref=features.spec.name,
        )


def _releases(pulse: Pulse) -> Iterator[Concern]:
    """What a supervisor tells of a release before a worker has put it on record."""
    told = {alert.deployment_id for alert in pulse.alerts}
    for endpoint in pulse.endpoints:
        analysis, deployment = endpoint.analysis, endpoint.deployment
        if analysis is None or deployment is None or analysis.deployment != deployment.id:
            continue
        acted = analysis.acted
        if acted is not None and deployment.id not in told:
            done = "rolled back" if acted.kind == "rolled_back" else "frozen"
            yield Concern(
                key=f"acted/{deployment.id}",
                kind=WRONG,
                text=f"{endpoint.name} v{deployment.version} {done}",
                detail=f"by itself: {acted.reason}",
                at=acted.at,
                opens="release",
                ref=endpoint.name,
            )
        elif acted is None:
            for alarm in analysis.alarming:
                yield Concern(
                    key=f"alarm/{endpoint.name}/{alarm.name}",
                    kind=WRONG,
                    text=f"alarm {alarm.name} of {endpoint.name} has gone off",
                    detail=alarm.reason,
                    at=alarm.since,
                    opens="release",
                    ref=endpoint.name,
                )


def _runs(pulse: Pulse) -> Iterator[Concern]:
    """Failed runs of the last day that no later run of the same pipeline has made good."""
    good: set[str] = set()
    for run in pulse.recent:  # newest first
        if run.status == "succeeded":
            good.add(run.pipeline)
        day_old = pulse.read_at - (run.ended_at or run.created_at) > 86_400.0
        if run.status == "failed" and run.pipeline not in good and not day_old:
            yield Concern(
                key=f"run/{run.number}",
                kind=WRONG,
                text=f"{run.label} failed",
                detail=run.message,
                at=run.ended_at or run.created_at,
                opens="run",
                ref=str(run.number),
            )


def _waiting(pulse: Pulse) -> Iterator[Concern]:
    for approval in pulse.approvals:
        yield Concern(
            key=f"approval/{approval.id}",
            kind=WAITS,
            text=f"{approval.model} v{approval.version} waits for approval",
            detail=f"to {approval.environment}, asked by {approval.requested_by}",
            at=approval.opened_at,
            opens="approvals",
            ref=approval.id,
        )
    told = {alert.deployment_id for alert in pulse.alerts}
    for endpoint in pulse.endpoints:
        deployment = effective(endpoint).deployment
        if deployment is not None and waits_for_person(deployment) and deployment.id not in told:
            held = deployment.status == "held"
            yield Concern(
                key=f"deployment/{deployment.id}",
                kind=WAITS,
                text=f"{endpoint.name} v{deployment.version} "
                + ("is held" if held else "waits to be promoted"),
                detail=f"at {deployment.set_weight:g} %"
                + (f": {deployment.message}" if deployment.message else ""),
                at=deployment.created_at,
                opens="release",
                ref=endpoint.name,
            )


def verdict(pulse: Pulse | None) -> Line:
    """The answer on one line."""
    if pulse is None:
        return [(" reading…", "dim")]
    found = concerns(pulse)
    wrong = sum(concern.kind == WRONG for concern in found)
    waits = len(found) - wrong
    line: list[Piece] = []
    if wrong:
        line.append((f" ✗ {plural(wrong, 'thing')} {'is' if wrong == 1 else 'are'} wrong", "bad"))
    else:
        line.append((" ✓ nothing is wrong", "ok"))
    if waits:
        line.append((f"   ◆ {waits} {'waits' if waits == 1 else 'wait'} for a person", "wait"))
    counts = pulse.counts
    parts = [f"{counts[status]:,} {status}" for status in _COUNTED if counts.get(status)]
    line.append((f"   runs of the last day: {', '.join(parts) or 'none'}", "dim"))
    return line
