"""Reading bodies: whatever comes, a table or a one-line refusal."""

from __future__ import annotations

import json

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.serving.http.shapes import BadRequest, Table, read_table
from core.serving.model.engines import NativeEngine
from core.serving.model.schema import Column, ModelSchema, Signature, frame
from core.serving.records import Flavour

SCHEMA = ModelSchema((Column("a", "long"), Column("b", "double"), Column("c", "double", False)))
SHAPES = ("dataframe_split", "dataframe_records", "instances", "inputs")

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", "columns", "data"]), inner, max_size=4)
    ),
    max_leaves=15,
)
cells = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**40), 2**40)
rows = st.lists(st.tuples(st.integers(-(2**50), 2**50), cells, cells), min_size=1, max_size=8)


@settings(deadline=None)
@given(st.sampled_from(SHAPES), values)
def test_any_json_is_a_table_or_a_refusal(shape: str, value: object) -> None:
    body = json.dumps({shape: value}).encode()
    try:
        SCHEMA.matrix(read_table(body, "application/json"))
    except BadRequest as refusal:
        assert refusal.message and "\n" not in refusal.message.replace(repr(value), "")


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["application/json", "text/csv"]))
def test_any_bytes_are_a_table_or_a_refusal(body: bytes, kind: str) -> None:
    try:
        SCHEMA.matrix(read_table(body, kind))
    except BadRequest as refusal:
        assert refusal.status == 400


@settings(deadline=None)
@given(rows)
def test_every_shape_reads_the_same_matrix(data: list[tuple[int, object, object]]) -> None:
    names = ["a", "b", "c"]
    records = [dict(zip(names, row, strict=True)) for row in data]
    columns = {name: [row[i] for row in data] for i, name in enumerate(names)}
    bodies = [
        {"dataframe_split": {"columns": names, "data": data}},
        {"dataframe_split": {"columns": names[::-1], "data": [row[::-1] for row in data]}},
        {"dataframe_records": records},
        {"instances": records},
        {"inputs": columns},
    ]
    found = [
        SCHEMA.matrix(read_table(json.dumps(body).encode(), "application/json")) for body in bodies
    ]
    text = "a,b,c\n" + "".join(
        ",".join("" if cell is None else repr(cell) for cell in row) + "\n" for row in data
    )
    found.append(SCHEMA.matrix(read_table(text.encode(), "text/csv; charset=utf-8")))
    wanted = np.array([[np.nan if c is None else float(c) for c in row] for row in data])  # type: ignore[arg-type]
    for matrix in found:
        np.testing.assert_array_equal(matrix, wanted)


def test_an_optional_column_may_be_missing_and_a_required_one_not() -> None:
    matrix = SCHEMA.matrix(Table(["a", "b"], [[1, 2.5]]))
    assert np.isnan(matrix[0, 2])
    with pytest.raises(BadRequest, match="lacks column b"):
        SCHEMA.matrix(Table(["a", "c"], [[1, 2.5]]))


def test_text_stays_text_in_a_csv() -> None:
    schema = ModelSchema(
        (Column("code", "string"), Column("on", "boolean"), Column("n", "integer"))
    )
    part = schema.split(read_table(b"n,on,code\n7,true,007\n8,False,\n", "text/csv"))
    both = frame([part, part])
    assert both["code"].tolist()[0] == both["code"].tolist()[2] == "007"
    assert both["on"].tolist() == [True, False] * 2
    assert both["n"].dtype == np.int32


def test_numbers_beyond_a_column_are_refused() -> None:
    schema = ModelSchema((Column("n", "integer"),))
    with pytest.raises(BadRequest, match="n, row 1"):
        schema.matrix(Table(["n"], [[1], [2**40]]))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"dataframe_records": [{"day": "mon", "x": 1.5}]}'),
        (
            "application/json",
            b'{"dataframe_split": {"columns": ["x", "day"], "data": [[1.5, "mon"]]}}',
        ),
        ("text/csv", b"day,x\nmon,1.5\n"),
    ],
)  # fmt: skip
def test_columns_that_the_model_does_not_see_are_described_behind_its_own(
    kind: str, body: bytes
) -> None:
    signature = Signature(ModelSchema((Column("x", "double"),)))
    engine = NativeEngine(lambda rows: rows[:, 0], signature, Flavour.NATIVE_ARRAY)
    found = engine.prepare(body, kind)
    assert engine.answer([found]) == [[1.5]]
    described = orjson.loads(
        orjson.dumps(engine.describe(found, body, kind), option=orjson.OPT_SERIALIZE_NUMPY)
    )
    assert described == {"dataframe_split": {"columns": ["x", "day"], "data": [[1.5, "mon"]]}}
    again = orjson.dumps(described)
    assert engine.answer([engine.prepare(again, "application/json")]) == [[1.5]]
