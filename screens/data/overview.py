"""The overview pane: what a dataset is, whether it may be relied on, and its columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from screens.data.words import QUALITY, VIEW_STATES
from screens.profile_lines import moment, step_words, strongest
from screens.widgets.lines import Line, Piece, fit, wrap
from screens.words import age, full_time, plural, size, span

if TYPE_CHECKING:
    from core.domain.profile import DatasetProfile
    from core.domain.view import View
    from screens.data.reading import Detail

KEY = 13


def pair(key: str, value: str, style: str = "text") -> Line:
    """A key and its value."""
    return [(f"  {key:<{KEY}} ", "dim"), (value, style)]


def overview_lines(detail: Detail, now: float, width: int) -> list[Line]:
    """Facts, highlights and the schema of a dataset."""
    return [
        *_facts(detail, now, width),
        *_stands_out(detail.profile, width),
        [],
        *_schema(detail, width),
    ]


def _facts(detail: Detail, now: float, width: int) -> list[Line]:
    dataset, entry = detail.entry.dataset, detail.entry
    lines: list[Line] = []
    for number, text in enumerate(wrap(dataset.description, max(width - KEY - 4, 20))):
        if dataset.description:
            lines.append(pair("" if number else "what", text))
    version = f"#{dataset.number}" if dataset.number else "nothing written yet"
    if dataset.rows is not None:
        version += f", {plural(dataset.rows, 'row')}, {size(dataset.bytes or 0)}"
    if dataset.updated_at is not None:
        version += f", {age(now - dataset.updated_at)}"
    lines.append(pair("version", version))
    names = [f"{ref.name} ({ref.kind})" for ref in detail.refs]
    if names:
        lines.append(pair("named", ", ".join(names)))
    lines.append(pair("owner", f"{dataset.owner}, since {full_time(dataset.created_at)[:10]}"))
    quality = QUALITY[entry.quality]
    checked = ""
    if entry.checked_at is not None:
        checked = f", checked {age(now - entry.checked_at)}"
    failing = f", {plural(entry.failing, 'check')} failing" if entry.failing else ""
    lines.append(pair("quality", f"{quality.text}{failing}{checked}", quality.style))
    if entry.held:
        held = "1 batch waits" if entry.held == 1 else f"{entry.held} batches wait"
        lines.append(pair("held", f"‖ {held} in quarantine: h shows them", "wait"))
    if entry.view is not None:
        lines += _view(entry.view, now)
    lines.append(_seen(detail))
    for number, ingest in enumerate(detail.ingests):
        rows = "" if ingest.rows is None else f", {plural(ingest.rows, 'row')}"
        told = f"{ingest.source}{rows}, {ingest.state} {age(now - ingest.at)}"
        lines.append(pair("" if number else "from", told, "dim"))
    return lines


def _view(view: View, now: float) -> list[Line]:
    state = VIEW_STATES[view.state]
    since = view.stale_since
    told = state.text
    if view.state == "stale" and since is not None:
        behind = sum(source.behind for source in view.sources)
        told += f" for {span(now - since)}, {plural(behind, 'snapshot')} behind"
    if view.refreshed_at is not None:
        told += f", refreshed {age(now - view.refreshed_at)}"
    lines = [pair("view", told, state.style)]
    if view.message:
        lines.append(pair("", view.message, "bad"))
    sources = ", ".join(source.dataset for source in view.sources)
    every = "on demand" if view.every is None else f"every {span(view.every)}"
    lines.append(pair("made from", f"{sources}; {view.mode}, {every}", "dim"))
    return lines


def _seen(detail: Detail) -> Line:
    seen = detail.glance
    if not seen.read:
        owner = detail.entry.dataset.owner
        return pair("you", f"▲ may not read it ({seen.why}): ask {owner}", "warn")
    may = "manage" if seen.manage else "read and write" if seen.write else "read"
    told = f"may {may} it ({seen.why})"
    if seen.all:
        return pair("you", told)
    hidden = plural(len(seen.masks), "column") + " masked" if seen.masks else ""
    rows = f"only rows with {seen.rows}" if seen.rows else ""
    return pair("you", "; ".join(filter(None, (told, hidden, rows))), "warn")


def _stands_out(profile: DatasetProfile | None, width: int) -> list[Line]:
    """What the data card would say first: gaps, what is missing, what goes together."""
    if profile is None:
        return [pair("stands out", "no profile of this version yet: p, then n makes one", "faint")]
    told: list[tuple[str, str]] = []
    for column in profile.columns:
        times = column.time
        if times is not None and times.missing:
            gaps = plural(times.gap_count, "gap")
            told.append(
                (
                    f"▲ {column.name}: {times.missing:,} times missing in {gaps}, one"
                    f" {step_words(times)} apart",
                    "warn",
                )
            )
    holes = [c for c in profile.columns if c.missing]
    if holes:
        names = ", ".join(f"{c.name} {c.missing_share:.1%}" for c in holes[:4])
        told.append((f"▲ values missing in {plural(len(holes), 'column')}: {names}", "warn"))
    if profile.duplicate_rows:
        told.append((f"▲ {plural(profile.duplicate_rows, 'row')} repeat an earlier one", "warn"))
    pairs = [each for each in strongest(profile, most=3) if abs(each.value) >= 0.8]
    if pairs:
        names = ", ".join(f"{p.first} ~ {p.second} {p.value:+.2f}" for p in pairs)
        told.append((f"goes together: {names}", "text"))
    span_of = next((c.time for c in profile.columns if c.time and c.time.first is not None), None)
    if span_of is not None:
        told.append((f"covers {moment(span_of.first)} → {moment(span_of.last)} UTC", "text"))
    if not told:
        told = [("nothing: no gaps, nothing missing, no repeated rows", "dim")]
    return [pair("" if i else "stands out", *each) for i, each in enumerate(told)]


def _schema(detail: Detail, width: int) -> list[Line]:
    columns = detail.entry.dataset.columns
    labels = labels_by_column(detail)
    name_room = min(max((len(c.name) for c in columns), default=4), 30)
    type_room = min(max((len(c.type) for c in columns), default=4), 24)
    whole = f"   the whole is labelled {labels['']}" if labels.get("") else ""
    lines: list[Line] = [[(f" {plural(len(columns), 'column').upper()}", "head"), (whole, "warn")]]
    for column in columns:
        mask = detail.glance.masks.get(column.name, "")
        pieces: list[Piece] = [
            (f"  {fit(column.name, name_room)} ", "text"),
            (f"{fit(column.type, type_room)} ", "accent"),
            ("" if column.nullable else "required ", "dim"),
        ]
        if labels.get(column.name):
            pieces.append((f"⚑ {labels[column.name]} ", "warn"))
        if mask:
            shown = mask if mask == "not shown" else f"masked: {mask}"
            pieces.append((f"▒ {shown} ", "wait"))
        pieces.append((column.doc, "dim"))
        lines.append(pieces)
    return lines


def labels_by_column(detail: Detail) -> Mapping[str, str]:
    """Labels of each column (`""`: of the whole dataset), with where they are from."""
    found: dict[str, list[str]] = {}
    for label in detail.labels:
        origin = f" (from {label.origin})" if label.origin else ""
        found.setdefault(label.column, []).append(label.tag + origin)
    return {column: ", ".join(tags) for column, tags in found.items()}
