"""Endpoints, deployments and receipts as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.release_text import workers_words
from console.session import Session
from console.settings_text import settings_facts
from console.tables import Column, block, heading, table
from console.touched_text import consumers_text, touched_facts
from console.words import Cell, number, state, when
from screens.rollouts import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.domain.analysis import AnalysisStatus, MetricStatus
    from core.domain.release import Deployment, Endpoint, Receipt, Revision
    from core.domain.rollback import RollbackPreview
    from core.serving.config import EndpointConfig

HISTORY = 5


def endpoints_text(session: Session, endpoints: tuple[Endpoint, ...]) -> str:
    """A table of endpoints."""
    if not endpoints:
        return "no endpoints yet: a pipeline's deploy step or opsdeck endpoints deploy makes them"
    columns = [
        Column("name", flexible=True),
        Column("state"),
        Column("serves", flexible=True),
        Column("requests", right=True),
        Column("errors", right=True),
        Column("rps", right=True),
        Column("p99", right=True),
        Column("address", flexible=True),
    ]
    rows = [
        (
            e.name,
            state(e.status, terminal=session.terminal),
            _serves(e),
            str(e.requests),
            str(e.errors),
            f"{e.rps:.1f}",
            _ms(e.p99_ms),
            e.url or "-",
        )
        for e in endpoints
    ]
    return table(session, columns, rows)


def _serves(endpoint: Endpoint) -> str:
    served = [
        f"v{r.version} {_percent(r.weight if r.actual_weight is None else r.actual_weight)}"
        for r in endpoint.revisions
        if r.weight or r.actual_weight
    ]
    return ", ".join(served) or "-"


def _percent(weight: float | None) -> str:
    return "-" if weight is None else f"{weight:g}%"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{number(value)}ms"


def endpoint_text(
    session: Session, endpoint: Endpoint, config: EndpointConfig | None = None
) -> str:
    """An endpoint with its settings, where they are given, its revisions, its open deployment,
    its past and its receipts."""
    tty = session.terminal
    facts: list[tuple[str, Cell | str]] = [
        ("endpoint", endpoint.name),
        ("state", state(endpoint.status, terminal=tty)),
        ("message", endpoint.message),
        ("address", endpoint.url),
        ("processes", _processes(endpoint)),
        (
            "traffic",
            f"{endpoint.requests} requests, {endpoint.errors} errors, {endpoint.in_flight} in"
            f" flight, {endpoint.rps:.1f} rps, p50 {_ms(endpoint.p50_ms)},"
            f" p99 {_ms(endpoint.p99_ms)}",
        ),
        ("captured", _captured(endpoint)),
        ("capture error", Cell(endpoint.capture_error, "red")),
        *([] if config is None else settings_facts(config)),
    ]
    parts = [block(session, facts)]
    if endpoint.revisions:
        parts.append(_revisions(session, endpoint))
    if endpoint.deployment is not None and not endpoint.deployment.status.ended:
        parts.append(_deployment(session, endpoint.deployment))
    if endpoint.analysis is not None:
        parts.append(_analysis(session, endpoint.analysis))
    if any(one.requests for one in endpoint.consumers):
        parts.append(consumers_text(session, endpoint.consumers))
    if endpoint.history:
        parts.append(f"{heading(session, 'deployments')}\n{_history(session, endpoint.history)}")
    if endpoint.receipts:
        parts.append(f"{heading(session, 'went back')}\n{_receipts(session, endpoint.receipts)}")
    return "\n\n".join(parts)


def _captured(endpoint: Endpoint) -> str:
    over = f", {endpoint.dropped_cap} of them over the cap" if endpoint.dropped_cap else ""
    return f"{endpoint.captured} ({endpoint.dropped} dropped{over})"


def _processes(endpoint: Endpoint) -> str:
    pids = [("supervisor", endpoint.supervisor_pid), ("server", endpoint.server_pid)]
    told = [f"{name} {pid}" for name, pid in pids if pid is not None]
    return ", ".join([*told, *([f"{endpoint.servers} servers"] if endpoint.servers > 1 else [])])


def _revisions(session: Session, endpoint: Endpoint) -> str:
    columns = [
        Column("revision", right=True),
        Column("model", flexible=True),
        Column("version", right=True),
        Column("state"),
        Column("set", right=True),
        Column("actual", right=True),
        Column("workers", right=True),
        Column("brought"),
    ]
    rows = [
        (
            str(r.revision),
            r.model,
            str(r.version),
            state(r.state, terminal=session.terminal),
            _percent(r.weight),
            _percent(r.actual_weight),
            _workers(r),
            when(r.created_at, terminal=session.terminal),
        )
        for r in endpoint.revisions
    ]
    return table(session, columns, rows)


def _workers(revision: Revision) -> str:
    """How many there are now and their bounds in each server: `2 (1 to 4)`."""
    if revision.workers is None or revision.worker_bounds is None:
        return "-"
    stuck = f", {revision.stuck_workers} stuck" if revision.stuck_workers else ""
    return f"{revision.workers} ({workers_words(revision.worker_bounds)}{stuck})"


def _deployment(session: Session, deployment: Deployment) -> str:
    done = min(deployment.step_index, len(deployment.strategy))
    ladder = [
        f"{'done' if i < done else 'now' if i == done else 'next':<5}{step.words()}"
        for i, step in enumerate(deployment.strategy)
    ]
    if deployment.status == "held":
        ladder.append(f"held at {deployment.set_weight:g} %: {deployment.message}")
    title = f"being deployed: {deployment.model} version {deployment.version}"
    status = state(deployment.status, terminal=session.terminal).text
    return "\n".join([heading(session, f"{title}, {status}"), *ladder])


def _analysis(session: Session, analysis: AnalysisStatus) -> str:
    """What judges the deployment: what the supervisor did, alarms, metrics with verdicts."""
    lines = []
    if analysis.acted is not None:
        lines.append(f"{analysis.acted.kind} by itself: {analysis.acted.reason}")
    if analysis.sample_ratio is not None and not analysis.sample_ratio.ok:
        lines.append("the traffic is not split as it was set: the comparison does not hold")
    shadow = analysis.shadow
    if shadow is not None and shadow.mirrored:
        lines.append(
            f"shadow: {shadow.compared:,} compared, {shadow.disagreements:,} disagree,"
            f" {shadow.failed:,} failed, {shadow.dropped:,} shed"
        )
    metrics = [
        (
            each.metric + (" (dry run)" * each.dry_run),
            _arm(each.metric, each.champion),
            _arm(each.metric, each.candidate),
            _apart(each.metric, each.difference),
            _interval(each),
            words.margin_words(each),
            state(each.verdict, terminal=session.terminal),
            each.note,
        )
        for each in analysis.metrics
    ]
    alarms = [
        (
            each.name + (" (dry run)" * each.dry_run),
            f"{each.metric} {each.comparison} {each.threshold:g}",
            _number(each.value),
            state(each.state, terminal=session.terminal),
            each.reason,
        )
        for each in analysis.alarms
    ]
    parts = ["\n".join([heading(session, "watched"), *lines])]
    if metrics:
        titles = ("metric", "champion", "candidate", "difference", "interval", "margin", "verdict")
        columns = [Column(title) for title in titles] + [Column("note", flexible=True)]
        parts.append(table(session, columns, metrics))
    if alarms:
        columns = [Column("alarm"), Column("goes off at", flexible=True), Column("now")]
        columns += [Column("state"), Column("why", flexible=True)]
        parts.append(table(session, columns, alarms))
    return "\n".join(parts)


def _arm(metric: str, value: float | None) -> str:
    return "-" if value is None else words.arm_value(metric, value)


def _apart(metric: str, value: float | None) -> str:
    return "-" if value is None else words.difference(metric, value) + words.unit(metric)


def _interval(status: MetricStatus) -> str:
    if status.low is None and status.high is None:
        return "-"
    low = "-∞" if status.low is None else words.difference(status.metric, status.low)
    high = "∞" if status.high is None else words.difference(status.metric, status.high)
    return f"{low} to {high}{words.unit(status.metric)}"


def _number(value: float | None) -> str:
    return "-" if value is None else number(value)


def _history(session: Session, history: Sequence[Deployment]) -> str:
    columns = [
        Column("started"),
        Column("model", flexible=True),
        Column("version", right=True),
        Column("state"),
        Column("by", flexible=True),
        Column("reason", flexible=True),
        Column("message", flexible=True),
    ]
    rows = [
        (
            when(d.created_at, terminal=session.terminal),
            d.model,
            str(d.version),
            state(d.status, terminal=session.terminal),
            d.actor,
            d.reason,
            d.message,
        )
        for d in list(history)[:HISTORY]
    ]
    return table(session, columns, rows)


def _receipts(session: Session, receipts: Sequence[Receipt]) -> str:
    columns = [
        Column("when"),
        Column("from", right=True),
        Column("to", right=True),
        Column("failed", right=True),
        Column("took", right=True),
        Column("by", flexible=True),
        Column("reason", flexible=True),
    ]
    rows = [
        (
            when(r.at, terminal=session.terminal),
            f"v{r.from_version}",
            f"v{r.to_version}" if r.to_version else "none",
            str(r.requests_failed),
            _ms(r.milliseconds),
            r.actor,
            r.reason,
        )
        for r in list(receipts)[:HISTORY]
    ]
    return table(session, columns, rows)


def receipt_text(session: Session, receipt: Receipt) -> str:
    """What a rollback leaves."""
    return block(
        session,
        [
            ("rolled back", receipt.endpoint),
            ("from", receipt.from_name),
            ("to", receipt.to_name),
            ("by", receipt.actor),
            ("reason", receipt.reason or "none given"),
            ("requests failed", str(receipt.requests_failed)),
            ("in flight", str(receipt.in_flight)),
            ("milliseconds", number(receipt.milliseconds)),
            ("at", when(receipt.at, terminal=session.terminal)),
            ("receipt", receipt.id),
        ],
    )


def preview_text(preview: RollbackPreview) -> str:
    """What a rollback would do: a sentence, and a line each for what else it touches."""
    facts = touched_facts(preview.features, preview.consumers)
    moves = f"; {', '.join(preview.aliases)}" if preview.aliases else ""
    cold = "" if preview.loaded else "; it has to be loaded first"
    rate = preview.requests_per_second
    moved = "" if rate is None else f"; {rate:.1f} requests a second go there"
    undo = f"; undo: {preview.undo}" if preview.undo else ""
    return (
        f"{preview.endpoint} ({preview.environment}) goes from {preview.model} version"
        f" {preview.from_version} to {preview.to_model} version {preview.to_version}"
        f" with all traffic{moves}{cold}{moved}{undo}"
        + "".join(f"\n{key}: {words}" for key, words in facts)
    )
