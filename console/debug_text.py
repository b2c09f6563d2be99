"""What the training debugger found, as text."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from console.output import emit, to_json
from console.session import Session
from console.tables import Column, heading, table
from console.words import Cell, harmless, when

if TYPE_CHECKING:
    from core.domain.debugger import DebugReport, RuleResult

FOLLOW_SECONDS = 2.0
_COLOURS = {"IssuesFound": "red", "NoIssuesFound": "green", "InProgress": "cyan"}


def debug_text(session: Session, ref: str, *, quick: bool, follow: bool) -> DebugReport:
    """Print the report of a run; with `follow` issues as they come, then the report."""
    ops = session.ops()
    told: set[str] = set()
    while follow:
        found = ops.runs.debug(ref, outputs=False)
        for issue in found.issues:
            if issue.rule not in told:
                told.add(issue.rule)
                _tell(session, issue)
        if found.ended:
            break
        time.sleep(FOLLOW_SECONDS)
    found = ops.runs.debug(ref, outputs=not quick)
    if follow and session.json:
        click.echo(json.dumps(to_json(found), ensure_ascii=False))
    else:
        emit(session, found, lambda: report_text(session, found))
    return found


def _tell(session: Session, issue: RuleResult) -> None:
    if session.json:
        click.echo(json.dumps(to_json(issue), ensure_ascii=False))
    else:
        click.echo(f"{issue.rule}: {harmless(issue.message)}{_since(issue)}")


def _since(issue: RuleResult) -> str:
    return "" if issue.since_step is None else f" (since step {issue.since_step})"


def report_text(session: Session, found: DebugReport) -> str:
    """The rules, issues first; then those that could not be evaluated, and why."""
    columns = [
        Column("rule"),
        Column("status"),
        Column("since step", right=True),
        Column("since"),
        Column("of", flexible=True),
        Column("what", flexible=True),
    ]
    rows = [
        (
            rule.rule,
            Cell(rule.status, _COLOURS.get(rule.status, "")),
            "-" if rule.since_step is None else str(rule.since_step),
            when(rule.since_at, terminal=session.terminal),
            rule.subject,
            rule.message or rule.definition,
        )
        for rule in found.rules
    ]
    shown = table(session, columns, rows) if rows else "nothing of this run can be evaluated"
    if found.not_evaluated:
        width = max(len(name) for name in found.not_evaluated)
        lines = [f"{name.ljust(width)}  {why}" for name, why in found.not_evaluated.items()]
        shown += f"\n\n{heading(session, 'not evaluated')}\n" + "\n".join(lines)
    return shown
