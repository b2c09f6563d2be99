"""DLE follows the truth under covariate shift, and NannyML's figures as far as another
regressor can.

NannyML 0.13.1 (DLE, LightGBM, chunk_size 2000) on the rows drawn below: mae 3.1400, mse 16.097,
rmse 4.0121; what the labels gave: 3.0324, 15.278, 3.9087.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from core.modelquality import dle
from core.modelquality.measuring import figures
from core.modelquality.pairs import Pairs
from core.modelquality.task import Task
from tests.support.qualityrows import numbers_part

CATEGORICAL = (False, True)


def test_it_comes_to_what_nannyml_comes_to() -> None:
    generator = np.random.default_rng(5)
    inputs, said, truth = numbers_part(generator, 6000, 0, 4)
    model = dle.fit(inputs, said, truth, CATEGORICAL)
    inputs, said, truth = numbers_part(generator, 2000, 2, 4)
    assert model is not None
    found = dle.estimate(model, inputs, said)
    nannyml = {"mae": 3.1400, "mse": 16.097, "rmse": 4.0121}
    assert {k: v.value for k, v in found.items()} == pytest.approx(nannyml, rel=0.02)
    true = figures(Pairs(Task.REGRESSION, truth, said))
    for name, each in found.items():
        assert each.low <= true[name] <= each.high, name


def test_where_losses_do_not_depend_on_inputs_it_has_no_skill() -> None:
    generator = np.random.default_rng(6)
    inputs = generator.normal(size=(3000, 2))
    model = dle.fit(inputs, np.zeros(3000), generator.normal(size=3000))
    assert model is not None
    assert model.skill["mae"] < 0.01


def test_what_is_stored_gives_the_same_estimate_in_another_process() -> None:
    generator = np.random.default_rng(7)
    inputs, said, truth = numbers_part(generator, 400, 0, 4)
    model = dle.fit(inputs, said, truth, CATEGORICAL)
    assert model is not None
    expected = dle.estimate(model, inputs, said)
    dle._fitted.cache_clear()
    again = dle.Dle.load(json.loads(json.dumps(model.facts())), model.arrays())
    assert dle.estimate(again, inputs, said) == expected


def test_missing_inputs_and_unusable_predictions() -> None:
    generator = np.random.default_rng(8)
    inputs, said, truth = numbers_part(generator, 400, 0, 4)
    inputs[::3] = np.nan
    model = dle.fit(inputs, said, truth, CATEGORICAL)
    assert model is not None
    said[:390] = np.nan
    assert dle.estimate(model, inputs, said)["mae"].value > 0
    assert dle.estimate(model, inputs, np.full(400, np.nan)) == {}
    assert dle.estimate(model, inputs[:0], said[:0]) == {}


def test_a_reference_of_a_few_rows_is_none() -> None:
    assert dle.fit(np.zeros((29, 1)), np.zeros(29), np.zeros(29)) is None


def test_a_large_reference_is_cut() -> None:
    generator = np.random.default_rng(9)
    model = dle.fit(np.zeros((30_000, 1)), np.zeros(30_000), generator.normal(size=30_000))
    assert model is not None
    assert len(model.error) == dle.MOST_ROWS
    assert dle.estimate(model, np.zeros((5, 1)), np.zeros(5))["mse"].value == pytest.approx(1, 0.1)
