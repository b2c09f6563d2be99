"""What stands beside an alert: what was found, what to do, what changed, who did what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from screens.alerts.words import on_call_names, owner, severity, state_of
from screens.widgets.lines import Line, Piece, wrapped
from screens.widgets.strips import small_chart
from screens.words import age, clock_time, full_time, number, plural, span

if TYPE_CHECKING:
    from core.domain.alert import Alert
    from core.domain.alertview import AlertDetail, Delivery, EscalationStep, OnCall

_LABEL = 10
CHART_LINES = 4
_MOST_CAUSES = 12
_KINDS = {"opened": "bad", "reopened": "bad", "worse": "bad", "escalated": "warn", "back": "warn",
          "not told": "bad", "nobody": "bad", "resolved": "ok", "acknowledged": "ok",
          "better": "ok", "comment": "accent"}  # fmt: skip


def what_lines(detail: AlertDetail, now: float, width: int) -> list[Line]:
    """What was found, its numbers, its causes, and what can be done with one key."""
    alert = detail.alert
    lines = [*head_lines(alert, width), *_message(alert, width), *_chart(detail, width)]
    lines += _facts(detail, now, width)
    if len(detail.causes) > 1:
        lines += [[], *_causes(detail, width)]
    lines += [[], *_actions(detail, width)]
    return lines


def head_lines(alert: Alert, width: int) -> list[Line]:
    """Severity and headline."""
    how = severity(alert.severity)
    return wrapped([(f" {how.text}  ", how.style), (alert.headline, "bold")], width, 3)


def do_lines(detail: AlertDetail, width: int) -> list[Line]:
    """The runbook: headings, steps and commands told apart."""
    book = detail.runbook
    lines: list[Line] = [[(f" {book.title}", "title"), (f"   {book.source}", "faint")], []]
    for text in book.text.splitlines():
        if not text.strip():
            lines.append([])
            continue
        heading = text.startswith("#")
        plain = text.lstrip("# ") if heading else text
        pieces: list[Piece] = [(" ", "text")]
        for number_, part in enumerate(re.split(r"`", plain)):
            if part:
                pieces.append((part, "accent" if number_ % 2 else "bold" if heading else "text"))
        lines += wrapped(pieces, width, 4)
    return lines


def before_lines(detail: AlertDetail, now: float, width: int) -> list[Line]:
    """What changed before it, the most suspicious first."""
    if not detail.related:
        return [[(" nothing changed in the time before it", "dim")]]
    opened = detail.alert.opened_at
    lines: list[Line] = [[(" CHANGES BEFORE IT", "head"), ("   most suspicious first", "faint")]]
    for each in detail.related:
        mark = "●●●" if each.suspicion >= 0.6 else "●●○" if each.suspicion >= 0.3 else "●○○"
        style = "bad" if each.suspicion >= 0.6 else "warn" if each.suspicion >= 0.3 else "faint"
        lead: list[Piece] = [
            (f" {mark} ", style),
            (f"{span(max(opened - each.at, 0.0)):>4} before  ", "dim"),
            (each.what, "text"),
        ]
        lines += wrapped(lead, width, 18)
        by = f", by {each.by}" if each.by else ""
        lines += wrapped([(f"{' ' * 18}{each.kind}: {each.why}{by}", "faint")], width, 18)
    return lines


def log_lines(detail: AlertDetail, now: float, width: int) -> list[Line]:
    """The timeline, newest first."""
    lines: list[Line] = [[(" TIMELINE", "head"), ("   newest first", "faint")]]
    for event in reversed(detail.events):
        pieces: list[Piece] = [
            (f" {clock_time(event.at, now):<11} ", "faint"),
            (f"{event.kind} ", _KINDS.get(event.kind, "text")),
            (f"{event.message}  " if event.message else "", "text"),
            (event.actor, "dim"),
        ]
        lines += wrapped(pieces, width, 13)
    return lines


def notified_lines(detail: AlertDetail, now: float, width: int) -> list[Line]:
    """Who is on call, the levels of the policy, and what was sent."""
    lines: list[Line] = [[(" ON CALL", "head")], *_on_call(detail.on_call, now), []]
    lines += [*_levels(detail.policy, detail.steps, now, width), []]
    lines.append([(" SENT", "head")])
    if not detail.deliveries:
        lines.append([(" nothing yet", "dim")])
    for each in reversed(detail.deliveries):
        lines += _delivery(each, now, width)
    return lines


def beside_lines(detail: AlertDetail, pane: str, now: float, width: int) -> list[Line]:
    """What is worth seeing beside a pane where there is room for two."""
    if pane in ("before", "log"):
        return what_lines(detail, now, width)
    if pane == "notified":
        return [*before_lines(detail, now, width), [], *log_lines(detail, now, width)]
    if pane == "do":
        return what_lines(detail, now, width)
    return [
        *before_lines(detail, now, width),
        [],
        *log_lines(detail, now, width),
        [],
        *do_lines(detail, width),
    ]


def _message(alert: Alert, width: int) -> list[Line]:
    return wrapped([(f" {alert.message}", "text")], width, 1) if alert.message else []


def _chart(detail: AlertDetail, width: int) -> list[Line]:
    series = detail.series
    if series is None:
        return []
    values = [value for _, value in series.points]
    drawn = small_chart(
        values, width - 2, CHART_LINES, threshold=series.threshold, above=series.above
    )
    first, last = series.points[0][0], series.points[-1][0]
    title: Line = [(f" {series.title}", "dim"), (f"   over {span(last - first)}", "faint")]
    return [[], title, *([(" ", "text"), *line] for line in drawn), []] if drawn else []


def _facts(detail: AlertDetail, now: float, width: int) -> list[Line]:
    alert = detail.alert
    people = on_call_names(detail.on_call)
    state = state_of(alert, now)
    rows: list[tuple[str, list[Piece]]] = [
        ("about", [(alert.target, "bold"), (f"   {alert.kind}", "dim"),
                   (f"   {alert.id}", "faint")]),
        ("state", [(state.text, state.style), *_state_words(alert, now)]),
        ("since", [(full_time(alert.at), "text"), (f"   {age(now - alert.at)}", "dim")]),
        ("seen", [(plural(alert.events, "time"), "text"),
                  (f", last {age(now - alert.last_at)}", "dim"),
                  (f", came back {plural(alert.reopened, 'time')}" if alert.reopened else "",
                   "warn")]),
        ("owner", [(owner(alert, people), "text"),
                   (f"   {alert.owner}" if alert.owner in people else "", "faint")]),
    ]  # fmt: skip
    numbers = [
        f"{key} {number(value)}"
        for key, value in alert.evidence.items()
        if key not in ("open", "at", "alarm", "monitor", "window", "definition")
        and isinstance(value, str | int | float)
        and value != ""
    ]
    if numbers:
        rows.append(("found", [(", ".join(numbers), "text")]))
    definition = alert.evidence.get("definition")
    if isinstance(definition, str) and definition:
        rows.append(("rule", [(definition, "dim")]))
    lines: list[Line] = []
    for label, pieces in rows:
        lines += wrapped([(f" {label:<{_LABEL}}", "faint"), *pieces], width, _LABEL + 1)
    return lines


def _state_words(alert: Alert, now: float) -> list[Piece]:
    if alert.silence is not None:
        left = span(max(alert.silence.ends_at - now, 0.0))
        return [(f"   ends in {left}, by {alert.silence.made_by}: {alert.silence.reason}", "dim")]
    if alert.snoozed(now) and alert.wakes_at is not None:
        return [(f"   back in {span(alert.wakes_at - now)}, by {alert.snoozed_by}", "dim")]
    if alert.state == "acknowledged" and alert.acked_at is not None:
        return [(f"   by {alert.acked_by} {age(now - alert.acked_at)}", "dim")]
    if alert.state == "resolved" and alert.resolved_at is not None:
        return [(f"   by {alert.resolved_by} {age(now - alert.resolved_at)}", "dim")]
    return []


def _causes(detail: AlertDetail, width: int) -> Iterator[Line]:
    total = detail.alert.causes
    yield [(f" {plural(total, 'cause').upper()}", "head")]
    for each in detail.causes[:_MOST_CAUSES]:
        over = "✓" if each.over_at else "·"
        pieces: list[Piece] = [
            (f" {over} ", "ok" if each.over_at else "dim"),
            (each.title, "dim" if each.over_at else "text"),
            (f"  {each.count:,}×" if each.count > 1 else "", "dim"),
            (f"  {each.message}" if each.message else "", "faint"),
        ]
        yield from wrapped(pieces, width, 3)
    if total > _MOST_CAUSES:
        yield [(f"   … and {total - _MOST_CAUSES:,} more", "faint")]


_KEY_OF = {"evidence": "⏎", "rollback": "R", "retrain": "t", "hold": "H", "relabel": "L"}


def _actions(detail: AlertDetail, width: int) -> Iterator[Line]:
    yield [(" ONE KEY", "head")]
    for each in detail.actions:
        off = bool(each.reason)
        pieces: list[Piece] = [
            (f" {_KEY_OF.get(each.id, ' ')}  ", "faint" if off else "key"),
            (f"{each.label}  ", "faint" if off else "text"),
            (each.reason or f"$ {each.command}", "faint" if off else "dim"),
        ]
        yield from wrapped(pieces, width, 4)


def _on_call(found: Sequence[OnCall], now: float) -> Iterator[Line]:
    if not found:
        yield [(" no schedule: alerts.schedules in opsdeck.yaml", "dim")]
    for each in found:
        then = (
            f", then {each.next or 'nobody'} in {span(each.until_at - now)}"
            if each.until_at
            else ""
        )
        yield [
            (f" {each.schedule:<12} ", "dim"),
            (each.who or "▲ nobody", "bold" if each.who else "bad"),
            (" stands in" if each.overridden else "", "warn"),
            (then, "faint"),
        ]


def _levels(policy: str, steps: Sequence[EscalationStep], now: float, width: int) -> Iterator[Line]:
    yield [(" ESCALATION", "head"), (f"   policy {policy}" if policy else "", "faint")]
    if not steps:
        yield [(" no policy fits: nobody else is told", "dim")]
    for step in steps:
        when = (
            "told"
            if step.told
            else f"in {span(max(step.due_at - now, 0.0))}"
            if step.due_at is not None
            else "not now"
        )
        pieces: list[Piece] = [
            (" ✓ " if step.told else " · ", "ok" if step.told else "dim"),
            (f"{step.level + 1}  {', '.join(step.notify) or 'nobody'}  ", "text"),
            (when, "warn" if step.due_at is not None else "faint"),
        ]
        yield from wrapped(pieces, width, 6)


def _delivery(each: Delivery, now: float, width: int) -> list[Line]:
    style = {"sent": "ok", "waiting": "dim"}.get(each.state, "bad")
    glyph = {"sent": "✓", "waiting": "·"}.get(each.state, "✗")
    at = each.sent_at or each.gave_up_at or each.due_at
    person = f" for {each.person}" if each.person else ""
    pieces: list[Piece] = [
        (f" {glyph} {each.state:<9}", style),
        (f"{'again ' if each.state == 'failing' else ''}{clock_time(at, now)}  ", "faint"),
        (f"{each.target}{person}  ", "text"),
        (each.kind, "dim"),
        (f"  {each.error}" if each.error else "", "bad"),
    ]
    return wrapped(pieces, width, 13)
