"""Feature views in words and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from console.output import iso
from console.session import Session
from console.tables import Column, block, heading, table
from console.words import Cell, duration, number, when

if TYPE_CHECKING:
    from core.domain.features import (
        Erasure,
        FeatureRow,
        FeatureSkew,
        FeatureView,
        Joined,
        Materialized,
        OnlineRow,
    )
    from core.domain.pipeline import Problem

_COLOURS = {"active": "green", "draft": "yellow", "retired": "bright_black", "fresh": "green",
            "stale": "yellow", "deleted": "red", "missing": "red"}  # fmt: skip


def listed(session: Session, found: Sequence[FeatureView], problems: Sequence[Problem]) -> str:
    """A line a view, then what is wrong with files."""
    if not found and not problems:
        return "no feature views yet: write features/NAME.yaml (docs/features.md)"
    columns = [
        Column("view"),
        Column("state"),
        Column("entity", flexible=True),
        Column("features", right=True),
        Column("source", flexible=True),
        Column("online", right=True),
        Column("up to date"),
        Column("note", flexible=True),
    ]
    lines = [table(session, columns, [_row(session, view) for view in found])] if found else []
    lines += [problem.one_line() for problem in problems]
    return "\n".join(lines)


def _row(session: Session, view: FeatureView) -> tuple[Cell | str, ...]:
    online = "–" if view.online_rows is None else number(view.online_rows)
    done = "–" if not view.spec.online else "never"
    if view.materialized_at is not None:
        done = when(view.materialized_at, terminal=session.terminal)
    note = view.message or ("its file has changed" if view.changed else "")
    return (
        view.ref,
        Cell(view.state, _COLOURS[view.state]),
        ", ".join(view.spec.keys),
        str(len(view.spec.features)),
        view.spec.source,
        online,
        done,
        note,
    )


def shown(
    session: Session,
    view: FeatureView,
    versions: Sequence[FeatureView],
    measured: Sequence[FeatureSkew],
) -> str:
    """One view in full."""
    spec = view.spec
    made = [(name, text) for name, text in spec.transform.items()]
    facts: list[tuple[str, Cell | str]] = [
        ("view", view.ref),
        ("state", Cell(view.state, _COLOURS[view.state])),
        ("description", spec.description),
        ("owner", spec.owner),
        ("file", f"{view.file} (has changed)" if view.changed else view.file),
        ("source", spec.source),
        ("entity", ", ".join(f"{key.name} ({key.type})" for key in spec.entity)),
        ("event time", spec.event_time),
        ("created time", spec.created_time or ""),
        ("deleted", spec.deleted or ""),
        ("ttl", duration(spec.ttl) if spec.ttl else ""),
        ("where", spec.where or ""),
        ("sql", " ".join((spec.sql or "").split())),
        *((f"transform {name}", text) for name, text in made),
        ("online", _online(session, view)),
        ("message", Cell(view.message, "red")),
    ]
    columns = [
        Column("feature"),
        Column("type"),
        Column("default"),
        Column("description", flexible=True),
    ]
    lines = [block(session, facts), "", heading(session, "Features")]
    lines.append(
        table(
            session,
            columns,
            [
                (f.name, f.type, "" if f.default is None else str(f.default), f.description)
                for f in spec.features
            ],
        )
    )
    others = [each for each in versions if each.version != view.version]
    if others:
        told = ", ".join(f"{each.ref} ({each.state})" for each in others)
        lines += ["", f"other versions: {told}"]
    if measured:
        lines += ["", heading(session, "Skew"), skews(session, measured)]
    return "\n".join(lines)


def _online(session: Session, view: FeatureView) -> str:
    if not view.spec.online:
        return "no"
    parts = [f"{number(view.online_rows)} entities" if view.online_rows is not None else "empty"]
    if view.materialized_at is not None:
        parts.append(f"brought up {when(view.materialized_at, terminal=session.terminal)}")
    if view.spec.every is not None:
        parts.append(f"every {duration(view.spec.every)}")
    return ", ".join(parts)


def online(session: Session, row: OnlineRow) -> str:
    """An online row."""
    key = " ".join(f"{name}={value}" for name, value in row.key.items())
    facts: list[tuple[str, Cell | str]] = [
        ("view", row.view),
        ("key", key),
        ("state", Cell(row.state, _COLOURS[row.state])),
        ("event", "" if row.event_at is None else iso(row.event_at)),
        ("age", "" if row.age is None else duration(row.age)),
        ("created", "" if row.created_at is None else iso(row.created_at)),
    ]
    values: list[tuple[str, Cell | str]] = [
        (name, "null" if value is None else number(value)) for name, value in row.values.items()
    ]
    return "\n".join([block(session, facts), "", block(session, values)])


def rows(session: Session, found: Sequence[FeatureRow]) -> str:
    """Offline rows of an entity."""
    if not found:
        return "no rows of that key"
    names = list(found[0].values)
    columns = [Column("event"), Column("created"), Column("note")]
    columns += [Column(name, right=True, flexible=True) for name in names]
    return table(
        session,
        columns,
        [
            (
                iso(row.event_at),
                "–" if row.created_at is None else iso(row.created_at),
                "deleted" if row.deleted else "superseded" if row.superseded else "",
                *("null" if row.values[n] is None else number(row.values[n]) for n in names),
            )
            for row in found
        ],
    )


def applied(view: FeatureView) -> str:
    """A definition that was taken over."""
    tail = f"; next: opsdeck features materialize {view.spec.name}" if view.spec.online else ""
    return f"{view.ref}: {len(view.spec.features)} features of {view.spec.source}{tail}"


def materialized(done: Materialized) -> str:
    """What a run of the materialise routine did."""
    if done.mode == "unchanged":
        moved = done.written or done.removed
        what = f"{done.written} came due, {done.removed} went" if moved else "nothing new"
        return f"{done.view}: {what}; {number(done.online_rows)} entities online"
    more = [f"{number(done.removed)} removed"] if done.removed else []
    more += [f"{number(done.skipped)} without key or time"] if done.skipped else []
    more += [f"{number(done.later)} still to come"] if done.later else []
    tail = f" ({', '.join(more)})" if more else ""
    return (
        f"{done.view}: {done.mode}, {number(done.read)} rows read, {number(done.written)} entities"
        f" written{tail}; {number(done.online_rows)} online, {duration(done.seconds)}"
    )


def joined(session: Session, done: Joined) -> str:
    """What a join made."""
    lines = [f"{done.output}: {number(done.rows)} rows, {len(done.columns)} columns"]
    for ref, count in done.matched.items():
        share = 100 * count / done.rows if done.rows else 0.0
        lines.append(f"  {ref}: {number(count)} rows found a value ({share:.1f} %)")
    lines.append(f"  {duration(done.seconds)}")
    return "\n".join(lines)


def erased(session: Session, done: Erasure) -> str:
    """What deleting an entity did, and where it may still be."""
    lines = [f"entity {done.entity} deleted"]
    where = ", ".join(done.online_views) or "no online store"
    lines.append(f"  online: {done.online_rows} rows ({where})")
    lines.append(f"  offline: {done.offline_rows} rows of the source")
    if done.still_in:
        count = len(done.still_in)
        kept = ", ".join(done.still_in[:5]) + (" …" if count > 5 else "")
        more = "something refers to them" if done.purged else "until they expire; --purge does that"
        lines.append(f"  {count} older snapshots still hold them: {kept} ({more})")
    elif done.purged:
        lines.append("  older snapshots are expired, their files deleted")
    if done.upstream:
        lines.append(f"  the source is made from {', '.join(done.upstream)}: delete there, too")
    return "\n".join(lines)


def skews(session: Session, found: Sequence[FeatureSkew]) -> str:
    """Measurements; the newest one by feature."""
    if not found:
        return "never measured: opsdeck features skew NAME"
    columns = [
        Column("measured"),
        Column("view"),
        Column("entities", right=True),
        Column("different", right=True),
        Column("share", right=True),
        Column("only offline", right=True),
        Column("only online", right=True),
        Column("lag p50", right=True),
        Column("lag max", right=True),
    ]
    lines = [table(session, columns, [_skew(session, each) for each in found])]
    drifts = [each for each in found[0].features if each.different]
    if drifts:
        columns = [
            Column("feature"),
            Column("different", right=True),
            Column("mean gap", right=True),
            Column("largest gap", right=True),
        ]
        values = [
            (d.name, f"{d.different} of {d.compared}", _gap(d.mean_difference),
             _gap(d.largest_difference))
            for d in drifts
        ]  # fmt: skip
        lines += ["", table(session, columns, values)]
    return "\n".join(lines)


def _skew(session: Session, each: FeatureSkew) -> tuple[Cell | str, ...]:
    return (
        when(each.at, terminal=session.terminal),
        f"{each.view}@{each.version}",
        number(each.entities),
        Cell(number(each.different), "yellow" if each.different else ""),
        f"{100 * each.share:.2f} %",
        number(each.missing_online),
        number(each.missing_offline),
        "–" if each.lag_p50 is None else duration(each.lag_p50),
        "–" if each.lag_max is None else duration(each.lag_max),
    )


def _gap(value: float | None) -> str:
    return "–" if value is None else number(value)
