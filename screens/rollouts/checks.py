"""What a release is judged by, in lines: metrics against the champion, alarms, the traffic."""

from __future__ import annotations

from collections.abc import Sequence

from core.domain.analysis import (
    Acted,
    AlarmState,
    AlarmStatus,
    AnalysisStatus,
    MetricStatus,
    SampleRatio,
    Verdict,
)
from core.domain.release import Deployment, Endpoint
from screens.glyphs import sign
from screens.rollouts.words import (
    arm_value,
    difference,
    figure,
    margin_words,
    metric_name,
    share,
    sign_of,
    unit,
)
from screens.widgets.bars import sparkline
from screens.widgets.lines import Line, Piece, crop, fit, wrapped
from screens.words import clock_time, plural, span_rounded

WIDE = 100
"""From this width on a metric's trend and the guess of how long it takes are shown."""
_BLOCKS = "▁▂▃▄▅▆▇█"
TREND = 12
"""Columns of a trend, where there is room for it."""


def acted_lines(acted: Acted, now: float, width: int) -> list[Line]:
    """What the supervisor did by itself, in plain words: `rolled back by alarm errors: …`."""
    mark, done = ("↩", "rolled back") if acted.kind == "rolled_back" else ("‖", "frozen")
    reason = acted.reason
    joined = " by " if reason.startswith(("alarm ", "verdict ", "metric ")) else " by itself: "
    line: Line = [
        (f" {mark} {done}{joined}{reason}", "bad"),
        (f"  at {clock_time(acted.at, now)}", "dim"),
    ]
    return wrapped(line, width, 3)


# metrics


def metric_lines(analysis: AnalysisStatus, deployment: Deployment | None, width: int) -> list[Line]:
    """A line for each metric: both arms, their difference and its interval, margin, verdict."""
    if not analysis.metrics:
        return [[(" METRICS", "head"), ("  none is compared in this release", "faint")]]
    plan = deployment.plan if deployment is not None else None
    minimum = plan.analysis.minimum_requests if plan is not None else 0
    wide = width >= WIDE
    trend = wide and any(metric.trend for metric in analysis.metrics)
    columns = _WIDE if wide else _NARROW
    titles = "".join(
        fit(title, size, align) for (title, align), size in zip(_TITLES, columns[1:], strict=True)
    )
    titles += f"  {fit('TREND', TREND)}" if trend else ""
    lines: list[Line] = [
        crop([(fit(" METRICS", columns[0]), "head"), (f"{titles} VERDICT", "faint")], width)
    ]
    for metric in analysis.metrics:
        lines += _metric(metric, minimum, width, columns, trend=trend)
    return lines


_TITLES = (
    ("CHAMPION", "right"), ("CANDIDATE", "right"), ("DIFF", "right"), ("[LOW, HIGH]", "right"),
    (" MARGIN", "left"),
)  # fmt: skip
_WIDE = (15, 10, 11, 10, 18, 11)
_NARROW = (13, 9, 10, 8, 15, 8)


def _metric(
    metric: MetricStatus, minimum: int, width: int, columns: Sequence[int], *, trend: bool
) -> list[Line]:
    name, wide = metric.metric, width >= WIDE
    interval = "–"
    if metric.low is not None or metric.high is not None:
        interval = f"[{_end(name, metric.low, '-∞')}, {_end(name, metric.high, '+∞')}]"
    diff = difference(name, metric.difference)
    style = sign(metric.verdict).style
    line: list[Piece] = [
        (fit(f"  {metric_name(name)}", columns[0]), "dim" if metric.dry_run else "text"),
        (fit(arm_value(name, metric.champion), columns[1], "right"), "text"),
        (fit(arm_value(name, metric.candidate), columns[2], "right"), "text"),
        (fit(diff + (unit(name) if diff != "–" else ""), columns[3], "right"), style),
        (fit(interval, columns[4], "right"), "dim"),
        (fit(f" {margin_words(metric)}", columns[5]), "dim"),
    ]
    if trend:
        line.append((f"  {fit(sparkline(metric.trend, TREND), TREND)}", "accent"))
    line.append((" " + verdict_words(metric, minimum, brief=not wide), style))
    if metric.dry_run and wide:
        line.append((", dry run", "faint"))
    return wrapped(line, width, 4)


def _end(metric: str, value: float | None, none: str) -> str:
    return none if value is None else difference(metric, value)


def verdict_words(metric: MetricStatus, minimum: int, *, brief: bool = False) -> str:
    """A verdict; one that is open with how far it is: `… 62/100 ~4m`.

    `brief`: in at most 14 columns.
    """
    tag = sign(metric.verdict)
    if brief and metric.dry_run:
        return f"{tag.glyph} dry run"
    if metric.verdict is not Verdict.UNDECIDED:
        return tag.text
    seen = min(metric.candidate_count, metric.champion_count or metric.candidate_count)
    words = [f"… {seen:,}/{minimum:,}" if seen < minimum else "… undecided"]
    if metric.eta and not (brief and seen >= minimum):
        words.append(f"~{span_rounded(max(metric.eta, 1.0))}")
    return " ".join(words)


def notes(analysis: AnalysisStatus, width: int) -> list[Line]:
    """What keeps metrics from a verdict, in words, where it is not their number alone."""
    lines: list[Line] = []
    for metric in analysis.metrics:
        counts = metric.note[:1].isdigit()  # the verdict tells that
        if metric.note and not counts and metric.verdict is Verdict.UNDECIDED:
            line: Line = [(f"  {metric_name(metric.metric)}: {metric.note}", "faint")]
            lines += wrapped(line, width, 4)
    return lines


# alarms


def alarm_lines(analysis: AnalysisStatus, now: float, width: int) -> list[Line]:
    """A line for each alarm: state, value against threshold, the last datapoints."""
    if not analysis.alarms:
        return [[(" ALARMS", "head"), ("  none is set for this release", "faint")]]
    off = len(analysis.alarming)
    title: list[Piece] = [(" ALARMS", "head")]
    title.append((f"  ▲ {off} in alarm" if off else "", "bad"))
    lines: list[Line] = [title]
    order = {AlarmState.ALARM: 0, AlarmState.INSUFFICIENT_DATA: 1, AlarmState.OK: 2}
    for alarm in sorted(analysis.alarms, key=lambda one: (one.dry_run, order[one.state])):
        lines += _alarm(alarm, now, width, told=analysis.acted.reason if analysis.acted else "")
    return lines


def _alarm(alarm: AlarmStatus, now: float, width: int, *, told: str) -> list[Line]:
    """One alarm; its reason only where the head has not `told` it."""
    tag = sign(alarm.state)
    value = figure(alarm.metric, alarm.value)
    line: list[Piece] = [
        (f"  {tag.glyph} {fit(tag.word, 7)} ", tag.style),
        (fit(alarm.name, 9), "bold" if alarm.state is AlarmState.ALARM else "text"),
        (f" {datapoints(alarm)} ", tag.style),
        (f" {metric_name(alarm.metric)} ", "dim"),
        (value, tag.style if alarm.state is AlarmState.ALARM else "text"),
        (f", alarm {sign_of(alarm.comparison)} {figure(alarm.metric, alarm.threshold)}", "dim"),
    ]
    if alarm.variant != "candidate":
        line.append((f" ({alarm.variant})", "dim"))
    if alarm.dry_run:
        line.append((" dry run", "faint"))
    lines: list[Line] = []
    if alarm.state is AlarmState.ALARM:
        since = f"since {clock_time(alarm.since, now)}"
        if alarm.reason and alarm.reason not in told:
            lines = wrapped([(f"{' ' * 12}{since}: {alarm.reason}", "dim")], width, 12)
        else:
            line.append((f"  {since}", "dim"))
    return [*wrapped(line, width, 12), *lines]


def datapoints(alarm: AlarmStatus) -> str:
    """The last datapoints as blocks against the threshold, `·` for a missing one.

    Half the height is the threshold: what is higher than half is above it.
    """
    shown = alarm.datapoints[-8:]
    scale = abs(alarm.threshold) or 1.0
    blocks = []
    for value in shown:
        if value is None:
            blocks.append("·")
            continue
        height = min(len(_BLOCKS) - 1, max(0, round(value / scale * 3.5)))
        above = value > alarm.threshold
        blocks.append(_BLOCKS[max(height, 4) if above else min(height, 3)])
    return "".join(blocks) or "·"


# traffic


def traffic_lines(endpoint: Endpoint, width: int, *, brief: bool = False) -> list[Line]:
    """Whether the split is as set, what the shadow found, what the capture dropped.

    `brief` tells only what is wrong, and the shadow.
    """
    analysis = endpoint.analysis
    lines: list[Line] = []
    if analysis is not None and analysis.sample_ratio is not None:
        lines += _ratio(analysis.sample_ratio, width, brief=brief)
    if analysis is not None and analysis.shadow is not None and analysis.shadow.mirrored:
        shadow = analysis.shadow
        agreement = "nothing" if shadow.agreement is None else share(shadow.agreement)
        pieces: list[Piece] = [
            ("  ◌ shadow   ", "accent"),
            (f"{shadow.compared:,} compared, {agreement} agree", "text"),
            (f", {plural(shadow.disagreements, 'disagreement')}", "dim"),
            (f", {shadow.failed:,} failed" if shadow.failed else "", "bad"),
            (f", {shadow.dropped:,} not mirrored: too busy" if shadow.dropped else "", "warn"),
        ]
        lines += wrapped(pieces, width, 13)
    if endpoint.dropped or endpoint.capture_error:
        lines += wrapped(
            [
                ("  ▲ capture  ", "warn"),
                (f"{endpoint.dropped:,} dropped", "warn"),
                (f", {endpoint.captured:,} written", "dim"),
                (f": {endpoint.capture_error}" if endpoint.capture_error else "", "bad"),
            ],
            width,
            13,
        )
    elif endpoint.captured and not brief:
        lines.append(
            [("  ✓ capture  ", "ok"), (f"{endpoint.captured:,} written, none dropped", "dim")]
        )
    return [*([] if brief else [[(" TRAFFIC", "head")]]), *lines] if lines else []


def _ratio(ratio: SampleRatio, width: int, *, brief: bool) -> Sequence[Line]:
    if ratio.ok:
        if brief or ratio.observed is None:
            return []
        said = f"{share(ratio.observed)} at the candidate, {share(ratio.expected)} expected"
        return [[("  ✓ split    ", "ok"), (said, "dim")]]
    seen = "–" if ratio.observed is None else share(ratio.observed)
    said = (
        f"the split is not as set: {seen} at the candidate, {share(ratio.expected)} expected"
        f" (p = {ratio.p_value:.1g}): the comparison lies, no metric promotes"
    )
    return wrapped([("  ▲ MISMATCH ", "bad"), (said, "warn")], width, 13)
