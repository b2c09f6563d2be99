"""Values given with `-p` against the parameters of a pipeline."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.pipeline import Param, PipelineSpec
from core.errors import BadInput
from core.pipelines import bind_params

SPEC = PipelineSpec(
    name="shop",
    path="pipelines/shop.yaml",
    steps=(),
    params=(
        Param("month", "str", required=True, pattern=r"\d{4}-\d{2}"),
        Param("seed", "int", 7),
        Param("rate", "float", 0.5, choices=(0.5, 1.0)),
        Param("fast", "bool", False),
        Param("note", "str", None),
    ),
)


def test_text_becomes_the_declared_type() -> None:
    given_values = {"month": "2012-01", "seed": "-3", "rate": "1", "fast": "TRUE"}
    bound = bind_params(SPEC, given_values)
    assert bound == {"month": "2012-01", "seed": -3, "rate": 1.0, "fast": True, "note": None}
    assert [type(value) for value in bound.values()][:4] == [str, int, float, bool]


def test_values_of_an_earlier_run_are_bound_as_they_are() -> None:
    bound = bind_params(SPEC, {"month": "2012-01"})
    assert bind_params(SPEC, {k: v for k, v in bound.items() if v is not None}) == bound


@pytest.mark.parametrize(
    ("values", "faults"),
    [
        ({}, ["month: a value is required"]),
        ({"month": "2012"}, ["month: '2012' doesn't match the pattern"]),
        ({"month": "2012-01\n"}, ["month: '2012-01\\n' doesn't match"]),
        ({"month": "2012-01", "seed": "x"}, ["seed: expected a whole number, found 'x'"]),
        ({"month": "2012-01", "seed": "1.5"}, ["seed: expected a whole number"]),
        ({"month": "2012-01", "seed": str(2**63)}, ["seed:", "is out of range"]),
        ({"month": "2012-01", "seed": "9" * 5000}, ["seed: expected a whole number"]),
        ({"month": "2012-01", "rate": "nan"}, ["rate: 'nan' is out of range"]),
        ({"month": "2012-01", "rate": "2"}, ["rate: 2.0 is not one of 0.5, 1.0"]),
        ({"month": "2012-01", "fast": "1"}, ["fast: expected true or false, found '1'"]),
        ({"mont": "x", "fast": "y"}, ["mont: shop has no", "month: a value", "fast: expected"]),
    ],
)
def test_every_fault_is_named(values: dict[str, str], faults: list[str]) -> None:
    with pytest.raises(BadInput) as caught:
        bind_params(SPEC, values)
    for fault in faults:
        assert fault in caught.value.message
    assert caught.value.exit_status == 2


def test_hints_say_what_to_type() -> None:
    with pytest.raises(BadInput) as caught:
        bind_params(SPEC, {"mnth": "2012-01"})
    assert caught.value.hint == "did you mean month?; -p month=…"


@given(st.dictionaries(st.sampled_from(["month", "seed", "rate", "fast", "note", "x"]), st.text()))
def test_any_text_is_bound_or_refused(values: dict[str, str]) -> None:
    try:
        bound = bind_params(SPEC, values)
    except BadInput as error:
        assert any(param.name in error.message for param in (*SPEC.params, Param("x", "str")))
    else:
        assert list(bound) == [param.name for param in SPEC.params]
