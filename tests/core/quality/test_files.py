"""Files of expectations: what is in them, and everything that is wrong with them."""

from __future__ import annotations

import time
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from core.domain.quality import CheckScope, CheckSeverity
from core.quality.errors import ExpectationsInvalid, NoExpectations
from core.quality.files import load_expectations, read_expectations
from core.quality.schema import json_schema

GOOD = """\
dataset: rides
description: hourly rides
strict: true
columns:
  ts: {dtype: timestamp, unique: true, ge: '2011-01-01'}
  cnt: {dtype: integer, nullable: false, ge: 0, allow: 1%, warn: {le: 900}}
  note:
unique: [[station, ts], {columns: [id], within: batch}]
conditions: [casual <= cnt, {sql: cnt > 0, name: riders, severity: warn}]
freshness: {column: ts, max_age: 2d}
volume: [{min_rows: 10}, {change: 50%, last: 3, severity: warn}]
batch_volume: {max_rows: 1000}
references: [{column: season, dataset: seasons, key: id}]
drift: [{column: cnt, mean: 20%, psi: 0.2, baseline: good}]
"""


def read(tmp_path: Path, text: str) -> tuple[object, list[str]]:
    path = tmp_path / "expectations" / "rides.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    found, problems = read_expectations(tmp_path, path)
    return found, [each.one_line() for each in problems]


def test_every_section_is_read_with_its_lines(tmp_path: Path) -> None:
    read(tmp_path, GOOD)
    found = load_expectations(tmp_path, "rides")
    checks = {each.key: each for each in found.checks}
    assert found.strict and found.description == "hourly rides"
    assert checks["columns.cnt.ge"].allow == 0.01 and checks["columns.cnt.ge"].line == 6
    assert checks["columns.cnt.warn.le"].severity is CheckSeverity.WARN
    assert checks["columns.note.required"].columns == ("note",)
    assert checks["unique.1"].columns == ("station", "ts")
    assert checks["conditions.2"].title == "riders"
    assert checks["freshness"].value == 2 * 86400
    assert checks["freshness"].scope is CheckScope.SNAPSHOT
    assert checks["volume.2"].options == {"change": 0.5, "last": 3}
    assert checks["batch_volume"].scope is CheckScope.BATCH
    assert checks["references.1"].options == {"dataset": "seasons", "key": "id"}
    assert {"drift.1.mean", "drift.1.psi"} <= checks.keys()


def test_the_json_schema_takes_what_the_reader_takes() -> None:
    jsonschema.validate(yaml.safe_load(GOOD), json_schema())
    for bad in ({"columns": {"a": {"gee": 1}}}, {"drift": [{"psi": 1}]}, {"unique": [[]]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, json_schema())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ":1: the file is empty"),
        ("- a\n", ":1: expected a mapping"),
        ("colums: {}\n", "colums: unknown key in expectations (did you mean columns?)"),
        ("columns:\n  a: {ge: [1]}\n", ":2 columns.a.ge: expected one value"),
        ("columns:\n  a: {dtype: integr}\n", "did you mean integer?"),
        ("columns:\n  a: {matches: '('}\n", "not a regular expression"),
        ("columns:\n  a: {dtype: string, ge: 4}\n", "a number against a column of type string"),
        ("columns:\n  a: {dtype: integer, matches: x}\n", "it is for texts"),
        ("columns:\n  a: {nullable: no}\n", "write false"),
        ("columns:\n  a: {}\n  a: {}\n", "given twice"),
        ("conditions: x\n", "expected a list"),
        ("conditions: [{name: x}]\n", "sql is missing"),
        ("volume: {}\n", "nothing is expected"),
        ("volume: {min_rows: 5, max_rows: 2}\n", "max_rows 2 is below min_rows 5"),
        ("drift: [{column: a}]\n", "give mean, missing, psi or categories"),
        ("freshness: {max_age: soon}\n", "expected a duration"),
        ("unique: [[a, a]]\n", "each once"),
        ("dataset: other\ncolumns: {a: }\n", "but the file is that of rides"),
        ("columns: {a: {severity: fatal}}\n", "one of error, warn"),
        ("columns: {a: {max_missing: 120%}}\n", "a share from 0 to 1"),
        ("columns: {a: {ge: 0\n", "not YAML"),
        ("\tcolumns: {}\n", "tab"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    found, problems = read(tmp_path, text)
    assert found is None
    assert any(told in each for each in problems), problems
    assert all(each.startswith("expectations/rides.yaml:") for each in problems)


def test_a_file_that_grows_when_it_is_read_is_refused_at_once(tmp_path: Path) -> None:
    lines = ["a: &a [" + ",".join(["x"] * 9) + "]"]
    for before, name in zip("abcdefghi", "bcdefghij", strict=True):
        lines.append(f"{name}: &{name} [" + ",".join([f"*{before}"] * 9) + "]")
    began = time.process_time()
    found, problems = read(tmp_path, "\n".join(lines))
    assert found is None and "aliases counted" in problems[0]
    assert time.process_time() - began < 1


@given(st.binary(max_size=300))
@settings(max_examples=150)
def test_whatever_is_in_a_file_it_is_read_or_refused(data: bytes) -> None:
    path = Path(_FOLDER) / "rides.yaml"
    path.write_bytes(data)
    found, problems = read_expectations(path.parent, path)
    assert (found is None) == bool(problems)


@pytest.fixture(autouse=True, scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    global _FOLDER
    _FOLDER = str(tmp_path_factory.mktemp("files"))


_FOLDER = ""


def test_a_missing_file_and_a_bad_one_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(NoExpectations, match=r"there is no expectations/rides\.yaml"):
        load_expectations(tmp_path, "rides")
    read(tmp_path, "columns: {a: {ge: x, gee: 1}}\nfoo: 1\n")
    with pytest.raises(ExpectationsInvalid, match="has 2 problems") as error:
        load_expectations(tmp_path, "rides")
    assert len(error.value.problems) == 2
