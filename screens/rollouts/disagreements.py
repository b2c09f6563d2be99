"""Where the arms of a shadow disagree, in lines: the segments, then the requests of each."""

from __future__ import annotations

from core.domain.analysis import Disagreement, DisagreementSummary
from screens.rollouts.words import share
from screens.widgets.bars import gauge
from screens.widgets.lines import Line, fit, wrapped
from screens.words import age, one_line, plural

ROWS = 200
"""Requests that are listed at most."""


def disagreement_lines(found: DisagreementSummary, now: float, width: int) -> list[Line]:
    """Segments by how often the arms disagree there, then the requests, newest first."""
    by = f" BY {found.by.upper()}" if found.by else ""
    lines: list[Line] = [[(f" DISAGREEMENTS{by}", "head")]]
    if not found.segments and not found.rows:
        return [*lines, [("  none: a shadow compares, and both arms said the same", "faint")]]
    name = max((len(one.segment) for one in found.segments), default=0)
    size = min(max(name, 8), max(width - 56, 12))
    for one in found.segments:
        rate = one.disagreements / one.compared if one.compared else 0.0
        style = "bad" if rate > 0.2 else "warn" if one.disagreements else "ok"
        lines.append(
            [
                (f"  {fit(one.segment or '(all)', size)} ", "text"),
                *gauge(rate, 14, style),
                (f" {fit(share(rate), 7, 'right')}", style),
                (f"  {one.disagreements:,} of {one.compared:,} compared", "dim"),
            ]
        )
    segments = list(dict.fromkeys(row.segment for row in found.rows))
    for segment in segments:
        rows = [row for row in found.rows if row.segment == segment][:ROWS]
        lines += [[], [(f" {segment or 'REQUESTS'}", "head"), (f"  {len(rows)}", "faint")]]
        for row in rows:
            lines += row_lines(row, now, width)
    return lines


def row_lines(row: Disagreement, now: float, width: int) -> list[Line]:
    """One request: what each arm said, and the inputs."""
    away = ""
    if _numeric(row.champion) and _numeric(row.candidate):
        away = f"  {float(row.candidate) - float(row.champion):+.4g}"
    when = f"  {age(now - row.at)}" if row.at else ""
    head: Line = [
        ("  champion ", "dim"), (said(row.champion), "ok"),
        ("  candidate ", "dim"), (said(row.candidate), "warn"),
        (away, "bold"), (f"  {row.inference_id}{when}", "faint"),
    ]  # fmt: skip
    inputs = "  ".join(f"{key}={said(value)}" for key, value in row.inputs.items())
    return [*wrapped(head, width, 4), *wrapped([(f"    {inputs}", "dim")], width, 4)]


def _numeric(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def said(value: object) -> str:
    """A value of a request or an answer, on one line."""
    text = f"{value:.6g}" if isinstance(value, float) else one_line(str(value))
    return text if len(text) <= 60 else text[:59] + "…"


def told(found: DisagreementSummary) -> str:
    """How many there are, for the line at the bottom."""
    return plural(sum(one.disagreements for one in found.segments), "disagreement")
