"""Metric math: expressions over series by id.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
An expression is read as Python's grammar reads it, which is that of metric math but for
`&&`, `||` and `^`. What is not known is refused by name.
"""

from __future__ import annotations

import ast
import itertools
import math
import operator
import re
from collections.abc import Callable, Mapping

from core.simulated.faults import Fault

Line = dict[float, float]
Value = float | Line | list[Line]
_PAIR: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Mod: operator.mod,
    ast.Lt: lambda a, b: float(a < b),
    ast.LtE: lambda a, b: float(a <= b),
    ast.Gt: lambda a, b: float(a > b),
    ast.GtE: lambda a, b: float(a >= b),
    ast.Eq: lambda a, b: float(a == b),
    ast.NotEq: lambda a, b: float(a != b),
    ast.And: lambda a, b: float(bool(a) and bool(b)),
    ast.Or: lambda a, b: float(bool(a) or bool(b)),
}


def invalid(text: str) -> Fault:
    return Fault("ValidationError", f"Error in expression: {text}", 400)


def parse(expression: str) -> ast.expr:
    """The expression as a tree; Fault ValidationError, or NotSimulated for SEARCH and SELECT."""
    text = expression.strip()
    for word in ("SELECT", "SEARCH", "SERVICE_QUOTA", "INSIGHT_RULE_METRIC", "LAMBDA"):
        if re.match(rf"{word}\b", text, re.IGNORECASE):
            raise Fault("NotSimulated", f"cloudwatch: {word} expressions are not simulated", 501)
    text = re.sub(r"&&|\bAND\b", " and ", text)
    text = re.sub(r"\|\||\bOR\b", " or ", text)
    text = re.sub(r"(?<![<>=!])=(?!=)", "==", text.replace("^", "**"))
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise invalid(f"cannot read '{expression}'") from error


def names(expression: str) -> set[str]:
    """The ids an expression refers to."""
    return {
        node.id
        for node in ast.walk(parse(expression))
        if isinstance(node, ast.Name) and node.id[0].islower()
    }


class Evaluation:
    """Evaluates expressions over `lines` (by id); `grid` are the periods' beginnings."""

    def __init__(
        self,
        lines: Mapping[str, Value],
        metrics: Mapping[str, Line],
        grid: list[float],
        period: float,
    ) -> None:
        self.lines, self.metrics, self.grid, self.period = lines, metrics, grid, period

    def value(self, expression: str) -> Value:
        return self._of(parse(expression))

    def _of(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            return float(node.value)
        if isinstance(node, ast.Name):
            if node.id not in self.lines:
                raise invalid(f"there is no metric or expression with the id {node.id}")
            return self.lines[node.id]
        if isinstance(node, ast.BinOp) and type(node.op) in _PAIR:
            return pairwise(_PAIR[type(node.op)], self._of(node.left), self._of(node.right))
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _PAIR:
            left, right = self._of(node.left), self._of(node.comparators[0])
            return pairwise(_PAIR[type(node.ops[0])], left, right)
        if isinstance(node, ast.BoolOp):
            value = self._of(node.values[0])
            for each in node.values[1:]:
                value = pairwise(_PAIR[type(node.op)], value, self._of(each))
            return value
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return pairwise(operator.mul, -1.0, self._of(node.operand))
        if isinstance(node, ast.List):
            return [line for each in node.elts for line in _lines(self._of(each), self.grid)]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._call(node.func.id.upper(), node.args)
        raise invalid(f"cannot evaluate {ast.unparse(node)}")

    def _call(self, name: str, args: list[ast.expr]) -> Value:
        if name == "METRICS":
            part = args[0].value if args and isinstance(args[0], ast.Constant) else ""
            return [line for ident, line in self.metrics.items() if str(part) in ident]
        if name == "FILL":
            return self._fill(args)
        function = _FUNCTIONS.get(name)
        if function is None:
            raise Fault("NotSimulated", f"cloudwatch: the function {name} is not simulated", 501)
        try:
            return function(self, *[self._of(each) for each in args])
        except TypeError as error:
            raise invalid(f"{name} does not take {len(args)} arguments") from error

    def _fill(self, args: list[ast.expr]) -> Value:
        if len(args) != 2:
            raise invalid("FILL takes two arguments")
        how = args[1].id if isinstance(args[1], ast.Name) else ""
        value = self._of(args[0])
        if isinstance(value, list):
            return [self._filled(line, args[1], how) for line in value]
        return self._filled(value, args[1], how) if isinstance(value, dict) else value

    def _filled(self, line: Line, given: ast.expr, how: str) -> Line:
        if how not in ("REPEAT", "LINEAR"):
            other = self._of(given)
            fill = other if isinstance(other, dict) else dict.fromkeys(self.grid, other)
            return {**{at: v for at, v in fill.items() if isinstance(v, float)}, **line}
        out, known = dict(line), sorted(line)
        for at in self.grid:
            if at in line or not known:
                continue
            before = [each for each in known if each < at]
            after = [each for each in known if each > at]
            if how == "REPEAT" and before:
                out[at] = line[before[-1]]
            elif how == "LINEAR" and before and after:
                low, high = before[-1], after[0]
                out[at] = line[low] + (line[high] - line[low]) * (at - low) / (high - low)
        return dict(sorted(out.items()))


def pairwise(do: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """Apply to each pair of values of one moment; what can't be computed is left out."""
    if isinstance(left, list):
        return [line for each in left if isinstance(line := pairwise(do, each, right), dict)]
    if isinstance(right, list):
        return [line for each in right if isinstance(line := pairwise(do, left, each), dict)]
    if isinstance(left, float) and isinstance(right, float):
        return _tried(do, left, right) or 0.0
    moments = (
        sorted(set(left) & set(right))
        if isinstance(left, dict) and isinstance(right, dict)
        else sorted(left if isinstance(left, dict) else right)  # type: ignore[arg-type]
    )
    out: Line = {}
    for at in moments:
        one = left[at] if isinstance(left, dict) else left
        two = right[at] if isinstance(right, dict) else right
        value = _tried(do, one, two)
        if value is not None:
            out[at] = value
    return out


def _tried(do: Callable[[float, float], float], one: float, two: float) -> float | None:
    try:
        return float(do(one, two))
    except (ZeroDivisionError, OverflowError):
        return None


def _lines(value: Value, grid: list[float]) -> list[Line]:
    if isinstance(value, list):
        return value
    return [value if isinstance(value, dict) else dict.fromkeys(grid, value)]


def _across(do: Callable[[list[float]], float]) -> Callable[..., Value]:
    """Of one line a number; of several a line, moment by moment."""

    def function(_evaluation: Evaluation, value: Value, *more: Value) -> Value:
        values = [value, *more]
        if len(values) == 1 and isinstance(value, dict):
            return do(list(value.values())) if value else 0.0
        if all(isinstance(each, float) for each in values):
            return do(values)  # type: ignore[arg-type]
        lines = [line for each in values for line in _lines(each, _evaluation.grid)]
        moments = sorted({at for line in lines for at in line})
        return {at: do([line[at] for line in lines if at in line]) for at in moments}

    return function


def _each(do: Callable[[float], float]) -> Callable[..., Value]:
    def function(_evaluation: Evaluation, value: Value) -> Value:
        return pairwise(lambda one, _: do(one), value, 0.0)

    return function


def _steps(do: Callable[[float, float], float]) -> Callable[..., Value]:
    """From each point and the one before: (difference of values, of times)."""

    def function(evaluation: Evaluation, value: Value) -> Value:
        if isinstance(value, list):
            return [line for each in value if isinstance(line := function(evaluation, each), dict)]
        if isinstance(value, float):
            raise invalid("a series is needed")
        moments = sorted(value)
        return {
            at: do(value[at] - value[before], at - before)
            for before, at in itertools.pairwise(moments)
        }

    return function


def _if(evaluation: Evaluation, test: Value, then: Value, other: Value | None = None) -> Value:
    if isinstance(test, float):
        return then if test else (other if other is not None else {})
    if isinstance(test, list):
        raise invalid("IF wants one series to test")
    out: Line = {}
    for at, truth in test.items():
        chosen = then if truth else other
        value = chosen.get(at) if isinstance(chosen, dict) else chosen
        if isinstance(value, float):
            out[at] = value
    return out


def _running(_evaluation: Evaluation, value: Value) -> Value:
    if not isinstance(value, dict):
        raise invalid("RUNNING_SUM wants a series")
    total, out = 0.0, {}
    for at in sorted(value):
        total += value[at]
        out[at] = total
    return out


def _band(_evaluation: Evaluation, value: Value, width: Value = 2.0) -> Value:
    """Upper and lower bound: mean ± width standard deviations of the same hour of the day where
    there are at least three such points before, else of all points before.

    CloudWatch trains a model; this is a plain statistic in its place.
    """
    if not isinstance(value, dict) or not isinstance(width, float):
        raise invalid("ANOMALY_DETECTION_BAND wants a series and a number")
    upper: Line = {}
    lower: Line = {}
    before: list[tuple[float, float]] = []
    for at in sorted(value):
        same = [v for t, v in before if int(t // 3600 % 24) == int(at // 3600 % 24)]
        known = same if len(same) >= 3 else [v for _, v in before]
        if len(known) >= 3:
            mean, spread = sum(known) / len(known), _deviation(known)
            upper[at], lower[at] = mean + width * spread, mean - width * spread
        before.append((at, value[at]))
    return [upper, lower]


def _deviation(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt(sum((each - mean) ** 2 for each in values) / len(values))


_FUNCTIONS: dict[str, Callable[..., Value]] = {
    "SUM": _across(math.fsum),
    "AVG": _across(lambda values: math.fsum(values) / len(values)),
    "MIN": _across(min),
    "MAX": _across(max),
    "STDDEV": _across(_deviation),
    "METRIC_COUNT": lambda evaluation, value: float(len(_lines(value, evaluation.grid))),
    "ABS": _each(abs),
    "CEIL": _each(math.ceil),
    "FLOOR": _each(math.floor),
    "LOG": _each(lambda one: math.log(one) if one > 0 else 0.0),
    "LOG10": _each(lambda one: math.log10(one) if one > 0 else 0.0),
    "RATE": _steps(lambda difference, seconds: difference / seconds),
    "DIFF": _steps(lambda difference, _seconds: difference),
    "RUNNING_SUM": _running,
    "PERIOD": lambda evaluation, _value: float(evaluation.period),
    "IF": _if,
    "ANOMALY_DETECTION_BAND": _band,
}


def scalar_line(value: Value, grid: list[float]) -> list[Line]:
    """A value as the lines that are answered."""
    return _lines(value, grid)


def first_line(value: Value, grid: list[float]) -> Line:
    """The one line of a value, such as an alarm needs; Fault if there are several."""
    lines = _lines(value, grid)
    if len(lines) != 1:
        raise invalid("one time series is needed")
    return lines[0]
