"""An endpoint in lines: its revisions as a tree, the strategy as a ladder, what happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.domain.release import Deployment, Endpoint, Revision
from screens.dialogs.confirm import badge
from screens.glyphs import sign
from screens.widgets.bars import gauge
from screens.widgets.lines import Line, Piece, crop, wrap
from screens.words import age, clock_time, percent, plural, short, span

_OVER = ("retired", "rolled_back", "aborted", "failed")
RECENT_OVER = 2
"""Of the revisions whose time is over so many are shown; one line counts the others."""


def endpoint_lines(endpoint: Endpoint, now: float, width: int) -> list[Line]:
    """The whole view of one endpoint."""
    lines = [*tree_lines(endpoint, width), []]
    deployment = endpoint.deployment
    if deployment is not None:
        since = any(
            r.revision == deployment.revision and r.state == "rolled_back"
            for r in endpoint.revisions
        )
        lines += [*deployment_lines(deployment, now, width, rolled_back=since), []]
    lines += event_lines(endpoint, now, width)
    if endpoint.receipts:
        lines += [[], [(" ROLLBACKS", "head")]]
        for receipt in endpoint.receipts[:5]:
            failed = receipt.requests_failed
            lines.append(
                [
                    (f"  ↩ {clock_time(receipt.at, now):<11} ", "warn"),
                    (f"v{receipt.from_version} → v{receipt.to_version}", "bold"),
                    (f"  {short(receipt.milliseconds)} ms  ", "text"),
                    (f"{failed} requests failed", "bad" if failed else "ok"),
                    (f"  {receipt.actor}: {receipt.reason}", "dim"),
                ]
            )
    return lines


def tree_lines(endpoint: Endpoint, width: int) -> list[Line]:
    """Endpoint and revisions: tags, set and actual weight, traffic of each."""
    status = sign(endpoint.status)
    lines: list[Line] = [
        [
            (f" {status.glyph} ", status.style),
            (endpoint.name, "title"),
            (f"  {status.word}  ", status.style),
            badge(endpoint.environment),
            (f"  {endpoint.url or 'no address yet'}", "dim"),
            *(
                [(f"  supervisor {endpoint.supervisor_pid}, server {endpoint.server_pid}", "faint")]
                if endpoint.supervisor_pid and width >= 100
                else []
            ),
        ]
    ]
    if endpoint.message:
        lines.append([(" │  ", "groove"), (f"▲ {endpoint.message}", "warn")])
    over = sorted(
        (r.revision for r in endpoint.revisions if r.state in _OVER and not r.weight), reverse=True
    )
    hidden = set(over[RECENT_OVER:])
    shown = [r for r in endpoint.revisions if r.revision not in hidden]
    for place, revision in enumerate(shown):
        last = place == len(shown) - 1 and not hidden
        lines.append(_revision_line(revision, endpoint.stats, width, last=last))
    if hidden:
        earlier = plural(len(hidden), "earlier revision")
        lines.append([(" └─ ", "groove"), (f"· {earlier}", "faint")])
    if not shown:
        lines.append([(" └─ ", "groove"), ("no revision yet", "faint")])
    return lines


def _revision_line(
    revision: Revision, stats: Mapping[int, Mapping[str, Any]], width: int, *, last: bool
) -> Line:
    tag = sign(revision.state)
    wide = width >= 100
    bar = min(24, (width - 84) // 2) if wide else 4
    rev = f"rev {revision.revision:<3}" if wide else f"r{revision.revision:<3}"
    line: list[Piece] = [
        (" └─ " if last else " ├─ ", "groove"),
        (f"{tag.glyph} {tag.word:<11} ", tag.style),
        (rev, "dim"),
        (f"v{revision.version:<3} ", "bold"),
        ("set ", "faint"),
        (f"{percent(revision.weight):>5} ", "text"),
    ]
    if wide:
        line += [*gauge(revision.weight / 100, bar, tag.style), ("  ", "text")]
    line.append(("is ", "faint"))
    actual = revision.actual_weight
    if actual is None:
        line.append(("unknown", "faint"))
    else:
        off = abs(actual - revision.weight) > 1.0
        line.append((f"{percent(actual):>6} ", "warn" if off else "text"))
        line += gauge(actual / 100, bar, tag.style)
    line += _traffic(stats.get(revision.revision), "  " if wide else " ")
    return crop(line, width)


def _traffic(stats: Mapping[str, Any] | None, gap: str) -> list[Piece]:
    if not stats:
        return []
    requests, errors = int(stats.get("requests") or 0), int(stats.get("errors") or 0)
    share = 100 * errors / requests if requests else 0.0
    pieces: list[Piece] = [(f"{gap}{short(float(stats.get('rps') or 0.0))} rps", "text")]
    pieces.append((f"{gap}{percent(share)} err", "bad" if errors else "dim"))
    if stats.get("p99_ms") is not None:
        pieces.append((f"{gap}p99 {short(float(stats['p99_ms']))} ms", "dim"))
    return pieces


def next_action(deployment: Deployment, now: float) -> Line:
    """What happens next, by itself or by whom."""
    if deployment.status.ended:
        return []
    steps = deployment.strategy
    here = steps[deployment.step_index] if deployment.step_index < len(steps) else None
    after = steps[deployment.step_index + 1] if deployment.step_index + 1 < len(steps) else None
    then = after.words() if after is not None else "it is finished"
    if here is not None and here.kind == "pause" and here.seconds is None:
        return [("waits for a person: ", "wait"), (f"p promotes, then {then}", "text")]
    if deployment.next_at is not None:
        left = max(0.0, deployment.next_at - now)
        return [("next: ", "dim"), (f"{then} in {span(left)}", "text")]
    return [("next: ", "dim"), (then, "text")]


def deployment_lines(
    deployment: Deployment, now: float, width: int, *, rolled_back: bool = False
) -> list[Line]:
    """A deployment: what and by whom, the ladder with the current step, what comes next.

    `rolled_back`: its version was taken back after it had succeeded.
    """
    status = sign(deployment.status)
    ended = deployment.ended_at
    taken_back = rolled_back and deployment.status == "succeeded"
    how, style = (status.text, status.style)
    if taken_back:
        how, style = f"↩ was {deployment.message or 'in service'}, rolled back", "warn"
    since = age(now - (ended if ended is not None else deployment.created_at))
    lines: list[Line] = [
        [
            (" DEPLOYMENT  ", "head"),
            (f"{deployment.model} v{deployment.version}", "bold"),
            (f"  {how}", style),
            (f"  {'ended' if ended is not None else 'began'} {since}", "dim"),
            (f", by {deployment.actor}", "dim"),
            (f": {deployment.reason}" if deployment.reason else "", "dim"),
        ]
    ]
    if deployment.message and not taken_back:
        ok = deployment.status == "succeeded" or not deployment.status.ended
        lines.append([("  ", "text"), (deployment.message, "dim" if ok else "warn")])
    if ended is not None and deployment.status == "succeeded":
        steps = " → ".join(step.words() for step in deployment.strategy)
        return [*lines, *([(f"  {part}", "faint")] for part in wrap(f"✓ {steps}", width - 3))]
    for place, step in enumerate(deployment.strategy):
        done = place < deployment.step_index
        here = place == deployment.step_index and not deployment.status.ended
        glyph, style = (
            ("✓", "ok") if done else (status.glyph, status.style) if here else ("·", "faint")
        )
        row: list[Piece] = [
            (f"  {glyph} {place + 1} ", style),
            (step.words(), "bold" if here else "dim" if done else "faint"),
        ]
        if here and deployment.next_at is not None and step.seconds:
            left = max(0.0, deployment.next_at - now)
            row += [("  ", "text"), *gauge(1 - left / step.seconds, 16, status.style)]
            row.append((f" {span(left)} left", "text"))
        lines.append(row)
    upcoming = next_action(deployment, now)
    if upcoming:
        lines.append([("  ", "text"), *upcoming])
    return lines


def event_lines(endpoint: Endpoint, now: float, width: int) -> list[Line]:
    """What happened, newest first: the events of the last deployments."""
    lines: list[Line] = [[(" EVENTS", "head")]]
    history = endpoint.history or ([endpoint.deployment] if endpoint.deployment else [])
    for deployment in list(history)[:4]:
        for event in reversed(deployment.events):
            lines.append(
                [
                    (f"  {clock_time(event.at, now):<11} ", "faint"),
                    (f"v{deployment.version:<3} ", "dim"),
                    (f"{event.kind:<12} ", "accent"),
                    (event.message, "text"),
                    (f"  {event.actor}", "faint"),
                ]
            )
    return lines if len(lines) > 1 else [*lines, [("  none yet", "faint")]]
