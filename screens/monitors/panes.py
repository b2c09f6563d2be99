"""The panes of a monitor: distribution, numbers, violations, windows, baseline, definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screens.data.overview import pair
from screens.monitors.words import limit_words, of_words, sign_of, value_words
from screens.widgets.lines import Line, Piece, fit, wrap, wrapped
from screens.words import age, clock_time, full_time, number, params, percent, plural, size, span

if TYPE_CHECKING:
    from core.domain.monitor import (
        Baseline,
        Distribution,
        Measurement,
        Monitor,
        MonitorRun,
        MonitorRunDetail,
        Violation,
    )

_NOTHING: Line = [("  no window has been measured yet: e runs the monitor now", "faint")]


def distribution_lines(found: Distribution | None, width: int) -> list[Line]:
    """One feature's shares by bin or category: those of the baseline, and those of the window."""
    if found is None or not (found.labels or found.measurements):
        return [[("  nothing kept of this feature: choose one in the map (h), enter", "faint")]]
    if not found.labels:
        told: Line = [
            (f"  {found.feature}  ", "bold"),
            (f"window {found.window}, of which numbers are kept and no distribution", "dim"),
        ]
        return [told, [], *number_lines(found.measurements, width)]
    room = min(max(max(len(label) for label in found.labels), 6), 24)
    bars = max((width - room - 30) // 2, 6)
    most = max((*found.now, *found.then, 1e-9))
    lines: list[Line] = [
        [(f"  {found.feature}  ", "bold"), (f"window {found.window}", "dim")],
        [(f"  {fit('VALUE', room)}  {fit('BASELINE', bars + 7)}  {fit('NOW', bars + 7)}  CHANGE",
          "head")],
    ]  # fmt: skip
    for label, then, now in zip(found.labels, found.then, found.now, strict=True):
        change = (now - then) * 100
        style = "warn" if abs(change) >= 5 else "dim"
        lines.append(
            [
                (f"  {fit(label, room)}  ", "text"),
                *_bar(then, most, bars, "dim"),
                *_bar(now, most, bars, "accent"),
                (f"{change:+6.1f}", style),
            ]
        )
    return [*lines, [], *number_lines(found.measurements, width)]


def _bar(share: float, most: float, width: int, style: str) -> list[Piece]:
    length = round(share / most * width)
    drawn = "█" * length if length or not share else "▏"
    return [(fit(drawn, width), style), (f" {share:6.1%} ", "text"), (" ", "text")]


def number_lines(numbers: tuple[Measurement, ...], width: int) -> list[Line]:
    """Numbers with interval, threshold, state and definition; violations first."""
    if not numbers:
        return []
    order = {"violated": 0, "insufficient": 1, "ok": 2, "info": 3}
    rows = sorted(numbers, key=lambda one: order.get(str(one.state), 9))
    name = min(max(6, *(len(one.metric) for one in rows)), 30)
    of = min(max(2, *(len(of_words(one)) for one in rows)), 26)
    value = min(max(25, *(len(value_words(one)) for one in rows)), 32)
    head = f"  {fit('METRIC', name)}  {fit('OF', of)}  {fit('VALUE', value)} {fit('LIMIT', 9)}"
    lines: list[Line] = [[(f"{head} STATE", "head")]]
    for one in rows:
        state = sign_of(one.state)
        told = "" if one.p_value is None else f"  p {one.p_value:.2g}"
        lines.append(
            [
                (f"  {fit(one.metric, name)}  ", "text"),
                (f"{fit(of_words(one), of)}  ", "dim"),
                (fit(value_words(one), value), "bold"),
                (f" {fit(limit_words(one), 9)} ", "dim"),
                (state.text, state.style),
                (told, "faint"),
                (f"  {one.definition}" if width >= 110 else "", "faint"),
            ]
        )
    return lines


def window_lines(found: MonitorRunDetail | None, now: float, width: int) -> list[Line]:
    """One window: how it came out, and every number of it."""
    if found is None:
        return [_NOTHING]
    return [*_headline(found.run, now, width), [], *number_lines(found.measurements, width)]


def violation_lines(found: MonitorRunDetail | None, now: float, width: int) -> list[Line]:
    """What one window was found to be wrong in, the worst first."""
    if found is None:
        return [_NOTHING]
    lines = [*_headline(found.run, now, width), []]
    if not found.violations:
        return [*lines, [("  ✓ nothing was found wrong in it", "ok")]]
    order = {"critical": 0, "warning": 1, "info": 2}
    for one in sorted(found.violations, key=lambda each: order.get(each.severity, 9)):
        lines += _violation(one, width)
    return lines


_SEVERITY = {"critical": ("✗", "bad"), "warning": ("▲", "warn"), "info": ("·", "dim")}


def _violation(one: Violation, width: int) -> list[Line]:
    glyph, style = _SEVERITY.get(one.severity, ("·", "dim"))
    of = of_words(one) or "all"
    line: list[Piece] = [
        (f"  {glyph} {fit(one.severity, 9)}", style),
        (f"{of}  ", "bold"),
        (f"{one.check}  ", "accent"),
        (one.description, "text"),
    ]
    return wrapped(line, width - 1, indent=13)


def _headline(run: MonitorRun, now: float, width: int) -> list[Line]:
    state = sign_of(run.state or run.status)
    line: list[Piece] = [
        (f"  {state.text}  ", state.style),
        (f"{clock_time(run.start, now)} – {clock_time(run.end, now)}  ", "text"),
        (plural(run.rows, "row"), "text"),
    ]
    if run.label_coverage is not None:
        line.append((f", {percent(run.label_coverage * 100)} labelled", "text"))
    if run.duplicates:
        line.append((f", {plural(run.duplicates, 'duplicate')} left out", "warn"))
    if run.generation > 1:
        line.append((f", computed {run.generation} times ({run.trigger})", "dim"))
    told = run.reason or run.headline
    return [line, *wrapped([(f"  {told}", "bad" if run.reason else "bold")], width - 1)]


def windows_lines(runs: tuple[MonitorRun, ...], now: float, width: int) -> list[Line]:
    """The newest windows, a line each, the newest first."""
    if not runs:
        return [_NOTHING]
    head = (
        f"  {fit('WINDOW', 31)} {fit('ROWS', 8, 'right')} {fit('LABELS', 7, 'right')}"
        f"  {fit('STATE', 13)} {fit('MODEL', 7)} WHAT"
    )
    lines: list[Line] = [[(head, "head")]]
    for run in runs:
        state = sign_of(run.state or run.status)
        coverage = "–" if run.label_coverage is None else percent(run.label_coverage * 100)
        again = f" ×{run.generation}" if run.generation > 1 else ""
        window = f"{clock_time(run.start, now)} – {clock_time(run.end, now)}"
        lines.append(
            [
                (f"  {fit(window, 31)} ", "text"),
                (f"{run.rows:>8,} ", "text"),
                (fit(coverage, 7, "right"), "dim"),
                (f"  {fit(state.text + again, 13)} ", state.style),
                (fit("" if run.version is None else f"v{run.version}", 7), "dim"),
                (f" {run.reason or run.headline}", "bad" if run.reason else "dim"),
            ]
        )
    return lines


def baseline_lines(baselines: tuple[Baseline, ...], now: float, width: int) -> list[Line]:
    """What it compares with now, and what it compared with before."""
    if not baselines:
        return [[("  no baseline yet: the first run makes one, from the training rows", "faint")]]
    lines: list[Line] = []
    for one in sorted(baselines, key=lambda each: (not each.active, -each.made_at)):
        glyph, style = ("●", "ok") if one.active else ("○", "faint")
        of = f"{one.model} v{one.version}, " if one.version is not None else ""
        head: list[Piece] = [
            (f"  {glyph} {one.id[:12]}  ", style),
            (f"{of}{one.source}, {plural(one.rows, 'row')}", "text"),
            (f"  {age(now - one.made_at)} by {one.made_by}, {size(one.bytes)}", "dim"),
        ]
        lines += wrapped(head, width - 1, indent=6)
        if one.active and one.origin:
            lines += wrapped([(f"      {params(one.origin)}", "faint")], width - 1, indent=6)
    return lines


def about_lines(monitor: Monitor | None, now: float, width: int) -> list[Line]:
    """Its definition and how it is doing."""
    if monitor is None:
        return []
    lines: list[Line] = []
    for place, text in enumerate(wrap(monitor.description, max(width - 20, 20))):
        if monitor.description:
            lines.append(pair("" if place else "what", text))
    state = sign_of(monitor.state)
    lines += [
        pair("state", state.text, state.style),
        *([pair("needs", monitor.needs, "warn")] if monitor.needs else []),
        pair("kind", monitor.kind),
        pair("watches", monitor.watch),
        pair("window", f"{monitor.window}, looked at {monitor.every}"),
        pair("baseline", monitor.baseline),
        pair("file", f"{monitor.file}:{monitor.line}", "dim"),
    ]
    if monitor.owner:
        lines.append(pair("owner", monitor.owner))
    if monitor.last_run_at is not None:
        rows = "" if monitor.rows is None else f", {plural(monitor.rows, 'row')}"
        lines.append(pair("last run", f"{full_time(monitor.last_run_at)}{rows}"))
    if monitor.next_at is not None:
        due = "due" if monitor.next_at <= now else f"in {span(monitor.next_at - now)}"
        lines.append(pair("next", due))
    if monitor.skipped:
        lines.append(pair("skipped", f"▲ {plural(monitor.skipped, 'window')} missed", "warn"))
    if monitor.paused_by:
        why = f": {monitor.pause_reason}" if monitor.pause_reason else ""
        lines.append(pair("paused", f"‖ by {monitor.paused_by}{why}", "warn"))
    if monitor.failures:
        until = monitor.backoff_until
        again = "" if until is None else f", tried again in {span(max(until - now, 0))}"
        lines.append(pair("failing", f"✗ {number(monitor.failures)} in a row{again}", "bad"))
    told = monitor.reason or monitor.headline
    if told:
        style = "bad" if monitor.reason else "text"
        lines += wrapped(pair("said", told, style), width - 1, 17)
    for problem in monitor.problems:
        lines += wrapped(pair("problem", f"✗ {problem}", "bad"), width - 1, 17)
    return lines
