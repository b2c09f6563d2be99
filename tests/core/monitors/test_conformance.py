"""What every kind of monitor has to bear: it raises nothing, and never calls too little `ok`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from core.domain.monitor import Findings, MonitorDefinition, State
from core.errors import OpsdeckError
from core.monitors.definition import read_monitor
from core.monitors.kind import (
    AT,
    INFERENCE_ID,
    LABEL,
    LATENCY_MS,
    PREDICTION,
    SCORE,
    STATUS,
    VARIANT,
    KindContext,
    StoredBaseline,
)
from core.monitors.kinds import kind_names, kind_of
from core.monitors.recording import clean
from core.releases.values import Problems
from tests.support.opened import OpenAs
from tests.support.windows import TableWindow

ROWS = 1200
KINDS = kind_names()
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "attribution": {"explained_rows": 20, "background_rows": 5, "seconds": 5},
    "bias": {"facets": ["group"], "positive": 1},
    "model_quality": {"problem_type": "BinaryClassification", "positive": 1},
}


class Model:
    """A model without any library: the sign of x + z."""

    inputs = ("x", "z", "colour", "group")
    classes = (0, 1)
    native = None

    def predict(self, rows: pa.Table) -> np.ndarray[Any, Any]:
        return (self.scores(rows)[:, 1] > 0.5).astype(np.int64)

    def scores(self, rows: pa.Table) -> np.ndarray[Any, Any]:
        total = np.zeros(rows.num_rows)
        for name in ("x", "z"):
            if name in rows.column_names:
                values = rows.column(name).to_pylist()
                numbers = [v if isinstance(v, int | float) else 0.0 for v in values]
                total += np.nan_to_num(np.asarray(numbers, float), posinf=1e3, neginf=-1e3)
        chance = 1 / (1 + np.exp(-np.clip(total, -30, 30)))
        return np.c_[1 - chance, chance]


def rows(count: int, seed: int = 1) -> dict[str, Any]:
    """A plain window: two numbers, two categories, an answer and what was true."""
    random = np.random.default_rng(seed)
    x, z = random.normal(size=count), random.normal(2, 3, count)
    chance = 1 / (1 + np.exp(-(x + z)))
    return {
        "x": x.tolist(),
        "z": z.tolist(),
        "colour": random.choice(["red", "green", "blue"], count).tolist(),
        "group": random.choice(["a", "b"], count).tolist(),
        PREDICTION: (chance > 0.5).astype(int).tolist(),
        SCORE: [json.dumps([1 - p, p]) for p in chance],
        LABEL: (random.random(count) < chance).astype(int).tolist(),
        AT: (1.76e9 + np.arange(count)).tolist(),
        INFERENCE_ID: [f"id-{n}" for n in range(count)],
        VARIANT: ["r1"] * count,
        STATUS: [200] * count,
        LATENCY_MS: [1.5] * count,
    }


def window(data: Mapping[str, Any], types: Mapping[str, pa.DataType] | None = None) -> TableWindow:
    arrays = {name: pa.array(column, (types or {}).get(name)) for name, column in data.items()}
    return TableWindow(pa.table(arrays), 1.76e9, 1.76e9 + 3600)


def emptied(data: Mapping[str, Any]) -> TableWindow:
    return TableWindow(window(data).rows_.slice(0, 0), 1.76e9, 1.76e9 + 3600)


def changed(**columns: Any) -> TableWindow:
    return window({**rows(ROWS, 2), **columns})


INPUTS = ("x", "z", "colour", "group")
WINDOWS = {
    "no rows": lambda: emptied(rows(3)),
    "no columns": lambda: TableWindow(pa.table({}), 1.76e9, 1.76e9 + 3600),
    "one row": lambda: window(rows(1)),
    "as before": lambda: window(rows(ROWS, 2)),
    "constant": lambda: changed(x=[0.5] * ROWS, z=[2.0] * ROWS, colour=["red"] * ROWS),
    "all missing": lambda: window(
        {**rows(ROWS), **{name: [None] * ROWS for name in (*INPUTS, PREDICTION, SCORE, LABEL)}}
    ),
    "infinite": lambda: changed(x=[math.inf, -math.inf] * (ROWS // 2), z=[math.nan] * ROWS),
    "new categories": lambda: changed(colour=[f"new-{n}" for n in range(ROWS)]),
    "new classes": lambda: changed(**{PREDICTION: [7] * ROWS, LABEL: [8] * ROWS}),
    "text for numbers": lambda: changed(x=["?"] * ROWS),
    "missing columns": lambda: window({k: v for k, v in rows(ROWS).items() if k not in INPUTS[:2]}),
    "no answers": lambda: window({k: rows(ROWS)[k] for k in INPUTS}),
    "no labels yet": lambda: changed(**{LABEL: [None] * ROWS}),
    "broken scores": lambda: changed(**{SCORE: ["[1, "] * ROWS}),
    "all failed": lambda: changed(
        **{STATUS: [500] * ROWS, PREDICTION: [None] * ROWS, SCORE: [None] * ROWS}
    ),
    "huge numbers": lambda: changed(x=[1e308, -1e308] * (ROWS // 2)),
}
NOTHING_TO_SAY = ("no rows", "no columns", "one row")
CASES = [
    (what, kind) for kind in KINDS for what in WINDOWS
    if kind_of(kind).needs_rows or what == "no columns"
]  # fmt: skip
"""Kinds that read no rows see nothing of what a window holds."""


@pytest.fixture(scope="module")
def baselines() -> dict[str, StoredBaseline | None]:
    """Each kind's baseline of a plain reference, through JSON as it is stored."""
    return {}


def definition(kind: str) -> MonitorDefinition:
    problems = Problems()
    data = {"kind": kind, "watch": "endpoint/credit", **SETTINGS.get(kind, {})}
    found = read_monitor(problems, "monitors.m", "m", data)
    assert found is not None, problems.found
    return found


@pytest.fixture
def context(tmp_path: Any, open_as: OpenAs) -> KindContext:
    return KindContext(
        monitor="m",
        now=1.76e9 + 4000,
        workdir=tmp_path,
        model="credit",
        version=1,
        inputs=Model.inputs,
        task="classes",
        load_model=Model,  # type: ignore[arg-type]
        session=open_as().session,
    )


def baseline_of(
    kind: str, context: KindContext, kept: dict[str, StoredBaseline | None]
) -> StoredBaseline | None:
    if kind not in kept:
        known = kind_of(kind)
        kept[kind] = (
            known.baseline(definition(kind), window(rows(3000)), context)
            if known.needs_baseline
            else None
        )
    return kept[kind]


def strict(value: Any) -> Any:
    """Through JSON that knows neither NaN nor infinity."""
    return json.loads(json.dumps(value, allow_nan=False))


@pytest.fixture
def database_url(tmp_path: Any) -> str:
    """What is held here has nothing to do with the database."""
    return f"sqlite:///{tmp_path / 'state.db'}"


@pytest.mark.parametrize(("what", "kind"), CASES)
def test_whatever_a_window_holds_there_are_findings(
    kind: str, what: str, context: KindContext, baselines: dict[str, StoredBaseline | None]
) -> None:
    stored = baseline_of(kind, context, baselines)
    found = kind_of(kind).evaluate(definition(kind), stored, WINDOWS[what](), {}, context)
    check(found)
    if what in NOTHING_TO_SAY and kind_of(kind).needs_rows:
        assert found.state in (State.INSUFFICIENT, State.VIOLATED), "never ok without rows"


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_remembered_goes_through_json_and_back(
    kind: str, context: KindContext, baselines: dict[str, StoredBaseline | None]
) -> None:
    stored = baseline_of(kind, context, baselines)
    if stored is not None:
        stored = StoredBaseline(strict(stored.summary), stored.arrays)
    memory: Mapping[str, Any] = {}
    whole = kind_of(kind).needs_rows
    for what in ("as before", "one row", "as before", "all missing", "new categories")[
        : None if whole else 2
    ]:
        found = kind_of(kind).evaluate(definition(kind), stored, WINDOWS[what](), memory, context)
        memory = strict(found.memory) if found.memory is not None else memory


@pytest.mark.parametrize("kind", [k for k in KINDS if kind_of(k).needs_baseline])
@pytest.mark.parametrize("what", ["no rows", "one row", "constant", "all missing", "infinite"])
def test_a_reference_that_will_not_do_is_refused_or_taken(
    kind: str, what: str, context: KindContext
) -> None:
    try:
        stored = kind_of(kind).baseline(definition(kind), WINDOWS[what](), context)
    except OpsdeckError as error:
        assert error.message
        return
    strict(stored.summary)
    check(kind_of(kind).evaluate(definition(kind), stored, WINDOWS["as before"](), {}, context))


@pytest.mark.parametrize("kind", KINDS)
def test_settings_of_any_form_are_problems_and_raise_nothing(kind: str) -> None:
    for given in (None, True, 5, -1.5, "x", [], [None], {"a": 1}, [[1]], {"": {}}):
        problems = Problems()
        known = kind_of(kind).read(Problems(), "m", dict(SETTINGS.get(kind, {})))
        names = [*getattr(known, "__dataclass_fields__", {}), "no_such_key"]
        kind_of(kind).read(problems, "m", dict.fromkeys(names, given))
        assert problems.found
        assert all(each.where.startswith("m") for each in problems.found)


def check(found: Findings) -> None:
    """What the framework relies on."""
    assert isinstance(found.state, State)
    assert "\n" not in found.headline
    strict([dict(m.detail) for m in found.measurements])
    strict(dict(found.files))
    strict(None if found.memory is None else dict(found.memory))
    for measurement in found.measurements:
        for number in (measurement.value, measurement.low, measurement.high, measurement.p_value):
            assert number is None or math.isfinite(number), measurement
    for violation in found.violations:
        assert violation.check
        assert violation.description
        assert violation.severity in ("info", "warning", "critical")
    cleaned = clean(found)
    assert len(cleaned.measurements) == len(found.measurements)
