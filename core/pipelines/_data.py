"""Data steps: what is done stands in the file, as settings that are tied as inputs are."""

from __future__ import annotations

import re

from core.pipelines._keys import DATA, IDENTIFIER
from core.pipelines._nodes import Entry, Map, Node, Scalar, Seq, describe
from core.pipelines._report import Report, did_you_mean

DATASET = re.compile(r"dataset:([a-z][a-z0-9_]{0,62})(?:@(\S{1,100}))?")
"""Rows of the lake: `dataset:NAME`, or at a version `dataset:NAME@VERSION`."""

_NESTED = {"query": "tables", "transform": "apply", "split": "parts"}
"""Settings that map names to something: each is an input of its own, `SETTING.NAME`."""


def data_settings(report: Report, path: str, verb: str, node: Node) -> Map | None:
    """The settings of a data step as the inputs of a step; `None` where there are none to
    speak of. Faults go to `report`."""
    where, known = f"{path}.{verb}", DATA[verb]
    if not isinstance(node, Map):
        message = f"expected a mapping, found {describe(node)}"
        first = next(name for name, setting in known.items() if setting.needed)
        report.add(node.line, where, message, f"such as {{{first}: …}}")
        return None
    entries: list[Entry] = []
    for entry in node.entries:
        if entry.key not in known:
            hint = did_you_mean(entry.key, known)
            report.add(entry.line, f"{where}.{entry.key}", f"{verb} has no {entry.key}", hint)
        elif _NESTED.get(verb) == entry.key and isinstance(entry.node, Map):
            entries += _nested(report, where, entry, entry.node, verb != "split")
        elif known[entry.key].rows and not _names_rows(entry.node):
            message = f"expected rows, found {describe(entry.node)}"
            hint = "`step.output` or `dataset:NAME`"
            report.add(entry.line, f"{where}.{entry.key}", message, hint)
        else:
            entries.append(entry)
    given = {entry.key for entry in node.entries}
    for name, setting in known.items():
        if setting.needed and name not in given:
            report.add(node.line, where, f"no {name}", setting.doc)
    return Map(node.line, tuple(entries))


def _nested(report: Report, where: str, outer: Entry, node: Map, rows: bool) -> list[Entry]:
    found = []
    for entry in node.entries:
        place = f"{where}.{outer.key}.{entry.key}"
        if not re.fullmatch(IDENTIFIER, entry.key):
            hint = "letters, digits and `_`, as a Python name"
            report.add(entry.line, place, "not a name", hint)
        elif rows and not _names_rows(entry.node):
            message = f"expected rows, found {describe(entry.node)}"
            report.add(entry.line, place, message, "`step.output` or `dataset:NAME`")
        else:
            found.append(Entry(f"{outer.key}.{entry.key}", entry.line, entry.node))
    return found


def _names_rows(node: Node) -> bool:
    return (
        isinstance(node, Scalar)
        and isinstance(node.value, str)
        and (DATASET.fullmatch(node.value) is not None or "." in node.value)
    )


def data_outputs(step: str, verb: str, settings: Map) -> tuple[str, ...]:
    """What a data step puts out unless it says so itself.

    A transform: what it is applied to, by name, and the fitted recipe. A split: its parts, and
    its report. A refresh: its views. An ingest or store: its dataset. The others one thing, of
    the step's name; a validate its report too, a bias or explain Clarify's analysis.
    """
    own = re.sub(r"\W", "_", step)
    if verb == "transform":
        applied = [e.key.partition(".")[2] for e in settings.entries if e.key.startswith("apply.")]
        return (*applied, "recipe")
    if verb == "split":
        parts = [e.key.partition(".")[2] for e in settings.entries if e.key.startswith("parts.")]
        return (*parts, "report")
    if verb == "refresh":
        views = settings.get("views")
        node = views.node if views is not None else None
        items = node.items if isinstance(node, Seq) else (node,)
        return tuple(str(item.value) for item in items if isinstance(item, Scalar))
    if verb in ("ingest", "store"):
        dataset = settings.get("dataset")
        value = dataset.node.value if dataset and isinstance(dataset.node, Scalar) else None
        return (
            (str(value),) if isinstance(value, str) and re.fullmatch(IDENTIFIER, value) else (own,)
        )
    second = {"validate": "report", "bias": "analysis", "explain": "analysis"}.get(verb)
    return (own, second) if second else (own,)
