"""From a place in a mapping (`monitors.drift.columns[0]`) to its line in the file."""

from __future__ import annotations

import re

from core.pipelines._nodes import Map, Node, Seq

_INDEX = re.compile(r"\[(\d+)\]")


def line_of(node: Node, place: str) -> int:
    """The line of the key or item that a place names; of the nearest one that is there.

    Keys may hold dots: the longest key that the place goes on with is taken.
    """
    line, rest = node.line, place
    while rest:
        found = _INDEX.match(rest)
        if found and isinstance(node, Seq):
            number = int(found[1])
            if number >= len(node.items):
                break
            node = node.items[number]
            line = node.line
            rest = rest[found.end() :].removeprefix(".")
            continue
        if not isinstance(node, Map):
            break
        fitting = [entry for entry in node.entries if _begins(rest, entry.key)]
        if not fitting:
            break
        entry = max(fitting, key=lambda each: len(each.key))
        node, line = entry.node, entry.line
        rest = rest[len(entry.key) :].removeprefix(".")
    return line


def _begins(rest: str, key: str) -> bool:
    return rest == key or rest.startswith((f"{key}.", f"{key}["))
