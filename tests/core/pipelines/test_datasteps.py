"""Steps that need no code: their settings are tied as inputs are, and faults are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.domain.pipeline import Source, StepSpec
from core.pipelines import code_fingerprint, find_pipelines, spec_from_json, spec_to_json

GOOD = """\
params: {month: "2012-06-01"}
steps:
  take:
    ingest: {dataset: rentals, source: "data/*.csv"}
  views:
    refresh: {views: [hourly, daily]}
    after: take
  check:
    validate: {rows: views.hourly}
  parts:
    split:
      rows: check.check
      by: time
      column: hour
      parts: {train: "", test: "${params.month}"}
  clean:
    transform:
      recipe: recipes/clean.yaml
      fit: parts.train
      apply: {train: parts.train, test: parts.test}
  asked:
    query: {sql: SELECT 1, tables: {x: dataset:weather@v1}}
  joined:
    features: {views: [weather@1], entities: clean.train, time: hour}
  keep:
    store: {dataset: out, rows: joined.joined}
"""


def read(tmp_path: Path, text: str) -> tuple[dict[str, StepSpec], list[str]]:
    (tmp_path / "pipelines").mkdir(exist_ok=True)
    (tmp_path / "pipelines" / "p.yaml").write_text(text)
    (found,) = find_pipelines(tmp_path)
    steps = {step.name: step for step in found.spec.steps} if found.spec else {}
    return steps, [problem.one_line() for problem in found.problems]


def test_what_stands_in_the_file_is_tied(tmp_path: Path) -> None:
    steps, problems = read(tmp_path, GOOD)
    assert problems == []
    assert {step.kind for step in steps.values()} == {"data"}
    assert steps["parts"].target == "split"
    assert steps["parts"].inputs["parts.test"] == Source("param", "month")
    assert steps["parts"].inputs["rows"] == Source("output", "check", "check")
    assert steps["asked"].inputs["tables.x"] == Source("dataset", "weather", value="v1")
    assert {name: step.outputs for name, step in steps.items()} == {
        "take": ("rentals",),
        "views": ("hourly", "daily"),
        "check": ("check", "report"),
        "parts": ("train", "test", "report"),
        "clean": ("train", "test", "recipe"),
        "asked": ("asked",),
        "joined": ("joined",),
        "keep": ("out",),
    }
    assert steps["views"].needs == ("take",) and steps["clean"].needs == ("parts",)
    cached = {name for name, step in steps.items() if step.cache}
    assert cached == {"check", "parts", "clean", "asked", "joined"}


def test_it_is_kept_without_loss(tmp_path: Path) -> None:
    read(tmp_path, GOOD)
    spec = find_pipelines(tmp_path)[0].spec
    assert spec is not None and spec_from_json(spec_to_json(spec)) == spec


def test_a_function_may_read_a_dataset(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text("def f(hourly): return 1\n")
    steps, problems = read(
        tmp_path, "steps: {f: {function: work:f, inputs: {hourly: dataset:hourly@v2}}}"
    )
    assert problems == []
    assert steps["f"].inputs["hourly"] == Source("dataset", "hourly", value="v2")


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("split: {row: a.b, by: time, parts: {a: 1}}", "split has no row (did you mean rows?)"),
        ("split: {by: time, parts: {a: 1}}", "no rows"),
        ("store: {dataset: out, rows: dataset:Bad}", "expected rows"),
        ("store: {dataset: out, rows: 5}", "expected rows"),
        ("store: out", "expected a mapping"),
        ("store: {dataset: out, rows: nothing.here}", "nothing.here"),
        ("transform: {recipe: r, fit: dataset:a, apply: {1x: dataset:a}}", "not a name"),
        ("ingest: {dataset: a, source: b}\n    env: {A: 1}", "a ingest step has no env"),
        ("ingest: {dataset: a}\n    store: {}", "two kinds"),
        ("bias: {model: a.b, rows: dataset:a, facets: [x]}", "no positive"),
        ("bias: {model: a.b, rows: dataset:a, positive: 1}", "no facets"),
        ("bias: {model: a.b, rows: 5, positive: 1, facets: x}", "expected rows"),
        ("explain: {rows: dataset:a}", "no model"),
        ("explain: {model: a.b, rows: dataset:a, n: 5}", "explain has no n"),
    ],
)
def test_faults_name_their_place(tmp_path: Path, step: str, told: str) -> None:
    _, problems = read(tmp_path, f"steps:\n  s:\n    {step}\n")
    if "nothing.here" in told:  # no step of that name: taken for what it may be, and refused
        assert problems == [] or "nothing" in problems[0]
    else:
        assert any(told in problem for problem in problems), problems


def test_a_changed_recipe_is_other_code(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    recipe = tmp_path / "recipes" / "clean.yaml"
    recipe.write_text("steps: []")
    steps, _ = read(tmp_path, GOOD)
    before = code_fingerprint(tmp_path, steps["clean"])
    assert code_fingerprint(tmp_path, steps["clean"]) == before
    recipe.write_text("steps: [1]")
    assert code_fingerprint(tmp_path, steps["clean"]) != before
