"""How datasets, their quality and their versions are told on screens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from screens.glyphs import Sign
from screens.widgets.lines import Line, Piece
from screens.widgets.table import Cell, Column
from screens.words import age, plural, size, span

if TYPE_CHECKING:
    from core.domain.catalogue import CatalogueEntry
    from core.domain.dataset import Dataset, Snapshot

QUALITY = {
    "passed": Sign("✓", "passed", "ok"),
    "warned": Sign("▲", "warned", "warn"),
    "failed": Sign("✗", "failed", "bad"),
    "unchecked": Sign("·", "unchecked", "faint"),
}
"""What came of the newest validation."""

VIEW_STATES = {
    "new": Sign("○", "never refreshed", "warn"),
    "fresh": Sign("✓", "fresh", "ok"),
    "stale": Sign("▲", "stale", "warn"),
    "failed": Sign("✗", "refresh failed", "bad"),
}
"""How a materialised view stands beside its sources."""

CATALOGUE = (
    Column("DATASET", 15, grow=2),
    Column("KIND", 8, drop=2),
    Column("ROWS", 9, align="right"),
    Column("SIZE", 8, align="right", drop=3),
    Column("CHANGED", 8, align="right"),
    Column("QUALITY", 11),
    Column("WAITS", 12, grow=1),
    Column("OWNER", 9, grow=1, drop=4),
    Column("TAGS", 12, grow=1, drop=5),
)


def catalogue_cells(entry: CatalogueEntry, now: float) -> Sequence[Cell]:
    """A dataset as a row of the catalogue."""
    dataset = entry.dataset
    quality = QUALITY[entry.quality]
    changed = "–" if dataset.updated_at is None else age(now - dataset.updated_at)
    return (
        (dataset.name, "bold"),
        (dataset.kind, "dim"),
        "–" if dataset.rows is None else f"{dataset.rows:,}",
        ("–" if dataset.bytes is None else size(dataset.bytes), "dim"),
        (changed, "dim"),
        (quality.text, quality.style),
        waits(entry, now),
        (dataset.owner, "dim"),
        (" ".join(entry.labels) or "–", "dim" if entry.labels else "faint"),
    )


def waits(entry: CatalogueEntry, now: float) -> Line:
    """What of a dataset waits for somebody: batches held back, a view that lags."""
    pieces: list[Piece] = []
    if entry.held:
        pieces.append((f"‖ {entry.held} held", "wait"))
    view = entry.view
    if view is not None and view.state != "fresh":
        told = VIEW_STATES[view.state]
        since = view.stale_since
        lag = f" {span(now - since)}" if view.state == "stale" and since is not None else ""
        word = "failed" if view.state == "failed" else "new" if view.state == "new" else told.word
        pieces.append((f"{'  ' if pieces else ''}{told.glyph} {word}{lag}", told.style))
    return pieces or [("–", "faint")]


def headline(entry: CatalogueEntry, now: float) -> Line:
    """A dataset on one line."""
    dataset = entry.dataset
    quality = QUALITY[entry.quality]
    pieces: list[Piece] = [
        (f" {dataset.name} ", "title"),
        (f"{dataset.kind}  ", "dim"),
        (f"#{dataset.number}  " if dataset.number else "", "text"),
        (plural(dataset.rows, "row") if dataset.rows is not None else "empty", "text"),
        (f"  {quality.text}", quality.style),
    ]
    more = waits(entry, now)
    if entry.held or (entry.view is not None and entry.view.state != "fresh"):
        pieces += [("  ", "text"), *more]
    return pieces


def version(snapshot: Snapshot) -> str:
    """A snapshot as people call it: `#3`, or `#3 (baseline)`."""
    tags = ", ".join(snapshot.refs)
    return f"#{snapshot.number}" + (f" ({tags})" if tags else "")


def searched(entry: CatalogueEntry) -> str:
    """What the filter looks through."""
    dataset = entry.dataset
    view = f" {entry.view.state}" if entry.view is not None else ""
    held = " held" if entry.held else ""
    columns = " ".join(column.name for column in dataset.columns)
    told = f"{dataset.name} {dataset.kind} {entry.quality} {dataset.owner}{view}{held}"
    return f"{told} {' '.join(entry.labels)} {dataset.description} {columns}"


def totals(entries: Iterable[CatalogueEntry]) -> list[Piece]:
    """How many datasets there are, and how many of them want somebody."""
    found = list(entries)
    pieces: list[Piece] = [(plural(len(found), "dataset"), "faint")]
    held = sum(entry.held for entry in found)
    failed = sum(entry.quality == "failed" for entry in found)
    late = sum(entry.view is not None and entry.view.state != "fresh" for entry in found)
    if failed:
        pieces.append((f"   ✗ {failed} failed", "bad"))
    if held:
        pieces.append((f"   ‖ {plural(held, 'batch')} held".replace("batchs", "batches"), "wait"))
    if late:
        pieces.append((f"   ▲ {plural(late, 'view')} not fresh", "warn"))
    return pieces


def named(dataset: Dataset) -> str:
    """A dataset with its version: `rentals #4`."""
    return f"{dataset.name} #{dataset.number}" if dataset.number else dataset.name
