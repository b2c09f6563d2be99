"""Tensors by themselves: whatever comes is read or refused; what is given is written."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.serving.http.shapes import BadRequest
from core.serving.http.tensors import (
    DATATYPES,
    Given,
    inputs_of,
    output_name,
    outputs_of,
    read_tensors,
    to_scoring,
    write_tensors,
)
from core.serving.model.schema import Column, ModelSchema, Signature, Tensor

SIGNATURE = Signature(ModelSchema((Column("a", "long"), Column("b", "string"))))
junk = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "shape", "datatype", "data", "parameters"]), inner, max_size=5
        )
    ),
    max_leaves=20,
)
almost = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["a", "b", "x"]),
        "datatype": st.sampled_from(DATATYPES),
        "shape": st.lists(st.integers(0, 3), max_size=3),
        "data": junk,
    }
)


@settings(deadline=None)
@given(st.lists(almost | junk, max_size=3) | junk)
def test_whatever_comes_is_read_or_refused_in_one_line(value: Any) -> None:
    try:
        found = to_scoring(read_tensors(value), SIGNATURE)
    except BadRequest as refusal:
        assert refusal.message and "\n" not in refusal.message
    else:
        assert found["dataframe_split"]["columns"]


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=4))
def test_nested_and_flat_data_are_the_same(shape: list[int]) -> None:
    flat = list(range(math.prod(shape)))
    given_ = Given("x", "INT64", tuple(shape), flat)
    tensor = {"name": "x", "datatype": "INT64", "shape": shape}
    (read,) = read_tensors([{**tensor, "data": flat}])
    assert read == given_
    if 0 not in shape:  # an empty list has lost how deep it was
        (read,) = read_tensors([{**tensor, "data": given_.rows()}])
        assert read == given_


def test_models_without_columns_get_what_they_take() -> None:
    x = Given("x", "FP32", (2, 2), [1, 2, 3, 4])
    y = Given("y", "BYTES", (2,), ["a", "b"])
    one = Signature(tensors=(Tensor("", "float32", (-1, 2)),))
    assert to_scoring([x], one) == {"inputs": [[1, 2], [3, 4]]}
    with pytest.raises(BadRequest, match="one tensor"):
        to_scoring([x, y], one)
    named = Signature(tensors=(Tensor("x", "float32", (-1, 2)), Tensor("y", "str", (-1,))))
    assert to_scoring([x, y], named) == {"inputs": {"x": [[1, 2], [3, 4]], "y": ["a", "b"]}}
    assert to_scoring([x], Signature()) == {"inputs": [[1, 2], [3, 4]]}
    z = Given("z", "INT8", (2, 1), [5, 6])
    assert to_scoring([y, z], Signature()) == {
        "dataframe_split": {"columns": ["y", "z"], "data": [["a", 5], ["b", 6]]}
    }
    assert inputs_of(named) == [
        {"name": "x", "datatype": "FP32", "shape": [-1, 2]},
        {"name": "y", "datatype": "BYTES", "shape": [-1]},
    ]


@pytest.mark.parametrize(
    ("predictions", "tensors"),
    [
        ([1.5, None], [("y", "FP64", [2], [1.5, None])]),
        ([1, 2], [("y", "INT64", [2], [1, 2])]),
        ([True, False], [("y", "BOOL", [2], [True, False])]),
        (["a", "b"], [("y", "BYTES", [2], ["a", "b"])]),
        ([[0.1, 0.9], [0.5, 0.5]], [("y", "FP64", [2, 2], [0.1, 0.9, 0.5, 0.5])]),
        ([{"p": 1, "q": "x"}, {"p": 2}], [
            ("p", "INT64", [2], [1, 2]), ("q", "BYTES", [2], ["x", "null"]),
        ]),
        ({"p": [1], "q": 2.5}, [("p", "INT64", [1], [1]), ("q", "FP64", [1], [2.5])]),
        ([[1], [2, 3]], [("y", "BYTES", [2], ["[1]", "[2,3]"])]),
        ("text", [("y", "BYTES", [1], ["text"])]),
        ([], [("y", "FP64", [0], [])]),
    ],
)  # fmt: skip
def test_predictions_of_every_form_are_tensors(predictions: Any, tensors: Any) -> None:
    found = write_tensors(predictions, "y")
    keys = ("name", "datatype", "shape", "data")
    assert [tuple(item[key] for key in keys) for item in found] == tensors


def test_outputs_are_named_as_in_the_signature() -> None:
    named = Signature(outputs=(Column("label", "long"),))
    assert (output_name(named), output_name(Signature())) == ("label", "predictions")
    assert outputs_of(named) == [{"name": "label", "datatype": "INT64", "shape": [-1]}]
    two = Signature(outputs=(Column("p", "double"), Column("q", "string")))
    assert [item["datatype"] for item in outputs_of(two)] == ["FP64", "BYTES"]
