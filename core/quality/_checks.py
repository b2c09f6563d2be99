"""From the sections of a file of expectations to its checks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.domain.quality import Check, CheckScope, CheckSeverity
from core.pipelines._nodes import Entry, Map, Node, Seq, describe
from core.pipelines._report import Report
from core.quality import _keys as k
from core.quality._values import read_values

_WORDS: Mapping[str, tuple[str, ...]] = {
    "string": ("matches", "contains", "starts_with", "ends_with", "min_length", "max_length"),
    "number": ("finite",),
}
MAX_COLUMNS = 2000

Read = dict[str, tuple[Any, int]]


def column_checks(report: Report, entry: Entry) -> list[Check]:
    """What is expected of one column."""
    path, line = f"columns.{entry.key}", entry.line
    if _is_nothing(entry.node):
        return [_required(entry.key, path, line, CheckSeverity.ERROR)]
    values = read_values(report, path, entry.node, k.COLUMN, "a column")
    severity = _of(values, "severity", CheckSeverity.ERROR)
    checks: list[Check] = []
    if _of(values, "required", True):
        checks.append(_required(entry.key, path, line, severity))
    checks += _checks_of(report, entry.key, path, values, severity)
    if "warn" in values:
        warn = {each: key for each, key in k.COLUMN.items() if each not in ("severity", "warn")}
        inner = read_values(report, f"{path}.warn", values["warn"][0], warn, "warn")
        checks += _checks_of(report, entry.key, f"{path}.warn", inner, CheckSeverity.WARN)
    return checks


def _required(column: str, path: str, line: int, severity: CheckSeverity) -> Check:
    return Check("required", f"{path}.required", line, (column,), True, severity)


def _checks_of(
    report: Report, column: str, path: str, values: Read, severity: CheckSeverity
) -> list[Check]:
    allow = _of(values, "allow", 0.0)
    dtype = _of(values, "dtype", None)
    checks: list[Check] = []
    for name, (value, line) in values.items():
        key = f"{path}.{name}"
        if name in k.ROW_CHECKS:
            _suits(report, key, line, name, value, dtype)
            if value is not False:
                checks.append(Check(name, key, line, (column,), value, severity, allow=allow))
        elif (
            (name == "nullable" and value is False)
            or (name == "unique" and value)
            or name in ("dtype", "max_missing")
        ):
            checks.append(Check(name, key, line, (column,), value, severity))
    return checks


def _suits(report: Report, key: str, line: int, name: str, value: Any, dtype: str | None) -> None:
    """Note a check that can never be asked of this type, and an expression that is none."""
    if name in ("matches", "contains"):
        try:
            re.compile(value)
        except (re.error, RecursionError, OverflowError) as error:
            report.add(line, key, f"not a regular expression: {error}")
    if dtype is None:
        return
    text = dtype in k.FAMILIES["string"]
    number = dtype in ("integer", "float", "number", *k.FAMILIES["number"])
    if name in _WORDS["string"] and not text:
        report.add(line, key, f"asked of a column of type {dtype}", "it is for texts")
    if name in _WORDS["number"] and not number:
        report.add(line, key, f"asked of a column of type {dtype}", "it is for numbers")
    wrong = (number and isinstance(value, str)) or (text and not isinstance(value, str | list))
    if name in ("eq", "ne", "gt", "ge", "lt", "le") and wrong:
        article = "text" if isinstance(value, str) else "a number"
        report.add(line, key, f"{article} against a column of type {dtype}")


def unique_checks(report: Report, node: Node) -> list[Check]:
    """`unique:`: each item a list of columns, or a mapping."""
    checks = []
    for path, item in _items(report, "unique", node):
        if isinstance(item, Seq):
            wrapped: Node = Map(item.line, (Entry("columns", item.line, item),))
        else:
            wrapped = item
        values = read_values(report, path, wrapped, k.UNIQUE, "a unique")
        columns = _must(report, path, wrapped, values, "columns")
        if columns:
            severity = _of(values, "severity", CheckSeverity.ERROR)
            options = {"within": _of(values, "within", CheckScope.BOTH)}
            made = Check("unique", path, item.line, tuple(columns), None, severity)
            checks.append(replace(made, options=options))
    return checks


def condition_checks(report: Report, node: Node) -> list[Check]:
    """`conditions:`: each item an SQL expression, or a mapping with one."""
    checks = []
    for path, item in _items(report, "conditions", node):
        wrapped: Node = item
        if not isinstance(item, Map | Seq):
            wrapped = Map(item.line, (Entry("sql", item.line, item),))
        values = read_values(report, path, wrapped, k.CONDITION, "a condition")
        sql = _must(report, path, wrapped, values, "sql")
        if sql:
            options = {"name": _of(values, "name", None) or sql}
            made = Check("condition", path, item.line, (), sql, **_common(values))
            checks.append(replace(made, options=options, allow=_of(values, "allow", 0.0)))
    return checks


def freshness_checks(report: Report, node: Node) -> list[Check]:
    """`freshness:`: a late batch is still right, so a snapshot is asked unless it says else."""
    checks = []
    for path, item in _one_or_more(report, "freshness", node):
        values = read_values(report, path, item, k.FRESHNESS, "a freshness")
        age = _must(report, path, item, values, "max_age")
        if age is not None:
            column = _of(values, "column", None)
            columns = (column,) if column else ()
            common = _common(values, CheckScope.SNAPSHOT)
            checks.append(Check("freshness", path, item.line, columns, age, **common))
    return checks


def volume_checks(report: Report, node: Node, name: str) -> list[Check]:
    """`volume:` and `batch_volume:`."""
    checks = []
    scope = CheckScope.SNAPSHOT if name == "volume" else CheckScope.BATCH
    for path, item in _one_or_more(report, name, node):
        values = read_values(report, path, item, k.VOLUME, f"a {name}")
        if not {"min_rows", "max_rows", "change"} & values.keys() and isinstance(item, Map):
            report.add(item.line, path, "nothing is expected", "give min_rows, max_rows or change")
        options = {each: value for each, (value, _) in values.items() if each != "severity"}
        severity = _of(values, "severity", CheckSeverity.ERROR)
        low, high = options.get("min_rows", 0), options.get("max_rows")
        if high is not None and high < low:
            report.add(item.line, path, f"max_rows {high} is below min_rows {low}")
        made = Check(name, path, item.line, (), None, severity, scope)
        checks.append(replace(made, options=options))
    return checks


def reference_checks(report: Report, node: Node) -> list[Check]:
    """`references:`."""
    checks = []
    for path, item in _items(report, "references", node):
        values = read_values(report, path, item, k.REFERENCE, "a reference")
        column = _must(report, path, item, values, "column")
        other = _must(report, path, item, values, "dataset")
        if column and other:
            options = {"dataset": other, "key": _of(values, "key", column)}
            shown = f"{options['dataset']}.{options['key']}"
            made = Check("exists in", path, item.line, (column,), shown, **_common(values))
            checks.append(replace(made, options=options, allow=_of(values, "allow", 0.0)))
    return checks


def drift_checks(report: Report, node: Node) -> list[Check]:
    """`drift:`: one check for each limit; a batch may be another part of the year than the
    baseline, so a snapshot is asked unless it says else."""
    checks = []
    for path, item in _items(report, "drift", node):
        values = read_values(report, path, item, k.DRIFT, "a drift")
        column = _must(report, path, item, values, "column")
        asked = [each for each in ("mean", "missing", "psi", "categories") if each in values]
        if not asked and isinstance(item, Map):
            hint = "give mean, missing, psi or categories"
            report.add(item.line, path, "nothing is expected", hint)
        for each in asked if column else ():
            value, line = values[each]
            options = {"measure": each, "baseline": _of(values, "baseline", "previous")}
            name = f"{column}: drift of {each}"
            common = _common(values, CheckScope.SNAPSHOT)
            made = Check("drift", f"{path}.{each}", line, (column,), value, **common)
            checks.append(replace(made, options=options | {"name": name}))
    return checks


def _common(values: Read, scope: CheckScope = CheckScope.BOTH) -> dict[str, Any]:
    return {
        "severity": _of(values, "severity", CheckSeverity.ERROR),
        "scope": _of(values, "on", scope),
    }


def _of(values: Read, name: str, default: Any) -> Any:
    return values[name][0] if name in values else default


def _must(report: Report, path: str, node: Node, values: Read, name: str) -> Any:
    """The value of a key that must be there; noted where it isn't (a fault of it was)."""
    if name in values:
        return values[name][0]
    if isinstance(node, Map) and node.get(name) is None:
        report.add(node.line, path, f"{name} is missing", f"add `{name}:`")
    return None


def _items(report: Report, name: str, node: Node) -> list[tuple[str, Node]]:
    if isinstance(node, Seq):
        return [(f"{name}.{i}", item) for i, item in enumerate(node.items, start=1)]
    if not _is_nothing(node):
        report.add(node.line, name, f"expected a list, found {describe(node)}", "begin with `- `")
    return []


def _one_or_more(report: Report, name: str, node: Node) -> list[tuple[str, Node]]:
    if isinstance(node, Seq):
        return [(f"{name}.{i}", item) for i, item in enumerate(node.items, start=1)]
    return [] if _is_nothing(node) else [(name, node)]


def _is_nothing(node: Node) -> bool:
    return not isinstance(node, Map | Seq) and node.value is None
