"""Read the values of a mapping in a file of expectations, noting every fault with its line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from core import units as _units
from core.domain.quality import CheckScope, CheckSeverity
from core.pipelines._nodes import Map, Node, Scalar, Seq, describe
from core.pipelines._report import Report, did_you_mean
from core.quality._keys import DTYPES, Key

_PERCENT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*")
_YES_NO = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
MAX_TEXT = 2000
MAX_VALUES = 10_000


class _Wrong(Exception):
    """A value of the wrong form: what is expected, and perhaps what to write."""

    def __init__(self, expected: str, suggestion: str = "") -> None:
        super().__init__(expected)
        self.expected, self.suggestion = expected, suggestion


def read_values(
    report: Report, path: str, node: Node, keys: Mapping[str, Key], what: str
) -> dict[str, tuple[Any, int]]:
    """The values of the mapping `node` that could be read, by key, each with its line.

    Unknown keys and values of a wrong form are noted in `report` and left out.
    """
    if not isinstance(node, Map):
        report.add(node.line, path, f"expected {what} (a mapping), found {describe(node)}")
        return {}
    values: dict[str, tuple[Any, int]] = {}
    for entry in node.entries:
        where = f"{path}.{entry.key}" if path else entry.key
        key = keys.get(entry.key)
        if key is None:
            report.add(entry.line, where, f"unknown key in {what}", did_you_mean(entry.key, keys))
            continue
        try:
            values[entry.key] = (_READ[key.form](entry.node), entry.line)
        except _Wrong as wrong:
            line = entry.node.line if isinstance(entry.node, Scalar) else entry.line
            message = f"expected {wrong.expected}, found {describe(entry.node)}"
            report.add(line, where, message, wrong.suggestion)
    return values


def _text(node: Node) -> str:
    if not isinstance(node, Scalar) or node.value is None:
        raise _Wrong("text")
    if not isinstance(node.value, str):
        raise _Wrong("text", f'quote it: "{node.text}"')
    if not node.value.strip() or len(node.value) > MAX_TEXT:
        raise _Wrong(f"text of 1 to {MAX_TEXT} characters")
    return node.value.strip()


def _dtype(node: Node) -> str:
    word = _text(node)
    if word not in DTYPES:
        raise _Wrong("a type", did_you_mean(word, DTYPES) or "such as integer, float or string")
    return word


def _flag(node: Node) -> bool:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, bool):
        return value
    word = _YES_NO.get(str(value).lower())
    raise _Wrong("true or false", f"write {word}" if word else "")


def _whole(node: Node) -> int:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _Wrong("a whole number from 0")
    return value


def _number(node: Node) -> float:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise _Wrong("a number from 0")
    return float(value)


def _change(node: Node) -> float:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, str) and (found := _PERCENT.fullmatch(value)):
        return float(found[1]) / 100
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise _Wrong("a share", "such as 5% or 0.05")
    return float(value)


def _share(node: Node) -> float:
    value = _change(node)
    if value > 1:
        raise _Wrong("a share from 0 to 1", "such as 5% or 0.05")
    return value


def _value(node: Node) -> Any:
    if not isinstance(node, Scalar) or node.value is None:
        raise _Wrong("one value", "quote text, such as a date: '2012-01-31'")
    return node.value


def _values(node: Node) -> list[Any]:
    if not isinstance(node, Seq) or not node.items or len(node.items) > MAX_VALUES:
        raise _Wrong(f"a list of 1 to {MAX_VALUES:,} values", "such as [1, 2, 3]")
    return [_value(item) for item in node.items]


def _names(node: Node) -> list[str]:
    names = [_text(item) for item in (node.items if isinstance(node, Seq) else (node,))]
    if not names or len(set(names)) < len(names):
        raise _Wrong("a list of columns, each once", "such as [station, ts]")
    return names


def _duration(node: Node) -> float:
    value = node.value if isinstance(node, Scalar) else None
    try:
        if value is None or isinstance(value, bool):
            raise ValueError
        return _units.seconds(value)
    except ValueError:
        raise _Wrong("a duration", "such as 90s, 10m, 6h or 2d") from None


def _word(words: type[CheckSeverity] | type[CheckScope]) -> Callable[[Node], Any]:
    def read(node: Node) -> Any:
        text = node.text if isinstance(node, Scalar) else ""
        if text not in [each.value for each in words]:
            raise _Wrong("one of " + ", ".join(words), did_you_mean(text, words) if text else "")
        return words(text)

    return read


def _known(node: Node) -> bool:
    if not isinstance(node, Scalar) or node.text != "known":
        raise _Wrong("the word known")
    return True


_READ: Mapping[str, Callable[[Node], Any]] = {
    "text": _text,
    "dtype": _dtype,
    "flag": _flag,
    "whole": _whole,
    "share": _share,
    "change": _change,
    "number": _number,
    "value": _value,
    "values": _values,
    "names": _names,
    "duration": _duration,
    "severity": _word(CheckSeverity),
    "scope": _word(CheckScope),
    "known": _known,
    "node": lambda node: node,
}
