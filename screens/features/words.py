"""How feature views, their freshness and their skew are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from screens.features.reading import FeatureEntry
from screens.glyphs import Sign
from screens.widgets.lines import Line, Piece
from screens.widgets.table import Cell, Column
from screens.words import age, plural, span, span_rounded

if TYPE_CHECKING:
    from core.domain.features import FeatureSkew

FRESHNESS: Mapping[str, Sign] = {
    "fresh": Sign("✓", "fresh", "ok"),
    "behind": Sign("▲", "behind", "warn"),
    "late": Sign("▲", "late", "bad"),
    "never": Sign("▲", "never filled", "warn"),
    "failed": Sign("✗", "failed", "bad"),
    "offline": Sign("·", "offline only", "dim"),
    "draft": Sign("○", "draft", "warn"),
    "retired": Sign("■", "retired", "faint"),
}

COLUMNS = (
    Column("VIEW", 16, grow=2),
    Column("ENTITY", 10, grow=1, drop=2),
    Column("TTL", 4, align="right"),
    Column("ONLINE", 8, align="right"),
    Column("READ", 8, align="right", drop=4),
    Column("FRESHNESS", 14),
    Column("FILLED", 8, align="right"),
    Column("SKEW", 9),
    Column("OWNER", 9, grow=1, drop=3),
)


def cells(entry: FeatureEntry, now: float) -> Sequence[Cell]:
    """A view as a row."""
    view = entry.view
    spec = view.spec
    filled = "–" if view.materialized_at is None else age(now - view.materialized_at)
    return (
        (view.ref, "bold"),
        (", ".join(spec.keys), "dim"),
        ("–" if spec.ttl is None else span_rounded(spec.ttl), "dim"),
        "–" if view.online_rows is None else f"{view.online_rows:,}",
        ("–" if view.rows is None else f"{view.rows:,}", "dim"),
        freshness(entry, now),
        (filled, "dim"),
        skew_cell(entry.skew),
        (spec.owner or view.by, "dim"),
    )


def freshness(entry: FeatureEntry, now: float) -> Line:
    """How fresh the online rows are, with how far behind."""
    state = FRESHNESS[entry.freshness(now)]
    more = f" {entry.lag.behind}" if entry.freshness(now) == "behind" else ""
    if entry.freshness(now) == "late" and entry.view.materialized_at is not None:
        more = f" {span(now - entry.view.materialized_at)}"
    return [(state.text + more, state.style)]


def skew_cell(skew: FeatureSkew | None) -> Piece:
    """The share of entities whose online row was another."""
    if skew is None:
        return ("–", "faint")
    if not skew.different and not skew.missing_online and not skew.missing_offline:
        return ("✓ none", "ok")
    return (f"▲ {skew.share:.1%}", "bad" if skew.share >= 0.05 else "warn")


def searched(entry: FeatureEntry, now: float) -> str:
    """What the filter looks through."""
    spec = entry.view.spec
    names = " ".join(feature.name for feature in spec.features)
    words = FRESHNESS[entry.freshness(now)].word
    return f"{entry.view.ref} {spec.source} {' '.join(spec.keys)} {spec.owner} {words} {names}"


def totals(entries: Sequence[FeatureEntry], now: float) -> list[Piece]:
    """How many views there are and how many are not fresh."""
    pieces: list[Piece] = [(plural(len(entries), "feature view"), "faint")]
    wanting = sum(e.freshness(now) in ("late", "behind", "never", "failed") for e in entries)
    if wanting:
        pieces.append((f"   ▲ {wanting} not fresh", "warn"))
    return pieces
