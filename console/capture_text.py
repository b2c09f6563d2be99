"""Captured requests, labels and what they came to, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.session import Session
from console.tables import Column, block, table
from console.words import Cell, number, when
from screens.words import percent, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.domain.capture import (
        CapturedRequest,
        CaptureSummary,
        LabelCoverage,
        LabelsReceived,
    )

BODY = 400  # characters of a body in a table that nobody cuts


def requests_text(session: Session, rows: Sequence[CapturedRequest]) -> str:
    """A table of captured requests."""
    columns = [
        Column("time"),
        Column("id", flexible=True),
        Column("variant"),
        Column("version", right=True),
        Column("status", right=True),
        Column("took", right=True),
        Column("inputs", flexible=True),
        Column("outputs", flexible=True),
    ]
    shown = [
        (
            when(row.at, terminal=session.terminal),
            row.inference_id,
            f"{row.variant} shadow" if row.shadow else row.variant,
            f"v{row.version}" if row.version else "-",
            Cell(str(row.status), "" if row.status < 400 else "red"),
            f"{number(row.latency_ms)}ms",
            row.inputs[:BODY],
            row.outputs[:BODY],
        )
        for row in rows
    ]
    return table(session, columns, shown)


def summary_text(session: Session, found: CaptureSummary) -> str:
    """How much is captured, and what was dropped."""
    variants = ", ".join(f"{name} {count:,}" for name, count in found.by_variant.items())
    kept = f"{found.rows:,} requests, {size(found.bytes)} of {size(found.cap_bytes)}"
    facts: list[tuple[str, Cell | str]] = [
        ("endpoint", found.endpoint),
        ("captured", f"{kept} in {found.parts:,} files"),
        ("variants", variants),
        ("since", found.oldest_day),
        ("sampling", f"{percent(100 * found.rate)} of the requests"),
        ("error", Cell(found.last_error, "red")),
    ]
    if found.running:
        dropped = (found.dropped_full, found.dropped_disk, found.dropped_cap)
        facts += [
            ("since start", f"{found.written:,} written, {found.queued:,} queued"),
            (
                "dropped",
                Cell(
                    f"{dropped[0]:,} queue full, {dropped[1]:,} disk, {dropped[2]:,} over the cap",
                    "yellow" if any(dropped) else "",
                ),
            ),
        ]
    if found.deleted_before_at is not None:
        facts.append(("deleted", f"all before {when(found.deleted_before_at, terminal=False)}"))
    return block(session, facts)


def received_text(found: LabelsReceived) -> str:
    """What a file of labels came to."""
    verb = "stored" if found.stored else "would be stored"
    return (
        f"{found.rows:,} labels of {found.ids:,} requests {verb}: {found.matched:,} are captured,"
        f" {found.unknown:,} are not (yet), {found.repeated:,} were labelled before"
    )


def coverage_text(session: Session, found: LabelCoverage) -> str:
    """How far each variant is labelled, and its metrics."""
    if not found.arms:
        return f"endpoint {found.endpoint} has no labels yet: opsdeck endpoints labels NAME FILE"
    columns = [Column("variant"), *(Column(name, right=True) for name in _COLUMNS)]
    rows = [
        (
            f"{arm.variant} shadow" if arm.shadow else arm.variant,
            f"{arm.captured:,}",
            f"{arm.labelled:,}",
            "-" if arm.share is None else percent(100 * arm.share),
            *(_figure(getattr(arm, name)) for name in _METRICS),
        )
        for arm in found.arms
    ]
    waits = f"{found.labels:,} labels, {found.unknown:,} of requests that are not captured (yet)"
    return f"{table(session, columns, rows)}\n\n{waits}"


_METRICS = ("mae", "rmse", "bias", "accuracy", "precision", "recall", "f1")
_COLUMNS = ("captured", "labelled", "share", *_METRICS)


def _figure(value: float | None) -> str:
    return "-" if value is None else number(value)
