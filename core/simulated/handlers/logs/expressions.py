"""Expressions of Logs Insights: comparisons, `like`, `in`, arithmetic, functions, aggregates."""

from __future__ import annotations

import datetime as dt
import json
import math
import operator
import re
from collections.abc import Callable
from typing import Any

from core.simulated.faults import Fault

Row = dict[str, Any]
Value = Callable[[Row], Any]
_TOKEN = re.compile(
    r"""\s*(?:(?P<regex>(?<=like\s)/(?:[^/\\]|\\.)*/i?|(?<==~\s)/(?:[^/\\]|\\.)*/i?)
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<span>\d+(?:ms|mo|s|m|h|d|w)\b)
    |(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    |(?P<field>`[^`]+`|@?[A-Za-z_][\w.]*)
    |(?P<op>!=|<=|>=|=~|=|<|>|\(|\)|\[|\]|,|\+|-|\*|/|%|\^))""",
    re.VERBOSE,
)
SPANS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


class Moment(float):
    """Milliseconds since 1970 that are shown as a time."""


def number(value: Any) -> float | None:
    """The number that a value is or that a text says."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def truth(value: Any) -> bool:
    return bool(value)


def text_of(name: str, value: Any) -> str:
    """A cell as Insights writes it; times (milliseconds) with a blank between day and hour."""
    if name in ("@timestamp", "@ingestionTime") or isinstance(value, Moment):
        moment = dt.datetime.fromtimestamp(float(value) / 1000, dt.UTC)
        return moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return str(int(value)) if value == int(value) else f"{value:.4f}".rstrip("0")
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    return str(value)


def malformed(text: str) -> Fault:
    return Fault("MalformedQueryException", text, 400)


class _Reader:
    """Reads one expression by precedence: or, and, not, comparison, sum, product."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise malformed(f"unexpected symbol found: {text[at:].strip()[:20]}")
            self.tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        self.at = 0

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self) -> tuple[str, str]:
        token = self.peek()
        self.at += 1
        return token

    def word(self, *words: str) -> str:
        """Take the next token if it is one of these words or signs."""
        kind, text = self.peek()
        if kind in ("field", "op") and text.lower() in words:
            self.at += 1
            return text.lower()
        return ""

    def expect(self, sign: str) -> None:
        if not self.word(sign):
            raise malformed(f"expected {sign} in: {self.text.strip()}")

    def all(self) -> Value:
        value = self.either()
        if self.peek()[0] != "end":
            raise malformed(f"unexpected symbol found: {self.peek()[1]}")
        return value

    def either(self) -> Value:
        left = self.both()
        while self.word("or"):
            left = _or(left, self.both())
        return left

    def both(self) -> Value:
        left = self.negated()
        while self.word("and"):
            left = _and(left, self.negated())
        return left

    def negated(self) -> Value:
        if self.word("not"):
            inner = self.negated()
            return lambda row: not truth(inner(row))
        return self.comparison()

    def comparison(self) -> Value:
        left = self.sum()
        if self.word("not"):
            positive = self.relation(left)
            if positive is None:
                raise malformed(f"expected in or like after not in: {self.text.strip()}")
            return lambda row: not truth(positive(row))
        return self.relation(left) or left

    def relation(self, left: Value) -> Value | None:
        if self.word("like", "=~"):
            return _like(left, *self.take())
        if self.word("in"):
            self.expect("[")
            wanted = [self.sum()]
            while self.word(","):
                wanted.append(self.sum())
            self.expect("]")
            return lambda row: any(_compare("=", left(row), each(row)) for each in wanted)
        sign = self.word("=", "!=", "<", "<=", ">", ">=")
        if not sign:
            return None
        right = self.sum()
        return lambda row: _compare(sign, left(row), right(row))

    def sum(self) -> Value:
        left = self.product()
        while sign := self.word("+", "-"):
            left = _arithmetic(sign, left, self.product())
        return left

    def product(self) -> Value:
        left = self.atom()
        while sign := self.word("*", "/", "%", "^"):
            left = _arithmetic(sign, left, self.atom())
        return left

    def atom(self) -> Value:
        kind, text = self.take()
        if kind == "number":
            known = float(text)
            return lambda _row: known
        if kind == "text":
            said = re.sub(r"\\(.)", r"\1", text[1:-1])
            return lambda _row: said
        if kind == "span":
            size = span(text)
            return lambda _row: size
        if (kind, text) == ("op", "("):
            inner = self.either()
            self.expect(")")
            return inner
        if (kind, text) == ("op", "-"):
            inner = self.atom()
            return lambda row: -(number(inner(row)) or 0.0)
        if kind != "field":
            raise malformed(f"unexpected symbol found: {text or '(end)'}")
        if self.word("("):
            return self.function(text.lower())
        name = text.strip("`")
        return lambda row: row.get(name)

    def function(self, name: str) -> Value:
        inner: list[Value] = []
        if not self.word(")"):
            inner.append(self.either())
            while self.word(","):
                inner.append(self.either())
            self.expect(")")
        made = FUNCTIONS.get(name)
        if made is None:
            raise malformed(f"the function {name} is not known to the simulated account")
        return lambda row: made(row, *[each(row) for each in inner])


def span(text: str) -> float:
    """A span such as 5m in milliseconds."""
    found = re.match(r"(\d+)(\w+)", text)
    if found is None or found[2] not in SPANS:
        raise malformed(f"{text} is not a span")
    return float(int(found[1]) * SPANS[found[2]])


def _or(left: Value, right: Value) -> Value:
    return lambda row: truth(left(row)) or truth(right(row))


def _and(left: Value, right: Value) -> Value:
    return lambda row: truth(left(row)) and truth(right(row))


def _like(left: Value, kind: str, text: str) -> Value:
    if kind == "regex":
        body, _, flags = text[1:].rpartition("/")
        try:
            pattern = re.compile(body, re.IGNORECASE if flags == "i" else 0)
        except re.error as error:
            raise malformed(f"like: {error}") from error
        return lambda row: left(row) is not None and pattern.search(str(left(row))) is not None
    if kind != "text":
        raise malformed(f"like wants a text or a pattern, not {text}")
    part = text[1:-1]
    return lambda row: part in str(left(row) if left(row) is not None else "")


def _compare(sign: str, left: Any, right: Any) -> bool:
    if left is None or right is None:
        return sign == "!=" and left is not right
    one, two = number(left), number(right)
    if one is None or two is None:
        one, two = str(left), str(right)  # type: ignore[assignment]
    return {
        "=": one == two,
        "!=": one != two,
        "<": one < two,  # type: ignore[operator]
        "<=": one <= two,  # type: ignore[operator]
        ">": one > two,  # type: ignore[operator]
        ">=": one >= two,  # type: ignore[operator]
    }[sign]


_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
    "^": operator.pow,
}


def _arithmetic(sign: str, left: Value, right: Value) -> Value:
    def value(row: Row) -> float | None:
        one, two = number(left(row)), number(right(row))
        if one is None or two is None or (sign in "/%" and two == 0):
            return None
        return float(_OPERATORS[sign](one, two))

    return value


def _numeric(do: Callable[[float], float]) -> Callable[..., Any]:
    return lambda _row, value: None if number(value) is None else do(number(value) or 0.0)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "bin": lambda row, size: Moment(row["@timestamp"] // size * size),
    "abs": _numeric(abs),
    "ceil": _numeric(math.ceil),
    "floor": _numeric(math.floor),
    "sqrt": _numeric(math.sqrt),
    "strlen": lambda _row, value: len(str(value)),
    "lower": lambda _row, value: str(value).lower(),
    "tolower": lambda _row, value: str(value).lower(),
    "upper": lambda _row, value: str(value).upper(),
    "toupper": lambda _row, value: str(value).upper(),
    "trim": lambda _row, value: str(value).strip(),
    "concat": lambda _row, *values: "".join(str(each) for each in values),
    "coalesce": lambda _row, *values: next((each for each in values if each is not None), None),
    "ispresent": lambda _row, value: value is not None,
    "isempty": lambda _row, value: value is None or value == "",
    "isblank": lambda _row, value: value is None or not str(value).strip(),
    "strcontains": lambda _row, value, part: str(part) in str(value),
    "replace": lambda _row, value, old, new: str(value).replace(str(old), str(new)),
    "greatest": lambda _row, *values: max(number(each) or 0.0 for each in values),
    "least": lambda _row, *values: min(number(each) or 0.0 for each in values),
}


def parse(text: str) -> Value:
    """An expression as a function of a row."""
    return _Reader(text).all()


AGGREGATES = (
    "count",
    "count_distinct",
    "sum",
    "avg",
    "min",
    "max",
    "stddev",
    "pct",
    "median",
    "earliest",
    "latest",
)
_SUM = re.compile(r"^(?P<name>\w+)\s*\((?P<inner>.*)\)$", re.DOTALL)


def aggregate(text: str) -> Callable[[list[Row]], Any]:
    """An aggregate of stats, such as `pct(latency, 99)`, as a function of rows."""
    found = _SUM.match(text.strip())
    name = found["name"].lower() if found else ""
    if found is None or name not in AGGREGATES:
        raise malformed(f"stats: {text} is not an aggregate that the simulated account knows")
    inner = found["inner"].strip()
    if name == "count" and inner in ("", "*"):
        return lambda rows: len(rows)
    what, share = inner, 50.0
    if name == "pct":
        what, _, given = inner.rpartition(",")
        if number(given) is None:
            raise malformed(f"stats: pct wants a percentage: {text}")
        share = float(given)
    value = parse(what)
    return lambda rows: _total(name, rows, value, share)


def _total(name: str, rows: list[Row], value: Value, share: float) -> Any:
    if name in ("earliest", "latest"):
        ordered = sorted(rows, key=lambda row: float(row["@timestamp"]))
        return value(ordered[0 if name == "earliest" else -1]) if ordered else None
    present = [found for row in rows if (found := value(row)) is not None]
    if name == "count":
        return len(present)
    if name == "count_distinct":
        return len({str(each) for each in present})
    values = sorted(found for each in present if (found := number(each)) is not None)
    if not values:
        return None
    if name in ("pct", "median"):
        return values[max(0, math.ceil(share / 100 * len(values)) - 1)]
    mean = sum(values) / len(values)
    if name == "stddev":
        return math.sqrt(sum((each - mean) ** 2 for each in values) / len(values))
    return {"sum": sum(values), "avg": mean, "min": values[0], "max": values[-1]}[name]
