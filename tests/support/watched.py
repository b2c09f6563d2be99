"""A workspace with an endpoint that was trained, deployed and asked, without any process.

The kind `counting` is simple enough for its numbers to be told beforehand.
"""

from __future__ import annotations

import importlib.machinery
import json
import socket
import sys
import time
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from core.capture.labelfile import Label
from core.capture.labels import store_labels
from core.domain.capture import Task
from core.domain.monitor import Reference
from core.monitors import kinds
from core.monitors.kind import (
    LABEL,
    Findings,
    Kind,
    KindContext,
    Measurement,
    MonitorDefinition,
    Problems,
    State,
    StoredBaseline,
    Violation,
    Window,
)
from core.ops import Ops
from core.releases import values
from core.serving.process.capture import Captured
from core.serving.process.parts import write_part
from core.state import schema
from tests.support.mlmodel import write_mlmodel

NOON = 1_760_011_200.0
"""2025-10-09 12:00:00 UTC."""
ENDPOINT = "demand"
MODEL = "demand"
PIPELINE = """\
name: train
steps:
  split:
    function: work:split
    outputs: [train_rows, holdout_rows]
  train:
    function: work:train
    outputs: [model]
  evaluate:
    function: work:evaluate
    outputs: [metrics]
  register:
    register: {model: train.model, name: demand, metrics: evaluate.metrics, target: y}
"""
WORK = """\
def split():
    return None, None


def train(train_rows):
    return None


def evaluate(model, holdout_rows):
    return {}
"""


@dataclass(frozen=True)
class CountingSettings:
    """`above`: the mean of `x` beyond which a window is violated."""

    above: float = 1e9
    fail: str = ""
    sleep: float = 0.0


class Counting(Kind):
    """The mean of `x`, now and then; how many windows came before; rows with a label."""

    name: ClassVar[str] = "counting"
    uses_labels: ClassVar[bool] = True
    reference: ClassVar[Reference] = Reference.TRAINING

    def read(self, problems: Problems, where: str, data: Mapping[str, Any]) -> CountingSettings:
        known = values.known_keys(problems, where, data, ("above", "fail", "sleep")) or {}
        return CountingSettings(**known)

    def baseline(
        self, definition: MonitorDefinition, reference: Window, context: KindContext
    ) -> StoredBaseline:
        found = _values(reference)
        return StoredBaseline({"mean": sum(found) / len(found), "rows": reference.rows})

    def evaluate(
        self,
        definition: MonitorDefinition,
        baseline: StoredBaseline | None,
        window: Window,
        memory: Mapping[str, Any],
        context: KindContext,
    ) -> Findings:
        settings: CountingSettings = definition.settings
        if settings.fail:
            raise ZeroDivisionError(settings.fail)
        time.sleep(settings.sleep)
        found = _values(window)
        mean = sum(found) / len(found) if found else None
        bad = mean is not None and mean > settings.above
        labelled = 0
        if LABEL in window.schema.names:
            column = window.table([LABEL]).column(LABEL)
            labelled = len(column) - column.null_count
        then = baseline.summary["mean"] if baseline else None
        return Findings(
            State.VIOLATED if bad else State.OK,
            (
                Measurement("mean", mean, "x", threshold=settings.above,
                            state=State.VIOLATED if bad else State.OK,
                            detail={"histogram": {"labels": ["all"], "now": [1.0], "then": [1.0]}}),
                Measurement("then", then, "x"),
                Measurement("labelled", float(labelled)),
            ),
            (Violation("x", "baseline_drift_check", f"x has mean {mean}", "mean", mean),) if bad
            else (),
            f"mean {mean}",
            {"statistics.json": {"version": 0.0, "rows": window.rows, "worst": float("inf")}},
            {"windows": int(memory.get("windows", 0)) + 1, "first": memory.get("first", mean)},
        )  # fmt: skip


def _values(window: Window) -> list[float]:
    if "x" not in window.schema.names:
        return []
    column = window.table(["x"]).column("x").to_pylist()
    return [float(each) for each in column if isinstance(each, int | float)]


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The kind `counting` is one of the kinds."""
    name = "core.monitors.kinds.counting"
    module = types.ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    module.KIND = Counting()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(kinds, "NAMES", (*kinds.NAMES, "counting"))
    kinds.kind_of.cache_clear()
    yield
    kinds.kind_of.cache_clear()


class Watched:
    """The workspace, and what happens to its endpoint."""

    def __init__(self, ops: Ops) -> None:
        self.ops = ops
        self.root = ops.workspace.root
        self.state = ops.workspace.state_dir
        self.folder = ops.workspace.endpoints_dir / ENDPOINT
        self._parts = 0

    def define(self, name: str = "watch", file: str = "", **keys: Any) -> None:
        """A monitor of kind `counting` with windows of ten rows, unless said otherwise."""
        data = {
            "kind": "counting",
            "watch": f"endpoint/{ENDPOINT}",
            "window": {"rows": 10, "minimum_rows": 1},
            **keys,
        }
        data = {key: value for key, value in data.items() if value is not None}
        path = self.root / "monitors" / f"{file or name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump({"monitors": {name: data}}, sort_keys=False))
        self.ops.monitors.sync()

    def ask(
        self, count: int, first: int = 0, at: float = NOON, revision: int = 1, step: float = 1.0,
        **other: Any,
    ) -> None:  # fmt: skip
        """Capture requests `id-first`…, a second apart, as one part; `x` is the number."""
        requests = [
            Captured(
                **{
                    "inference_id": f"id-{number}",
                    "at": at + (number - first) * step,
                    "revision": revision,
                    "status": 200,
                    "milliseconds": 1.5,
                    "inputs": _inputs(number, other),
                    "outputs": [float(number)],
                    "model": MODEL,
                    "version": revision,
                    "content_type": "application/json",
                    **{k: v for k, v in other.items() if k not in ("columns", "row")},
                }
            )
            for number in range(first, first + count)
        ]
        day = f"date={_day(at)}"
        write_part(self.folder / "capture" / day / f"variant=r{revision}", requests)

    def label(self, numbers: Sequence[int], value: Any = 1.0) -> None:
        """Labels of requests arrive."""
        found = [Label(f"id-{number}", value, None) for number in numbers]
        store_labels(self.folder, found, Task.AUTO)

    def runs(self, name: str = "watch") -> list[tuple[str, int, int]]:
        """State, rows and generation of the runs, oldest first."""
        return [
            (str(run.state or run.status), run.rows, run.generation)
            for run in reversed(self.ops.monitors.runs(name))
        ]


def _inputs(number: int, other: Mapping[str, Any]) -> Any:
    columns = other.get("columns", ["x"])
    row = other.get("row")
    data = [[number]] if row is None else [row(number)]
    return lambda: {"columns": columns, "data": data}


def _day(at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).date().isoformat()


@pytest.fixture
def watched(ops: Ops, counting: None) -> Watched:
    """An endpoint with a first version that learned from x = 0…99."""
    made = Watched(ops)
    (made.root / "pipelines" / "train.yaml").write_text(PIPELINE)
    (made.root / "work.py").write_text(WORK)
    deploy(made, 1, range(100))
    return made


def deploy(made: Watched, version: int, rows: Sequence[int], at: float = NOON - 10_000) -> None:
    """A run trains a version on rows with these x, and it becomes the champion."""
    ops = made.ops
    run = ops.runs.start("train", {})
    train = _table(made.state / "artifacts" / f"train-{version}.parquet", rows)
    holdout = _table(made.state / "artifacts" / f"holdout-{version}.parquet", rows)
    model = made.state / "artifacts" / f"model-{version}"
    write_mlmodel(model, {"x": "double"})
    outputs = {
        "split": [("train_rows", "frame", train), ("holdout_rows", "frame", holdout)],
        "train": [("model", "model", model)],
    }
    with ops.session.change("test") as tx:
        for step, found in outputs.items():
            refs = [
                {"name": name, "kind": kind, "digest": f"{name}{version}", "size": 1,
                 "path": path.relative_to(made.state).as_posix()}
                for name, kind, path in found
            ]  # fmt: skip
            tx.execute(
                schema.step_runs.update()
                .where(schema.step_runs.c.run_id == run.id, schema.step_runs.c.step == step)
                .values(outputs=json.dumps(refs))
            )
        tx.execute(
            schema.model_versions.insert().values(
                name=MODEL, version=version, run_id=run.id, step="register",
                path=model.relative_to(made.state).as_posix(), digest=f"m{version}",
                created_at=at,
            )
        )  # fmt: skip
        if version == 1:
            tx.execute(
                schema.endpoints.insert().values(
                    name=ENDPOINT, environment="production", status="in_service",
                    host=socket.gethostname(),
                    created_at=at, updated_at=at,
                )
            )  # fmt: skip
        tx.execute(
            schema.deployments.insert().values(
                id=f"d{version}", endpoint=ENDPOINT, model=MODEL, version=version,
                revision=version, status="succeeded", strategy="[]", actor="author",
                created_at=at, ended_at=at,
            )
        )  # fmt: skip
        tx.execute(
            schema.revisions.insert().values(
                endpoint=ENDPOINT, revision=version, model=MODEL, version=version,
                state="stable", weight=100.0, deployment_id=f"d{version}", created_at=at,
            )
        )  # fmt: skip


def _table(path: Path, rows: Sequence[int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    xs = [float(each) for each in rows]
    pq.write_table(pa.table({"x": xs, "y": xs, "note": ["n"] * len(xs)}), path)
    return path
