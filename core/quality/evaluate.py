"""Asking all expectations of data that come in parts; no state, no files.

Imports polars, pandera and DuckDB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from core.domain.quality import (
    Check,
    CheckResult,
    CheckScope,
    CheckSeverity,
    CheckStatus,
    Expectations,
)
from core.errors import OpsdeckError
from core.quality._drift import drift
from core.quality._keys import ROW_CHECKS
from core.quality._keysets import KeyColumns, also_in, missing_from, repeated
from core.quality._rows import STRICT, RowChecks
from core.quality._types import word_of
from core.quality._whole import Answer, freshness, max_missing, newest_of, volume
from core.quality.context import Context

EXAMPLES = 5
PART_ROWS = 500_000
_BY_ROW = {*ROW_CHECKS, "nullable", "condition"}


@dataclass(slots=True)
class Evaluation:
    """What came of it. `reasons` has a line for each failing row and check: `row` (from 0),
    `check` (index in `results`), `error` (whether its severity is one)."""

    rows: int
    results: tuple[CheckResult, ...]
    reasons: pl.DataFrame
    failed_rows: int

    @property
    def passed(self) -> bool:
        """Whether no check of severity error failed."""
        return not any(
            each.status is CheckStatus.FAILED and each.severity is CheckSeverity.ERROR
            for each in self.results
        )


@dataclass(slots=True)
class _Seen:
    """What has been found so far."""

    rows: int = 0
    bad: dict[str, list[pl.Series]] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)
    newest: dict[str, Any] = field(default_factory=dict)

    def note(self, key: str, mask: pl.Series, offset: int, values: pl.Series | None) -> None:
        """The rows of `mask` fail; a few of their values are kept."""
        rows = mask.arg_true().cast(pl.Int64) + offset
        if rows.is_empty():
            return
        self.bad.setdefault(key, []).append(rows)
        kept = self.examples.setdefault(key, [])
        if values is not None and len(kept) < EXAMPLES:
            few = values.filter(mask).head(1000).unique(maintain_order=True).head(EXAMPLES)
            kept += [_shown(each) for each in few if _shown(each) not in kept]
            del kept[EXAMPLES:]


def evaluate(
    expectations: Expectations,
    parts: Iterable[pl.DataFrame],
    schema: Mapping[str, pl.DataType],
    context: Context,
) -> Evaluation:
    """Ask everything of the data in `parts`, all of the columns in `schema`."""
    asked = [each for each in expectations.checks if context.concerns(each.scope)]
    open_ = [each for each in asked if not _hidden(each, context)]
    strict = expectations.strict and not context.hidden
    rows_checks = RowChecks([c for c in open_ if _of_rows(c)], schema, strict)
    together = [c for c in open_ if c.kind in ("unique", "exists in") and _there(c, schema)]
    keys = KeyColumns([column for c in together for column in c.columns])
    seen = _Seen()
    for frame in _cut(parts):
        _ask_part(frame, seen, rows_checks, open_, keys)
    for check in together:
        _ask_keys(check, keys.frame(), seen, context)
    results: list[CheckResult] = []
    failing: list[pl.DataFrame] = []
    for check in asked:
        result = _result(check, seen, context, schema, rows_checks.unsuited)
        if result.status is CheckStatus.FAILED and check.key in seen.bad:
            error = check.severity is CheckSeverity.ERROR
            failing.append(_reasons(seen.bad[check.key], len(results), error))
        results.append(result)
    if strict:
        results.append(_strict(seen))
    empty = {"row": pl.Int64, "check": pl.Int32, "error": pl.Boolean}
    reasons = pl.concat(failing) if failing else pl.DataFrame(schema=empty)
    failed = reasons.filter(pl.col("error"))["row"].n_unique()
    return Evaluation(seen.rows, tuple(results), reasons, failed)


def _cut(parts: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Parts of a size that masks and messages of can be held."""
    for part in parts:
        yield from part.iter_slices(PART_ROWS) if part.height > PART_ROWS else (part,)


def _ask_part(
    frame: pl.DataFrame, seen: _Seen, rows: RowChecks, checks: Sequence[Check], keys: KeyColumns
) -> None:
    part = rows.ask(frame)
    by_key = {check.key: check for check in checks}
    for key, mask in part.bad.items():
        check = by_key[key]
        values = frame[check.columns[0]] if len(check.columns) == 1 else None
        seen.note(key, mask, seen.rows, values if check.kind != "nullable" else None)
    for key, fault in part.faults.items():
        seen.faults.setdefault(key, fault)
    for check in checks:
        if check.kind == "max_missing" and check.columns[0] in frame.columns:
            found = _missing(frame[check.columns[0]])
            seen.missing[check.key] = seen.missing.get(check.key, 0) + found
        if check.kind == "freshness" and check.columns and check.columns[0] in frame.columns:
            newest = newest_of(frame[check.columns[0]])
            before = seen.newest.get(check.key)
            if newest is not None and (before is None or newest > before):
                seen.newest[check.key] = newest
    keys.add(frame)
    seen.rows += frame.height


def _ask_keys(check: Check, keys: pl.DataFrame, seen: _Seen, context: Context) -> None:
    """Uniqueness and references, of all parts together."""
    if keys.is_empty():
        return
    if check.kind == "exists in":
        if context.values_of is None:
            return
        values = keys[check.columns[0]]
        try:
            known = context.values_of(check.options["dataset"], check.options["key"])
            mask = missing_from(values, known)
        except OpsdeckError as error:
            seen.faults[check.key] = error.message
            return
        seen.note(check.key, mask, 0, values)
        return
    mask = repeated(keys, check.columns)
    if check.options.get("within") is not CheckScope.BATCH:
        mask = mask | also_in(keys, check.columns, context.existing(check.columns))
    one = keys[check.columns[0]] if len(check.columns) == 1 else None
    seen.note(check.key, mask, 0, one)


def _result(
    check: Check,
    seen: _Seen,
    context: Context,
    schema: Mapping[str, pl.DataType],
    unsuited: Mapping[str, str],
) -> CheckResult:
    status, observed, message = _answer(check, seen, context, schema, unsuited)
    rows = sum(len(each) for each in seen.bad.get(check.key, ()))
    about_rows = check.kind in _BY_ROW or check.kind in ("unique", "exists in")
    return CheckResult(
        key=check.key,
        title=check.title,
        line=check.line,
        severity=check.severity,
        status=status,
        columns=check.columns,
        failed_rows=rows if about_rows and not seen.faults.get(check.key) else None,
        observed=observed,
        message=message,
        examples=tuple(seen.examples.get(check.key, ())),
    )


def _answer(
    check: Check,
    seen: _Seen,
    context: Context,
    schema: Mapping[str, pl.DataType],
    unsuited: Mapping[str, str],
) -> Answer:
    hidden = _hidden(check, context)
    if hidden:
        return CheckStatus.SKIPPED, "", hidden
    if check.key in seen.faults:
        return CheckStatus.FAILED, "", seen.faults[check.key]
    if check.kind not in ("required", "drift") and not _there(check, schema):
        return CheckStatus.SKIPPED, "", f"there is no column {_absent(check, schema)}"
    if check.key in unsuited:
        return CheckStatus.FAILED, "", f"cannot be asked: {unsuited[check.key]}"
    if check.kind in ("volume", "batch_volume"):
        return volume(check, seen.rows, context)
    if check.kind == "freshness":
        return freshness(check, seen.newest.get(check.key), context)
    if check.kind == "max_missing":
        return max_missing(check, seen.missing.get(check.key, 0), seen.rows)
    if check.kind == "drift":
        return drift(check, context)
    if check.kind == "exists in" and context.values_of is None:
        return CheckStatus.SKIPPED, "", "the other dataset cannot be read now"
    return _rows_answer(check, seen)


def _rows_answer(check: Check, seen: _Seen) -> Answer:
    failed = sum(len(each) for each in seen.bad.get(check.key, ()))
    if not failed:
        return CheckStatus.PASSED, "", ""
    share = failed / seen.rows
    observed = f"{failed:,} of {seen.rows:,} rows ({share:.2%})"
    if share <= check.allow:
        return CheckStatus.PASSED, f"{observed}, {check.allow:.2%} allowed", ""
    return CheckStatus.FAILED, observed, observed


def _strict(seen: _Seen) -> CheckResult:
    fault = seen.faults.get(STRICT, "")
    status = CheckStatus.FAILED if fault else CheckStatus.PASSED
    title = "strict: no other columns"
    return CheckResult(STRICT, title, 1, CheckSeverity.ERROR, status, message=fault)


def _reasons(rows: Sequence[pl.Series], index: int, error: bool) -> pl.DataFrame:
    found = pl.concat(list(rows)).alias("row").to_frame()
    return found.with_columns(
        pl.lit(index, dtype=pl.Int32).alias("check"), pl.lit(error).alias("error")
    )


def _of_rows(check: Check) -> bool:
    return check.kind in _BY_ROW or check.kind in ("required", "dtype")


def _there(check: Check, schema: Mapping[str, pl.DataType]) -> bool:
    return _absent(check, schema) is None


def _absent(check: Check, schema: Mapping[str, pl.DataType]) -> str | None:
    return next((column for column in check.columns if column not in schema), None)


def _hidden(check: Check, context: Context) -> str:
    """Why a check is not asked: its values are not shown to whoever asks."""
    if check.kind == "condition" and context.hidden:
        names = ", ".join(context.hidden)
        return f"not asked: you do not see {names} as it is"
    for column in check.columns:
        if column in context.hidden and check.kind != "required":
            return f"not asked: {column} is {context.hidden[column]}"
    return ""


def _missing(values: pl.Series) -> int:
    nan = int(values.is_nan().sum()) if values.dtype.is_float() else 0
    return values.null_count() + nan


def _shown(value: Any) -> str:
    text = "missing" if value is None else str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def type_words(schema: Mapping[str, pl.DataType]) -> dict[str, str]:
    """Each column's type in the words of expectations."""
    return {name: word_of(dtype) for name, dtype in schema.items()}
