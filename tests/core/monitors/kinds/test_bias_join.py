"""Facets that requests do not carry: looked up in a dataset, by a key that they do carry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from console.starter import make_workspace
from core.bias.errors import BiasInvalid
from core.domain.monitor import State
from core.errors import NotFound
from core.lake import open_lake
from core.monitors.kind import KindContext
from core.monitors.kinds import kind_of
from core.ops import Ops, open_ops
from tests.support.windows import TableWindow, definition_of, problems_of

KIND = kind_of("bias")
ROWS = 1_000
SETTINGS = {
    "facets": ["sex=F"], "positive": 1, "metrics": ["DPPL"], "datapoints_to_alarm": 1,
    "join": {"dataset": "people", "key": "inference_id"},
}  # fmt: skip


@pytest.fixture
def ops(tmp_path: Path) -> Ops:
    make_workspace(tmp_path / "w", None)
    return open_ops(tmp_path / "w", actor="ana")


def people(ops: Ops, first: int = 0, last: int = ROWS) -> None:
    """Every second one is a woman; an older row of each says otherwise."""
    rows = pa.table(
        {
            "inference_id": [f"id-{n}" for n in [*range(first, last), *range(first, last)]],
            "sex": ["?"] * (last - first) + ["F" if n % 2 else "M" for n in range(first, last)],
        }
    )
    with open_lake(ops.session) as lake:
        lake.ensure("people", rows.schema, owner="ana")
        lake.append("people", rows, by="ana")


def traffic(refused: float) -> TableWindow:
    rng = np.random.default_rng(1)
    woman = np.arange(ROWS) % 2 == 1
    said = rng.random(ROWS) < np.where(woman, 0.6 - refused, 0.6)
    ids = [f"id-{n}" for n in range(ROWS)]
    return TableWindow(pa.table({"__prediction": said.astype(int), "__inference_id": ids}))


def test_a_facet_of_a_dataset(ops: Ops) -> None:
    people(ops)
    context = KindContext(monitor="m", session=ops.session)
    definition = definition_of("bias", SETTINGS)
    baseline = KIND.baseline(definition, traffic(0.0), context)
    same = KIND.evaluate(definition, baseline, traffic(0.0), {}, context)
    assert same.state is State.OK and same.measurements[0].detail["rows"] == ROWS // 2
    found = KIND.evaluate(definition, baseline, traffic(0.3), {}, context)
    assert found.state is State.VIOLATED and "DPPL of sex=F" in found.headline
    ops.close()


def test_rows_that_the_dataset_does_not_know_are_left_out(ops: Ops) -> None:
    people(ops, last=800)
    context = KindContext(monitor="m", session=ops.session)
    baseline = KIND.baseline(definition_of("bias", SETTINGS), traffic(0.0), context)
    found = KIND.evaluate(definition_of("bias", SETTINGS), baseline, traffic(0.0), {}, context)
    detail = found.measurements[0].detail
    assert (detail["rows"], detail["others"]) == (400, 400)
    ops.close()


def test_what_cannot_be_looked_up_is_said(ops: Ops) -> None:
    people(ops)
    context = KindContext(monitor="m", session=ops.session)
    for changed, words in (
        ({"join": {"dataset": "people", "key": "customer"}}, "rows have no column customer"),
        ({"facets": ["age>40"]}, "people has no column age"),
    ):
        definition = definition_of("bias", {**SETTINGS, **changed})
        with pytest.raises(BiasInvalid, match=words):
            KIND.baseline(definition, traffic(0.0), context)
        assert KIND.evaluate(definition, None, traffic(0.0), {}, context).state is (
            State.INSUFFICIENT
        )
    gone = definition_of("bias", {**SETTINGS, "join": {"dataset": "gone", "key": "inference_id"}})
    with pytest.raises(NotFound):
        KIND.evaluate(gone, None, traffic(0.0), {}, context)
    with pytest.raises(BiasInvalid, match="no workspace"):
        KIND.baseline(definition_of("bias", SETTINGS), traffic(0.0), replace(context, session=None))
    assert problems_of("bias", {**SETTINGS, "join": {"dataset": "people"}})
    assert problems_of("bias", {**SETTINGS, "join": "people"})
    ops.close()
