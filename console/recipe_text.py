"""Transformations and recipes as text: lists, one with its parameters, a preview, a run."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from console.session import Session
from console.tables import Column, block, heading, table
from console.words import Cell, harmless
from core.domain.recipe import (
    Parameter,
    RecipeFileInfo,
    RecipePreview,
    RecipeRun,
    StepTrace,
    Transformation,
)
from core.recipes.values import expected

SHOWN_COLUMNS = 8
_COLOURS = {"added": "green", "changed": "yellow", "removed": "red", "same": "bright_black"}


def transformations_text(session: Session, found: Sequence[Transformation]) -> str:
    """A line a transformation."""
    if not found:
        return "no such transformations (see: opsdeck recipes list)"
    columns = [
        Column("name"),
        Column("category"),
        Column("takes"),
        Column("learns"),
        Column("what", flexible=True),
    ]
    rows = [
        (
            each.name,
            each.category,
            ", ".join(each.takes),
            "target" if each.target else "yes" if each.fitted else "-",
            ("rows: " if each.rows else "") + each.summary,
        )
        for each in found
    ]
    count = "1 transformation" if len(found) == 1 else f"{len(found)} transformations"
    return f"{table(session, columns, rows)}\n\n{count}"


def transformation_text(session: Session, about: Transformation) -> str:
    """One transformation: what it does, its parameters, a use of it."""
    learns = {"": "no", "any": "from the target", "number": "from a target that is a number",
              "class": "from a target with classes"}  # fmt: skip
    facts: list[tuple[str, Cell | str]] = [
        ("transformation", about.name),
        ("what", about.summary),
        ("category", about.category),
        ("library", about.library + (f" ({about.path})" if about.path else "")),
        ("takes", ", ".join(about.takes) + f" ({_ARITY[about.arity]})"),
        ("learns", learns[about.target] if about.target or not about.fitted else "yes"),
        ("rows", "may go, come or move" if about.rows else "stay"),
        ("a value comes from", _SCOPE[about.scope]),
    ]
    parts = [block(session, facts)]
    if about.parameters:
        said = [_parameter_text(session, each) for each in about.parameters]
        parts.append(f"{heading(session, 'parameters')}\n" + "\n".join(said))
    parts.append(f"{heading(session, 'in a recipe')}\n{example_text(about)}")
    return "\n\n".join(parts)


_ARITY = {
    "each": "column by column",
    "together": "the chosen columns at once",
    "frame": "the whole frame",
}
_SCOPE = {
    "row": "its own row",
    "window": "neighbouring rows: the order counts",
    "frame": "all the rows at hand",
}


def example_text(about: Transformation) -> str:
    """The example as YAML, as it would stand under `steps:`."""
    lines = [f"  - use: {about.name}"]
    chosen = about.example.get("columns")
    if chosen:
        listed = chosen if isinstance(chosen, str) else "[" + ", ".join(chosen) + "]"
        lines.append(f"    columns: {listed}")
    given = about.example.get("with") or {}
    if given:
        lines.append("    with:")
        lines += [f"      {key}: {_yaml(value)}" for key, value in given.items()]
    return "\n".join(lines)


def _yaml(value: Any) -> str:
    """JSON is YAML; texts that need no quotes are written without."""
    plain = isinstance(value, str) and value.replace("_", "").replace(" ", "").isalnum()
    if isinstance(value, str) and plain and not value[:1].isdigit() and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


_WORDS = {"true", "false", "null", "yes", "no", "on", "off"}


def _parameter_text(session: Session, parameter: Parameter) -> str:
    """A parameter with what it takes, and what it is for on lines of their own."""
    wide = shutil.get_terminal_size().columns - 2 if session.terminal else 98
    default = "needed" if parameter.required else f"default {_yaml(parameter.default)}"
    head = f"{heading(session, parameter.name)}: {expected(parameter)} ({default})"
    head = textwrap.fill(head, max(30, wide), initial_indent="  ", subsequent_indent=" " * 8)
    about = textwrap.wrap(parameter.help, max(30, wide - 6))
    return "\n".join([head, *[f"      {line}" for line in about]])


def files_text(session: Session, found: Sequence[RecipeFileInfo]) -> str:
    """The recipe files of the workspace."""
    if not found:
        return "no recipes yet: make one with opsdeck recipes new NAME"
    columns = [
        Column("recipe"),
        Column("file", flexible=True),
        Column("steps", right=True),
        Column("problems", right=True),
        Column("about", flexible=True),
    ]
    rows = [
        (
            each.name,
            each.path,
            str(each.steps) if not each.problems else "-",
            Cell(str(each.problems), "red" if each.problems else ""),
            each.description,
        )
        for each in found
    ]
    return table(session, columns, rows)


def preview_text(session: Session, told: RecipePreview) -> str:
    """What the steps did, the columns, and the first rows before and after."""
    of = f" of {told.sampled:,}" if told.sampled and told.sampled != told.rows_before else ""
    title = (
        f"recipe {told.recipe} on {told.rows_before:,}{of} rows of {told.dataset}: "
        f"{told.rows_after:,} rows after; nothing was written"
    )
    parts = [heading(session, title), steps_text(session, told.steps)]
    changed = [each for each in told.columns if each.kind != "same"]
    same = len(told.columns) - len(changed)
    if changed:
        columns = [
            Column("column"), Column("is"), Column("type", flexible=True),
            Column("missing", right=True), Column("from", flexible=True),
        ]  # fmt: skip
        rows = [
            (
                each.name,
                Cell(each.kind, _COLOURS[each.kind]),
                _pair(each.type_before, each.type_after),
                _pair(
                    f"{each.missing_before:,}" if each.type_before else "",
                    f"{each.missing_after:,}" if each.type_after else "",
                ),
                ", ".join(each.inputs) if each.kind != "removed" else "",
            )
            for each in changed
        ]
        parts.append(table(session, columns, rows))
    if same:
        parts.append(f"{same} column{'s' * (same > 1)} unchanged")
    names = [each.name for each in told.columns if each.kind in ("added", "changed")]
    before = [each.name for each in told.columns if each.kind in ("removed", "changed")]
    for title, rows_, wanted in (("before", told.before, before), ("after", told.after, names)):
        if rows_ and wanted:
            parts.append(f"{heading(session, title)}\n{_rows(session, rows_, wanted)}")
    return "\n\n".join(parts)


def steps_text(session: Session, steps: Sequence[StepTrace]) -> str:
    """A line a step: rows, and what came of the columns."""
    columns = [
        Column("step", right=True), Column("does"), Column("rows", right=True),
        Column("columns", flexible=True),
    ]  # fmt: skip
    rows = [
        (
            str(index),
            each.step
            if each.step == each.transformation
            else f"{each.step} ({each.transformation})",
            _pair(f"{each.rows_before:,}", f"{each.rows_after:,}"),
            _did(each),
        )
        for index, each in enumerate(steps, start=1)
    ]
    lines = [table(session, columns, rows)]
    for each in steps:
        lines += [harmless(f"  {each.step} warns: {told}") for told in each.warnings[:3]]
    return "\n".join(lines)


def _did(trace: StepTrace) -> str:
    if trace.skipped:
        return f"passed over: {trace.skipped}"
    said = []
    for word, names in (("+", trace.added), ("~", trace.changed), ("-", trace.removed)):
        if names:
            more = f" and {len(names) - 4} more" if len(names) > 4 else ""
            said.append(f"{word} {', '.join(names[:4])}{more}")
    return "; ".join(said) or ("-" if trace.rows_before == trace.rows_after else "rows only")


def _pair(before: str, after: str) -> str:
    return before or after if before == after or not (before and after) else f"{before} → {after}"


def _rows(session: Session, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    kept = list(names)[:SHOWN_COLUMNS]
    cells = [tuple(_cell(row.get(name)) for name in kept) for row in rows]
    more = f"\n… and {len(names) - len(kept)} more columns" if len(names) > len(kept) else ""
    return table(session, [Column(name, flexible=True) for name in kept], cells) + more


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else str(value)


def run_text(session: Session, done: RecipeRun) -> str:
    """What a run of a recipe came to."""
    facts = [
        ("recipe", done.recipe),
        ("from", f"{done.dataset} #{done.snapshot}, {done.rows_before:,} rows"),
        ("fitted on", done.fitted_on),
        ("to", f"{done.target} #{done.target_snapshot}, {done.rows_after:,} rows"),
        ("fitted recipe", f"{done.fitted[:16]} in {done.folder}"),
    ]
    notes = "".join(f"\n\nnote: {each}" for each in done.notes)
    return f"{block(session, facts)}\n\n{steps_text(session, done.steps)}{notes}"
