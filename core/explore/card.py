"""A data card: what somebody should know of a dataset before using it, as Markdown."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from core.domain.dataset import Dataset
from core.domain.profile import ColumnKind, ColumnProfile, DatasetProfile, Gap, TimeStats
from core.errors import BadInput, DiskFull
from core.reads.datasets import list_refs
from core.reads.quality import list_quarantine, list_validations

if TYPE_CHECKING:
    from core.session import Session

MOST_GAPS = 20
MOST_EDGES = 20
MOST_PAIRS = 10


def data_card(session: Session, dataset: Dataset, profile: DatasetProfile) -> str:
    """The card of a dataset as it stands at the profile's snapshot."""
    parts = [
        _head(dataset, profile),
        _origin(session, dataset),
        _labels(session, dataset),
        _schema(session, dataset, profile),
        _highlights(profile),
        _gaps(profile),
        _quality(session, dataset),
        _lineage(session, dataset),
        _use(dataset, profile),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_text(path: Path, text: str, force: bool) -> None:
    """Write a file whole or not at all; raises `BadInput` where there is one already."""
    if path.exists() and not force:
        raise BadInput(f"{path}: exists already", "add --force, or name another file")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if error.errno == 28:
            raise DiskFull(f"{path}: no room on the disk", "free some space") from error
        raise BadInput(f"{path}: cannot be written: {error.strerror}") from error


def _head(dataset: Dataset, profile: DatasetProfile) -> str:
    lines = [f"# {dataset.name}", ""]
    lines.append(_safe(dataset.description) or "*No description yet.*")
    rows = [
        ("Owner", dataset.owner),
        ("Kind", dataset.kind),
        ("Snapshot", f"#{profile.snapshot_number} ({profile.snapshot_id})"),
        ("Rows", f"{profile.rows:,}"),
        ("Columns", f"{len(profile.columns)}"),
        ("Created", f"{_day(dataset.created_at)} by {dataset.created_by}"),
        ("Profiled", _moment(profile.at)),
    ]
    lines += ["", "| | |", "|---|---|", *(f"| {key} | {_safe(value)} |" for key, value in rows)]
    if profile.restricted:
        told = "; ".join(_safe(note) for note in profile.notes)
        lines += ["", f"Made of what its author may see: {told}."]
    return "\n".join(lines)


def _origin(session: Session, dataset: Dataset) -> str:
    rows = session.reader.rows(
        "SELECT source, max(ended_at) AS at, sum(rows) AS rows, count(*) AS n FROM ingests"
        " WHERE dataset = :name AND state = 'done' GROUP BY source ORDER BY at DESC LIMIT 10",
        name=dataset.name,
    )
    if not rows:
        return ""
    lines = ["## Source", "", "| from | batches | rows | last |", "|---|---:|---:|---|"]
    for row in rows:
        last = _day(row["at"]) if row["at"] else ""
        lines.append(f"| `{_safe(row['source'])}` | {row['n']} | {row['rows'] or 0:,} | {last} |")
    return "\n".join(lines)


def _labels(session: Session, dataset: Dataset) -> str:
    rows = session.reader.rows(
        "SELECT column_name, tag, origin FROM dataset_tags WHERE dataset = :name"
        " ORDER BY column_name, tag",
        name=dataset.name,
    )
    refs = list_refs(session.reader, dataset.name)
    lines = [
        f"- `{row['tag']}`: {_of_column(row['column_name'])}"
        + (f" (from {_safe(row['origin'])})" if row["origin"] else "")
        for row in rows
    ]
    lines += [f"- {ref.kind} `{ref.name}`: snapshot {ref.snapshot_id}" for ref in refs]
    return "\n".join(["## Tags", "", *lines]) if lines else ""


def _of_column(name: str) -> str:
    return f"column `{_safe(name)}`" if name else "the whole dataset"


def _schema(session: Session, dataset: Dataset, profile: DatasetProfile) -> str:
    """The columns. Of one that bears a label no values are told: cards are handed round."""
    labelled = session.reader.rows(
        "SELECT column_name FROM dataset_tags WHERE dataset = :name", name=dataset.name
    )
    silent = {row["column_name"] for row in labelled}
    docs = {column.name: column.doc for column in dataset.columns}
    lines = ["## Columns", "", "| column | type | missing | distinct | values | |"]
    lines.append("|---|---|---:|---:|---|---|")
    for column in profile.columns:
        about = "~" if column.distinct_approximate else ""
        distinct = "" if column.distinct is None else f"{about}{column.distinct:,}"
        values = "*not told*" if silent & {"", column.name} else _values(column)
        lines.append(
            f"| `{_safe(column.name)}` | {column.type} | {column.missing_share:.1%} | {distinct}"
            f" | {values} | {_safe(docs.get(column.name, ''))} |"
        )
    return "\n".join(lines)


def _values(column: ColumnProfile) -> str:
    """What a column holds, in a few words."""
    number, text, time = column.number, column.text, column.time
    if time is not None and time.first is not None and time.last is not None:
        return " to ".join(_span(time.first, time.last))
    if number is not None and number.minimum is not None and number.maximum is not None:
        mean = f", mean {number.mean:,.4g}" if number.mean is not None else ""
        return f"{number.minimum:,.6g} to {number.maximum:,.6g}{mean}"
    if column.kind is ColumnKind.FLAG or (text is not None and column.top):
        return ", ".join(f"{_safe(value)} ({count:,})" for value, count in column.top[:3])
    return f"{text.min_length} to {text.max_length} characters" if text is not None else ""


def _highlights(profile: DatasetProfile) -> str:
    lines = []
    if profile.sampled_rows is not None:
        lines.append(
            f"- Quantiles, histograms and top values are of {profile.sampled_rows:,} rows drawn"
            f" by chance from {profile.rows:,}."
        )
    if profile.duplicate_rows:
        lines.append(f"- {profile.duplicate_rows:,} rows repeat an earlier one.")
    for column in profile.columns:
        stats = column.number
        if stats is not None and stats.outliers is not None and stats.outliers.count:
            share = stats.outliers.count / max(1, profile.sampled_rows or profile.rows)
            if share >= 0.01:
                lines.append(
                    f"- `{_safe(column.name)}`: {share:.1%} of its values lie outside"
                    f" {stats.outliers.low:,.4g} to {stats.outliers.high:,.4g}"
                    f" ({stats.outliers.rule})."
                )
        if column.distinct == 1 and profile.rows > 1:
            lines.append(f"- `{_safe(column.name)}` has one value only.")
    pairs = [each for each in profile.correlations if each.method != "spearman"]
    strong = sorted((p for p in pairs if abs(p.value) >= 0.8), key=lambda p: -abs(p.value))
    for pair in strong[:MOST_PAIRS]:
        names = f"`{_safe(pair.first)}` and `{_safe(pair.second)}`"
        lines.append(f"- {names} go together ({pair.method} {pair.value:.2f}).")
    return "\n".join(["## What stands out", "", *lines]) if lines else ""


def _gaps(profile: DatasetProfile) -> str:
    parts = []
    for column in profile.columns:
        time = column.time
        if time is not None and time.missing:
            step = time.calendar or span_words(time.step)
            parts.append(
                f"`{_safe(column.name)}`: usually one {step} apart; {time.missing:,} times are"
                f" missing in {time.gap_count:,} gaps, the longest of them:"
            )
            parts.append("\n".join(_longest(time)))
    incomplete = [c for c in profile.columns if c.missing]
    if incomplete:
        told = ", ".join(f"`{_safe(c.name)}` ({c.missing_share:.1%})" for c in incomplete[:20])
        parts.append(f"Values are missing in {told}.")
    return "\n\n".join(["## Known gaps", *parts]) if parts else ""


def _longest(time: TimeStats) -> list[str]:
    longest = sorted(time.gaps, key=lambda gap: (-gap.missing, gap.first))[:MOST_GAPS]
    lines = ["| from | to | missing |", "|---|---|---:|"]
    for gap in sorted(longest, key=lambda each: each.first):
        first, last = _span(gap.first, gap.last)
        lines.append(f"| {first} | {last} | {gap.missing:,} |")
    left = time.gap_count - len(longest)
    if left > 0:
        lines.append(f"| and {left:,} others | | {time.missing - _sum(longest):,} |")
    return lines


def _sum(gaps: list[Gap]) -> int:
    return sum(gap.missing for gap in gaps)


def _quality(session: Session, dataset: Dataset) -> str:
    lines = []
    found = list_validations(session.reader, dataset=dataset.name, limit=1)
    for last in found:
        verdict = "met" if last.passed else "not met"
        lines.append(
            f"- Expectations (`{_safe(last.file)}`, {len(last.results)} checks): {verdict} when"
            f" last asked, {_moment(last.at)}."
        )
    held = list_quarantine(session.reader, dataset=dataset.name)
    if held:
        lines.append(f"- {len(held)} batches wait in quarantine.")
    return "\n".join(["## Quality", "", *lines]) if lines else ""


def _lineage(session: Session, dataset: Dataset) -> str:
    rows = session.reader.rows(
        "SELECT source_kind, source, target_kind, target, via FROM lineage_edges"
        " WHERE source_column = '' AND target_column = '' AND"
        " ((target_kind = 'dataset' AND target = :name)"
        " OR (source_kind IN ('dataset', 'view') AND source = :name))"
        " ORDER BY last_at DESC LIMIT :most",
        name=dataset.name,
        most=MOST_EDGES,
    )
    lines = [
        f"- {r['source_kind']} `{_safe(r['source'])}` → {r['target_kind']} `{_safe(r['target'])}`"
        f" (by {r['via']})"
        for r in rows
    ]
    return "\n".join(["## Lineage", "", *lines]) if lines else ""


def _use(dataset: Dataset, profile: DatasetProfile) -> str:
    name = dataset.name
    at = f"@{profile.snapshot_number}" if profile.snapshot_number is not None else ""
    return "\n".join(
        [
            "## How to use it",
            "",
            "```sh",
            f"opsdeck data sample {name} -n 20",
            f"opsdeck data profile {name}{at}",
            f'opsdeck query "SELECT * FROM {name} LIMIT 10"',
            "```",
        ]
    )


def span_words(seconds: float | None) -> str:
    """A step in words: hour, day, 15 minutes."""
    if seconds is None:
        return "step"
    for word, size in (("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return word if count == 1 else f"{count} {word}s"
    return "second" if seconds == 1 else f"{seconds:g} seconds"


def _safe(text: object) -> str:
    """Text that neither breaks a table nor is taken for HTML."""
    plain = " ".join(str(text).split())
    for mark, put in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|"), ("`", "'")):
        plain = plain.replace(mark, put)
    return plain


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"


def _span(first: float, last: float) -> tuple[str, str]:
    """Two moments, as days where both are."""
    shown = _day if first % 86400 == last % 86400 == 0 else _moment
    return shown(first), shown(last)
