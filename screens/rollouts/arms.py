"""The arms of a release: champion, candidate or shadow, each with its weight and its traffic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.domain.release import Endpoint, Revision
from screens.glyphs import Sign, sign
from screens.rollouts.state import acted_on, mirrors
from screens.widgets.bars import gauge
from screens.widgets.lines import Line, Piece, crop, fit
from screens.words import percent, plural, short

_OVER = ("retired", "rolled_back", "aborted", "failed")
RECENT_OVER = 2
"""Of the revisions whose time is over so many are shown; one line counts the others."""
WIDE = 100
"""From this width on revisions, the median and all requests are shown too."""
ROOMY = 108
"""From this width on their workers too, where a version may have several in a server."""


def arm_lines(endpoint: Endpoint, width: int, *, brief: bool = False) -> list[Line]:
    """A line for each arm, beneath a line of titles; `brief` leaves out arms without traffic."""
    over = sorted(
        (r.revision for r in endpoint.revisions if r.state in _OVER and not r.weight), reverse=True
    )
    roles = {r.revision: role(endpoint, r) for r in endpoint.revisions}
    hidden = set(over[0 if brief else RECENT_OVER :])
    if brief:
        hidden |= {r.revision for r in endpoint.revisions if r.state == "previous" and not r.weight}
        hidden -= {
            r for r, found in roles.items() if found.word in ("champion", "candidate", "shadow")
        }
    workers = width >= ROOMY and any(_follows_load(r) for r in endpoint.revisions)
    lines = [_titles(width, workers)]
    order = {"champion": 0, "candidate": 1, "shadow": 1}
    for revision in sorted(
        endpoint.revisions, key=lambda one: order.get(roles[one.revision].word, 2)
    ):
        if revision.revision not in hidden:
            stats = endpoint.stats.get(revision.revision)
            line = _arm(revision, roles[revision.revision], stats, width, workers)
            if workers:
                line.append(_workers(revision, endpoint.servers))
            lines.append(crop(line, width))
    if hidden and not brief:
        earlier = plural(len(hidden), "earlier revision")
        lines.append([(f"  · {earlier}", "faint")])
    if len(lines) == 1 and not hidden:
        lines.append([("  no revision yet", "faint")])
    return lines


def role(endpoint: Endpoint, revision: Revision) -> Sign:
    """What a revision is in the release under way; without one, champion or its state."""
    deployment, analysis = endpoint.deployment, endpoint.analysis
    if analysis is not None and _just_taken_back(endpoint):
        if revision.revision == analysis.champion:
            return sign("champion")
        if revision.revision == analysis.candidate:
            return sign("rolled_back")
    if deployment is not None and not deployment.status.ended:
        if analysis is not None and revision.revision == analysis.champion:
            return sign("champion")
        if revision.revision == deployment.revision:
            return sign("shadow" if mirrors(deployment) else "candidate_arm")
    return sign("champion" if revision.state == "stable" else revision.state)


def _just_taken_back(endpoint: Endpoint) -> bool:
    """Whether the supervisor has gone back by itself and the states do not have it yet."""
    acted, analysis = acted_on(endpoint), endpoint.analysis
    if acted is None or analysis is None or acted.kind != "rolled_back":
        return False
    states = {r.revision: r.state for r in endpoint.revisions}
    return states.get(analysis.candidate) in ("canary", "stable")


def _titles(width: int, workers: bool) -> Line:
    wide = width >= WIDE
    bar = _bar(width, workers)
    titles = [fit(" ARMS", 15), fit("REV", 5) if wide else "", fit("V", 5)]
    titles += [fit("SET", 6, "right"), fit("ACTUAL", 8, "right")]
    titles += [" " * (bar + 1), fit("RPS", 8, "right"), fit("ERRORS", 9, "right")]
    titles += [fit("P50", 9, "right") if wide else "", fit("P99", 9, "right")]
    titles += [fit("FLIGHT", 8, "right"), fit("REQUESTS", 10, "right") if wide else ""]
    titles += [fit("WORKERS", 9, "right") if workers else ""]
    return crop([(titles[0], "head"), ("".join(titles[1:]), "faint")], width)


def _bar(width: int, workers: bool) -> int:
    """Columns of the bar of an arm's actual weight."""
    return min(24, width - 94 - 9 * workers) if width >= WIDE else 8


def _follows_load(revision: Revision) -> bool:
    """Whether a revision may have more than one worker in a server."""
    return revision.worker_bounds is not None and revision.worker_bounds[1] > 1


def _workers(revision: Revision, servers: int) -> Piece:
    """How many there are and may be in all servers; a warning where the model keeps some."""
    if revision.workers is None or revision.worker_bounds is None:
        return fit("—", 9, "right"), "faint"
    told = f"{revision.workers}/{revision.worker_bounds[1] * servers}"
    return fit(told, 9, "right"), "warn" if revision.stuck_workers else "dim"


def _arm(
    revision: Revision, tag: Sign, stats: Mapping[str, Any] | None, width: int, workers: bool
) -> list[Piece]:
    wide, bar = width >= WIDE, _bar(width, workers)
    line: list[Piece] = [
        (f"  {tag.glyph} {fit(tag.word, 11)}", tag.style),
        (fit(str(revision.revision), 5) if wide else "", "dim"),
        (fit(f"v{revision.version}", 5), "bold"),
        (fit(percent(revision.weight), 6, "right"), "text"),
    ]
    actual = revision.actual_weight
    if actual is None:
        line.append((fit("unknown", 8, "right") + " " * (bar + 1), "faint"))
    else:
        off = abs(actual - revision.weight) > 1.0
        line.append((fit(percent(actual), 8, "right"), "warn" if off else "text"))
        line += [(" ", "text"), *gauge(actual / 100, bar, tag.style)]
    return [*line, *_traffic(stats, wide=wide)]


def _traffic(stats: Mapping[str, Any] | None, *, wide: bool) -> Sequence[Piece]:
    """Requests a second, errors, latencies, in flight, of one arm."""
    if not stats:
        return []
    requests, errors = int(stats.get("requests") or 0), int(stats.get("errors") or 0)
    share = 100 * errors / requests if requests else 0.0
    idle = not requests
    pieces: list[Piece] = [
        (fit(short(float(stats.get("rps") or 0.0)), 8, "right"), "faint" if idle else "text"),
        (fit(_few(share), 9, "right"), "bad" if errors else "faint" if idle else "dim"),
    ]
    for key in ("p50_ms", "p99_ms") if wide else ("p99_ms",):
        value = stats.get(key)
        told = "–" if value is None else f"{short(float(value))} ms"
        pieces.append((fit(told, 9, "right"), "faint" if value is None else "dim"))
    pieces.append((fit(str(int(stats.get("in_flight") or 0)), 8, "right"), "dim"))
    if wide:
        pieces.append((fit(f"{requests:,}", 10, "right"), "dim"))
    return pieces


def _few(share: float) -> str:
    """A percentage of which even a little is seen."""
    return f"{share:.2f} %" if 0 < share < 0.95 else percent(share)
