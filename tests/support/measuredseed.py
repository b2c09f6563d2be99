"""Monitors of bias and of attributions with what they really come to: a model learns from the
bikes of 2011, the months of 2012 are its windows, and the kinds themselves judge them.

    seed_measured(path)      both, with the months up to August, on `tests.support.seed`
    measure_next(path)       the month after it, as another process would put it on record
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from core.domain.monitor import Findings, MonitorDefinition
from core.monitors.kind import KindContext, StoredBaseline
from core.monitors.kinds import kind_of
from core.monitors.recording import clean, put_rows
from core.ops import open_ops
from core.state.monitor_tables import monitor_baselines, monitor_runs, monitors
from core.state.store import Transaction
from tests.support.seed import DAY, NOW
from tests.support.windows import TableWindow, definition_of

BIAS, ATTRIBUTION = "demand-bias", "demand-reasons"
MONTHS = tuple(f"2012-{number:02}" for number in range(1, 9))
NEXT = "2012-09"
MONTH = 30 * DAY
INPUTS = ("hr", "workingday", "weekday", "weathersit", "temp", "hum", "windspeed")
_FILE = Path(__file__).parents[2] / "assets/examples/bike-demand/data/bike_hourly.csv.gz"
_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    BIAS: {
        "facets": ["workingday=0"],
        "positive": ">300",
        "metrics": ["DPL", "DPPL", "DI", "RD", "AD"],
    },
    ATTRIBUTION: {"threshold": 0.99, "explained_rows": 200, "seconds": 600},
}
_KINDS = {BIAS: "bias", ATTRIBUTION: "attribution"}


@dataclass(frozen=True)
class _Served:
    """A fitted estimator as the framework would load it."""

    native: Any
    inputs: tuple[str, ...] = INPUTS
    classes: tuple[Any, ...] = ()

    def predict(self, rows: pa.Table) -> Any:
        return self.native.predict(rows.select(list(self.inputs)).to_pandas())

    def scores(self, rows: pa.Table) -> Any:
        return None


@cache
def _hours() -> pd.DataFrame:
    return pd.read_csv(_FILE)


@cache
def _served() -> _Served:
    """What learned from the hours before the last two months of 2011."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    hours = _hours()
    past = hours[hours["ts"] < "2011-11"]
    model = HistGradientBoostingRegressor(max_iter=60, random_state=1)
    return _Served(model.fit(past[list(INPUTS)], past["cnt"]))


def _window(hours: pd.DataFrame) -> TableWindow:
    """Hours with the model's answers, and the counts as labels."""
    rows = hours[list(INPUTS)].assign(
        __prediction=_served().native.predict(hours[list(INPUTS)]), __label=hours["cnt"]
    )
    return TableWindow(pa.Table.from_pandas(rows, preserve_index=False))


def _definition(name: str) -> MonitorDefinition:
    label = "cnt" if name == BIAS else ""
    found = definition_of(_KINDS[name], _SETTINGS[name], minimum_rows=200, label=label)
    return replace(found, name=name, watch="endpoint/bike-demand")


@cache
def findings(name: str) -> tuple[StoredBaseline, dict[str, Findings]]:
    """The baseline of a monitor, and what each month came to with what was before it in mind."""
    kind, definition, hours = kind_of(_KINDS[name]), _definition(name), _hours()
    context = KindContext(monitor=name, inputs=INPUTS, load_model=_served)
    last = hours[(hours["ts"] >= "2011-11") & (hours["ts"] < "2012")]
    past = hours[hours["ts"] < "2011-11"]
    baseline = kind.baseline(definition, _window(last if name == BIAS else past), context)
    found: dict[str, Findings] = {}
    memory: Mapping[str, Any] = {}
    for month in (*MONTHS, NEXT) if name == BIAS else MONTHS:
        window = _window(hours[hours["ts"].str.startswith(month)])
        found[month] = clean(kind.evaluate(definition, baseline, window, memory, context))
        memory = found[month].memory or {}
    return baseline, found


def seed_measured(path: Path) -> Path:
    """Put both monitors into a seeded workspace; returns its path."""
    with open_ops(path, actor="engineer") as ops, ops.session.change("seed") as tx:
        for name in _KINDS:
            baseline, found = findings(name)
            _monitor(tx, name)
            _baseline(tx, name, baseline)
            for number, month in enumerate(MONTHS):
                _record(tx, name, month, NOW - (len(MONTHS) - number) * MONTH, found[month])
    return path


def measure_next(path: Path) -> str:
    """Put the month after those on record; what it came to, in a line."""
    _, found = findings(BIAS)
    with open_ops(path, actor="opsdeck") as ops, ops.session.change("monitors run") as tx:
        _record(tx, BIAS, NEXT, NOW, found[NEXT])
    return found[NEXT].headline


def _monitor(tx: Transaction, name: str) -> None:
    shown = {"every": "new_data", "window": "30d", "baseline": "training"}
    tx.execute(
        monitors.insert().values(
            name=name, kind=_KINDS[name], watch="endpoint/bike-demand", line=3,
            file="monitors/bike-demand.yaml", definition=json.dumps(_SETTINGS[name]),
            shown=json.dumps(shown), problems="[]", created_at=NOW - 30 * DAY,
            created_by="engineer", updated_at=NOW, state="pending", next_at=NOW + 240,
        )
    )  # fmt: skip


def _record(tx: Transaction, name: str, month: str, end: float, found: Findings) -> None:
    """A window's run, as the engine has it when it is done."""
    run = f"{name}-{month}"
    rows = len(_hours()[_hours()["ts"].str.startswith(month)])
    tx.execute(
        monitor_runs.insert().values(
            id=run, monitor=name, kind=_KINDS[name], window_key=month, window_start=end - MONTH,
            window_end=end, status="done", state=found.state.value, generation=1,
            cause="schedule", rows=rows, label_coverage=1.0 if name == BIAS else None,
            model="bike-demand", version=3, headline=found.headline,
            violations=len(found.violations), started_at=end, ended_at=end + 1,
        )
    )  # fmt: skip
    put_rows(tx, run, name, found.measurements, found.violations)
    tx.execute(
        monitors.update()
        .where(monitors.c.name == name)
        .values(
            state=found.state.value, headline=found.headline, last_run=run, last_run_at=end
        )
    )  # fmt: skip


def _baseline(tx: Transaction, name: str, made: StoredBaseline) -> None:
    tx.execute(
        monitor_baselines.insert().values(
            monitor=name, id="5b1e0c77a92d4f38", kind=_KINDS[name], source="training",
            origin=json.dumps({"run": 5, "step": "split", "output": "train_rows"}),
            model="bike-demand", version=3, fingerprint="f", bytes=len(json.dumps(made.summary)),
            rows=int(made.summary.get("rows", made.summary.get("explained", 0))), path="x",
            made_at=NOW - 20 * DAY, made_by="worker", promoted_at=None,
        )
    )  # fmt: skip
