"""What a report says: groups, intersections, intervals, small groups, and bad input."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.bias.analysis import analysis
from core.bias.columns import matching
from core.bias.conditions import Condition, parse
from core.bias.errors import BiasInvalid
from core.bias.metrics import METRICS
from core.bias.names import ALL
from core.bias.report import Question, report
from core.bias.tables import Tables

LABEL = Condition("hired", ("yes",))


def rows(n: int = 400, seed: int = 1) -> tuple[dict[str, Any], Any, Any]:
    """Rows in which women and, most of all, older women are refused more often."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(np.array(["F", "M"], object), n)
    age = rng.integers(20, 70, n)
    held = (sex == "F") & (age > 45)
    label = np.where(rng.random(n) < 0.6 - 0.2 * held, "yes", "no").astype(object)
    predicted = np.where(rng.random(n) < 0.6 - 0.4 * held, "yes", "no").astype(object)
    return {"sex": sex, "age": age}, label, predicted


def test_each_value_of_a_facet_and_each_intersection_is_a_group() -> None:
    columns, label, predicted = rows()
    question = Question(LABEL, (Condition("sex"), Condition("age", above=45)), intersections=True)
    found = report(columns, question, label, predicted)
    assert [bias.group.name for bias in found.groups] == [
        "sex=F", "sex=M", "age>45", "sex=F & age>45", "sex=M & age>45",
    ]  # fmt: skip
    worst = max(found.groups, key=lambda bias: bias.result("DPPL").value)  # type: ignore[union-attr]
    assert worst.group.name == "sex=F & age>45"
    assert worst.group.value == "F & (45, 69]"
    dppl = worst.result("DPPL")
    assert dppl is not None and dppl.low > 0
    assert dppl.says == "predicted positive less often"


def test_intervals_narrow_with_rows_and_small_groups_say_so() -> None:
    question = Question(LABEL, (Condition("sex", ("F",)),))
    widths = []
    for n in (50, 500, 5_000):
        found = report(rows(n)[0], question, rows(n)[1]).groups[0].result("DPL")
        assert found is not None
        widths.append(found.high - found.low)
    assert widths[0] > 2 * widths[1] > 4 * widths[2]
    few = report(rows(40)[0], question, rows(40)[1]).groups[0]
    assert few.few.startswith("only ") and few.few.endswith("fewer than 30")


def test_an_interval_of_none_in_a_group_is_not_of_no_width() -> None:
    """Nobody of twelve: a plain bootstrap would say that it is certain."""
    facet = np.repeat([True, False], [12, 200])
    label = np.concatenate([np.zeros(12, bool), np.arange(200) % 2 == 0])
    question = Question(Condition("y", (True,)), (Condition("g", (True,)),))
    dpl = report({"g": facet}, question, label).groups[0].result("DPL")
    assert dpl is not None and dpl.value == 0.5 and dpl.low < 0.48


def test_infinity_is_text_in_the_file_and_the_file_is_json() -> None:
    facet = np.repeat([True, False], 40)
    predicted = np.concatenate([np.arange(40) % 2 == 0, np.zeros(40, bool)])
    question = Question(Condition("y", (True,)), (Condition("g", (True,)),), metrics=("DI", "FT"))
    found = report({"g": facet}, question, None, predicted)
    written = json.dumps(analysis(found), allow_nan=False)
    section = json.loads(written)["post_training_bias_metrics"]
    assert section["label"] == "y" and section["label_value_or_threshold"] == "True"
    di, ft = section["facets"]["g"][0]["metrics"]
    assert di == {
        "name": "DI", "description": "Disparate Impact (DI)", "value": "Infinity",
    }  # fmt: skip
    assert ft["value"] is None and ft["error"] == "no numeric features to find neighbours by"
    result = found.groups[0].result("DI")
    assert result is not None and result.high == np.inf and np.isfinite(result.low)


def test_rows_without_a_facet_a_label_or_a_number_are_left_out_of_what_needs_them() -> None:
    columns, label, predicted = rows(400)
    columns["x"] = np.where(np.arange(400) % 10 == 0, np.inf, np.arange(400.0))
    columns["sex"][:40], label[-100:] = None, None
    question = Question(LABEL, (Condition("sex", ("F",)),), features=("x", "sex"))
    found = report(columns, question, label, predicted)
    (bias,) = found.groups
    assert (found.rows, found.labelled, found.predicted) == (400, 300, 400)
    assert bias.rows + bias.others == 360
    assert "FT leaves out 40 rows without all numbers" in found.notes
    ft = bias.result("FT")
    assert ft is not None and not ft.error


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (Question(LABEL, (Condition("seks"),)), "facet seks is no column"),
        (Question(LABEL, ()), "no facet"),
        (Question(LABEL, (Condition("sex", ("X",)),)), "no row has that value"),
        (Question(LABEL, (Condition("sex", above=3),)), "holds text"),
        (Question(LABEL, (Condition("age"),)), "has 50 values"),
        (Question(LABEL, (Condition("one"),)), "is 1 in every row"),
        (Question(LABEL, (Condition("none"),)), "has no values"),
        (Question(Condition("hired", ("ja",)), (Condition("sex"),)), "every label is negative"),
        (Question(LABEL, (Condition("sex"),), metrics=("DPX",)), "no bias metric DPX"),
        (Question(LABEL, (Condition("sex"),), group="room"), "the group variable room"),
        (Question(LABEL, (Condition("sex"),), group="row"), "row has 2000 values"),
    ],
)
def test_what_cannot_be_asked_is_said(question: Question, words: str) -> None:
    columns, label, predicted = rows(2_000)
    columns |= {"one": np.ones(2_000, int), "none": np.full(2_000, None, object)}
    columns["row"] = np.arange(2_000)
    with pytest.raises(BiasInvalid, match=words):
        report(columns, question, label, predicted)


def test_no_rows_and_one_row() -> None:
    question = Question(LABEL, (Condition("sex", ("F",)),))
    with pytest.raises(BiasInvalid, match="no rows"):
        report({"sex": np.array([], object)}, question, np.array([], object))
    with pytest.raises(BiasInvalid, match="every label is positive"):
        report({"sex": np.array(["F"], object)}, question, np.array(["yes"], object))


def test_a_lenient_question_is_answered_as_far_as_it_goes() -> None:
    columns, label, _ = rows(100)
    question = Question(LABEL, (Condition("gone"), Condition("sex", ("F",))), lenient=True)
    label[:] = "yes"
    found = report(columns, question, label)
    assert len(found.groups) == 1
    assert "facet gone is no column of these rows" in found.notes
    assert "every label is positive (hired=yes)" in found.notes


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("sex", Condition("sex")),
        ("sex=F", Condition("sex", ("F",))),
        (" sex = F , M ", Condition("sex", ("F", "M"))),
        ("age>40", Condition("age", above=40.0)),
        ("age > -1.5", Condition("age", above=-1.5)),
        ("a=>b", None),
        ("sex=", None),
        ("=F", None),
        ("age>old", None),
        ("age>inf", None),
    ],
)
def test_how_a_facet_is_written(text: str, condition: Condition | None) -> None:
    if condition is None:
        with pytest.raises(BiasInvalid):
            parse(text)
    else:
        assert parse(text) == condition


@given(st.text(max_size=12))
def test_any_text_is_a_facet_or_is_refused(text: str) -> None:
    try:
        condition = parse(text)
    except BiasInvalid:
        return
    assert condition.column and condition.column in text


def test_values_are_found_as_the_column_holds_them() -> None:
    for column in (np.array([1, 2]), np.array([1.0, 2.0]), np.array(["1", "2"], object),
                   np.array([1, None], object), np.array([True, False])):  # fmt: skip
        assert matching(column, Condition("c", ("1",))).tolist() == [True, False]
    assert matching(np.array([1.0, np.nan]), Condition("c", above=0)).tolist() == [True, False]


def test_tables_are_kept_and_read_again() -> None:
    columns, label, predicted = rows(100)
    tables = report(columns, Question(LABEL, (Condition("sex", ("F",)),)), label, predicted)
    kept = json.loads(json.dumps(tables.groups[0].tables.jsonable()))
    again = Tables.from_json(kept)
    assert again.jsonable() == kept


def test_every_metric_has_its_name_in_the_quick_list() -> None:
    assert tuple(METRICS) == ALL
