"""The rules of composite alarms, in CloudWatch's language.

    rule      = and ("OR" and)*
    and       = not ("AND" not)*
    not       = "NOT" not | "(" rule ")" | "TRUE" | "FALSE" | state "(" name ")"
              | "AT_LEAST" "(" count "," ["NOT"] state "," "(" name ("," name)* ")" ")"
    state     = "ALARM" | "OK" | "INSUFFICIENT_DATA"

A name may stand in quotation marks; words of the language are in capitals; AND binds closer
than OR, NOT closer than AND. The count of AT_LEAST is a number or a percentage of the names.
Source: "Create a composite alarm", Amazon CloudWatch User Guide.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from core.alarms.errors import AlarmRuleInvalid
from core.domain.analysis import AlarmState

MOST_CHARACTERS = 10_240
MOST_DEPTH = 40
_TOKEN = re.compile(r'\s*(?:([(),])|"([^"\n]*)"|([A-Za-z0-9_.:/%-]+))')
_STATES = tuple(state.value for state in AlarmState)
_WORDS = frozenset({"AND", "OR", "NOT", "TRUE", "FALSE", "AT_LEAST", *_STATES})


@dataclass(frozen=True, slots=True)
class Is:
    """Whether an alarm is in a state."""

    state: AlarmState
    name: str


@dataclass(frozen=True, slots=True)
class Const:
    """TRUE or FALSE: what is always so."""

    value: bool


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    of: Rule


@dataclass(frozen=True, slots=True)
class And:
    """All of them (two or more)."""

    of: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of them (two or more)."""

    of: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class AtLeast:
    """So many (`percent`: such a share, rounded up) of the names are, or with `negated` are
    not, in the state."""

    count: int
    percent: bool
    negated: bool
    state: AlarmState
    names: tuple[str, ...]


Rule = Is | Const | Not | And | Or | AtLeast


def parse(text: str) -> Rule:
    """The rule that is meant; raises `AlarmRuleInvalid`, which says where it breaks."""
    if len(text) > MOST_CHARACTERS:
        raise AlarmRuleInvalid(f"a rule of {len(text):,} characters", f"{MOST_CHARACTERS} at most")
    parser = _Parser(text)
    rule = parser.either(0)
    parser.end()
    return rule


def render(rule: Rule) -> str:
    """The rule as text; `parse` gives an equal one."""
    match rule:
        case Is(state, name):
            return f"{state}({_quoted(name)})"
        case Const(value):
            return "TRUE" if value else "FALSE"
        case Not(inner):
            return f"NOT {_inner(inner)}"
        case And(parts):
            return " AND ".join(_inner(part) for part in parts)
        case Or(parts):
            return " OR ".join(_inner(part) for part in parts)
        case AtLeast(count, percent, negated, state, names):
            of = ", ".join(_quoted(name) for name in names)
            many = f"{count}%" if percent else str(count)
            return f"AT_LEAST({many}, {'NOT ' if negated else ''}{state}, ({of}))"


def holds(rule: Rule, states: Mapping[str, AlarmState]) -> bool:
    """Whether the rule holds; an alarm that is not there counts as INSUFFICIENT_DATA."""
    match rule:
        case Is(state, name):
            return states.get(name, AlarmState.INSUFFICIENT_DATA) is state
        case Const(value):
            return value
        case Not(inner):
            return not holds(inner, states)
        case And(parts):
            return all(holds(part, states) for part in parts)
        case Or(parts):
            return any(holds(part, states) for part in parts)
        case AtLeast(count, percent, negated, state, names):
            wanted = math.ceil(count * len(names) / 100) if percent else count
            found = (states.get(name, AlarmState.INSUFFICIENT_DATA) for name in names)
            return sum((each is state) is not negated for each in found) >= wanted


def names_in(rule: Rule) -> tuple[str, ...]:
    """The alarms that the rule asks about, each once, in the order of the rule."""
    match rule:
        case Is(_, name):
            return (name,)
        case Const():
            return ()
        case Not(inner):
            return names_in(inner)
        case And(parts) | Or(parts):
            return tuple(dict.fromkeys(name for part in parts for name in names_in(part)))
        case AtLeast(names=names):
            return tuple(dict.fromkeys(names))


def _quoted(name: str) -> str:
    plain = re.fullmatch(r"[A-Za-z0-9_.:/-]+", name) and name not in _WORDS
    return name if plain else f'"{name}"'


def _inner(rule: Rule) -> str:
    return f"({render(rule)})" if isinstance(rule, And | Or) else render(rule)


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    at: int
    quoted: bool = False


class _Parser:
    """By recursive descent, no deeper than `MOST_DEPTH`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._next = 0

    def either(self, depth: int) -> Rule:
        parts = [self._both(depth)]
        while self._take("OR"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _both(self, depth: int) -> Rule:
        parts = [self._single(depth)]
        while self._take("AND"):
            parts.append(self._single(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _single(self, depth: int) -> Rule:
        if depth > MOST_DEPTH:
            raise AlarmRuleInvalid(f"a rule nested deeper than {MOST_DEPTH} levels")
        if self._take("NOT"):
            return Not(self._single(depth + 1))
        if self._take("("):
            rule = self.either(depth + 1)
            self._expect(")")
            return rule
        for word, value in (("TRUE", True), ("FALSE", False)):
            if self._take(word):
                return Const(value)
        if self._take("AT_LEAST"):
            return self._at_least()
        state = self._state("ALARM(name), OK(name), INSUFFICIENT_DATA(name), NOT or a bracket")
        self._expect("(")
        name = self._name()
        self._expect(")")
        return Is(state, name)

    def _at_least(self) -> Rule:
        self._expect("(")
        token = self._peek()
        found = re.fullmatch(r"([1-9][0-9]{0,2})(%?)", token.text) if token else None
        if found is None:
            raise self._wrong("a number or a percentage, such as 2 or 50%")
        self._next += 1
        self._expect(",")
        negated = self._take("NOT")
        state = self._state("a state")
        self._expect(",")
        self._expect("(")
        names = [self._name()]
        while self._take(","):
            names.append(self._name())
        self._expect(")")
        self._expect(")")
        count, percent = int(found[1]), bool(found[2])
        if count > (100 if percent else len(names)):
            raise AlarmRuleInvalid(
                f"AT_LEAST({found[0]}, …) of {len(names)} alarms never holds", "ask for fewer"
            )
        return AtLeast(count, percent, negated, state, tuple(names))

    def _state(self, wanted: str) -> AlarmState:
        token = self._peek()
        if token is None or token.quoted or token.text not in _STATES:
            raise self._wrong(wanted)
        self._next += 1
        return AlarmState(token.text)

    def _name(self) -> str:
        token = self._peek()
        known = token is not None and (token.quoted or token.text not in ("(", ")", ","))
        if token is None or not known or not token.text.strip() or "%" in token.text:
            raise self._wrong("the name of an alarm")
        self._next += 1
        return token.text

    def end(self) -> None:
        if self._peek() is not None:
            raise self._wrong("AND, OR or the end")

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self, text: str) -> bool:
        token = self._peek()
        if token is None or token.quoted or token.text != text:
            return False
        self._next += 1
        return True

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._wrong(f"“{text}”")

    def _wrong(self, wanted: str) -> AlarmRuleInvalid:
        token = self._peek()
        found = f"“{token.text[:40]}” at character {token.at + 1}" if token else "the end"
        hint = ""
        if token is not None and token.text.upper() in _WORDS and token.text not in _WORDS:
            hint = f"write {token.text.upper()}"
        return AlarmRuleInvalid(f"expected {wanted}, found {found}", hint)


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise AlarmRuleInvalid(f"a rule cannot hold “{text[at]}” (character {at + 1})")
        group = match.lastindex or 1
        found.append(_Token(match[group], match.start(group), quoted=group == 2))
        at = match.end()
    return found
