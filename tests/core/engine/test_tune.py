"""Tune steps, executed by a real worker: found, repeated, killed, cancelled, failed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from core.domain.tuning import Trial
from core.tracking import open_reader
from tests.support.engine import Site, make_site

__all__ = ["make_site"]

CODE = """\
import os
import time

import mlflow


def data():
    return {"offset": 1.0}


def train(data, rate, depth, loss, pause):
    print("rate", rate)
    for step in range(3):
        mlflow.log_metric("mae", data["offset"] + (rate - 0.1) ** 2 + depth / 100, step=step)
        time.sleep(pause)
    mlflow.log_param("rate", round(rate, 3))
    with open(os.environ["TRIED"], "a") as file:
        file.write(os.environ["OPSDECK_TRIAL"] + "\\n")
    return {"rate": rate, "depth": depth}


def odd(rate):
    if rate > 0.5:
        raise ValueError("too steep")
    return {"scores": {"mae": rate}}


def nothing(rate):
    mlflow.log_metric("mea", rate)


def slow(rate):
    # The later a trial, the worse: numbers come in order.
    bad = int(os.environ["OPSDECK_TRIAL"])
    for step in range(3 if bad < 5 else 200):
        mlflow.log_metric("mae", bad * 10.0, step=step)
        time.sleep(0.05)


def use(best, depth, model):
    assert best["depth"] == depth == model["depth"]
    return best
"""
STEPS = """\
data: {function: work:data}
tune:
  tune:
    function: work:train
    metric: {name: mae, goal: minimize}
    max_trials: ${params.trials}
    max_parallel: 2
    ranges:
      rate: {min: 0.001, max: 1.0, scale: log}
      depth: {min: 1, max: 9, type: int}
      loss: [a, b]
  outputs: [model]
  env: {TRIED: TRIED_FILE}
use:
  function: work:use
  inputs: {depth: tune.depth}
"""
HEAD = "params: {seed: 7, trials: 6, pause: 0.0}"


def prepare(make_site: Callable[..., Site], **options: Any) -> Site:
    site = make_site(**options)
    site.write("work.py", CODE)
    site.pipeline("p", STEPS.replace("TRIED_FILE", str(site.root / "tried.txt")), HEAD)
    return site


def tried(site: Site) -> list[int]:
    path = site.root / "tried.txt"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def values(trials: tuple[Trial, ...]) -> list[tuple[dict[str, Any], float | None]]:
    return [(dict(each.params), each.value) for each in trials]


def begun(site: Site, run: str) -> None:
    """Wait until the first two trials have ended, and the next is under way."""
    wanted = ["succeeded", "succeeded", "running"]
    site.wait_for(
        lambda: [str(each.status) for each in site.ops.runs.trials(run)][:3] == wanted, 90
    )


@pytest.mark.slow
def test_a_search_from_ranges_to_a_step_that_uses_the_best(
    make_site: Callable[..., Site],
) -> None:
    site = prepare(make_site)
    site.start_worker()
    first = site.run("p", seconds=90)
    assert first.run.status == "succeeded", site.told(first)
    trials = site.ops.runs.trials(first.run.id)
    assert [each.number for each in trials] == list(range(6))
    assert {str(each.status) for each in trials} == {"succeeded"}
    best = min(trials, key=lambda each: each.value or 0.0)
    assert [each.number for each in trials if each.best] == [best.number]
    assert site.value(first, "use") == dict(best.params)
    assert f"trial {best.number} of 6: mae" in first.steps[1].message
    assert all(each.cpu_seconds and each.max_rss_mb for each in trials)
    log = site.ops.runs.logs(first.run.id, f"tune.{best.number}")
    assert f"rate {best.params['rate']}" in [line.text for line in log.lines]

    # MLflow has a run for each, below the run's own, and the run's metrics grow as it goes.
    with closing(open_reader(site.ops.workspace.tracking_uri)) as reader:
        for each in trials:
            assert each.mlflow_run_id is not None
            assert reader.tags(each.mlflow_run_id)["mlflow.parentRunId"] == first.run.mlflow_run_id
            params = reader.params(each.mlflow_run_id)
            assert params["rate"] == str(round(each.params["rate"], 3))  # as the code said
            assert params["depth"] == str(each.params["depth"])
            mae = reader.latest_metrics([each.mlflow_run_id])[each.mlflow_run_id]["mae"]
            assert mae == each.value
        assert {r.status for r in reader.runs("p") if r.run_id != first.run.mlflow_run_id} == {
            "FINISHED"
        }
    series = {each.key: each for each in site.ops.runs.metrics(first.run.id)}
    assert sorted(series["tune/mae"].values) == sorted(each.value or 0.0 for each in trials)
    so_far = series["tune/best_mae"].values
    assert list(so_far) == sorted(so_far, reverse=True) and so_far[-1] == best.value
    journal = site.ops.audit.list(limit=200)
    told = [entry.detail["params"] for entry in journal if entry.action == "trial.succeeded"]
    assert dict(best.params) in told and len(told) == 6

    # The same seed, the same values: also with more trials, of which the first are known.
    second = site.run("p", seconds=90, trials="8")
    again = site.ops.runs.trials(second.run.id)
    assert values(again)[:6] == values(trials)
    assert [str(each.status) for each in again] == ["cached"] * 6 + ["succeeded"] * 2
    assert again[0].cached_from == first.run.id
    assert sorted(tried(site)) == list(range(8))
    # The same search is not searched again, and another seed is another one.
    third = site.run("p", seconds=90, trials="8")
    assert third.steps[1].status == "cached"
    assert values(site.ops.runs.trials(third.run.id)) == values(again)
    fourth = site.run("p", seconds=90, seed="8", trials="2")
    assert values(site.ops.runs.trials(fourth.run.id)) != values(trials)[:2]


@pytest.mark.slow
def test_a_worker_that_dies_in_the_middle_of_it(make_site: Callable[..., Site]) -> None:
    site = prepare(make_site)
    site.start_worker()
    whole = site.ops.runs.trials(site.run("p", seconds=90, use_cache=False).run.id)
    before = len(tried(site))
    run = site.start("p", use_cache=False, pause="0.5")
    begun(site, run)
    site.kill_worker()
    dead = site.ops.runs.trials(run)
    done = {each.number for each in dead if each.status.ended}
    assert done and {str(each.status) for each in dead} >= {"running"}
    site.start_worker()
    detail = site.finish(run, 120)
    assert detail.run.status == "succeeded", site.told(detail)
    trials = site.ops.runs.trials(run)
    assert values(trials) == values(whole)
    # What was done was not done again.
    counts = {number: tried(site)[before:].count(number) for number in range(6)}
    assert all(counts[number] == 1 for number in done), counts
    assert all(count in (1, 2) for count in counts.values()), counts
    kept = {each.number: each.mlflow_run_id for each in dead if each.number in done}
    assert {each.number: each.mlflow_run_id for each in trials if each.number in done} == kept
    assert "goes on after" in "".join(site.text(run, "tune"))


@pytest.mark.slow
def test_cancelling_kills_the_trials_and_resuming_goes_on(make_site: Callable[..., Site]) -> None:
    site = prepare(make_site)
    site.start_worker()
    run = site.start("p", pause="0.5")
    later = ["succeeded", "succeeded", "running"]
    site.wait_for(lambda: [str(each.status) for each in site.ops.runs.trials(run)][:3] == later, 60)
    site.ops.runs.cancel(run)
    detail = site.finish(run, 30)
    assert detail.run.status == "cancelled"
    assert detail.steps[1].status == "cancelled"
    trials = site.ops.runs.trials(run)
    assert {str(each.status) for each in trials} == {"succeeded", "cancelled"}
    count = len(tried(site))
    time.sleep(1.0)
    assert len(tried(site)) == count  # nobody goes on behind its back
    site.ops.runs.resume(run)
    again = site.finish(run, 90)
    assert again.run.status == "succeeded", site.told(again)
    after = site.ops.runs.trials(run)
    assert {str(each.status) for each in after} == {"succeeded"} and len(after) == 6
    assert {each.number: each.params for each in trials} == {
        each.number: each.params for each in after[: len(trials)]
    }


@pytest.mark.slow
def test_failed_trials_a_metric_that_is_missing_and_an_early_end(
    make_site: Callable[..., Site],
) -> None:
    site = make_site(slots=1)  # one lane has the slot, the other never gets one
    site.write("work.py", CODE)
    site.write(
        "train.py",
        "import argparse\nimport mlflow\n"
        "parser = argparse.ArgumentParser()\n"
        "parser.add_argument('--rate', type=float)\n"
        "given = parser.parse_args()\n"
        "mlflow.log_metric('mae', given.rate)\n",
    )
    search = (
        "tune:\n  tune:\n    {what}\n    metric: {metric}\n    max_trials: {trials}\n"
        "    max_parallel: 2\n    max_failed: 4\n    strategy: random\n    seed: 5\n    {more}\n"
        "    ranges: {{rate: {{min: 0.0, max: 1.0}}}}\n  {outputs}\n"
    )

    def run(name: str, what: str, metric: str, trials: int = 5, **more: str) -> Any:
        parts = {"more": "early_stopping: 'off'", "outputs": "timeout: 1m", **more}
        site.pipeline(name, search.format(what=what, metric=metric, trials=trials, **parts))
        return site.run(name, seconds=90)

    site.start_worker()
    most = "{name: mae, goal: maximize, output: told}"
    some = run("some", "function: work:odd", most, outputs="outputs: [told]")
    trials = site.ops.runs.trials(some.run.id)
    assert some.run.status == "failed"  # there is no mae in {"scores": …}
    assert any("there is no mae in the output told" in each.message for each in trials)
    assert {str(each.status) for each in trials} == {"failed"}

    site.write("work.py", CODE.replace('{"scores": {"mae": rate}}', '{"mae": rate}'))
    some = run("some", "function: work:odd", most, outputs="outputs: [told]")
    trials = site.ops.runs.trials(some.run.id)
    assert some.run.status == "succeeded", site.told(some)
    failed = [each for each in trials if str(each.status) == "failed"]
    assert failed and all("too steep [work.py:" in each.message for each in failed)
    best = max(each.value for each in trials if each.value is not None)
    assert [each.value for each in trials if each.best] == [best] and best <= 0.5
    assert site.value(some, "tune", "best") == {"rate": best}
    told = site.ops.workspace.state_dir / some.steps[0].outputs[2].path
    assert json.loads(told.read_text()) == {"mae": best}

    least = "{name: mae, goal: minimize}"
    none = run("none", "function: work:nothing", least)
    assert none.run.status == "failed"
    assert "5 of 5 trials failed" in none.run.message
    assert "no metric mae (did you mean mea?)" in none.run.message

    # What had failed has another chance when the run is resumed.
    site.ops.runs.resume(none.run.id)
    again = site.finish(none.run.id, 90)
    assert "5 of 5 trials failed" in again.run.message
    assert sum("trial 0:" in line for line in site.text(none.run.id, "tune")) == 4

    script = run("script", "script: train.py", least)
    rates = [(each.params["rate"], each.value) for each in site.ops.runs.trials(script.run.id)]
    assert len(rates) == 5 and all(rate == value for rate, value in rates)

    early = run("early", "function: work:slow", least, 7, more="early_stopping: median")
    trials = site.ops.runs.trials(early.run.id)
    assert [str(each.status) for each in trials] == ["succeeded"] * 5 + ["stopped"] * 2
    assert early.run.status == "succeeded" and trials[0].best

    # What one search has found another may start from.
    site.write("work.py", CODE)
    number = script.run.number
    warm = run("warm", "function: work:odd", least, more=f"warm_start: run/{number}")
    assert "5 trials are known from run/" in "".join(site.text(warm.run.id, "tune"))
    cold = run("cold", "function: work:odd", least, more="warm_start: run/99")
    assert "there is no run 99" in cold.run.message
