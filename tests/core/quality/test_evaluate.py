"""Every kind of check, on data in one part or in several."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.domain.quality import CheckResult, CheckScope, CheckStatus
from core.explore.profiling import profile_frame
from core.quality.context import Context
from core.quality.evaluate import Evaluation, evaluate
from core.quality.files import read_expectations

FRAME = pl.DataFrame(
    {
        "id": [1, 2, 3, 4],
        "cnt": [5, -1, None, 9],
        "temp": [0.1, float("nan"), float("inf"), 0.4],
        "code": ["ab", "abc", None, "x1"],
        "day": [datetime(2024, 1, d, tzinfo=UTC) for d in (1, 2, 3, 4)],
        "ok": [True, False, True, None],
    }
)


def ask(
    folder: Path, text: str, frame: pl.DataFrame = FRAME, parts: int = 1, **context: Any
) -> Evaluation:
    path = folder / "rides.yaml"
    path.write_text(text)
    found, problems = read_expectations(folder, path)
    assert found is not None, problems
    given_ = {"scope": CheckScope.SNAPSHOT, **context}
    size = max(1, -(-frame.height // parts))
    return evaluate(found, frame.iter_slices(size), frame.schema, Context(**given_))


def one(evaluation: Evaluation, key: str) -> CheckResult:
    return next(each for each in evaluation.results if each.key == key)


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize(
    ("column", "check", "rows"),
    [
        ("cnt", "ge: 0", [1]),
        ("cnt", "gt: 5", [0, 1]),
        ("cnt", "le: 5", [3]),
        ("cnt", "lt: 5", [0, 3]),
        ("cnt", "eq: 5", [1, 3]),
        ("cnt", "ne: 5", [0]),
        ("cnt", "isin: [5, 9]", [1]),
        ("cnt", "notin: [5, 9]", [0, 3]),
        ("cnt", "nullable: false", [2]),
        ("temp", "nullable: false", [1]),
        ("temp", "finite: true", [1, 2]),
        ("code", "matches: '[a-z]+'", [3]),
        ("code", "contains: '[0-9]'", [0, 1]),
        ("code", "starts_with: ab", [3]),
        ("code", "ends_with: b", [1, 3]),
        ("code", "min_length: 3", [0, 3]),
        ("code", "max_length: 2", [1]),
        ("day", "ge: '2024-01-03'", [0, 1]),
        ("ok", "isin: [true]", [1]),
    ],
)
def test_rows_that_fail_are_found(
    tmp_path: Path, column: str, check: str, rows: list[int], parts: int
) -> None:
    found = ask(tmp_path, f"columns: {{{column}: {{{check}}}}}\n", parts=parts)
    assert sorted(found.reasons["row"].to_list()) == rows
    assert not found.passed and found.failed_rows == len(rows)


@pytest.mark.parametrize(
    ("column", "check", "message"),
    [
        ("cnt", "dtype: float", "the column is int64"),
        ("cnt", "matches: x", "it is for texts"),
        ("code", "ge: 5", "is no text"),
        ("day", "ge: soon", "is no timestamp"),
        ("ok", "ge: 1", "has no order"),
        ("cnt", "isin: [a]", "is no number"),
        ("code", r"matches: 'a(?=b)'", "could not be asked"),
    ],
)
def test_what_cannot_be_asked_fails_and_says_why(
    tmp_path: Path, column: str, check: str, message: str
) -> None:
    found = ask(tmp_path, f"columns: {{{column}: {{{check}}}}}\n")
    failed = [each for each in found.results if each.status is CheckStatus.FAILED]
    assert len(failed) == 1 and message in failed[0].message
    assert failed[0].failed_rows in (None, 0) or not found.reasons.height


def test_a_share_of_rows_may_be_allowed_to_fail(tmp_path: Path) -> None:
    text = "columns: {cnt: {ge: 0, allow: 25%}}\nconditions: [{sql: id < 4, allow: 20%}]\n"
    found = ask(tmp_path, text)
    assert one(found, "columns.cnt.ge").status is CheckStatus.PASSED
    assert one(found, "conditions.1").status is CheckStatus.FAILED
    assert found.failed_rows == 1


@given(
    keys=st.lists(st.tuples(st.integers(0, 5) | st.none(), st.integers(0, 3)), max_size=60),
    held=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=10),
    parts=st.integers(1, 4),
)
@settings(max_examples=60, deadline=None)
def test_uniqueness_is_that_of_sql(
    tmp_path_factory: pytest.TempPathFactory,
    keys: list[tuple[int | None, int]],
    held: list[tuple[int, int]],
    parts: int,
) -> None:
    schema = {"a": pl.Int64, "b": pl.Int64}
    frame = pl.DataFrame(keys, schema=schema, orient="row")
    others = pl.DataFrame(held, schema=schema, orient="row")

    def existing(_: object) -> Iterator[pl.DataFrame]:
        return iter([others])

    found = ask(
        tmp_path_factory.getbasetemp(), "unique: [[a, b]]\n", frame, parts, existing=existing
    )
    expected = [
        i
        for i, key in enumerate(keys)
        if key[0] is not None and (keys.count(key) > 1 or key in held)
    ]
    assert sorted(found.reasons["row"].to_list()) == expected


def test_values_must_exist_in_the_other_dataset(tmp_path: Path) -> None:
    text = "references: [{column: cnt, dataset: counts}]\n"
    found = ask(tmp_path, text, values_of=lambda *_: iter([pl.Series([5]), pl.Series([9, 11])]))
    assert found.reasons["row"].to_list() == [1]
    skipped = ask(tmp_path, text)
    assert one(skipped, "references.1").status is CheckStatus.SKIPPED and skipped.passed


def test_volume_freshness_and_missing(tmp_path: Path) -> None:
    text = """\
columns: {cnt: {max_missing: 10%}}
volume: [{min_rows: 5}, {max_rows: 3}, {change: 20%, last: 2}]
freshness: [{column: day, max_age: 2d}, {max_age: 1h}]
"""
    now = datetime(2024, 1, 5, tzinfo=UTC).timestamp()
    found = ask(tmp_path, text, now=now, at=now - 60, earlier_rows=[10, 10, 4])
    status = {each.key: each.status.value for each in found.results}
    assert status == {
        "columns.cnt.required": "passed",
        "columns.cnt.max_missing": "failed",
        "volume.1": "failed",
        "volume.2": "failed",
        "volume.3": "failed",
        "freshness.1": "passed",
        "freshness.2": "passed",
    }
    later = ask(tmp_path, text, now=now + 86400 * 3, at=now - 60)
    assert one(later, "freshness.1").status is CheckStatus.FAILED
    assert one(later, "volume.3").status is CheckStatus.SKIPPED


def test_drift_from_a_baseline(tmp_path: Path) -> None:
    before = profile_frame("d", pl.DataFrame({"x": range(1000), "c": ["a", "b"] * 500}))
    after = pl.DataFrame({"x": [v + 500 for v in range(1000)], "c": ["a", "z"] * 500})
    now = profile_frame("d", after)
    text = """\
drift:
  - {column: x, mean: 10%, missing: 1%, psi: 0.2}
  - {column: c, categories: known, psi: 0.2}
"""
    found = ask(tmp_path, text, after, profiles=lambda *_: (now, before))
    failed = {each.key for each in found.results if each.status is CheckStatus.FAILED}
    assert failed == {"drift.1.mean", "drift.1.psi", "drift.2.categories", "drift.2.psi"}
    same = ask(tmp_path, text, after, profiles=lambda *_: (before, before))
    assert same.passed
    none = ask(tmp_path, text, after, profiles=lambda *_: (now, None))
    assert all(each.status is CheckStatus.SKIPPED for each in none.results)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("nix > 1", "nix"),
        ("1; drop table t", "not a condition"),
        ("sum(id) > 1", "one answer for each row"),
        ("(select count(*) from read_csv('/etc/passwd')) > 0", "disabled"),
        ("(select count(*) from glob('/*')) > 0", "disabled"),
        ("length(getenv('HOME')) > 0", "getenv"),
        ("id", "not a condition|"),
    ],
)
def test_a_condition_sees_the_rows_and_nothing_else(tmp_path: Path, sql: str, message: str) -> None:
    found = ask(tmp_path, f'conditions: [{{sql: "{sql}"}}]\n')
    result = one(found, "conditions.1")
    if "|" in message:  # numbers stand for truth, as in SQL
        assert result.status is CheckStatus.PASSED
    else:
        assert result.status is CheckStatus.FAILED and message in result.message


def test_what_the_reader_sees_masked_is_not_asked(tmp_path: Path) -> None:
    text = "strict: true\ncolumns: {cnt: {ge: 0}, id: {ge: 0}}\nconditions: [cnt > 0]\n"
    found = ask(tmp_path, text, hidden={"cnt": "masked for you"})
    skipped = {each.key for each in found.results if each.status is CheckStatus.SKIPPED}
    assert skipped == {"columns.cnt.ge", "conditions.1"} and found.passed
