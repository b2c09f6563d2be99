"""What a data step reads besides what its settings tie to it: the datasets that its SQL names,
the sources of its feature views, files that are found by a name.

A step is taken from the cache only where all of that is the same, a run reads one version of
each, and what comes of it inherits their labels. Imports nothing heavy: the worker asks.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.errors import BadInput, NotFound
from core.features.uses import parse_use
from core.reads.datasets import find_dataset
from core.reads.features import find_version
from core.state.reading import Reader

BESIDE = "beside."
"""Begins the names of these inputs: no setting has a dot behind this word."""

READERS = ("query", "features")
"""Verbs whose rows come from datasets that stand in no input."""

_WORD = re.compile(r"\b([a-z][a-z0-9_]{0,62})\b(?:@([A-Za-z0-9_][\w.:-]*))?")
_VERSION = re.compile(r"\bat\s*\(", re.IGNORECASE)
_SOURCE = re.compile(r"^source:\s*[\"']?([a-z][a-z0-9_]{0,62})\b", re.MULTILINE)


def beside(
    reader: Reader, root: Path, verb: str, inputs: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """More inputs: datasets (`dataset`, `at`), and values that stand for files.

    Of SQL every word counts that is a dataset's name, also where it is a column's: too much is
    harmless, too little would give stale rows or lose a label.
    """
    values = {name: given["value"] for name, given in inputs.items() if "value" in given}
    if verb == "query":
        own = {name.partition(".")[2].lower() for name in inputs if name.startswith("tables.")}
        return dict(_of_sql(reader, str(values.get("sql", "")), own))
    if verb == "features":
        return dict(_of_views(reader, root, values.get("views")))
    if verb == "transform":
        return dict(_of_file("recipe", root / "recipes" / f"{values.get('recipe')}.yaml"))
    if verb == "validate":
        dataset = inputs.get("rows", {}).get("dataset")
        name = values.get("expectations") or f"expectations/{dataset}.yaml"
        return dict(_of_file("expectations", root / str(name)))
    return {}


def _of_sql(reader: Reader, sql: str, own: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    seen: set[str] = set()
    for word in _WORD.finditer(sql.lower()):
        name, at = word[1], word[2]
        if name not in own and _has_rows(reader, name):
            seen.add(name)
            # A name of a version may be written in capitals: as it stands in the text.
            yield _dataset(name, sql[word.start(2) : word.end(2)] if at else None)
    if seen and _VERSION.search(sql):  # a branch named there may move
        yield f"{BESIDE}now", {"value": time.time()}


def _of_views(reader: Reader, root: Path, views: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for ref in [views] if isinstance(views, str) else views or []:
        try:
            use = parse_use(ref)
        except BadInput:  # the step will say so
            continue
        file = root / "features" / f"{use.view}.yaml"
        sources = set(_SOURCE.findall(_text(file)))
        yield from _of_file(f"features.{use.view}", file)
        try:
            view = find_version(reader, use.ref if use.version else use.view)
        except NotFound:
            pass
        else:
            sources.add(view.spec.source)
            yield f"{BESIDE}view.{view.ref}", {"value": view.spec.to_json()}
        yield from (_dataset(name, None) for name in sources if _has_rows(reader, name))


def _of_file(what: str, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    text = _text(path)
    if text:
        yield f"{BESIDE}{what}", {"value": hashlib.sha256(text.encode()).hexdigest()}
    if what == "expectations" and "freshness" in text:  # rows that do not change grow old
        yield f"{BESIDE}now", {"value": time.time()}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):  # the step will say so
        return ""


def _dataset(name: str, at: str | None) -> tuple[str, dict[str, Any]]:
    return f"{BESIDE}{name}@{at or ''}", {"dataset": name, "at": at}


def _has_rows(reader: Reader, name: str) -> bool:
    try:
        return find_dataset(reader, name).current_snapshot is not None
    except NotFound:
        return False
