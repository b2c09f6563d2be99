"""Monitors, their runs and baselines, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from console.output import iso
from console.session import Session
from console.tables import Column, block, flat, heading, table
from console.words import Cell, duration, many, number, when

if TYPE_CHECKING:
    from core.domain.looked import Looked
    from core.domain.monitor import (
        Baseline,
        Distribution,
        HeatMap,
        Monitor,
        MonitorRun,
        MonitorRunDetail,
    )

COLOURS = {
    "ok": "green", "violated": "red", "insufficient": "yellow", "info": "", "pending": "cyan",
    "failed": "red", "broken": "red", "paused": "bright_black", "gone": "bright_black",
    "skipped": "yellow", "running": "cyan", "done": "green",
}  # fmt: skip
_MARKS = {"ok": "·", "violated": "x", "insufficient": "?", "info": "-", "failed": "!"}
MOST_MEASUREMENTS = 40


def state(word: str) -> Cell:
    """A state in its colour."""
    return Cell(word, COLOURS.get(word, ""))


def list_text(session: Session, found: Sequence[Monitor]) -> str:
    """All monitors, a line each."""
    if not found:
        return "no monitors yet: opsdeck monitors suggest ENDPOINT proposes some"
    columns = [
        Column("monitor"), Column("kind"), Column("watches"), Column("state"), Column("last"),
        Column("windows"), Column("said", flexible=True),
    ]  # fmt: skip
    rows = [
        (
            each.name,
            each.kind,
            each.watch,
            state(each.state),
            when(each.last_run_at, terminal=session.terminal),
            trend(each.trend, 12),
            _told(each),
        )
        for each in found
    ]
    return table(session, columns, rows)


def _told(found: Monitor) -> str:
    """What a person should know of it first: what it needs before all else."""
    if found.needs:
        return f"needs: {found.needs}"
    return found.problems[0] if found.problems else found.reason or found.headline


def trend(states: Sequence[str], most: int) -> str:
    """The newest states as a line of marks, oldest first."""
    return "".join(_MARKS.get(each, "~") for each in states[-most:])


def monitor_text(
    session: Session, found: Monitor, newest: MonitorRunDetail | None, heat: HeatMap | None
) -> str:
    """One monitor: how it stands, and its newest window."""
    terminal = session.terminal
    facts = block(
        session,
        [
            ("monitor", found.name),
            ("description", found.description),
            ("owner", found.owner),
            ("kind", found.kind),
            ("watches", found.watch),
            ("file", f"{found.file}:{found.line}"),
            ("state", state(found.state)),
            ("needs", Cell(found.needs, "yellow") if found.needs else ""),
            ("said", found.headline),
            ("failed", found.reason),
            ("every", found.every),
            ("window", found.window),
            ("baseline", found.baseline),
            ("last run", when(found.last_run_at, terminal=terminal)),
            ("next look", when(found.next_at, terminal=terminal) if found.next_at else ""),
            ("waits until", iso(found.backoff_until) if found.backoff_until else ""),
            ("paused by", f"{found.paused_by}: {found.pause_reason}" if found.paused_at else ""),
            ("missed", f"{many(found.skipped, 'window')}" if found.skipped else ""),
            ("windows", trend(found.trend, 40)),
        ],
    )
    parts = [facts]
    if found.problems:
        parts += ["", heading(session, "problems"), *(f"  {each}" for each in found.problems)]
    if newest is not None:
        parts += ["", run_text(session, newest)]
    if heat is not None and heat.features:
        parts += ["", heat_text(session, heat)]
    return "\n".join(parts)


def runs_text(session: Session, found: Sequence[MonitorRun]) -> str:
    """Runs, a line each."""
    if not found:
        return "no runs"
    columns = [
        Column("run"), Column("monitor"), Column("window ends"), Column("state"),
        Column("rows", right=True), Column("labelled", right=True), Column("gen", right=True),
        Column("said", flexible=True),
    ]  # fmt: skip
    rows = [
        (
            each.id,
            each.monitor,
            iso(each.end)[:16].replace("T", " "),
            state(each.state or each.status),
            number(each.rows),
            _share(each.label_coverage),
            str(each.generation),
            each.reason or each.headline,
        )
        for each in found
    ]
    return table(session, columns, rows)


def run_text(session: Session, found: MonitorRunDetail) -> str:
    """A run: its window, what it found wrong, what it measured, the worst first."""
    run = found.run
    facts = block(
        session,
        [
            ("window", f"{iso(run.start)[:19]} to {iso(run.end)[:19]}"),
            ("run", f"{run.id}, generation {run.generation}, {run.trigger}"),
            ("state", state(run.state or run.status)),
            ("said", run.reason or run.headline),
            ("rows", number(run.rows)),
            ("duplicates", number(run.duplicates) if run.duplicates else ""),
            ("labelled", _share(run.label_coverage) if run.label_coverage is not None else ""),
            ("model", f"{run.model} v{run.version}" if run.model else ""),
            ("snapshot", f"#{run.snapshot}" if run.snapshot else ""),
            ("baseline", run.baseline[:12]),
            ("took", _took(run)),
            ("files", f".opsdeck/{run.folder}" if run.folder else ""),
        ],
    )
    parts = [facts]
    if found.violations:
        rows = [(v.feature, v.segment, v.check, Cell(v.severity), v.description)
                for v in found.violations]  # fmt: skip
        columns = [Column("feature"), Column("segment"), Column("check"), Column("severity"),
                   Column("what", flexible=True)]  # fmt: skip
        parts += ["", heading(session, "violations"), table(session, columns, rows)]
    if found.measurements:
        parts += ["", heading(session, "measurements"), measurements_text(session, found)]
    return "\n".join(parts)


def measurements_text(session: Session, found: MonitorRunDetail) -> str:
    """The measurements, violated ones first."""
    order = {"violated": 0, "insufficient": 1, "ok": 2, "info": 3}
    listed = sorted(found.measurements, key=lambda m: order[m.state])
    columns = [
        Column("feature"), Column("segment"), Column("metric"), Column("value", right=True),
        Column("threshold", right=True), Column("state"), Column("how", flexible=True),
    ]  # fmt: skip
    rows = [
        (
            m.feature,
            m.segment,
            m.metric,
            _interval(m.value, m.low, m.high),
            number(m.threshold) if m.threshold is not None else "",
            state(m.state),
            m.definition,
        )
        for m in listed[:MOST_MEASUREMENTS]
    ]
    more = len(listed) - MOST_MEASUREMENTS
    text = table(session, columns, rows)
    return f"{text}\nand {more} more: --json has all" if more > 0 else text


def heat_text(session: Session, heat: HeatMap, most: int = 20) -> str:
    """Features × windows, a mark each."""
    columns = [Column("feature"), Column("windows, newest right"), Column("worst", right=True)]
    rows = []
    for feature in heat.features[:most]:
        cells = [heat.cells.get((feature, key)) for key, *_ in heat.windows]
        marks = "".join(" " if c is None else _MARKS.get(c.state, "~") for c in cells)
        last = next((c for c in reversed(cells) if c is not None), None)
        told = f"{last.metric} {number(last.value)}" if last and last.value is not None else ""
        rows.append((feature or "(all)", marks, told))
    legend = "· ok   x violated   ? too little   - only shown   ! failed"
    return f"{heading(session, 'features')}\n{table(session, columns, rows)}\n{legend}"


def distribution_text(session: Session, found: Distribution) -> str:
    """A feature now and then: bars a line, and the numbers measured of it."""
    top = max([*found.now, *found.then], default=0.0) or 1.0
    columns = [Column(found.feature), Column("then", right=True), Column("now", right=True),
               Column("then ░ now █")]  # fmt: skip
    rows = [
        (label, f"{then:.1%}", f"{now:.1%}", f"{'░' * round(24 * then / top)}"
         f"{' ' if then else ''}{'█' * round(24 * now / top)}")
        for label, then, now in zip(found.labels, found.then, found.now, strict=False)
    ]  # fmt: skip
    parts = [table(session, columns, rows)] if rows else ["no histogram was kept"]
    measured = [(m.metric, m.segment, _interval(m.value, m.low, m.high), state(m.state))
                for m in found.measurements]  # fmt: skip
    heads = [Column("metric"), Column("segment"), Column("value", right=True), Column("state")]
    return "\n".join([*parts, "", table(session, heads, measured)])


def looked_text(session: Session, done: Looked) -> str:
    """What running a monitor came to."""
    lines = [
        f"{done.monitor}: {each.reason or each.headline or each.state}"
        f" ({each.state or each.status}, run {each.run})"
        for each in done.outcomes
    ]
    if done.skipped:
        lines.append(f"{many(done.skipped, 'older window')} skipped: opsdeck monitors runs")
    return "\n".join(lines) or f"{done.monitor}: nothing to run: {done.why}"


def baselines_text(session: Session, found: Sequence[Baseline]) -> str:
    """Stored baselines, a line each."""
    if not found:
        return "no baselines yet: the first window makes one"
    columns = [
        Column("baseline"), Column("monitor"), Column("from", flexible=True),
        Column("model"), Column("rows", right=True), Column("made"), Column(""),
    ]  # fmt: skip
    rows = [
        (
            each.id[:12],
            each.monitor,
            each.source,
            f"{each.model} v{each.version}" if each.model else "",
            number(each.rows),
            when(each.made_at, terminal=session.terminal),
            Cell("promoted", "cyan") if each.active else "",
        )
        for each in found
    ]
    return table(session, columns, rows)


def baseline_text(session: Session, found: Baseline) -> str:
    """A stored baseline: where its rows are from."""
    facts: list[tuple[str, Cell | str]] = [
        ("baseline", found.id),
        ("monitor", found.monitor),
        ("from", found.source),
        ("rows", number(found.rows)),
        ("for", f"{found.model} v{found.version}" if found.model else "any model"),
        ("made", f"{iso(found.made_at)} by {found.made_by}"),
        ("bytes", number(found.bytes)),
        ("promoted", "yes" if found.active else ""),
    ]
    return block(session, [*facts, *flat(dict(found.origin), "origin")])


def differences_text(session: Session, found: Sequence[tuple[str, Any, Any]]) -> str:
    """Where two baselines differ."""
    if not found:
        return "the two are the same"
    columns = [Column("place", flexible=True), Column("first", right=True),
               Column("second", right=True)]  # fmt: skip
    rows = [(place, _value(one), _value(other)) for place, one, other in found]
    return table(session, columns, rows)


def _value(value: Any) -> str:
    return "–" if value is None else number(value)[:30]


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "–"
    if low is None or high is None or low == high:
        return number(value)
    return f"{number(value)} ({number(low)} to {number(high)})"


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _took(run: MonitorRun) -> str:
    if run.started_at is None or run.ended_at is None or run.generation > 1:
        return ""
    return duration(run.ended_at - run.started_at)
