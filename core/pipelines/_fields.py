"""Read the values of a mapping against the table of its keys, noting every fault."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from core import units as _units
from core.errors import BadInput
from core.pipelines._keys import NAME, OPTIONAL_DURATIONS, Key
from core.pipelines._nodes import Map, Node, Scalar, Seq, describe
from core.pipelines._report import Report, did_you_mean
from core.workerbounds import MOST_WORKERS, parse_workers

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE = re.compile(r"[^.\s]+\.[^.\s]+")
_YES_NO = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


class _Wrong(Exception):
    """A value of the wrong form: what is expected, and perhaps what to write."""

    def __init__(self, expected: str, suggestion: str = "") -> None:
        super().__init__(expected)
        self.expected, self.suggestion = expected, suggestion


def read_fields(
    report: Report, path: str, node: Node, keys: Mapping[str, Key], what: str
) -> dict[str, Any]:
    """The values of the mapping `node` that could be read, by key.

    Unknown keys and values of a wrong form are noted in `report` under `path.key` and left
    out. Values of form "node" are handed on as nodes; a key without a value counts as left
    out for them too (noted), so that `steps:` alone says what is missing.
    """
    if not isinstance(node, Map):
        report.add(node.line, path, f"expected {what} (a mapping), found {describe(node)}")
        return {}
    values: dict[str, Any] = {}
    for entry in node.entries:
        where = f"{path}.{entry.key}" if path else entry.key
        key = keys.get(entry.key)
        if key is None:
            if not (path == "" and entry.key.startswith("x-")):
                hint = did_you_mean(entry.key, keys)
                report.add(entry.line, where, f"unknown key in {what}", hint)
            continue
        try:
            values[entry.key] = _READ[key.form](report, where, entry.node, key)
        except _Wrong as wrong:
            line = entry.node.line if isinstance(entry.node, Scalar) else entry.line
            message = f"expected {wrong.expected}, found {describe(entry.node)}"
            report.add(line, where, message, wrong.suggestion)
    return values


def _text(report: Report, where: str, node: Node, key: Key) -> str:
    if not isinstance(node, Scalar) or node.value is None:
        raise _Wrong("text")
    if not isinstance(node.value, str):
        raise _Wrong("text", f'quote it: "{node.text}"')
    if not node.value.strip():
        raise _Wrong("text that isn't blank")
    return node.value.strip()


def _name(report: Report, where: str, node: Node, key: Key) -> str:
    text = _text(report, where, node, key)
    if not re.fullmatch(NAME, text):
        raise _Wrong("a name", "letters, digits, `_`, `-` and `.`, starting with a letter")
    return text


def _reference(report: Report, where: str, node: Node, key: Key) -> tuple[str, int]:
    text = _text(report, where, node, key)
    if not _REFERENCE.fullmatch(text):
        raise _Wrong("step.output", "such as train.model")
    return text, node.line


def _references(report: Report, where: str, node: Node, key: Key) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for item in node.items if isinstance(node, Seq) else (node,):
        if not isinstance(item, Scalar) or not isinstance(item.value, str) or not item.value:
            raise _Wrong("a list of step.output", "such as [evaluate.metrics, evaluate.figures]")
        found.append((item.value, item.line))
    return found


def _whole(report: Report, where: str, node: Node, key: Key) -> int:
    value = node.value if isinstance(node, Scalar) else None
    expected = f"a whole number from {key.least} to {key.most}"
    if isinstance(value, bool) or not isinstance(value, int):
        bare = isinstance(value, str) and re.fullmatch(r"[0-9]+", value)
        raise _Wrong(expected, f"without quotes: {value}" if bare else "")
    if not key.least <= value <= key.most:
        raise _Wrong(expected)
    return value


def _flag(report: Report, where: str, node: Node, key: Key) -> bool:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, bool):
        return value
    word = _YES_NO.get(str(value).lower()) or {"1": "true", "0": "false"}.get(str(value))
    raise _Wrong("true or false", f"write {word}" if word else "")


def _duration(report: Report, where: str, node: Node, key: Key) -> float | None:
    value = node.value if isinstance(node, Scalar) else None
    optional = where.rpartition(".")[2] in OPTIONAL_DURATIONS
    if value is None and isinstance(node, Scalar) and optional:
        return None
    if isinstance(node, Map) and not node.entries and optional:
        return None
    if value is None or isinstance(value, bool):
        raise _Wrong("a duration", "such as 90s, 10m or 1h30m")
    try:
        return _units.seconds(value)
    except ValueError:
        raise _Wrong("a duration", _duration_hint(str(value))) from None


def _duration_hint(text: str) -> str:
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*", text)
    if match is not None:
        word = match[2].lower()
        for unit in ("ms", "s", "m", "h", "d", "w"):
            full = {"ms": "milli", "s": "sec", "m": "min", "h": "h", "d": "d", "w": "w"}[unit]
            if word.startswith(full):
                return f"write {match[1]}{unit}"
    return "such as 90s, 10m or 1h30m; units ms, s, m, h, d, w"


def _memory(report: Report, where: str, node: Node, key: Key) -> int:
    value = node.value if isinstance(node, Scalar) else None
    try:
        return _units.mebibytes(value if isinstance(value, str) else "")
    except ValueError:
        match = re.fullmatch(r"\s*([0-9]+)\s*([kmgtKMGT])i?b?\s*", str(value))
        hint = f"write {match[1]}{match[2].upper()}iB" if match else "such as 512MiB or 2GiB"
        raise _Wrong("a size of memory", hint) from None


def _names(report: Report, where: str, node: Node, key: Key) -> tuple[tuple[str, int], ...]:
    found: list[tuple[str, int]] = []
    for item in node.items if isinstance(node, Seq) else (node,):
        if not isinstance(item, Scalar) or not isinstance(item.value, str) or not item.value:
            raise _Wrong("a list of names", "such as [train, evaluate]")
        found.append((item.value, item.line))
    return tuple(found)


def _env(report: Report, where: str, node: Node, key: Key) -> dict[str, str]:
    if not isinstance(node, Map):
        raise _Wrong("a mapping of environment variables", "such as {OMP_NUM_THREADS: 2}")
    found: dict[str, str] = {}
    for entry in node.entries:
        place = f"{where}.{entry.key}"
        if not _ENV_NAME.fullmatch(entry.key):
            report.add(entry.line, place, "not a name for an environment variable")
        elif not isinstance(entry.node, Scalar) or entry.node.value is None:
            report.add(entry.line, place, f"expected text, found {describe(entry.node)}")
        elif "\0" in entry.node.text:
            report.add(entry.line, place, "an environment variable can't hold a NUL")
        else:
            found[entry.key] = entry.node.text
    return found


def _workers(report: Report, where: str, node: Node, key: Key) -> list[int]:
    # What is written: in YAML 1.1 1:4 without quotation marks would be a number.
    text = node.text if isinstance(node, Scalar) else ""
    if isinstance(node, Map) and {entry.key for entry in node.entries} == {"min", "max"}:
        ends = [entry.node for name in ("min", "max") if (entry := node.get(name)) is not None]
        text = ":".join(end.text if isinstance(end, Scalar) else "?" for end in ends)
    try:
        return list(parse_workers(where, text))
    except BadInput:
        hint = "such as {min: 1, max: 4}, 1:4 or 2"
        raise _Wrong(f"bounds of workers from 1 to {MOST_WORKERS}", hint) from None


def _scalar(report: Report, where: str, node: Node, key: Key) -> Scalar:
    if not isinstance(node, Scalar) or node.value is None:
        raise _Wrong("text, a number, true or false")
    return node


def _scalars(report: Report, where: str, node: Node, key: Key) -> list[Scalar]:
    if not isinstance(node, Seq) or not node.items:
        raise _Wrong("a list of values")
    return [_scalar(report, where, item, key) for item in node.items]


def _node(report: Report, where: str, node: Node, key: Key) -> Node:
    return node


_READ: dict[str, Callable[[Report, str, Node, Key], Any]] = {
    "text": _text,
    "name": _name,
    "reference": _reference,
    "references": _references,
    "whole": _whole,
    "flag": _flag,
    "duration": _duration,
    "memory": _memory,
    "names": _names,
    "workers": _workers,
    "env": _env,
    "scalar": _scalar,
    "scalars": _scalars,
    "node": _node,
}
