"""The catalogue of transformations: a committed table, so that listing needs no library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from core.domain.recipe import Parameter, Transformation
from core.errors import NotFound

PATH = Path(__file__).with_name("catalogue.json")


@cache
def catalogue() -> Mapping[str, Transformation]:
    """Every transformation by its name, in the order of the table."""
    entries = json.loads(PATH.read_text(encoding="utf-8"))
    return {entry["name"]: _entry(entry) for entry in entries}


def categories() -> tuple[str, ...]:
    """The categories, sorted."""
    return tuple(sorted({each.category for each in catalogue().values()}))


def search(category: str | None = None, text: str | None = None) -> tuple[Transformation, ...]:
    """Those of a category whose name, summary or library contain every word of `text`."""
    words = (text or "").lower().split()
    return tuple(
        each
        for each in catalogue().values()
        if category in (None, each.category)
        and all(
            word in f"{each.name} {each.summary} {each.library} {each.category}".lower()
            for word in words
        )
    )


def find(name: str) -> Transformation:
    """The transformation called `name`. Raises `NotFound` with the nearest name."""
    found = catalogue().get(name)
    if found is None:
        near = nearest(name)
        hint = f"did you mean {near}?" if near else "see: opsdeck recipes list --search WORD"
        raise NotFound(f"transformation {name}: no such transformation", hint)
    return found


def nearest(name: str) -> str | None:
    """The transformation that somebody who wrote `name` most likely meant, or None."""
    import difflib

    names = list(catalogue())
    folded = name.lower().replace("-", "_")
    by_tail = {each.rpartition(".")[2].lower(): each for each in reversed(names)}
    if folded in by_tail:
        return by_tail[folded]
    lowered = {each.lower(): each for each in names}
    close = difflib.get_close_matches(folded, [*lowered], n=1, cutoff=0.6)
    if close:
        return lowered[close[0]]
    close = difflib.get_close_matches(folded.rpartition(".")[2], [*by_tail], n=1, cutoff=0.6)
    return by_tail[close[0]] if close else None


def _entry(entry: Mapping[str, Any]) -> Transformation:
    given: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in entry.items()
    }
    given["parameters"] = tuple(_parameter(each) for each in entry.get("parameters", ()))
    return Transformation(**given)


def _parameter(entry: Mapping[str, Any]) -> Parameter:
    choices = tuple(entry.get("choices", ()))
    return Parameter(**{**entry, "choices": choices})


def to_table(entries: Mapping[str, Transformation]) -> str:
    """The committed form of a catalogue: JSON, a line an entry, defaults left out."""
    lines = [json.dumps(_bare(each), ensure_ascii=False) for each in entries.values()]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def _bare(record: Transformation | Parameter) -> dict[str, Any]:
    bare: dict[str, Any] = {}
    blank = {f.name: f.default for f in fields(record)}
    for name in blank:
        value = getattr(record, name)
        if name == "parameters":
            value = [_bare(each) for each in value]
        elif isinstance(value, tuple):
            value = list(value)
        if value != blank[name] and value not in ([], {}):
            bare[name] = value
    return bare
