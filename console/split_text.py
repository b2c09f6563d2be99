"""Splits and findings of leakage as text."""

from __future__ import annotations

from console.session import Session
from console.tables import Column, heading, table
from console.words import Cell, number
from core.domain.split import LeakReport, PartReport, SplitReport

MOST_SHARES = 4


def split_text(session: Session, told: SplitReport, dry: bool) -> str:
    """The parts of a split."""
    spec = told.spec
    by = f"by {spec.kind}" + (f" of {', '.join(spec.columns)}" if spec.columns else "")
    gap = f", gap {spec.gap} ({told.left_out:,} rows left out)" if spec.gap else ""
    title = f"{told.dataset} #{told.snapshot}, {told.rows:,} rows, {by}{gap}"
    title += "; nothing was written" if dry else ""
    columns = [
        Column("part"),
        Column("rows", right=True),
        Column("share", right=True),
        Column("from"),
        Column("to"),
        Column("target mean", right=True),
        Column("groups", right=True),
        Column("written to", flexible=True),
    ]
    kept = [index for index in range(len(columns)) if index < 3 or any(
        _row(each)[index] not in ("", "-") for each in told.parts)]  # fmt: skip
    rows = [[_row(each)[index] for index in kept] for each in told.parts]
    lines = [heading(session, title), table(session, [columns[i] for i in kept], rows)]
    shares = [f"  {each.name}: {_shares(each)}" for each in told.parts if each.shares]
    return "\n".join([*lines, *shares])


def _row(part: PartReport) -> tuple[str, ...]:
    return (
        part.name,
        f"{part.rows:,}",
        f"{part.share:.1%}",
        part.first,
        part.last,
        "-" if part.target_mean is None else number(part.target_mean),
        "-" if part.groups is None else f"{part.groups:,}",
        f"{part.dataset} #{part.snapshot}" if part.dataset else "",
    )


def _shares(part: PartReport) -> str:
    some = list(part.shares.items())[:MOST_SHARES]
    more = " …" if len(part.shares) > MOST_SHARES else ""
    return ", ".join(f"{value} {share:.1%}" for value, share in some) + more


def leaks_text(session: Session, told: LeakReport) -> str:
    """The findings, the worst first, and what was not looked for."""
    sampled = f" (columns judged on {told.sampled_rows:,})" if told.sampled_rows < told.rows else ""
    title = f"{told.dataset} #{told.snapshot}, target {told.target}, {told.rows:,} rows{sampled}"
    lines = [heading(session, title)]
    if not told.leaks:
        lines.append(f"nothing found: looked for {', '.join(told.checks)}")
    else:
        columns = [Column("is"), Column("what"), Column("finding", flexible=True)]
        rows = [
            (
                Cell(each.severity, "red" if each.severity == "leak" else "yellow"),
                each.kind,
                each.message,
            )
            for each in told.leaks
        ]
        lines.append(table(session, columns, rows))
        advice = list(dict.fromkeys(each.advice for each in told.leaks if each.advice))
        lines += ["", *[f"  {each}" for each in advice]]
    lines += [f"not looked for: {name} ({why})" for name, why in told.skipped.items()]
    return "\n".join(lines)
