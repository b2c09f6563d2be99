"""A gate whose rule lets a clearly better candidate go by itself, and all that keeps it from it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.domain.gate import evidence_hash
from core.engine.autogate import SWITCH, judge, may_decide
from core.pipelines import load_pipeline, validate_file
from tests.support.engine import Site, sites, step_of
from tests.support.opened import write_workspace

RULE = {
    "on": "mae",
    "better": "lower",
    "margin": 0.02,
    "relative": True,
    "minimum_rows": 30,
    "segments": ["evaluate.comparison"],
}


def evidence(mae: float = 40.0, *segments: dict[str, Any], **other: Any) -> dict[str, Any]:
    rows = segments or (
        {"day": "working day", "rows": 50, "candidate_mae": 30.0, "champion_mae": 33.0},
        {"day": "day off", "rows": 40, "candidate_mae": 50.0, "champion_mae": 52.0},
    )
    return {
        "metrics": {"mae": mae, "rmse": 1.0},
        "champion": {"version": 3, "metrics": {"mae": 42.0}},
        "documents": {"evaluate.comparison": list(rows)},
        **other,
    }


def test_better_overall_and_on_every_segment_passes() -> None:
    found = judge(RULE, evidence())
    assert found["passed"], found
    assert found["reason"] == "mae better by 2 % overall and on all 2 segments"
    assert found["overall"] == {"candidate": 40.0, "champion": 42.0, "gain": 2.0, "passed": True}
    assert [each["segment"] for each in found["segments"]] == ["working day", "day off"]


ROW = {"day": "night", "rows": 50, "candidate_mae": 30.0, "champion_mae": 33.0}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (evidence(41.5), "not better by 2 % overall"),
        (evidence(40.0, {**ROW, "champion_mae": 30.3}), "night: not better by 2 %"),
        (evidence(40.0, ROW, {**ROW, "rows": 29}), "night: too few rows"),
        (evidence(40.0, {"day": "night", "candidate_mae": 3.0}), "night: too few rows"),
        (evidence(40.0, documents={}), "no segment has mae of both"),
        (evidence(40.0, champion={"version": None, "metrics": {}}), "no champion to beat"),
        (evidence(40.0, champion={"version": 4, "metrics": {}}), "no mae of both"),
        (evidence(float("nan")), "no mae of both"),
        (
            evidence(metrics={"mae": 40.0, "champion_version": 2}),
            "compared with version 2, which is not the champion",
        ),
    ],
)
def test_anything_less_is_left_to_people(given: dict[str, Any], said: str) -> None:
    found = judge(RULE, given)
    assert not found["passed"]
    assert said in found["reason"]


def test_higher_may_be_better_and_a_margin_absolute() -> None:
    rule = {**RULE, "on": "auc", "better": "higher", "margin": 0.01, "relative": False}
    row = {"day": "x", "rows": 99, "candidate_auc": 0.92, "champion_auc": 0.90}
    given = evidence(0.0, row, metrics={"auc": 0.93})
    given["champion"]["metrics"] = {"auc": 0.92}
    assert judge(rule, given)["passed"]
    given["champion"]["metrics"] = {"auc": 0.9201}
    assert not judge(rule, given)["passed"]


def test_who_runs_the_worker_and_the_workspace_can_forbid_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert may_decide({}, "production") == ""
    assert may_decide({"auto": ["staging"]}, "staging") == ""
    assert "to production" in may_decide({"auto": ["staging"]}, "production")
    assert may_decide({"auto": False}, "staging")
    monkeypatch.setenv(SWITCH, "off")
    assert may_decide({}, "staging") == f"{SWITCH} is off"


STEPS = """
train:
  function: steps:train
  inputs: {factor: '${params.factor}'}
  outputs: [model, input_example]
evaluate:
  function: steps:evaluate
  inputs: {factor: '${params.factor}'}
  outputs: [metrics, comparison]
  cache: false
register: {register: {model: train.model, name: NAME, metrics: evaluate.metrics}}
gate:
  gate:
    evidence: [evaluate.metrics]
    auto: {on: mae, margin: 2%, segments: [evaluate.comparison]}
"""
CODE = """\
def train(factor):
    import pandas
    from sklearn.linear_model import LinearRegression
    x = pandas.DataFrame({"hour": [float(i) for i in range(24)]})
    return LinearRegression().fit(x, x.hour * factor), x.head(2)

def evaluate(factor):
    mae = 40.0 / factor
    rows = [{"day": day, "rows": 50, "candidate_mae": mae, "champion_mae": 42.0}
            for day in ("working day", "day off")]
    return {"mae": mae, "champion_mae": 42.0}, rows
"""


@pytest.mark.parametrize(
    ("auto", "said"),
    [
        ("{on: mae, margin: 0, segments: [evaluate.comparison]}", "expected a margin above 0"),
        ("{on: mae, margin: 2%}", "no segments: being better on all is not enough"),
        ("{margin: 2%, segments: [evaluate.comparison]}", "no on"),
        ("{on: gain, margin: 1, segments: [evaluate.comparison]}", "which way is gain better?"),
        ("{on: mae, margin: 2%, segments: [evaluate.compare]}", "evaluate"),
        ("{on: mae, margin: 2%, segmnets: [x]}", "did you mean segments?"),
        ("yes", "expected a rule"),
    ],
)
def test_a_rule_that_is_wrong_is_told_with_its_line(tmp_path: Path, auto: str, said: str) -> None:
    root = write_workspace(tmp_path / "space")
    (root / "steps.py").write_text(CODE)
    text = STEPS.replace("{on: mae, margin: 2%, segments: [evaluate.comparison]}", auto)
    lines = "\n".join(f"  {line}" for line in text.replace("NAME", "bike").splitlines())
    (root / "pipelines" / "bike.yaml").write_text(f"params: {{factor: 1.0}}\nsteps:{lines}\n")
    problems = [each.one_line() for each in validate_file(root, Path("pipelines/bike.yaml"))]
    assert any(said in each and "bike.yaml:" in each for each in problems), problems


def test_what_the_rule_goes_by_is_evidence(tmp_path: Path) -> None:
    root = write_workspace(tmp_path / "space")
    (root / "steps.py").write_text(CODE)
    lines = "\n".join(f"  {line}" for line in STEPS.replace("NAME", "bike").splitlines())
    (root / "pipelines" / "bike.yaml").write_text(f"params: {{factor: 1.0}}\nsteps:{lines}\n")
    gate = load_pipeline(root, "bike").step("gate")
    assert gate.options["auto"]["segments"] == ["evaluate.comparison"]
    assert list(gate.inputs) == ["evaluate.metrics", "evaluate.comparison"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with sites(tmp_path_factory.mktemp("auto")) as make:
        made = make()
        made.write("steps.py", CODE)
        made.write("opsdeck.yaml", "name: auto\ngates: {auto: [production]}\n")
        made.pipeline("bike", STEPS.replace("NAME", "bike"), "params: {factor: 1.0}")
        staging = STEPS.replace("NAME", "boat").replace(
            "gate:\n    ev", "gate:\n    environment: staging\n    ev"
        )
        made.pipeline("boat", staging, "params: {factor: 1.0}")
        made.start_worker()
        yield made


def crown(site: Site, model: str, version: int = 1) -> None:
    """Make a version the champion, as a deployment does."""
    with sqlite3.connect(site.root / ".opsdeck" / "state.db", timeout=30) as db:
        db.execute("INSERT INTO model_aliases VALUES (?, 'champion', ?, 1)", (model, version))


def test_the_first_waits_for_a_person_and_a_clearly_better_one_goes_by_itself(site: Site) -> None:
    first = site.run("bike")
    assert first.run.status == "waiting", site.told(first)
    (request,) = site.ops.approvals.list()
    assert request.evidence["auto"]["reason"] == "there is no champion to beat"
    site.ops.approvals.approve(request.id)
    site.finish(first.run.id, through_gates=True)
    crown(site, "bike")
    better = site.finish(site.start("bike", factor="1.1"), through_gates=True)
    assert better.run.status == "succeeded", site.told(better)
    message = step_of(better, "gate").message
    assert message == (
        "approved by policy/gate: by itself: mae better by 2 % overall and on all 2 segments"
    )
    decided = next(a for a in site.ops.approvals.list(status=None) if a.run_id == better.run.id)
    assert decided.decisions[0].evidence_hash == evidence_hash(decided.evidence)
    entry = next(e for e in site.ops.audit.list(limit=30) if e.action == "approval.approve")
    assert (entry.actor, entry.detail["status"]) == ("policy/gate", "approved")
    assert site.ops.audit.verify().ok
    worse = site.run("bike", factor="0.96")
    assert worse.run.status == "waiting", site.told(worse)


def test_an_environment_that_is_not_named_is_left_to_people(site: Site) -> None:
    first = site.run("boat")
    request = next(a for a in site.ops.approvals.list() if a.model == "boat")
    site.ops.approvals.approve(request.id)
    site.finish(first.run.id, through_gates=True)
    crown(site, "boat")
    better = site.run("boat", factor="1.1")
    assert better.run.status == "waiting", site.told(better)
    entry = next(e for e in site.ops.audit.list(limit=30) if e.action == "approval.left")
    assert entry.detail["why"] == "opsdeck.yaml lets no gate to staging decide by itself"
