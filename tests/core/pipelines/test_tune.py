"""Tune steps in pipeline files: what they become, and what is said where they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.pipelines import (
    code_fingerprint,
    load_pipeline,
    spec_from_json,
    spec_to_json,
    validate_file,
)
from core.tuning import Choices, Numbers, TuningInvalid, spec_from

CODE = """\
def data():
    return 1


def train(data, rate, depth, loss="a", pause=0):
    return rate


def use(best, rate):
    return best
"""
GOOD = """\
name: p
params: {seed: 7, trials: 12, rate: 0.5}
defaults: {retries: 2, timeout: 5m}
steps:
  data: {function: work:data}
  search:
    tune:
      function: work:train
      metric: {name: mae, goal: minimize}
      max_trials: ${params.trials}
      ranges:
        rate: {min: 0.01, max: 0.3, scale: log}
        depth: {min: 2, max: 8, type: int, step: 2}
        loss: [a, b]
    outputs: [model]
  use:
    function: work:use
  again:
    function: work:use
    inputs: {rate: search.rate}
"""


def written(root: Path, text: str) -> Path:
    (root / "pipelines").mkdir(exist_ok=True)
    (root / "work.py").write_text(CODE)
    (root / "pipelines/p.yaml").write_text(text)
    return root


def test_a_good_one(tmp_path: Path) -> None:
    root = written(tmp_path, GOOD)
    spec = load_pipeline(root, "p")
    step = spec.step("search")
    assert (step.kind, step.target, step.needs) == ("tune", "work:train", ("data",))
    assert step.outputs == ("best", "rate", "depth", "loss", "model")
    assert (step.retries, step.timeout) == (0, 300.0)
    # A tuned parameter stays what it is for every step that does not ask for the tuned one.
    assert spec.step("use").inputs["rate"].kind == "param"
    assert spec.step("use").inputs["best"].step == "search"
    assert spec.step("again").inputs["rate"].step == "search"
    assert spec_from_json(spec_to_json(spec)) == spec

    found = spec_from(step.options, {"trials": 12}, 3)
    assert (found.metric, found.minimize, found.max_trials, found.seed) == ("mae", True, 12, 3)
    assert found.ranges == (
        Numbers("rate", 0.01, 0.3, log=True),
        Numbers("depth", 2, 8, whole=True, step=2),
        Choices("loss", ("a", "b")),
    )
    with pytest.raises(TuningInvalid, match="max_trials: parameter trials is 0"):
        spec_from(step.options, {"trials": 0}, 3)


def test_its_code_is_part_of_its_key(tmp_path: Path) -> None:
    root = written(tmp_path, GOOD)
    step = load_pipeline(root, "p").step("search")
    before = code_fingerprint(root, step)
    assert code_fingerprint(root, step) == before
    (root / "work.py").write_text(CODE + "# another idea\n")
    assert code_fingerprint(root, step) != before


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("goal: minimize", "goal: minimise", "9 steps.search.tune.metric.goal: 'minimise' is none"
         " (did you mean minimize?)"),
        ("name: mae, ", "", "9 steps.search.tune.metric: no name"),
        ("name: mae, ", "name: mae, output: modle, ",
         "9 steps.search.tune.metric.output: the trials put out no modle (did you mean model?)"),
        ("trials}", "trails}", "10 steps.search.tune.max_trials: no parameter trails"
         " (did you mean trials?)"),
        ("${params.trials}", "${params.rate}",
         "10 steps.search.tune.max_trials: parameter rate is of type float"),
        ("${params.trials}", "0", "10 steps.search.tune.max_trials: expected a whole number"),
        ("max: 0.3", "max: 0.001", "12 steps.search.tune.ranges.rate.max: 0.001 is not above min"),
        ("min: 0.01", "min: 0", "12 steps.search.tune.ranges.rate.min: 0 with scale: log"),
        ("scale: log", "scale: lgo", "12 steps.search.tune.ranges.rate.scale: 'lgo' is none"
         " (did you mean log?)"),
        (", type: int", "", "13 steps.search.tune.ranges.depth: whole numbers only, or those"
         " between them too? (say type: int or type: float)"),
        ("loss: [a, b]", "loss: [a]", "14 steps.search.tune.ranges.loss: a choice of one"),
        ("loss: [a, b]", "lsos: [a, b]", "14 steps.search.tune.ranges.lsos: work:train takes no"
         " lsos (did you mean loss?)"),
        ("loss: [a, b]", "model: [a, b]", "a tune step puts out model by itself"),
        ("    outputs: [model]", "    outputs: [model]\n    inputs: {loss: a}",
         "14 steps.search.tune.ranges.loss: loss is an input, too"),
        ("    outputs: [model]", "    outputs: [model]\n    retries: 2",
         "16 steps.search.retries: a tune step has no retries"),
        ("function: work:train\n", "function: work:trian\n", "8 steps.search.tune.function: work.py"
         " defines no function trian (did you mean train?)"),
        ("      metric:", "      script: a.py\n      metric:", "expected one thing to try out"),
        ("      metric:", "      strategy: bayes\n      metric:",
         "9 steps.search.tune.strategy: 'bayes' is none (did you mean bayesian?)"),
        ("      metric:", "      warm_start: 12\n      metric:",
         "9 steps.search.tune.warm_start: expected text"),
        ("      metric:", "      warm_start: twelve\n      metric:",
         "9 steps.search.tune.warm_start: 'twelve' names no run (run/12, or last)"),
        ("      metric:", "      max_trial: 3\n      metric:", "did you mean max_trials?"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert GOOD.count(old) == 1
    root = written(tmp_path, GOOD.replace(old, new))
    lines = [each.one_line() for each in validate_file(root, Path("pipelines/p.yaml"))]
    assert any(told in line for line in lines), lines


HALF = ("", "{}", "[]", "x", "{ranges: {}}", "{ranges: {a: }}", "{ranges: {a: {min: a}}}",
        "{metric: x, ranges: [a]}")  # fmt: skip


@pytest.mark.parametrize("text", HALF)
def test_half_a_tune_step_is_one_of_problems(tmp_path: Path, text: str) -> None:
    root = written(tmp_path, f"steps:\n  search:\n    tune: {text}\n")
    assert validate_file(root, Path("pipelines/p.yaml"))
