"""The words of a notification: a title of one line, and a short text."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from core.domain.alert import Alert, AlertState, Severity

MOST_LINES = 20
"""Of a message about several alerts; the rest is counted."""

_LEADS = {
    "opened": "",
    "worse": "worse: ",
    "reopened": "came back: ",
    "escalated": "nobody acknowledged: ",
    "assigned": "given to you: ",
    "back": "again: ",
    "resolved": "resolved: ",
    "digest": "",
}


@dataclass(frozen=True, slots=True)
class Message:
    """What goes out. `severity` is the worst of what it tells."""

    title: str
    body: str
    severity: Severity
    over: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One alert to be told of, and why (see `core.alerting.rows.NoticeKind`)."""

    alert: Alert
    kind: str


def compose(workspace: str, environment: str, items: Sequence[Item]) -> Message:
    """One message about all items; `items` is not empty."""
    if len(items) == 1:
        return _one(workspace, environment, items[0])
    worst = min((item.alert.severity for item in items), key=lambda each: each.rank)
    ordered = sorted(items, key=lambda item: (item.alert.severity.rank, -item.alert.last_at))
    lines = [_line(item) for item in ordered[:MOST_LINES]]
    if len(items) > MOST_LINES:
        lines.append(f"… and {len(items) - MOST_LINES} more")
    lines.append(f"see: opsdeck alerts list   ({_place(workspace, environment)})")
    title = f"[{worst}] {len(items)} alerts in {_place(workspace, environment)}"
    over = all(item.alert.state is AlertState.RESOLVED for item in items)
    return Message(title, "\n".join(lines), worst, over)


def test_message(workspace: str, environment: str, who: str) -> Message:
    """What a test sends."""
    return Message(
        f"[test] Opsdeck can reach you from {_place(workspace, environment)}",
        f"{who} tried this address. Nothing is wrong.",
        Severity.INFO,
    )


def _one(workspace: str, environment: str, item: Item) -> Message:
    alert = item.alert
    over = item.kind == "resolved" and alert.state is AlertState.RESOLVED
    lead = _LEADS.get(item.kind, "") if over or item.kind != "resolved" else ""
    state = "resolved" if over else str(alert.severity)
    lines = [alert.message] if alert.message else []
    count = f", seen {alert.events} times" if alert.events > 1 else ""
    lines += [
        f"about: {alert.target}",
        f"since: {_utc(alert.at)}{count}",
        f"where: {_place(workspace, environment)}",
    ]
    if over:
        lines.append(f"resolved by {alert.resolved_by} at {_utc(alert.resolved_at or 0.0)}")
    else:
        lines.append(
            f"see: opsdeck alerts show {alert.id}   take it: opsdeck alerts ack {alert.id}"
        )
    title = f"[{state}] {alert.target}: {lead}{alert.headline}"
    return Message(title, "\n".join(lines), alert.severity, over)


def _line(item: Item) -> str:
    alert = item.alert
    over = alert.state is AlertState.RESOLVED
    state, lead = ("resolved", "") if over else (alert.severity, _LEADS.get(item.kind, ""))
    return f"- [{state}] {alert.target}: {lead}{alert.headline} (alerts show {alert.id})"


def _place(workspace: str, environment: str) -> str:
    return f"{workspace}, {environment}"


def _utc(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))
