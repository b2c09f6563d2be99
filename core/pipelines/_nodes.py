"""A YAML document as a tree that remembers its lines.

Built from PyYAML's events, without recursion and with every size bounded, so that no
file, however odd, does more than fail with a line and a reason: at most `MAX_BYTES` of
text, `MAX_DEPTH` levels and `MAX_NODES` nodes counting each use of an alias as a copy
(which is what defuses a "billion laughs" file).

Plain words are read as in YAML 1.2's core schema: `true`/`false`, `null` or `~`, numbers;
all else is text. So `2012-01`, `12:30`, `on` and `no` stay what was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from core.pipelines._report import Report

MAX_BYTES = 1_000_000
MAX_DEPTH = 30
MAX_NODES = 20_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TAGS = {None, "!", "tag:yaml.org,2002:str"}


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value; `text` is as written."""

    line: int
    value: str | int | float | bool | None
    text: str
    size: int = 1
    height: int = 1


@dataclass(frozen=True, slots=True)
class Seq:
    """A list."""

    line: int
    items: tuple[Node, ...]
    size: int = 1
    height: int = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One `key: value` of a mapping, with the line of its key."""

    key: str
    line: int
    node: Node


@dataclass(frozen=True, slots=True)
class Map:
    """A mapping with text keys, each once, in the order of the file."""

    line: int
    entries: tuple[Entry, ...]
    size: int = 1
    height: int = 1

    def get(self, key: str) -> Entry | None:
        """The entry under `key`, or None."""
        return next((entry for entry in self.entries if entry.key == key), None)


Node = Scalar | Seq | Map


def plain(node: Node) -> Any:
    """The node as plain Python: dict, list, str, int, float, bool or None."""
    if isinstance(node, Map):
        return {entry.key: plain(entry.node) for entry in node.entries}
    if isinstance(node, Seq):
        return [plain(item) for item in node.items]
    return node.value


def describe(node: Node) -> str:
    """What was written, for messages: "a list", "a mapping", "the text 'x'", …"""
    if isinstance(node, Map):
        return "a mapping"
    if isinstance(node, Seq):
        return "a list"
    if node.value is None:
        return "nothing"
    shown = node.text if len(node.text) <= 40 else node.text[:39] + "…"
    if isinstance(node.value, str):
        return f"the text {shown!r}"
    return shown


class _Stop(Exception):
    """Reading cannot go on: the fault's line, message and suggestion."""

    def __init__(self, line: int, message: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.line, self.message, self.suggestion = line, message, suggestion


@dataclass(slots=True)
class _Frame:
    """A list or mapping that is still being read."""

    line: int
    mapping: bool
    anchor: str | None
    items: list[Node] = field(default_factory=list)


def read_nodes(text: str, report: Report) -> Node | None:
    """The document in `text`; None, with the reason in `report`, when it can't be read."""
    try:
        root = _build(yaml.parse(text, Loader=_LOADER), report)
    except _Stop as stop:
        report.add(stop.line, "", stop.message, stop.suggestion)
        return None
    except yaml.MarkedYAMLError as error:
        _syntax(error, text, report)
        return None
    except yaml.reader.ReaderError as error:
        before = text[: error.position] if isinstance(error.position, int) else ""
        report.add(before.count("\n") + 1, "", "a control character that YAML doesn't allow")
        return None
    except (yaml.YAMLError, ValueError) as error:
        report.add(1, "", f"not YAML: {_one_line(str(error))}")
        return None
    if root is None:
        report.add(1, "", "the file is empty", "start with `name:` and `steps:`")
    return root


def _build(events: Iterator[Any], report: Report) -> Node | None:
    """The tree; see the module's docstring for what bounds it."""
    stack: list[_Frame] = []
    anchors: dict[str, Node] = {}
    root: Node | None = None
    documents = count = 0
    for event in events:
        line = event.start_mark.line + 1
        node: Node
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _Stop(line, "a second document", "one file holds one pipeline: remove `---`")
            continue
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            _known_tag(event, line, collection=True)
            stack.append(_Frame(line, isinstance(event, yaml.MappingStartEvent), event.anchor))
            if len(stack) > MAX_DEPTH:
                raise _Stop(line, f"nested deeper than {MAX_DEPTH} levels")
            continue
        if isinstance(event, yaml.ScalarEvent):
            _known_tag(event, line, collection=False)
            node, anchor = _scalar(event, line), event.anchor
        elif isinstance(event, yaml.AliasEvent):
            node, anchor = _aliased(event.anchor, anchors, stack, line), None
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            frame = stack.pop()
            node, anchor = _close(frame, report), frame.anchor
        else:
            continue
        if anchor is not None:
            anchors[anchor] = node
        if isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
            count += node.size
            if count > MAX_NODES:
                raise _Stop(line, f"more than {MAX_NODES:,} values, aliases counted as copies")
        if stack:
            stack[-1].items.append(node)
        else:
            root = node
    return None if isinstance(root, Scalar) and root.value is None else root


def _close(frame: _Frame, report: Report) -> Node:
    """The finished list or mapping of `frame`."""
    size = 1 + sum(item.size for item in frame.items)
    height = 1 + max((item.height for item in frame.items), default=0)
    if not frame.mapping:
        return Seq(frame.line, tuple(frame.items), size, height)
    entries: dict[str, Entry] = {}
    for key, value in zip(frame.items[::2], frame.items[1::2], strict=True):
        if not isinstance(key, Scalar):
            report.add(key.line, "", f"{describe(key)} used as a key", "a key is a plain word")
        elif key.text == "<<":
            report.add(key.line, "<<", "merge keys are not read", "use `defaults:` for steps")
        elif key.text in entries:
            first = entries[key.text].line
            report.add(key.line, key.text, f"given twice, first in line {first}", "keep one")
        else:
            entries[key.text] = Entry(key.text, key.line, value)
    return Map(frame.line, tuple(entries.values()), size, height)


def _aliased(name: str | None, anchors: dict[str, Node], stack: list[_Frame], line: int) -> Node:
    if any(frame.anchor == name for frame in stack):
        raise _Stop(line, f"*{name} contains itself")
    if name is None or name not in anchors:
        raise _Stop(line, f"*{name} names no anchor above it", f"write &{name} at what it repeats")
    if len(stack) + anchors[name].height > MAX_DEPTH:
        raise _Stop(line, f"nested deeper than {MAX_DEPTH} levels by way of *{name}")
    return anchors[name]


def _known_tag(event: Any, line: int, collection: bool) -> None:
    if event.tag in (_TAGS if not collection else {None, "!"}):
        return
    raise _Stop(line, f"the tag {event.tag} is not read", "remove it")


def _scalar(event: Any, line: int) -> Scalar:
    """A scalar with its value by the core schema; quoted and tagged ones are text."""
    text: str = event.value
    if event.style or event.tag is not None:
        return Scalar(line, text, text)
    if text in _CONSTANTS:
        return Scalar(line, _CONSTANTS[text], text)
    if _INT.fullmatch(text):
        if len(text) > 20 or not -(2**63) <= int(text) < 2**63:
            raise _Stop(line, f"the number {text[:24]}… is too large", "quote it if it is text")
        return Scalar(line, int(text), text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise _Stop(line, f"the number {text[:24]} is too large", "quote it if it is text")
        return Scalar(line, number, text)
    return Scalar(line, text, text)


def _syntax(error: yaml.MarkedYAMLError, text: str, report: Report) -> None:
    """Say where the YAML breaks; tabs, the usual cause, in all their lines at once."""
    tabbed = [
        number
        for number, line in enumerate(text.splitlines(), 1)
        if "\t" in line[: len(line) - len(line.lstrip())]
    ]
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark is not None else 1
    if line in tabbed:
        for number in tabbed:
            report.add(number, "", "a tab in the indentation", "indent with spaces")
        return
    report.add(
        line, "", f"not YAML: {_one_line(error.problem or 'it breaks off here')}", _advice(error)
    )


def _advice(error: yaml.MarkedYAMLError) -> str:
    if "mapping values are not allowed" in (error.problem or ""):
        return "quote a value that contains `: `"
    if error.context_mark is not None and error.context:
        return f"{_one_line(error.context)} in line {error.context_mark.line + 1}"
    return ""


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
