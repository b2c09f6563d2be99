"""An endpoint in lines: what is being released to it, how that stands, what happened.

The order is by what one has to know first: what the supervisor did by itself, what comes
next, the arms, the ladder, what the release is judged by, then the past.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.domain.release import Deployment, DeploymentEvent, DeploymentStatus, Endpoint, Receipt
from screens.dialogs.confirm import badge
from screens.glyphs import sign
from screens.rollouts.arms import WIDE, arm_lines
from screens.rollouts.checks import acted_lines, alarm_lines, metric_lines, notes, traffic_lines
from screens.rollouts.ladder import ladder_flow, ladder_lines, next_action, steps_flow
from screens.rollouts.state import acted_on, current_step, effective, state_of
from screens.widgets.lines import Line, Piece, beside, width_of, wrapped
from screens.words import age, clock_time, plural, short

EVENTS_SHOWN = 30
"""Events of the newest deployments that are listed; the journal has all."""


def endpoint_lines(
    endpoint: Endpoint, now: float, width: int, *, compact: bool = False
) -> list[Line]:
    """The whole view of one endpoint; `compact` leaves out what few lines have no room for."""
    lines = overview_lines(endpoint, now, width, compact=compact)
    return [*lines, [], *past_lines(endpoint, now, width)]


def overview_lines(
    endpoint: Endpoint, now: float, width: int, *, compact: bool = False
) -> list[Line]:
    """How a release stands now: head, arms, ladder, metrics, alarms, traffic."""
    endpoint = effective(endpoint)
    gap: list[Line] = [] if compact else [[]]
    deployment, analysis = endpoint.deployment, endpoint.analysis
    lines = [*head_lines(endpoint, now, width), *gap, *arm_lines(endpoint, width, brief=compact)]
    checks: list[Line] = []
    if analysis is not None:
        half = width if compact or width < WIDE else width - _left(width)
        checks += alarm_lines(analysis, now, half)
        checks += traffic_lines(endpoint, half, brief=compact)
    else:
        checks += traffic_lines(endpoint, width, brief=compact)
    metrics = metric_lines(analysis, deployment, width) if analysis is not None else []
    if analysis is not None and not compact:
        metrics += notes(analysis, width)
    ladder = _ladder(endpoint, now, width, compact=compact)
    if compact or width < WIDE or not checks or analysis is None:
        parts = [ladder, metrics, checks]
    else:
        parts = [beside(ladder, checks, _left(width)), metrics]
    for part in parts:
        if part:
            lines += [*gap, *part]
    return lines


def _left(width: int) -> int:
    """Columns of the ladder where the alarms stand beside it."""
    return max(50, width * 9 // 20)


def head_lines(endpoint: Endpoint, now: float, width: int) -> list[Line]:
    """Name, environment, address; what is being deployed; what it did by itself; what is next."""
    status = state_of(endpoint)
    line: list[Piece] = [
        (f" {status.glyph} ", status.style),
        (endpoint.name, "title"),
        (f"  {status.word}  ", status.style),
        badge(endpoint.environment),
        (f"  {_address(endpoint, width)}", "dim"),
    ]
    if endpoint.supervisor_pid:
        servers = plural(endpoint.servers, "server")
        if endpoint.servers == 1:
            servers = f"server {endpoint.server_pid}"
        who = f"supervisor {endpoint.supervisor_pid}, " if width >= WIDE else ""
        line.append((f"  {who}{servers}", "faint"))
    lines = wrapped(line, width, 3)
    if endpoint.message:
        lines += wrapped([(f" ▲ {endpoint.message}", "warn")], width, 3)
    deployment, analysis = endpoint.deployment, endpoint.analysis
    if deployment is not None:
        lines += deployment_lines(endpoint, deployment, now, width)
    if analysis is not None and analysis.acted is not None:
        lines += acted_lines(analysis.acted, now, width)
    if deployment is not None and not deployment.status.ended:
        lines += wrapped([(" ", "text"), *next_action(deployment, now, analysis)], width, 3)
    return lines


def _address(endpoint: Endpoint, width: int) -> str:
    if not endpoint.port:
        return "no address yet"
    return endpoint.url if width >= WIDE else f"{endpoint.host}:{endpoint.port}"


def deployment_lines(
    endpoint: Endpoint, deployment: Deployment, now: float, width: int
) -> list[Line]:
    """What is or was deployed, by whom, why, and how it stands."""
    status = sign(deployment.status)
    how, style = status.text, status.style
    if _taken_back(endpoint, deployment):
        how, style = f"↩ was {deployment.message or 'in service'}, rolled back", "warn"
    ended = deployment.ended_at
    since = age(now - (ended if ended is not None else deployment.created_at))
    word = "ended" if ended is not None else "began"
    line: list[Piece] = [
        (" RELEASE ", "head"),
        (f"{deployment.model} v{deployment.version}", "bold"),
        (f"  {how}", style),
        (f"  {word} {since}, by {deployment.actor}", "dim"),
        (f": {deployment.reason}" if deployment.reason else "", "dim"),
    ]
    if width < WIDE and width_of(line) > width:  # its model is named as the endpoint, mostly
        line[1] = (f"v{deployment.version}", "bold")
    lines = wrapped(line, width, 3)
    step = current_step(deployment)
    told = step is not None and deployment.message in (step.words(), step.message)  # by the ladder
    if (
        not told
        and deployment.message
        and not (_taken_back(endpoint, deployment) or acted_on(endpoint))
    ):
        calm = deployment.status is DeploymentStatus.SUCCEEDED or not deployment.status.ended
        lines += wrapped([(f"   {deployment.message}", "dim" if calm else "warn")], width, 3)
    return lines


def _taken_back(endpoint: Endpoint, deployment: Deployment) -> bool:
    """Whether its version was taken back after the deployment had succeeded."""
    return deployment.status is DeploymentStatus.SUCCEEDED and any(
        r.revision == deployment.revision and r.state == "rolled_back" for r in endpoint.revisions
    )


def _ladder(endpoint: Endpoint, now: float, width: int, *, compact: bool) -> list[Line]:
    deployment = endpoint.deployment
    if deployment is None:
        return []
    if deployment.status is DeploymentStatus.SUCCEEDED:
        done = steps_flow(deployment.strategy, width - 10)
        return [
            [(" LADDER ✓ " if n == 0 else " " * 10, "head"), *row] for n, row in enumerate(done)
        ]
    if compact:
        return ladder_flow(deployment, now, width, endpoint.analysis)
    room = width if width < WIDE or endpoint.analysis is None else _left(width) - 2
    return ladder_lines(deployment, now, room, endpoint.analysis)


# the past


def past_lines(endpoint: Endpoint, now: float, width: int) -> list[Line]:
    """Events of the last deployments and receipts of rollbacks, newest first."""
    lines = event_lines(endpoint, now, width)
    if endpoint.receipts:
        lines += [[], [(" ROLLBACKS", "head")]]
        for receipt in endpoint.receipts[:5]:
            lines += receipt_line(receipt, now, width)
    return lines


def receipt_line(receipt: Receipt, now: float, width: int) -> list[Line]:
    """One rollback: when, from, to, how fast, what it cost, by whom and why."""
    failed = receipt.requests_failed
    to = f"v{receipt.to_version}" if receipt.to_version else "none"
    line: Line = [
        (f"  ↩ {clock_time(receipt.at, now):<11} ", "warn"),
        (f"v{receipt.from_version} → {to}", "bold"),
        (f"  {short(receipt.milliseconds)} ms  ", "text"),
        (f"{plural(failed, 'request')} failed", "bad" if failed else "ok"),
        (f"  {receipt.actor}: {receipt.reason}", "dim"),
    ]
    return wrapped(line, width, 16)


def event_lines(endpoint: Endpoint, now: float, width: int) -> list[Line]:
    """What happened, newest first: the events of the last deployments, who and why."""
    lines: list[Line] = [[(" EVENTS", "head")]]
    history = endpoint.history or ([endpoint.deployment] if endpoint.deployment else [])
    events = [(d, e) for d in list(history)[:4] for e in reversed(d.events)]
    for deployment, event in events[:EVENTS_SHOWN]:
        lines += _event(deployment, event, now, width)
    return lines if len(lines) > 1 else [*lines, [("  none yet", "faint")]]


def _event(
    deployment: Deployment, event: DeploymentEvent, now: float, width: int
) -> Sequence[Line]:
    line: Line = [
        (f"  {clock_time(event.at, now):<11} ", "faint"),
        (f"v{deployment.version:<3} ", "dim"),
        (f"{event.kind:<12} ", "accent"),
        (event.message, "text"),
        (f"  {event.actor}", "faint"),
    ]
    return wrapped(line, width, 32)
