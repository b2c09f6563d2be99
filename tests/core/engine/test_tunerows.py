"""Rows of trials: taken up by the next worker, fenced against the one before; both databases."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.domain.run import OutputRef
from core.domain.tuning import TrialStatus
from core.engine import runstate
from core.engine.context import SYSTEM, Engine
from core.engine.tunerows import TrialRows
from core.reads.trials import best_of, equal_trials, list_trials, marked
from tests.support.opened import OpenAs, database_url, open_as, woken

__all__ = ["database_url", "open_as", "woken"]


class Workbench:
    """A run whose step `b` counts as a search."""

    def __init__(self, open_as: OpenAs) -> None:
        ops = open_as()
        self.run = ops.runs.start("chain", {})
        self.step = ops.runs.get(self.run.id).steps[0].step
        self.session = ops.session

        def record(work: Any) -> Any:
            with ops.session.store().transaction(SYSTEM) as tx:
                return work(tx)

        self.engine = cast(Engine, SimpleNamespace(record=record, session=ops.session))
        self.executed("first")

    def executed(self, execution: str) -> None:
        """From now on this execution counts."""
        self.engine.record(
            lambda tx: runstate.set_step(tx, self.run.id, self.step, execution_id=execution)
        )

    def rows(self, execution: str = "first") -> TrialRows:
        return TrialRows(self.engine, self.run.id, self.run.generation, self.step, execution)

    def begin(self, rows: TrialRows, number: int, key: str = "k") -> None:
        rows.begin(
            number, search_key=key, trial_key=f"t{number}", params={"rate": number / 10},
            metric="mae", mlflow_run_id=f"m{number}",
        )  # fmt: skip


def test_what_was_done_is_kept_and_what_was_under_way_is_done_again(open_as: OpenAs) -> None:
    bench = Workbench(open_as)
    rows = bench.rows()
    assert rows.take_up("k") == ()
    for number in range(4):
        bench.begin(rows, number)
    ref = OutputRef("model", "json", "d" * 64, "artifacts/d.json", 3)
    rows.end(0, TrialStatus.SUCCEEDED, {"rate": 0.0}, outputs=(ref,), curve={1: 2.5}, value=2.5)
    rows.end(1, TrialStatus.FAILED, {"rate": 0.1}, message="broken token=abc123secretvalue")
    rows.end(2, TrialStatus.CANCELLED, {"rate": 0.2}, message="cancelled")

    bench.executed("second")
    found = bench.rows("second").take_up("k")
    assert [(each.number, str(each.status)) for each in found] == [
        (0, "succeeded"), (1, "failed"), (3, "running"),
    ]  # fmt: skip
    first = found[0]
    assert (first.params, first.value, first.curve) == ({"rate": 0.0}, 2.5, {1: 2.5})
    assert first.outputs == (ref,) and first.log == f"{bench.step}.0"
    assert [each.number for each in equal_trials(bench.session.reader, "t0")] == [0]
    assert equal_trials(bench.session.reader, "t1") == ()
    # Another search (its code was mended, say) knows nothing of these.
    assert bench.rows("second").take_up("other") == ()


def test_whoever_was_overtaken_changes_nothing(open_as: OpenAs) -> None:
    bench = Workbench(open_as)
    rows = bench.rows()
    bench.begin(rows, 0)
    bench.executed("second")
    for change in (
        lambda: rows.end(0, TrialStatus.SUCCEEDED, {}, value=1.0),
        lambda: bench.begin(rows, 1),
        lambda: rows.take_up("other"),
        lambda: rows.abandon("x"),
    ):
        with pytest.raises(runstate.Overtaken):
            change()
    (trial,) = list_trials(bench.session.reader, bench.run.id, bench.step)
    assert trial.status is TrialStatus.RUNNING


def test_a_fault_leaves_nothing_under_way(open_as: OpenAs) -> None:
    bench = Workbench(open_as)
    rows = bench.rows()
    bench.begin(rows, 0)
    bench.begin(rows, 1)
    rows.end(0, TrialStatus.SUCCEEDED, {}, value=1.0)
    rows.abandon("MLflow is away")
    trials = list_trials(bench.session.reader, bench.run.id, bench.step)
    assert [str(each.status) for each in trials] == ["succeeded", "cancelled"]
    assert trials[1].message == "MLflow is away" and trials[1].ended_at is not None


def test_the_best_by_either_goal(open_as: OpenAs) -> None:
    bench = Workbench(open_as)
    rows = bench.rows()
    for number, value in enumerate((2.0, 1.0, 3.0, 1.0)):
        bench.begin(rows, number)
        rows.end(number, TrialStatus.SUCCEEDED, {}, value=value)
    bench.begin(rows, 4)
    rows.end(4, TrialStatus.STOPPED, {}, value=0.1)
    trials = list_trials(bench.session.reader, bench.run.id, bench.step)
    assert [each.number for each in marked(trials, True) if each.best] == [1]
    assert [each.number for each in marked(trials, False) if each.best] == [2]
    assert best_of((), True) is None
