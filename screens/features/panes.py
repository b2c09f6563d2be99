"""The panes of a feature view: definition, materialisations, skew, versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from screens.data.overview import pair
from screens.features.reading import FeatureEntry, FeaturesView
from screens.features.words import freshness
from screens.widgets.lines import Line, Piece, fit, wrap, wrapped
from screens.words import age, number, params, plural, span, span_rounded

if TYPE_CHECKING:
    from core.domain.features import FeatureSkew, FeatureView


def definition_lines(entry: FeatureEntry, data: FeaturesView, now: float, width: int) -> list[Line]:
    """Entity, features, source, how it is kept up and how far it lags."""
    view, spec = entry.view, entry.view.spec
    lines: list[Line] = []
    for place, text in enumerate(wrap(spec.description, max(width - 20, 20))):
        if spec.description:
            lines.append(pair("" if place else "what", text))
    entity = ", ".join(f"{key.name} ({key.type})" for key in spec.entity)
    times = spec.event_time + (f", created {spec.created_time}" if spec.created_time else "")
    lines += [
        pair("entity", entity),
        pair("source", f"{spec.source}, event time {times}"),
        pair("ttl", "none: a row never gets too old" if spec.ttl is None
             else f"{span_rounded(spec.ttl)}: an older row counts as none"),
    ]  # fmt: skip
    if spec.where:
        lines.append(pair("only rows", spec.where))
    lines += [*_online(entry, now), *_text(spec.sql, spec.transform, width)]
    if view.file:
        changed = "  ▲ has changed: M makes a new version" if view.changed else ""
        lines.append(pair("file", view.file + changed, "warn" if view.changed else "dim"))
    if view.message:
        lines += wrapped(pair("message", f"✗ {view.message}", "bad"), width - 1, 17)
    room = max((len(f.name) for f in spec.features), default=4)
    lines += [[], [(f" {plural(len(spec.features), 'feature').upper()}", "head")]]
    for feature in spec.features:
        default = "" if feature.default is None else f"default {feature.default}  "
        lines.append(
            [
                (f"  {fit(feature.name, room)} ", "text"),
                (fit(feature.type, 10), "accent"),
                (default, "dim"),
                (feature.description, "dim"),
            ]
        )
    return lines


def _online(entry: FeatureEntry, now: float) -> list[Line]:
    view, spec = entry.view, entry.view.spec
    if not spec.online:
        return [pair("online", "· not kept online: joins only", "dim")]
    every = "when somebody asks" if spec.every is None else f"every {span(spec.every)}"
    rows = "" if view.online_rows is None else f", {plural(view.online_rows, 'row')}"
    filled = ""
    if view.materialized_at is not None:
        filled = f", filled {age(now - view.materialized_at)}"
    state = freshness(entry, now)
    pieces: list[Piece] = [*pair("online", ""), *state, (f"{rows}{filled}, {every}", "text")]
    lines: list[Line] = [pieces]
    if entry.lag.behind:
        since = "" if entry.lag.since is None else f" since {span(now - entry.lag.since)}"
        behind = plural(entry.lag.behind, "snapshot")
        lines.append(pair("lag", f"▲ {behind} of {spec.source} not seen{since}", "warn"))
    return lines


def _text(sql: str | None, transform: Any, width: int) -> list[Line]:
    lines: list[Line] = []
    if sql:
        for place, text in enumerate(wrap(sql, max(width - 20, 20))[:6]):
            lines.append(pair("" if place else "made by", text, "accent"))
    for place, (name, expression) in enumerate(transform.items()):
        lines.append(pair("" if place else "made by", f"{name} = {expression}", "accent"))
    return lines


_DONE = {
    "features.materialize": ("✓", "filled", "ok"),
    "features.materialize_failed": ("✗", "failed", "bad"),
    "features.apply": ("◆", "applied", "accent"),
    "features.version": ("◆", "version", "accent"),
    "features.retire": ("■", "retired", "dim"),
    "features.delete": ("⊘", "erased", "warn"),
    "features.erase": ("⊘", "erased", "warn"),
}


def event_lines(data: FeaturesView, now: float, width: int) -> list[Line]:
    """What was done to the view, newest first."""
    if not data.events:
        return [[("  nothing has been done with it yet: M fills its online store", "faint")]]
    lines: list[Line] = []
    for event in data.events:
        word = event.action.removeprefix("features.").replace("_", " ")
        sign = _DONE.get(event.action, ("·", word, "dim"))
        line: list[Piece] = [
            (f"  {fit(age(now - event.at), 8, 'right')}  ", "dim"),
            (fit(f"{sign[0]} {sign[1]}", 10), sign[2]),
            (f"{event.subject.removeprefix('feature_view/')}  ", "text"),
            (params(event.detail), "dim"),
            (f"  by {event.actor}", "faint"),
        ]
        lines += wrapped(line, width - 1, indent=22)
    return lines


def skew_lines(data: FeaturesView, now: float, width: int) -> list[Line]:
    """The newest skew by feature, those before it on a line each."""
    if not data.skews:
        return [[("  never measured: S compares some entities, online and offline", "faint")]]
    newest = data.skews[0]
    lines = [*wrapped(_verdict(newest, now), width - 1, 3), []]
    room = max((len(f.name) for f in newest.features), default=7)
    head = f"  {fit('FEATURE', room)}  {'DIFFERENT':<16} {'MEAN':>9} {'LARGEST':>9}"
    lines.append([(head, "head")])
    for drift in newest.features:
        off = drift.different > 0
        told = f"▲ {drift.different:,} of {drift.compared:,}" if off else "✓ none"
        lines.append(
            [
                (f"  {fit(drift.name, room)}  ", "text"),
                (fit(told, 16), "warn" if off else "ok"),
                (f" {_maybe(drift.mean_difference):>9}", "text" if off else "faint"),
                (f" {_maybe(drift.largest_difference):>9}", "text" if off else "faint"),
            ]
        )
    if len(data.skews) > 1:
        lines += [[], [(" BEFORE", "head")]]
        for skew in data.skews[1:]:
            lines += wrapped(_verdict(skew, now), width - 1, 3)
    return lines


def _verdict(skew: FeatureSkew, now: float) -> Line:
    good = not (skew.different or skew.missing_online or skew.missing_offline)
    told = f"{skew.different:,} of {skew.entities:,} entities differ ({skew.share:.1%})"
    pieces: list[Piece] = [
        (" ✓ no skew" if good else " ▲ skew", "ok" if good else "warn"),
        (f" {age(now - skew.at)}, v{skew.version}  ", "dim"),
        (f"{plural(skew.entities, 'entity').replace('ys', 'ies')} compared" if good else told,
         "text"),
    ]  # fmt: skip
    if skew.missing_online:
        pieces.append((f", {skew.missing_online:,} missing online", "warn"))
    if skew.missing_offline:
        pieces.append((f", {skew.missing_offline:,} online only", "warn"))
    if skew.lag_max:
        middle = span(skew.lag_p50 or 0.0)
        pieces.append((f", online behind by {middle}, at most {span(skew.lag_max)}", "dim"))
    return pieces


def _maybe(value: float | None) -> str:
    return "–" if value is None else number(value)


def version_lines(data: FeaturesView, now: float, width: int) -> list[Line]:
    """Every version with what it reads."""
    if not data.versions:
        return [[("  only a file so far: M makes its first version", "faint")]]
    lines: list[Line] = []
    for view in data.versions:
        lines += wrapped(_version(view, now), width - 1, indent=6)
    return lines


def _version(view: FeatureView, now: float) -> Line:
    styles = {"active": ("●", "ok"), "retired": ("■", "faint"), "draft": ("○", "warn")}
    glyph, style = styles[view.state]
    names = ", ".join(feature.name for feature in view.spec.features)
    return [
        (f"  {glyph} v{view.version} {view.state}  ", style),
        (f"{age(now - view.created_at)} by {view.by}  ", "dim"),
        (f"of {view.spec.source}: {names}", "text"),
    ]
