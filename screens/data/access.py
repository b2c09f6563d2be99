"""The access pane: who was granted what, labels, and what that comes to for oneself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screens.data.overview import labels_by_column, pair
from screens.widgets.lines import Line, Piece, fit, wrapped
from screens.words import age, plural, span

if TYPE_CHECKING:
    from core.domain.governance import Grant
    from screens.data.reading import Detail


def access_lines(detail: Detail, now: float, width: int) -> list[Line]:
    """Grants, labels, and what one sees oneself."""
    name = detail.entry.dataset.name
    lines = [*_own(detail), [], [(" GRANTS", "head")]]
    if detail.grants:
        room = max(len(grant.principal) for grant in detail.grants)
        for grant in detail.grants:
            lines += wrapped(_grant(grant, room, now), width - 1, indent=room + 13)
    else:
        lines.append([("  none: the dataset is open to all; the first grant closes it", "dim")])
    lines += [[], [(" TAGS", "head")]]
    labels = labels_by_column(detail)
    for column, tags in labels.items():
        lines.append([(f"  {column or 'the whole dataset':<24} ", "text"), (f"⚑ {tags}", "warn")])
    if not labels:
        lines.append([("  none", "dim")])
    lines += [
        [],
        [(f"  opsdeck data grant {name} --to WHO    opsdeck data whocan {name}", "faint")],
    ]
    return lines


def _own(detail: Detail) -> list[Line]:
    seen = detail.glance
    if not seen.read:
        return [pair("you", f"▲ may not read it ({seen.why})", "warn")]
    may = [word for word, can in (("read", seen.read), ("write", seen.write),
                                  ("manage", seen.manage)) if can]  # fmt: skip
    lines = [pair("you may", f"{', '.join(may)} ({seen.why})")]
    if seen.rows:
        lines.append(pair("rows", f"▒ only those with {seen.rows}", "wait"))
    for column, mask in seen.masks.items():
        lines.append(pair(column[:13], f"▒ {mask}", "wait"))
    if seen.all:
        lines.append(pair("", "every row and column as it is", "dim"))
    return lines


def _grant(grant: Grant, room: int, now: float) -> Line:
    holds = grant.holds(now)
    pieces: list[Piece] = [
        (f"  {fit(grant.principal, room)}  ", "bold" if holds else "faint"),
        (fit(grant.action, 7), "accent" if holds else "faint"),
    ]
    if grant.columns is not None:
        pieces.append(
            (f" {plural(len(grant.columns), 'column')}: {', '.join(grant.columns)}", "text")
        )
    if grant.masks:
        masks = ", ".join(f"{column} {mask}" for column, mask in grant.masks.items())
        pieces.append((f" ▒ {masks}", "wait"))
    if grant.row_filter:
        pieces.append((f" where {grant.row_filter}", "wait"))
    if grant.expires_at is not None:
        left = grant.expires_at - now
        pieces.append((f" for {span(left)} more" if left > 0 else " ⊗ ended", "warn"))
    return [*pieces, (f"  by {grant.by} {age(now - grant.at)}", "dim")]
