"""Batches as text: what an ingest found and did."""

from __future__ import annotations

from collections.abc import Sequence

from console.session import Session
from console.tables import Column, block, heading, table
from console.words import many, state, when
from core.domain.ingest import FileState, Ingest, IngestReport, Intake
from screens.words import size

_FILES = 20
_COLUMNS = 12


def report_text(session: Session, report: IngestReport) -> str:
    """What an ingest did, or would do."""
    parts = [_summary(session, report)]
    parts += _files(session, report)
    if report.dry_run and report.columns:
        parts.append(_columns(session, report))
    if report.dry_run and report.changes:
        parts.append(_changes(session, report))
    if report.preview:
        parts.append(_preview(session, report))
    if report.bad:
        parts.append(_bad(session, report))
    return "\n\n".join(part for part in parts if part)


def _summary(session: Session, report: IngestReport) -> str:
    files = _files_in_words(report)
    name = report.dataset
    if not report.read:
        return f"dataset {name}: nothing new ({files})"
    if report.dry_run:
        verb = (
            f"would be created with {many(report.rows, 'row')}"
            if report.creates
            else (f"would get {many(report.rows, 'row')} ({report.mode})")
        )
        return f"dataset {name} {verb}: {files}"
    if report.ingest is None or report.ingest.snapshot_id is None:
        unmade = ", so it was not made" if report.creates else ""
        return f"dataset {name}: no rows{unmade} ({files})"
    made = "created, " if report.creates else ""
    left = f"; {report.ingest.message}" if report.bad_rows else ""
    rows = many(report.rows, "row")
    return f"dataset {name}: {made}{rows} ({files}), batch {report.ingest.id}{left}"


def _files_in_words(report: IngestReport) -> str:
    counts = {kind: sum(one.state is kind for one in report.files) for kind in FileState}
    words = {
        FileState.NEW: "new", FileState.AGAIN: "again", FileState.KNOWN: "known",
        FileState.CHANGED: "changed", FileState.SAME: "the same as another",
        FileState.BUSY: "being taken in",
    }  # fmt: skip
    told = [f"{count:,} {words[kind]}" for kind, count in counts.items() if count]
    total = len(report.files)
    return f"{total:,} {'file' if total == 1 else 'files'}: {', '.join(told)}"


def _files(session: Session, report: IngestReport) -> list[str]:
    told = [one for one in report.files if report.dry_run or one.note]
    if not told:
        return []
    rows = [
        (
            one.state,
            one.format,
            "-" if one.rows is None else f"{one.rows:,}",
            size(one.size),
            one.uri + (f" ({one.note})" if one.note else ""),
        )
        for one in told[:_FILES]
    ]
    more = len(told) - _FILES
    shown = table(
        session,
        (
            Column("state"),
            Column("format"),
            Column("rows", right=True),
            Column("size", right=True),
            Column("file", flexible=True),
        ),
        rows,
    )
    hint = []
    if any(one.state in (FileState.CHANGED, FileState.SAME) for one in told):
        hint = ["--again takes in what was left out"]
    return [shown + (f"\n… and {more:,} more" if more > 0 else ""), *hint]


def _columns(session: Session, report: IngestReport) -> str:
    rows = [(one.name, one.type, one.note) for one in report.columns]
    columns = (Column("column"), Column("type"), Column("note", flexible=True))
    return table(session, columns, rows)


def _changes(session: Session, report: IngestReport) -> str:
    lines = [f"  {one.text}" + ("  (breaking)" if one.breaking else "") for one in report.changes]
    return "\n".join([heading(session, "Against the dataset"), *lines])


def _preview(session: Session, report: IngestReport) -> str:
    names = list(report.preview[0])[:_COLUMNS]
    rows = [
        ["" if row[name] is None else str(row[name]) for name in names] for row in report.preview
    ]
    shown = table(session, [Column(name, flexible=True) for name in names], rows)
    more = len(report.preview[0]) - len(names)
    return shown + (f"\n… and {more} more columns" if more > 0 else "")


def _bad(session: Session, report: IngestReport) -> str:
    rows = [(f"{one.uri.rpartition('/')[2]}:{one.line}", one.reason) for one in report.bad[:_FILES]]
    more = report.bad_rows - len(rows)
    columns = (Column("left out"), Column("why", flexible=True))
    return table(session, columns, rows) + (f"\n… and {more:,} more" if more > 0 else "")


def ingests_text(session: Session, found: Sequence[Ingest]) -> str:
    """Batches as a table."""
    if not found:
        return "no batches yet"
    rows = [
        (
            one.id,
            one.dataset,
            one.kind,
            state(one.state, terminal=session.terminal),
            "-" if one.rows is None else f"{one.rows:,}",
            str(len(one.files)),
            when(one.at, terminal=session.terminal),
            one.message or one.source,
        )
        for one in found
    ]
    columns = (
        Column("batch"), Column("dataset"), Column("kind"), Column("state"),
        Column("rows", right=True), Column("files", right=True), Column("when"),
        Column("message", flexible=True),
    )  # fmt: skip
    return table(session, columns, rows)


def ingest_text(session: Session, one: Ingest) -> str:
    """One batch with its files."""
    text = block(
        session,
        (
            ("batch", one.id),
            ("dataset", one.dataset),
            ("kind", one.kind),
            ("state", state(one.state, terminal=session.terminal)),
            ("from", one.source),
            ("rows", "" if one.rows is None else f"{one.rows:,}"),
            ("snapshot", one.snapshot_id or ""),
            ("begun", when(one.at, terminal=session.terminal)),
            (
                "ended",
                "" if one.ended_at is None else when(one.ended_at, terminal=session.terminal),
            ),
            ("by", one.by),
            ("message", one.message),
        ),
    )
    if not one.files:
        return text
    rows = [
        (file.format, "-" if file.rows is None else f"{file.rows:,}", size(file.size), file.uri)
        for file in one.files
    ]
    columns = (
        Column("format"),
        Column("rows", right=True),
        Column("size", right=True),
        Column("file", flexible=True),
    )
    return f"{text}\n\n{table(session, columns, rows)}"


def intakes_text(session: Session, found: Sequence[Intake]) -> str:
    """Intakes as a table."""
    if not found:
        return "no intakes yet; see: opsdeck data intake --help"
    rows = [
        (
            one.name,
            one.dataset,
            state("running" if one.running else "stopped", terminal=session.terminal),
            one.url or "-",
            f"{one.counts.accepted:,}" if one.url else "-",
            size(one.counts.waiting_bytes) if one.counts.segments else "-",
            one.counts.last_error,
        )
        for one in found
    ]
    columns = (
        Column("intake"),
        Column("dataset"),
        Column("state"),
        Column("address"),
        Column("accepted", right=True),
        Column("waiting", right=True),
        Column("trouble", flexible=True),
    )
    return table(session, columns, rows)
