"""Filter patterns of CloudWatch Logs: terms, quoted phrases, JSON, and space-delimited fields.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from core.simulated.faults import Fault

Match = Callable[[str], bool]
_TERM = re.compile(r'([?-]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]+)%|([^\s"]+))')
_TOKEN = re.compile(
    r"""\s*(?:(?P<op>&&|\|\||!=|<=|>=|=|<|>|\(|\))
    |(?P<selector>\$(?:\.[\w@\-]+|\[[^\]]+\])+)
    |(?P<text>"(?:[^"\\]|\\.)*")
    |(?P<regex>%[^%]+%)
    |(?P<word>[^\s()=<>!&|]+))""",
    re.VERBOSE,
)


def compiled(pattern: str) -> Match:
    """What tells whether a message matches; Fault InvalidParameterException if it can't be read."""
    text = pattern.strip()
    if not text:
        return lambda _message: True
    if text.startswith("{"):
        return _json(text)
    if text.startswith("["):
        raise Fault(
            "NotSimulated",
            "logs: filter patterns of space-delimited fields […] are not simulated",
            501,
        )
    return _terms(text)


def _terms(text: str) -> Match:
    every: list[Match] = []
    some: list[Match] = []
    none: list[Match] = []
    for sign, quoted, regex, word in _TERM.findall(text):
        if regex:
            one: Match = _regex(regex)
        else:
            one = _contains(quoted.replace('\\"', '"') if quoted else word)
        (some if sign == "?" else none if sign == "-" else every).append(one)
    return lambda message: (
        all(one(message) for one in every)
        and (not some or any(one(message) for one in some))
        and not any(one(message) for one in none)
    )


def _contains(term: str) -> Match:
    return lambda message: term in message


def _regex(text: str) -> Match:
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise _invalid(f"%{text}%") from error
    return lambda message: pattern.search(message) is not None


def _invalid(text: str) -> Fault:
    return Fault("InvalidParameterException", f"Invalid filter pattern: {text}", 400)


# -- JSON

Test = Callable[[Any], bool]


def _json(text: str) -> Match:
    if not text.endswith("}"):
        raise _invalid(text)
    tokens = _tokens(text[1:-1], text)
    test, rest = _either(tokens, text)
    if rest:
        raise _invalid(text)

    def match(message: str) -> bool:
        try:
            value = json.loads(message)
        except ValueError:
            return False
        return test(value)

    return match


def _tokens(inner: str, text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while inner[at:].strip():
        token = _TOKEN.match(inner, at)
        if token is None or token.lastgroup is None:
            raise _invalid(text)
        found.append((token.lastgroup, token[token.lastgroup]))
        at = token.end()
    return found


def _either(tokens: list[tuple[str, str]], text: str) -> tuple[Test, list[tuple[str, str]]]:
    left, rest = _both(tokens, text)
    while rest and rest[0] == ("op", "||"):
        right, rest = _both(rest[1:], text)
        left = _or(left, right)
    return left, rest


def _both(tokens: list[tuple[str, str]], text: str) -> tuple[Test, list[tuple[str, str]]]:
    left, rest = _one(tokens, text)
    while rest and rest[0] == ("op", "&&"):
        right, rest = _one(rest[1:], text)
        left = _and(left, right)
    return left, rest


def _or(one: Test, two: Test) -> Test:
    return lambda value: one(value) or two(value)


def _and(one: Test, two: Test) -> Test:
    return lambda value: one(value) and two(value)


def _one(tokens: list[tuple[str, str]], text: str) -> tuple[Test, list[tuple[str, str]]]:
    if tokens and tokens[0] == ("op", "("):
        inner, rest = _either(tokens[1:], text)
        if not rest or rest[0] != ("op", ")"):
            raise _invalid(text)
        return inner, rest[1:]
    if len(tokens) < 3 or tokens[0][0] != "selector":
        raise _invalid(text)
    selector, (_, operator), (kind, given) = tokens[0][1], tokens[1], tokens[2]
    if tokens[1] == ("word", "IS"):
        wanted = {"NULL": None, "TRUE": True, "FALSE": False}
        if given not in wanted:
            raise _invalid(text)
        return (lambda value: _at(value, selector) is wanted[given]), tokens[3:]
    if tokens[1] == ("word", "NOT") and given == "EXISTS":
        return (lambda value: _at(value, selector) is _MISSING), tokens[3:]
    if operator not in ("=", "!=", "<", "<=", ">", ">="):
        raise _invalid(text)
    return _compare(selector, operator, kind, given), tokens[3:]


_MISSING = object()


def _at(value: Any, selector: str) -> Any:
    """What a selector such as `$.detail.items[0].name` points to."""
    for name, index in re.findall(r"\.([\w@\-]+)|\[([^\]]+)\]", selector):
        key = name or index.strip("'\"")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return _MISSING
    return value


def _compare(selector: str, operator: str, kind: str, given: str) -> Test:
    if kind == "regex":
        pattern = re.compile(given[1:-1])
        return lambda value: (
            isinstance(found := _at(value, selector), str)
            and (pattern.search(found) is not None) == (operator == "=")
        )
    text = given[1:-1] if kind == "text" else given
    number = _number(text) if kind == "word" else None

    def test(value: Any) -> bool:
        found = _at(value, selector)
        if found is _MISSING:
            return False
        if number is not None and isinstance(found, (int, float)):
            return _ordered(float(found), operator, number)
        if operator == "=":
            return fnmatchcase(_text(found), text)
        return operator == "!=" and not fnmatchcase(_text(found), text)

    return test


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _ordered(found: float, operator: str, number: float) -> bool:
    return {
        "=": found == number,
        "!=": found != number,
        "<": found < number,
        "<=": found <= number,
        ">": found > number,
        ">=": found >= number,
    }[operator]
