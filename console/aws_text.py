"""What commands about an AWS account print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from console.output import iso
from console.session import Session
from console.tables import Column, block, heading, table
from console.words import Cell, when
from core.aws.context import AwsContext
from core.aws.kind import Chart, Detail, Item, Kind, Section, Verb

_COLOURS = {"ok": "green", "run": "cyan", "wait": "yellow", "bad": "red", "dim": "bright_black"}
_GLYPHS = {"ok": "●", "run": "▶", "wait": "◆", "bad": "✗", "dim": "■", "": "·"}


def contexts_text(session: Session, found: Sequence[AwsContext], here: str) -> str:
    """The contexts as a table; the one in force is marked."""
    if not found:
        return "no contexts: opsdeck contexts add NAME --profile P --region R makes one"
    columns = [
        Column(""), Column("name"), Column("environment"), Column("region"), Column("profile"),
        Column("role", flexible=True), Column("read-only"), Column("address", flexible=True),
    ]  # fmt: skip
    rows = [
        (
            "*" if each.name == here else "", each.name, each.environment, each.region or "-",
            each.profile or "-", each.role_arn or "-", "yes" if each.read_only else "no",
            each.endpoint_url or "-",
        )
        for each in found
    ]  # fmt: skip
    return table(session, columns, rows)


def context_text(session: Session, found: AwsContext) -> str:
    """A context as a block."""
    return block(
        session,
        [
            ("name", found.name),
            ("environment", found.environment),
            ("profile", found.profile or "(the SDK's own way)"),
            ("region", found.region or "(the profile's)"),
            ("role", found.role_arn),
            ("external id", found.external_id),
            ("address", found.endpoint_url),
            ("read-only", "yes" if found.read_only else "no"),
        ],
    )


def kinds_text(session: Session, rows: Sequence[tuple[str, str, Kind]]) -> str:
    """Kinds by mode."""
    if not rows:
        return "no kinds of resources"
    columns = [
        Column("mode"), Column("kind"), Column("below"), Column("verbs"),
        Column("what", flexible=True),
    ]  # fmt: skip
    return table(
        session,
        columns,
        [
            (
                mode, name, kind.parent or "-",
                ", ".join(verb.name for verb in (*kind.create, *kind.verbs)) or "-", kind.about,
            )
            for mode, name, kind in rows
        ],
    )  # fmt: skip


def item_json(kind: Kind, item: Item) -> dict[str, Any]:
    """A resource of a list."""
    cells = {
        column.title.lower().replace(" ", "_"): text
        for column, text in zip(kind.columns, item.cells, strict=False)
    }
    return {
        "id": item.id,
        "tone": item.tone,
        "changed_at": iso(item.changed) if item.changed is not None else None,
        "cells": cells,
        "raw": _plain(item.raw),
    }


def items_text(session: Session, kind: Kind, items: Sequence[Item], more: bool) -> str:
    """A list of resources; in a pipe with the id of each, which other commands take."""
    if not items:
        return f"no {kind.title.lower()}"
    ids = any(item.cells[:1] != (item.id,) for item in items)
    columns = [Column(" ")] if session.terminal else []
    columns += [
        Column(each.title, right=each.align == "right", flexible=bool(each.grow))
        for each in kind.columns
    ]
    columns += [Column("age" if session.terminal else "at")] + (
        [Column("id", flexible=True)] if ids else []
    )
    rows: list[list[Cell | str]] = []
    for item in items:
        colour = _COLOURS.get(item.tone, "")
        row: list[Cell | str] = [Cell(_GLYPHS[item.tone], colour)] if session.terminal else []
        row += [
            *item.cells[: len(kind.columns)],
            *[""] * (len(kind.columns) - len(item.cells)),
            when(item.changed, terminal=session.terminal),
        ]
        rows.append([*row, item.id] if ids else row)
    text = table(session, columns, rows)
    return f"{text}\n… there are more: --limit asks for them" if more else text


def detail_json(kind: Kind, id_: str, detail: Detail, *, raw: bool) -> dict[str, Any]:
    """A resource in full."""
    document: dict[str, Any] = {
        "kind": kind.name, "id": id_, "title": detail.title, "tone": detail.tone,
        "sections": [_section_json(section) for section in detail.sections],
        "charts": [_chart_json(chart) for chart in detail.charts],
    }  # fmt: skip
    return {**document, "raw": _plain(detail.raw)} if raw else document


def _section_json(section: Section) -> dict[str, Any]:
    lines: list[Any] = []
    for line in section.lines:
        if isinstance(line, str):
            lines.append(line)
        else:
            told = {"label": line[0], "value": line[1]}
            lines.append({**told, "tone": line[2]} if len(line) > 2 else told)
    return {"title": section.title, "lines": lines}


def _chart_json(chart: Chart) -> dict[str, Any]:
    series = {
        name: [{"at": iso(at), "value": value} for at, value in points]
        for name, points in chart.series.items()
    }
    return {"title": chart.title, "unit": chart.unit, "series": series}


def detail_text(session: Session, detail: Detail) -> str:
    """A resource in full, section by section."""
    glyph = f"{_GLYPHS.get(detail.tone, '·')} " if session.terminal else ""
    parts = [heading(session, f"{glyph}{detail.title}")]
    for section in detail.sections:
        parts.append("")
        if section.title:
            parts.append(heading(session, section.title))
        parts += _section_lines(session, section)
    for chart in detail.charts:
        parts += [
            "",
            heading(session, f"{chart.title} ({chart.unit})" if chart.unit else chart.title),
        ]
        for name, points in chart.series.items():
            last = f"{points[-1][1]:g} at {iso(points[-1][0])}" if points else "no value"
            parts.append(f"  {name}: {last}")
    return "\n".join(parts)


def _section_lines(session: Session, section: Section) -> list[str]:
    room = max((len(line[0]) for line in section.lines if not isinstance(line, str)), default=0)
    lines: list[str] = []
    for line in section.lines:
        if isinstance(line, str):
            lines.append(f"  {line}")
            continue
        colour = _COLOURS.get(line[2], "") if len(line) > 2 else ""
        value = click.style(line[1], fg=colour) if colour and session.colour else line[1]
        lines.append(f"  {line[0]:<{room}}  {value}".rstrip())
    return lines


def actions_of(kind: Kind) -> list[tuple[str, str, str]]:
    """The IAM actions of a kind: (action, read or write, what for)."""
    rows = [(action, "read", "list and show") for action in kind.operations]
    verbs: tuple[Verb, ...] = (*kind.create, *kind.verbs)
    rows += [(action, "write", verb.name) for verb in verbs for action in verb.operations]
    return rows


def actions_text(session: Session, rows: Sequence[tuple[str, str, str, str]]) -> str:
    """Which IAM actions which kinds call."""
    columns = [Column("kind"), Column("action"), Column("does"), Column("for")]
    return table(session, columns, rows)


def _plain(raw: Mapping[str, Any]) -> Any:
    """What AWS told, as JSON can say it."""
    import json

    return json.loads(json.dumps(raw, default=str))
