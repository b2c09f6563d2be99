"""Approval requests and their evidence as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from console.session import Session
from console.tables import Column, block, flat, heading, table
from console.words import Cell, number, state, when

if TYPE_CHECKING:
    from core.domain.gate import Approval


def approvals_text(session: Session, approvals: tuple[Approval, ...]) -> str:
    """A table of requests."""
    if not approvals:
        return "nothing waits for a decision"
    columns = [
        Column("approval"),
        Column("state"),
        Column("model", flexible=True),
        Column("version", right=True),
        Column("environment"),
        Column("run", right=True),
        Column("asked by", flexible=True),
        Column("opened"),
        Column("expires"),
    ]
    tty = session.terminal
    rows = [
        (
            a.id,
            state(a.status, terminal=tty),
            a.model,
            str(a.version) if a.version else "",
            a.environment,
            str(a.run_number) if a.run_number else a.gate,
            a.requested_by,
            when(a.opened_at, terminal=tty),
            when(a.expires_at, terminal=tty),
        )
        for a in approvals
    ]
    return table(session, columns, rows)


def outdated(approval: Approval, champion_now: int | None) -> str:
    """What to say where the evidence compares with a version that is no longer the champion.

    Empty where it compares with the present one, or where the request is decided.
    """
    champion = approval.evidence.get("champion")
    then = champion.get("version") if isinstance(champion, Mapping) else None
    if approval.status.ended or str(then or "") == str(champion_now or ""):
        return ""
    present = (
        f"champion is version {champion_now} now" if champion_now else "there is no champion now"
    )
    return f"{present}: this evidence compares with {f'version {then}' if then else 'none'}"


def approval_text(session: Session, approval: Approval, champion_now: int | None) -> str:
    """A request, its evidence (metrics beside the champion's first) and its decisions.

    `champion_now` is the model's present champion: evidence that compares with another is
    called so.
    """
    tty = session.terminal
    rule = f"{approval.approvals_needed} needed"
    if not approval.requester_may_decide:
        rule += "; not by who asked"
    facts: list[tuple[str, Cell | str]] = [
        ("approval", approval.id),
        ("state", state(approval.status, terminal=tty)),
        ("model", f"{approval.model} version {approval.version}"),
        ("environment", approval.environment),
        ("run", _run(approval)),
        ("asked by", f"{approval.requested_by} {when(approval.opened_at, terminal=tty)}"),
        ("expires", when(approval.expires_at, terminal=tty) if approval.expires_at else "never"),
        ("approvals", rule),
        ("evidence", approval.evidence_hash),
    ]
    warning = outdated(approval, champion_now)
    if warning:
        facts.append(("note", warning))
    parts = [block(session, facts), *_metrics(session, approval.evidence)]
    documents = approval.evidence.get("documents")
    sections = dict(documents) if isinstance(documents, Mapping) else {}
    sections |= {k: v for k, v in approval.evidence.items() if k not in _SHOWN_ABOVE}
    for key, value in sections.items():
        if value and not _repeats(value, approval.evidence.get("metrics")):
            parts.append(f"{heading(session, key)}\n{_section(session, value)}")
    if approval.decisions:
        parts.append(f"{heading(session, 'decisions')}\n{_decisions(session, approval)}")
    return "\n\n".join(parts)


def _run(approval: Approval) -> str:
    """The run that waits; outside of a workspace's runs, where it waits."""
    if approval.run_number:
        return f"{approval.run_number} of {approval.pipeline}, gate {approval.gate}"
    return " ".join(part for part in (approval.gate, approval.pipeline, approval.step) if part)


_SHOWN_ABOVE = ("model", "version", "environment", "metrics", "champion", "documents")


def _repeats(value: object, metrics: object) -> bool:
    """Whether a document says what the table of metrics has said already."""
    if not isinstance(value, Mapping) or not isinstance(metrics, Mapping) or not metrics:
        return False
    return all(value.get(key) == shown for key, shown in metrics.items())


def _section(session: Session, value: object) -> str:
    """One part of the evidence: a list of like records as a table, anything else flat."""
    if isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
        keys = list(dict.fromkeys(key for item in value for key in item))
        numeric = {k for k in keys if all(isinstance(i.get(k), (int, float)) for i in value)}
        columns = [
            Column(key.replace("_", " "), key in numeric, key not in numeric) for key in keys
        ]
        return table(session, columns, [[_shown(item, key) for key in keys] for item in value])
    return block(session, flat(value))


def _metrics(session: Session, evidence: Mapping[str, Any]) -> list[str]:
    metrics = evidence.get("metrics")
    if not isinstance(metrics, Mapping) or not metrics:
        return []
    champion = evidence.get("champion")
    of_champion = champion.get("metrics", {}) if isinstance(champion, Mapping) else {}
    columns = [
        Column("metric"),
        Column("candidate", right=True),
        Column("champion", right=True),
        Column("difference", right=True),
    ]
    rows = [
        (key, number(value), _shown(of_champion, key), _difference(value, of_champion.get(key)))
        for key, value in metrics.items()
    ]
    version = champion.get("version") if isinstance(champion, Mapping) else None
    title = f"metrics, champion is version {version}" if version else "metrics, no champion yet"
    return [f"{heading(session, title)}\n{table(session, columns, rows)}"]


def _shown(values: Mapping[str, Any], key: str) -> str:
    return number(values[key]) if key in values else "-"


def _difference(value: object, other: object) -> str:
    if not isinstance(value, (int, float)) or not isinstance(other, (int, float)):
        return "-"
    change = value - other
    share = f" ({change / abs(other):+.1%})" if other else ""
    return f"{change:+.4g}{share}"


def _decisions(session: Session, approval: Approval) -> str:
    columns = [Column("who"), Column("verdict"), Column("when"), Column("comment", flexible=True)]
    rows = [
        (d.actor, d.verdict.value, when(d.at, terminal=session.terminal), d.comment)
        for d in approval.decisions
    ]
    return table(session, columns, rows)
