"""Validations and quarantined batches, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from console.session import Session
from console.tables import Column, block, heading, table
from console.words import Cell, number, when
from screens.words import plural

if TYPE_CHECKING:
    from core.domain.quality import (
        CheckResult,
        Expectations,
        HoldPreview,
        QuarantinedBatch,
        QuarantinedRow,
        Validation,
    )

_STATUS = {
    "passed": ("✔ passed", "green"),
    "failed": ("✘ failed", "red"),
    "skipped": ("– skipped", ""),
}
_STATES = {"held": "yellow", "repaired": "cyan", "replaying": "cyan", "replayed": "green"}


def validation_text(session: Session, found: Validation, *, all_: bool = False) -> str:
    """What failed and what was not asked; checks that passed only with `all_`."""
    verdict = Cell("✔ as expected", "green") if found.passed else Cell("✘ not as expected", "red")
    if found.passed and found.warnings:
        verdict = Cell(f"✔ as expected, {plural(found.warnings, 'warning')}", "yellow")
    if found.notes:
        verdict = Cell(f"{verdict.text}, as far as you see it", verdict.colour)
    head = block(
        session,
        [
            ("dataset", found.dataset),
            ("verdict", verdict if session.terminal else Cell(verdict.text[2:])),
            ("rows", f"{found.rows:,}, of which {found.failed_rows:,} fail"),
            ("checks", _counts(found)),
            ("file", found.file),
            ("note", "; ".join(found.notes)),
            ("validation", found.id),
        ],
    )
    shown = list(found.results) if all_ else [e for e in found.results if e.status != "passed"]
    if not shown:
        return head
    order = {"failed": 0, "skipped": 1, "passed": 2}
    shown.sort(key=lambda each: (order[each.status], each.severity != "error"))
    columns = [
        Column("line", right=True),
        Column("check", flexible=True),
        Column("status"),
        Column("if not"),
        Column("rows", right=True),
        Column("why", flexible=True),
    ]
    return f"{head}\n\n{table(session, columns, [_result_row(session, each) for each in shown])}"


def _counts(found: Validation) -> str:
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for each in found.results:
        counts[each.status] += 1
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def _result_row(session: Session, result: CheckResult) -> Sequence[Cell | str]:
    text, colour = _STATUS[result.status]
    warn = result.severity == "warn"
    why = result.message or result.observed
    if result.examples:
        why += f", such as {', '.join(result.examples[:3])}"
    return (
        str(result.line),
        result.title,
        Cell(text if session.terminal else result.status, "yellow" if warn and colour else colour),
        Cell(result.severity, "bright_black"),
        "-" if result.failed_rows is None else f"{result.failed_rows:,}",
        why,
    )


def expectations_text(session: Session, found: Expectations) -> str:
    """A line a check."""
    head = block(
        session,
        [
            ("dataset", found.dataset),
            ("file", found.path),
            ("what", found.description),
            ("strict", "no other columns" if found.strict else ""),
        ],
    )
    columns = [
        Column("line", right=True),
        Column("check", flexible=True),
        Column("if not"),
        Column("of"),
        Column("may fail"),
    ]
    rows = [
        (
            str(each.line),
            each.title,
            Cell(each.severity, "" if each.severity == "error" else "bright_black"),
            each.scope if each.scope != "both" else "batch, snapshot",
            f"{each.allow:.1%}" if each.allow else "",
        )
        for each in found.checks
    ]
    return f"{head}\n\n{table(session, columns, rows)}"


def validations_text(session: Session, found: Sequence[Validation]) -> str:
    """A line a validation."""
    if not found:
        return "no validations"
    columns = [
        Column("validation"),
        Column("when"),
        Column("dataset"),
        Column("of"),
        Column("verdict"),
        Column("rows", right=True),
        Column("bad", right=True),
        Column("by"),
        Column("why", flexible=True),
    ]
    rows = [
        (
            each.id,
            when(each.at, terminal=session.terminal),
            each.dataset,
            "batch" if each.batch_id else "snapshot",
            Cell("passed", "green") if each.passed else Cell("failed", "red"),
            f"{each.rows:,}",
            f"{each.failed_rows:,}",
            each.by,
            each.why,
        )
        for each in found
    ]
    return table(session, columns, rows)


def quarantine_text(session: Session, found: Sequence[QuarantinedBatch]) -> str:
    """A line a batch."""
    if not found:
        return "no batches in quarantine"
    columns = [
        Column("batch"),
        Column("when"),
        Column("dataset"),
        Column("state"),
        Column("rows", right=True),
        Column("bad", right=True),
        Column("by"),
        Column("why", flexible=True),
    ]
    rows = [
        (
            each.id,
            when(each.at, terminal=session.terminal),
            each.dataset,
            Cell(each.state, _STATES.get(each.state, "")),
            f"{each.rows:,}",
            f"{each.bad_rows:,}",
            each.by,
            each.message,
        )
        for each in found
    ]
    return table(session, columns, rows)


def held_text(
    session: Session, batch: QuarantinedBatch, rows: Sequence[QuarantinedRow], note: str = ""
) -> str:
    """One batch: what failed, and bad rows with their reasons."""
    head = block(
        session,
        [
            ("batch", batch.id),
            ("dataset", batch.dataset),
            ("state", Cell(batch.state, _STATES.get(batch.state, ""))),
            ("came in", f"{when(batch.at, terminal=session.terminal)} by {batch.by}"),
            ("rows", f"{batch.rows:,}, of which {batch.bad_rows:,} have reasons of their own"),
            ("decided", batch.decided_by or ""),
            ("snapshot", batch.snapshot_id or ""),
            ("why", batch.message),
            ("note", note),
        ],
    )
    parts = [head]
    if batch.reasons:
        why = [
            (title, "-" if count is None else f"{count:,}")
            for title, count in sorted(batch.reasons.items(), key=lambda each: -(each[1] or 0))
        ]
        columns = [Column("fails", flexible=True), Column("rows", right=True)]
        parts.append(table(session, columns, why))
    if rows:
        parts.append(_rows(session, rows))
        left = batch.bad_rows - len(rows)
        if left > 0:
            parts.append(f"and {left:,} more (-n shows more, edit writes them to a file)")
    if batch.state in ("held", "repaired"):
        parts.append(_next(session, batch))
    return "\n\n".join(parts)


def hold_text(session: Session, would: HoldPreview) -> str:
    """What taking rows into quarantine would do, and who uses the dataset."""
    by_kind: dict[str, list[str]] = {}
    for what, name in would.users:
        by_kind.setdefault(what, []).append(name)
    share = would.rows / would.of if would.of else 0.0
    pairs = [
        ("dataset", f"{would.dataset}, version #{would.version}"),
        ("where", would.where),
        ("rows", f"{would.rows:,} of {would.of:,} ({share:.1%}) leave it and are held"),
        *((f"{what}s", ", ".join(names)) for what, names in by_kind.items()),
    ]
    if not would.users:
        pairs.append(("used by", "nothing on record"))
    return block(session, [(key, value) for key, value in pairs])


def _rows(session: Session, rows: Sequence[QuarantinedRow]) -> str:
    names = list(rows[0].values)
    columns = [Column("row", right=True), Column("reasons", flexible=True)]
    columns += [Column(name, flexible=True) for name in names]
    shown: list[Sequence[Cell | str]] = [
        (str(row.number), "; ".join(row.reasons), *(_value(row.values[name]) for name in names))
        for row in rows
    ]
    return table(session, columns, shown)


def _value(value: object) -> Cell:
    return Cell("missing", "bright_black") if value is None else Cell(number(value))


def _next(session: Session, batch: QuarantinedBatch) -> str:
    lines = [
        ("mend its rows", f"opsdeck data quarantine edit {batch.id} bad.csv"),
        ("and take them back", f"opsdeck data quarantine repair {batch.id} bad.csv"),
        ("let it in", f"opsdeck data quarantine replay {batch.id}"),
        ("give it up", f"opsdeck data quarantine discard {batch.id}"),
    ]
    return "\n".join([heading(session, "what can be done"), block(session, lines)])
