"""Stacks, plans, drift and events as text."""

from __future__ import annotations

from collections.abc import Sequence

import click

from console.session import Session
from console.tables import Column, heading, table
from console.words import Cell, harmless, many, when
from core.aws.infra.destroying import Holding
from core.aws.infra.diff import (
    ADD,
    CHANGE,
    IMPORT,
    PERHAPS,
    REMOVE,
    REPLACE,
    Change,
    PropertyChange,
    StackPlan,
)
from core.aws.infra.drifting import StackDrift
from core.aws.infra.place import Place
from core.aws.infra.service import Missing, Plans, Row
from core.aws.infra.stacks import GOOD, Event, Stack

_WIDEST = 160
"""Longer values are cut on a terminal; in a pipe nothing is."""
_SIGNS = {ADD: "+", CHANGE: "~", REPLACE: "-/+", PERHAPS: "~?", REMOVE: "-", IMPORT: ">"}
_COLOURS = {ADD: "green", CHANGE: "yellow", REPLACE: "red", PERHAPS: "red", REMOVE: "red"}
_WORDS = {
    ADD: "added",
    CHANGE: "changed",
    REPLACE: "REPLACED",
    PERHAPS: "PERHAPS REPLACED",
    REMOVE: "REMOVED",
    IMPORT: "taken in",
}
_KINDS = {
    "create": "is made",
    "update": "changes",
    "recreate": "is made anew",
    "none": "stays as it is",
}


def _style(session: Session, text: str, colour: str = "", *, bold: bool = False) -> str:
    if not session.colour:
        return text
    return click.style(text, fg=colour or None, bold=bold)


def list_text(session: Session, place: Place, rows: Sequence[Row]) -> str:
    """Every layer and how its stack stands."""
    columns = [
        Column("layer"),
        Column("stack"),
        Column("state"),
        Column("changed"),
        Column("protected"),
        Column("drift"),
        Column("about", flexible=True),
    ]
    cells = [
        (
            each.layer,
            each.stack.name if each.stack else "-",
            _state(each.stack),
            when(each.stack.changed_at, terminal=session.terminal) if each.stack else "-",
            ("yes" if each.stack.protected else "no") if each.stack else "-",
            _drift_word(each.stack),
            each.about,
        )
        for each in rows
    ]
    return f"{heading(session, f'{place.project}: {place}')}\n{table(session, columns, cells)}"


def _state(stack: Stack | None) -> Cell:
    if stack is None:
        return Cell("not deployed", "bright_black")
    colour = "green" if stack.status in GOOD else "cyan" if stack.busy else "red"
    return Cell(stack.status, colour)


def _drift_word(stack: Stack | None) -> Cell | str:
    if stack is None or not stack.drift or stack.drift == "NOT_CHECKED":
        return "-"
    return Cell(stack.drift, "red" if stack.drift == "DRIFTED" else "green")


def plans_text(session: Session, place: Place, plans: Plans) -> str:
    """What would be done, stack by stack."""
    parts = [heading(session, f"{place.project}: {place}")]
    parts += [plan_text(session, each) for each in plans.stacks]
    parts += [left_out_text(each) for each in plans.left_out]
    return "\n".join(parts)


def left_out_text(missing: Missing) -> str:
    """A layer that was left out, and how to have it."""
    names = " ".join(f"--parameters {name}=…" for name in missing.parameters)
    return f"{missing.layer}: left out, it needs {names}"


def plan_text(session: Session, plan: StackPlan) -> str:
    """What would be done to one stack: each resource, each property from what to what."""
    counts = ", ".join(f"{count} {_WORDS[action]}" for action, count in plan.counts.items())
    title = f"{plan.stack} {_KINDS[plan.kind]}"
    lines = [_style(session, f"{title}: {counts}" if counts else title, bold=True)]
    lines += [_style(session, f"  ({note})", "bright_black") for note in plan.notes]
    lines += [f"  parameter {_from_to(session, each)}" for each in plan.parameters]
    for change in plan.changes:
        lines += _change_lines(session, change)
    lost = [each.name for each in plan.loses]
    if lost:
        lines.append(_style(session, f"  DATA LOSS: {', '.join(lost)}", "red", bold=True))
    return "\n".join(lines)


def _change_lines(session: Session, change: Change) -> list[str]:
    sign = f"{_SIGNS[change.action]:>3}"
    colour = _COLOURS.get(change.action, "")
    text = f"  {sign} {change.name} ({change.type}) {_WORDS[change.action]}"
    if change.loses:
        text += f": LOSES {change.loses}"
    if change.kept:
        text += "; the old one stays in the account, without a stack"
    lines = [_style(session, harmless(text), colour)]
    for each in change.properties:
        why = ""
        if each.recreation == "Always":
            why = _style(session, "  needs a REPLACEMENT", "red")
        elif each.recreation == "Conditionally":
            why = _style(session, "  may need a REPLACEMENT", "red")
        lines.append(f"        {_from_to(session, each)}{why}")
    return lines


def _from_to(session: Session, change: PropertyChange) -> str:
    before = "(none)" if change.before is None else _short(session, change.before)
    after = "(none)" if change.after is None else _short(session, change.after)
    if change.before is None and change.after is None:
        return f"{change.path}: changes; CloudFormation does not say to what"
    return f"{change.path}: {before} → {after}"


def _short(session: Session, text: str) -> str:
    line = harmless(" ".join(text.split()))
    if session.terminal and len(line) > _WIDEST:
        return line[: _WIDEST - 1] + "…"
    return line


def event_text(session: Session, event: Event) -> str:
    """One event of a stack."""
    colour = "red" if event.status.endswith("_FAILED") or "ROLLBACK" in event.status else ""
    if not colour and event.status.endswith("_COMPLETE"):
        colour = "green"
    reason = f": {event.reason}" if event.reason else ""
    text = f"  {event.status} {event.name} ({event.type}){reason}"
    return _style(session, harmless(text), colour)


def consequence(place: Place, plans: Plans) -> str:
    """What deploying would do, on one line, for the question."""
    stacks = ", ".join(
        f"{each.stack} {_KINDS[each.kind]}"
        + (f" and LOSES {each.loses[0].loses} ({each.loses[0].name})" if each.loses else "")
        for each in plans.changing
    )
    return f"deploy {place.prefix} to {place}: {stacks}"


def destroy_consequence(
    place: Place, stacks: Sequence[Stack], full: Sequence[Holding], *, retain: bool
) -> str:
    """What destroying would do, on one line, for the question."""
    names = ", ".join(each.name for each in stacks)
    kept = f"; {many(len(full), 'resource')} with contents stay" if retain and full else ""
    return f"destroy {place.prefix} in {place}: {names}{kept}"


def drift_text(session: Session, drifts: Sequence[StackDrift]) -> str:
    """What differs, property by property."""
    lines = []
    for each in drifts:
        word = _style(session, each.status, "red" if each.drifted else "green")
        unchecked = (
            f" ({many(each.unchecked, 'resource')} of types without drift)"
            if each.unchecked
            else ""
        )
        lines.append(f"{each.stack} {word}{unchecked}")
        for resource in each.resources:
            text = f"  {resource.status} {resource.name} ({resource.type}) {resource.physical_id}"
            lines.append(_style(session, harmless(text.rstrip()), "red"))
            lines += [
                f"        {p.path}: {_short(session, p.expected) or '(none)'}"
                f" in the template, {_short(session, p.actual) or '(none)'} in the account"
                for p in resource.properties
            ]
    return "\n".join(lines) or "no stack is deployed"
