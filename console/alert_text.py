"""Alerts, silences, schedules and deliveries as text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from console.session import Session
from console.tables import Column, block, heading, table
from console.words import Cell, many, number, state, when

if TYPE_CHECKING:
    from core.domain.alert import Alert, Silence
    from core.domain.alertview import AlertDetail, Delivery, EscalationStep, OnCall, Triage

_COLOURS = {"critical": "red", "warning": "yellow", "info": "bright_black"}
_WIDE = 96


def alerts_text(session: Session, found: Sequence[Alert], on_call: Sequence[OnCall] = ()) -> str:
    """Alerts as a table, with the people on call by name; nothing where there are none."""
    people = {f"oncall/{each.schedule}": each.who for each in on_call}
    if not found:
        return ""
    columns = [
        Column("alert"),
        Column("severity"),
        Column("state"),
        Column("since"),
        Column("seen", right=True),
        Column("owner"),
        Column("about", flexible=True),
        Column("what", flexible=True),
    ]
    rows = [
        (
            each.id,
            Cell(each.severity, _COLOURS[each.severity]),
            _state(session, each),
            when(each.at, terminal=session.terminal),
            f"{each.events:,}",
            people.get(each.owner or "") or each.owner or "-",
            each.target,
            each.headline,
        )
        for each in found
    ]
    return table(session, columns, rows)


def triage_text(session: Session, found: Triage, limit: int) -> str:
    """What is to be looked at, and what is not shown."""
    lines = [alerts_text(session, found.alerts[:limit], found.on_call) or "no open alerts"]
    if len(found.alerts) > limit:
        lines.append(f"… and {len(found.alerts) - limit} more: -n {len(found.alerts)}")
    hidden = [
        f"{count} {word}"
        for count, word in ((found.silenced, "silenced"), (found.snoozed, "snoozed"))
        if count
    ]
    if hidden:
        lines.append(f"not shown: {', '.join(hidden)} (opsdeck alerts list --all)")
    if found.unattended:
        lines.append(f"! {found.unattended}")
    return "\n".join(lines)


def detail_text(session: Session, found: AlertDetail) -> str:
    """Everything beside an alert."""
    alert = found.alert
    parts = [
        heading(session, f"{alert.severity}: {alert.headline}"),
        _facts(session, found),
        _causes(session, found),
        _section(session, f"Runbook: {found.runbook.title} ({found.runbook.source})",
                 found.runbook.text),
        _section(session, "Changes before it, most suspicious first", _related(session, found)),
        _section(session, "What can be done", _actions(session, found)),
        _section(session, "Timeline", _timeline(session, found)),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part)


def silences_text(session: Session, found: Sequence[Silence]) -> str:
    """Silences as a table."""
    if not found:
        return "nothing is silenced"
    columns = [
        Column("silence"),
        Column("ends"),
        Column("hides", flexible=True),
        Column("by"),
        Column("why", flexible=True),
    ]
    rows = [
        (each.id, _end(session, each), each.matcher.words(), each.made_by, each.reason)
        for each in found
    ]
    return table(session, columns, rows)


def silence_text(session: Session, made: Silence) -> str:
    """A silence that was just made."""
    ends = when(made.ends_at, terminal=session.terminal)
    return f"silence {made.id}: {made.matcher.words()}; ends by itself {ends}"


def oncall_text(session: Session, found: Sequence[OnCall]) -> str:
    """Who is on call."""
    if not found:
        return "no schedules: make one under alerts: schedules: in opsdeck.yaml"
    columns = [Column("schedule"), Column("on call"), Column("until"), Column("then"), Column("")]
    rows = [
        (
            each.schedule,
            each.who or Cell("nobody", "red"),
            when(each.until_at, terminal=session.terminal) if each.until_at else "for good",
            (each.next or "nobody") if each.until_at else "-",
            "stands in" if each.overridden else "",
        )
        for each in found
    ]
    return table(session, columns, rows)


def targets_text(session: Session, found: Sequence[tuple[str, str]]) -> str:
    """The addresses: name and sort."""
    if not found:
        return "no addresses: name some under alerts: targets: in opsdeck.yaml"
    return table(session, [Column("target"), Column("kind")], found)


def deliveries_text(session: Session, found: Sequence[Delivery]) -> str:
    """What was sent and what is to be."""
    if not found:
        return "nothing was sent yet"
    columns = [
        Column("when"),
        Column("target"),
        Column("alert"),
        Column("why"),
        Column("state"),
        Column("tries", right=True),
        Column("error", flexible=True),
    ]
    rows = [
        (
            when(each.sent_at or each.gave_up_at or each.due_at, terminal=session.terminal),
            each.target,
            each.alert_id or "-",
            each.kind,
            Cell(each.state, {"sent": "green", "waiting": ""}.get(each.state, "red")),
            str(each.attempts),
            each.error,
        )
        for each in found
    ]
    return table(session, columns, rows)


def _state(session: Session, alert: Alert) -> Cell:
    if alert.silence is not None:
        return Cell("silenced", "bright_black")
    if alert.wakes_at is not None and alert.state != "resolved":
        return Cell("snoozed", "bright_black")
    return state(alert.state, terminal=session.terminal)


def _end(session: Session, silence: Silence) -> str:
    if silence.ended_at is not None:
        return f"ended by {silence.ended_by}"
    return when(silence.ends_at, terminal=session.terminal)


def _facts(session: Session, found: AlertDetail) -> str:
    alert, shown = found.alert, session.terminal
    seen = f"{many(alert.events, 'time')}, {many(alert.causes, 'cause')}"
    if alert.last_at > alert.at:
        seen += f", last {when(alert.last_at, terminal=shown)}"
    rows: list[tuple[str, Cell | str]] = [
        ("alert", alert.id),
        ("about", alert.target),
        ("kind", alert.kind),
        ("state", state(alert.state, terminal=shown)),
        ("since", when(alert.at, terminal=shown)),
        ("seen", seen),
        ("came back", many(alert.reopened, "time") if alert.reopened else ""),
        ("owner", alert.owner or "nobody"),
        ("acknowledged", _by(alert.acked_by, alert.acked_at, shown)),
        ("resolved", _by(alert.resolved_by, alert.resolved_at, shown)),
        ("snoozed", _by(alert.snoozed_by, alert.wakes_at, shown)),
        ("silenced", "" if alert.silence is None else _silenced(session, alert.silence)),
        ("labels", " ".join(f"{key}={value}" for key, value in alert.labels.items())),
        ("evidence", _evidence(alert)),
        ("told", _told(session, found.policy, found.steps)),
        ("message", alert.message),
    ]
    return block(session, rows)


def _by(who: str | None, at: float | None, shown: bool) -> str:
    return "" if who is None or at is None else f"by {who}, {when(at, terminal=shown)}"


def _silenced(session: Session, silence: Silence) -> str:
    ends = when(silence.ends_at, terminal=session.terminal)
    return f"by {silence.made_by} ({silence.reason}), ends {ends}"


def _evidence(alert: Alert) -> str:
    opens = alert.evidence.get("open", ())
    named = [opens] if isinstance(opens, str) else list(opens) if isinstance(opens, list) else []
    values = [
        f"{key}={number(value)}"
        for key, value in alert.evidence.items()
        if key not in ("open", "at") and isinstance(value, str | int | float)
    ]
    return ", ".join([*(str(each) for each in named), *values])


def _told(session: Session, policy: str, steps: Sequence[EscalationStep]) -> str:
    if not steps:
        return ""
    parts = []
    for step in steps:
        names = ", ".join(step.notify) or "nobody"
        mark = "✓" if step.told else ""
        due = "" if step.due_at is None else f" {when(step.due_at, terminal=session.terminal)}"
        parts.append(f"{mark}{names}{due}")
    return f"{policy}: " + " → ".join(parts)


def _causes(session: Session, found: AlertDetail) -> str:
    if len(found.causes) < 2:
        return ""
    shown = found.causes[:10]
    rows = [
        (each.title, f"{each.count:,}", "over" if each.over_at else "",
         each.message)
        for each in shown
    ]  # fmt: skip
    columns = [Column("cause", flexible=True), Column("seen", right=True), Column(""),
               Column("message", flexible=True)]  # fmt: skip
    more = found.alert.causes - len(shown)
    return table(session, columns, rows) + (f"\n… and {more:,} more" if more > 0 else "")


def _related(session: Session, found: AlertDetail) -> str:
    if not found.related:
        return ""
    columns = [
        Column("when"),
        Column("kind"),
        Column("what", flexible=True),
        Column("by"),
        Column("why", flexible=True),
    ]
    rows = [
        (when(each.at, terminal=session.terminal), each.kind, each.what, each.by, each.why)
        for each in found.related
    ]
    return table(session, columns, rows)


def _actions(session: Session, found: AlertDetail) -> str:
    rows = [
        (each.label, Cell(each.reason, "bright_black") if each.reason else each.command)
        for each in found.actions
        if each.command or each.reason
    ]
    return block(session, rows)


def _timeline(session: Session, found: AlertDetail) -> str:
    rows = [
        (when(each.at, terminal=session.terminal), each.actor, each.kind, each.message)
        for each in found.events
    ]
    columns = [Column("when"), Column("who"), Column("what"), Column("", flexible=True)]
    return table(session, columns, rows)


def _section(session: Session, title: str, text: str) -> str:
    if not text:
        return ""
    wide = "\n".join(
        part
        for line in text.splitlines()
        for part in (
            textwrap.wrap(
                line, _WIDE, subsequent_indent="   ", break_long_words=False, break_on_hyphens=False
            )
            if title.startswith("Runbook") and len(line) > _WIDE
            else [line]
        )
    )
    return f"{heading(session, title)}\n{wide}"
