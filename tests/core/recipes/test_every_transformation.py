"""Every transformation of the catalogue does what its entry says, on its own example."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from core.domain.recipe import Transformation
from core.recipes.build import SCHEMA, build
from core.recipes.catalogue import PATH, catalogue, to_table
from core.recipes.errors import StepBroken
from core.recipes.example import frame as example_frame
from core.recipes.fitted import content_hash, load_fitted, save_fitted
from core.recipes.plan import Plan
from core.recipes.recipe import Recipe, Step
from core.recipes.schema import json_schema
from core.recipes.values import fault

FRAME: pl.DataFrame = example_frame()
TRAIN, LATER = FRAME[:45], FRAME[30:]


def recipe_of(about: Transformation) -> Recipe:
    columns = about.example.get("columns", ())
    names = (columns,) if isinstance(columns, str) else tuple(columns)
    target = {"class": "label"}.get(about.target, "target")
    step = Step(about.name, about.name, names, params=about.example.get("with", {}), line=1)
    return Recipe("example", (step,), target=target)


@pytest.mark.parametrize("name", list(catalogue()))
def test_its_contract(name: str, tmp_path: Path) -> None:
    about = catalogue()[name]
    recipe = recipe_of(about)
    assert Plan(recipe).problems() == ()
    for key, value in recipe.steps[0].params.items():
        parameter = about.parameter(key)
        assert parameter is not None, f"{key} of the example is no parameter"
        assert fault(parameter, value) is None, (key, fault(parameter, value))

    fitted, trained = Plan(recipe).fit_apply(TRAIN)
    after, (trace,) = fitted.traced(LATER)
    did = trace.added or trace.changed or trace.removed
    assert did or about.rows or about.fitted, "did nothing"
    if not about.rows:
        assert (trained.height, after.height) == (TRAIN.height, LATER.height)
        if "key" not in {*trace.removed, *trace.changed}:
            assert after["key"].equals(LATER["key"])

    # Deterministic, and independent of the data it is applied to when it has been fitted.
    again, trained_again = Plan(recipe).fit_apply(TRAIN)
    assert trained_again.equals(trained, null_equal=True)
    assert content_hash(again) == content_hash(fitted)
    assert about.fitted or not any(each.state for each in fitted.steps if name != "snake_case")

    # The same after it has been written and read.
    digest = save_fitted(fitted, tmp_path / "fitted")
    loaded = load_fitted(tmp_path / "fitted")
    assert loaded.apply(LATER).equals(after, null_equal=True)
    assert content_hash(loaded) == digest == content_hash(fitted)
    assert loaded.columns_of() == fitted.columns_of()

    # Every output column has a lineage, of columns that were there.
    assert set(fitted.columns_of()) == set(trained.columns)
    for sources in fitted.columns_of().values():
        assert set(sources) <= set(TRAIN.columns)

    # What is of the row alone gives the same for a part of the rows, and needs no target.
    if about.scope == "row" and not about.rows:
        some, read = LATER[10:14], set(recipe.steps[0].columns)
        if read and not read & {"target", "label"}:
            some = some.drop("target", "label")
        part, whole = fitted.apply(some), after[10:14]
        for column in part.columns:
            assert_same(part[column], whole[column])


TOGETHER = [each.name for each in catalogue().values() if each.arity == "together"]


@pytest.mark.parametrize("name", TOGETHER)
def test_no_column_changes_but_by_what_its_lineage_names(name: str) -> None:
    fitted, _ = Plan(recipe_of(catalogue()[name])).fit_apply(TRAIN)
    after, traces = fitted.traced(LATER)
    lineage, _ = fitted.followed(LATER.columns, traces)
    call = fitted.steps[0].call
    for column in call.columns if call else ():
        try:
            other = fitted.apply(LATER.with_columns(LATER[column].reverse()))
        except StepBroken:
            continue  # the values belong together
        for made in [each for each in after.columns if column not in lineage[each]]:
            if after.height == other.height and not catalogue()[name].rows:
                assert_same(other[made], after[made])


def assert_same(one: pl.Series, other: pl.Series) -> None:
    if one.dtype.is_float() and other.dtype.is_float():
        one, other = one.fill_nan(None), other.fill_nan(None)
        assert ((one - other).abs().fill_null(0.0) < 1e-6).all(), one.name
        assert one.is_null().equals(other.is_null())
    else:
        assert one.to_list() == other.to_list(), one.name


def test_the_table_is_what_the_libraries_say_now() -> None:
    """After a change: python -m core.recipes.build."""
    assert PATH.read_text(encoding="utf-8") == to_table(build())
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == json_schema()


def test_there_are_more_than_three_hundred_each_fully_told() -> None:
    entries = catalogue()
    assert len(entries) > 500
    assert {each.library for each in entries.values()} == {
        "opsdeck", "polars", "scikit-learn", "feature-engine",
    }  # fmt: skip
    for about in entries.values():
        assert about.summary.endswith((".", "…")), about.name
        assert about.arity in ("each", "together", "frame")
        assert about.scope in ("row", "window", "frame")
        for parameter in about.parameters:
            assert parameter.help, (about.name, parameter.name)
            assert set(parameter.types) <= set(TYPES), (about.name, parameter.name)
            if parameter.default is not None:
                assert fault(parameter, parameter.default) is None, (about.name, parameter)


def test_listing_them_loads_no_library() -> None:
    code = (
        "import sys; from core.recipes import catalogue; catalogue.search('text', 'upper');"
        "print([n for n in ('polars', 'sklearn', 'pandas', 'numpy', 'yaml') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


TYPES = ("flag", "integer", "number", "text", "list", "mapping", "column", "columns", "any", "null")
