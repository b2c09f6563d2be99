"""Rules of composite alarms: ALARM(…), OK(…), INSUFFICIENT_DATA(…), AND, OR, NOT, TRUE, FALSE."""

from __future__ import annotations

import re
from collections.abc import Mapping

from core.simulated.faults import Fault

_TOKEN = re.compile(
    r"""\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"(?P<quoted>[^"]+)"|(?P<bare>[^)\s]+))\s*\)
    |(?P<word>AND|OR|NOT|TRUE|FALSE)\b|(?P<sign>[()]))""",
    re.VERBOSE,
)
Token = tuple[str, str]


def _tokens(rule: str) -> list[Token]:
    found, at = [], 0
    while rule[at:].strip():
        token = _TOKEN.match(rule, at)
        if token is None:
            raise Fault("ValidationError", f"AlarmRule: cannot read {rule[at:].strip()[:40]}", 400)
        if token["state"]:
            found.append((token["state"], token["quoted"] or token["bare"]))
        else:
            found.append(("", token["word"] or token["sign"]))
        at = token.end()
    return found


def names(rule: str) -> set[str]:
    """The alarms (names or ARNs) that a rule speaks of."""
    return {name for state, name in _tokens(rule) if state}


def holds(rule: str, states: Mapping[str, str]) -> bool:
    """Whether a rule is true of alarms in these states."""
    tokens = _tokens(rule)
    value, rest = _either(tokens, states)
    if rest:
        raise Fault("ValidationError", f"AlarmRule: cannot read {rest[0][1]}", 400)
    return value


def _either(tokens: list[Token], states: Mapping[str, str]) -> tuple[bool, list[Token]]:
    value, rest = _both(tokens, states)
    while rest and rest[0] == ("", "OR"):
        other, rest = _both(rest[1:], states)
        value = value or other
    return value, rest


def _both(tokens: list[Token], states: Mapping[str, str]) -> tuple[bool, list[Token]]:
    value, rest = _one(tokens, states)
    while rest and rest[0] == ("", "AND"):
        other, rest = _one(rest[1:], states)
        value = value and other
    return value, rest


def _one(tokens: list[Token], states: Mapping[str, str]) -> tuple[bool, list[Token]]:
    if not tokens:
        raise Fault("ValidationError", "AlarmRule: it ends too early", 400)
    (state, text), rest = tokens[0], tokens[1:]
    if state:
        name = text.rpartition(":alarm:")[2] if text.startswith("arn:") else text
        return states.get(name) == state, rest
    if text == "NOT":
        value, rest = _one(rest, states)
        return not value, rest
    if text in ("TRUE", "FALSE"):
        return text == "TRUE", rest
    if text == "(":
        value, rest = _either(rest, states)
        if not rest or rest[0] != ("", ")"):
            raise Fault("ValidationError", "AlarmRule: a bracket is not closed", 400)
        return value, rest[1:]
    raise Fault("ValidationError", f"AlarmRule: cannot read {text}", 400)
