"""What a right file becomes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.domain.pipeline import Param, Source
from core.pipelines import find_pipelines, load_pipeline, validate_file
from core.releases.strategy import parse_plan


def test_inputs_come_by_name_and_by_mapping(write: Any) -> None:
    root = write(
        """
        name: shop
        description: Sell things.
        params: {month: "2012-01", seed: 7}
        defaults: {retries: 1, timeout: 10m, memory: 1GiB}
        env: {OMP_NUM_THREADS: 1}
        steps:
          fit:
            function: shop.steps:fit
            inputs: {frame: clean.clean}
            outputs: [model, example]
          clean:
            function: shop.steps:tidy
          acquire:
            function: shop.steps:acquire
            outputs: raw
            retries: 3
            backoff: 1m30s
            cache: false
          other:
            function: inner.deep:work
            after: fit
          any:
            function: shop.steps:anything
            inputs:
              month: ${params.month}
              word: {value: raw}
              file: data.csv
              list: [1, {a: true}]
        """
    )
    spec = load_pipeline(root, "shop")
    # The file's order, but for what has to wait.
    assert [step.name for step in spec.steps] == ["acquire", "clean", "fit", "other", "any"]
    acquire, clean, fit, other, anything = spec.steps
    assert acquire.inputs == {"month": Source("param", "month")}  # `source` keeps its default
    assert (acquire.retries, acquire.backoff, acquire.cache) == (3, 90.0, False)
    assert (acquire.timeout, acquire.memory_mb, acquire.outputs) == (600.0, 1024, ("raw",))
    assert clean.inputs == {"raw": Source("output", "raw", "acquire")}
    assert (clean.needs, clean.retries, clean.line) == (("acquire",), 1, 11)
    assert fit.inputs == {
        "frame": Source("output", "clean", "clean"),
        "seed": Source("param", "seed"),
    }
    assert fit.outputs == ("model", "example")
    assert other.needs == ("acquire", "fit")
    assert anything.inputs == {
        "month": Source("param", "month"),
        "word": Source("value", value="raw"),
        "file": Source("value", value="data.csv"),
        "list": Source("value", value=[1, {"a": True}]),
    }
    assert spec.params == (Param("month", "str", "2012-01"), Param("seed", "int", 7))
    assert dict(spec.env) == {"OMP_NUM_THREADS": "1"}
    assert spec.downstream("clean") == {"clean", "fit", "other"}
    assert spec.path == "pipelines/p.yaml"


def test_a_parameter_is_shadowed_by_an_output(write: Any) -> None:
    root = write(
        """
        params: {raw: x, month: "2012-01"}
        steps:
          acquire: {function: "shop.steps:acquire", outputs: [raw]}
          clean: {function: "shop.steps:clean"}
        """
    )
    assert load_pipeline(root, "p").step("clean").inputs["raw"].kind == "output"


def test_words_of_yaml_1_1_stay_words(write: Any) -> None:
    root = write(
        """
        params: {month: 2012-01, day: 2012-01-01, time: 12:30, on: off, version: 1.10.0, no: 010}
        steps: {a: {script: scripts/train.py}}
        """
    )
    defaults = {param.name: param.default for param in load_pipeline(root, "p").params}
    assert defaults == {
        "month": "2012-01",
        "day": "2012-01-01",
        "time": "12:30",
        "on": "off",
        "version": "1.10.0",
        "no": 10,
    }


RELEASE = """
name: shop
params: {month: "2012-01"}
defaults: {timeout: 1m, retries: 2}
steps:
  train: {function: "shop.steps:acquire", outputs: [model, metrics]}
  register: {register: {model: train.model, metrics: train.metrics}}
  %s
"""


def test_deploy_waits_for_the_gate_wherever_it_stands(write: Any) -> None:
    root = write(RELEASE % "deploy: {deploy: {}}\n  gate: {gate: {evidence: [train]}}")
    spec = load_pipeline(root, "shop")
    assert [step.name for step in spec.steps] == ["train", "register", "gate", "deploy"]
    register, gate, deploy = (spec.step(name) for name in ("register", "gate", "deploy"))
    assert (register.options, register.needs) == ({"name": "shop"}, ("train",))
    assert register.retries == 2
    assert gate.options == {
        "environment": "production",
        "approvals": 1,
        "requester_may_decide": True,
        "expires": None,
        "evidence": ["train.model", "train.metrics"],
        "auto": None,
        "register": "register",
    }
    assert gate.inputs["train.metrics"] == Source("output", "metrics", "train")
    assert gate.needs == ("train", "register")
    assert gate.timeout > 10 * 7 * 86400  # the default limit of steps isn't for people
    assert deploy.options == {
        "endpoint": "shop",
        "strategy": [{"set_weight": 100}],
        "register": "register",
        "gates": ["gate"],
    }
    assert deploy.needs == ("gate", "register")
    assert not deploy.cache


def test_deploy_without_a_gate_follows_its_register(write: Any) -> None:
    stages = "deploy: {deploy: {strategy: [{set_weight: 5}, {pause: }, {set_weight: 100}]}}"
    deploy = load_pipeline(write(RELEASE % stages), "shop").step("deploy")
    assert deploy.needs == ("register",)
    assert deploy.options["strategy"] == [{"set_weight": 5}, {"pause": None}, {"set_weight": 100}]


STRATEGIES = [
    ("canary", "canary"),
    ("{preset: linear, step: 25, every: 1m}", {"preset": "linear", "step": 25, "every": "1m"}),
    (
        "[{shadow: {percent: 50, for: 2m}}, {set_weight: 10}, {analyse: },"
        " {window: 'Mon 09:00-10:00 UTC'}, {set_weight: 100}, {bake: 5m}]",
        [
            {"shadow": {"percent": 50, "for": "2m"}},
            {"set_weight": 10},
            {"analyse": None},
            {"window": "Mon 09:00-10:00 UTC"},
            {"set_weight": 100},
            {"bake": 300.0},
        ],
    ),
    (
        "{steps: [{set_weight: 10}, {bake: 5m}], on_breach: freeze, keep: 1h,"
        " alarms: [{metric: error_rate, threshold: 5%}], analysis: {metrics: [error_rate]}}",
        {
            "steps": [{"set_weight": 10}, {"bake": "5m"}],
            "on_breach": "freeze",
            "keep": "1h",
            "alarms": [{"metric": "error_rate", "threshold": "5%"}],
            "analysis": {"metrics": ["error_rate"]},
        },
    ),
]


@pytest.mark.parametrize(("text", "written"), STRATEGIES)
def test_every_way_to_write_a_strategy(write: Any, text: str, written: Any) -> None:
    steps = f"deploy: {{deploy: {{strategy: {text}}}}}"
    strategy = load_pipeline(write(RELEASE % steps), "shop").step("deploy").options["strategy"]
    assert strategy == written
    assert parse_plan(strategy).steps[-1].kind in ("set_weight", "bake")


def test_staging_then_production(write: Any) -> None:
    text = """to-staging: {gate: {environment: staging}}
  staging: {deploy: {endpoint: shop-staging}, after: to-staging}
  to-production: {gate: {environment: production}, after: staging}
  production: {deploy: {endpoint: shop}, after: to-production}"""
    spec = load_pipeline(write(RELEASE % text), "shop")
    assert spec.step("staging").options["gates"] == ["to-staging"]
    assert spec.step("to-production").needs == ("staging", "register")
    assert spec.step("production").needs == ("to-production", "register")


def test_a_deploy_cannot_name_another_models_gate_to_pass_its_own(write: Any) -> None:
    text = """second: {register: {model: train.model, name: other}}
  gate: {gate: {register: register}}
  easy: {gate: {register: second}}
  deploy: {deploy: {register: register}, after: easy}"""
    deploy = load_pipeline(write(RELEASE % text), "shop").step("deploy")
    assert deploy.options["gates"] == ["gate"]
    assert set(deploy.needs) == {"easy", "gate", "register"}


def test_scripts_and_notebooks(write: Any) -> None:
    root = write(
        """
        params: {alpha: 1.5}
        x-shared: &limits {retries: 1}
        defaults: *limits
        steps:
          look: {notebook: scripts/look.ipynb, inputs: {model: train.model}}
          train:
            script: scripts/train.py
            inputs: {alpha: "${params.alpha}", epochs: 3}
            outputs: [model]
            python: .venv/bin/python
            env: {A: true, B: 1.50}
        """
    )
    train, look = load_pipeline(root, "p").steps
    assert (train.kind, train.target, train.python) == (
        "script",
        "scripts/train.py",
        ".venv/bin/python",
    )
    assert train.inputs == {
        "alpha": Source("param", "alpha"),
        "epochs": Source("value", value=3),
    }
    assert dict(train.env) == {"A": "true", "B": "1.50"}  # as written
    assert (look.kind, look.needs, look.retries) == ("notebook", ("train",), 1)


def test_files_are_found_by_name(write: Any) -> None:
    root = write("name: zeta\nsteps: {a: {script: scripts/train.py}}\n")
    (root / "pipelines/alpha.yml").write_text("steps: {a: {script: scripts/train.py}}\n")
    (root / "pipelines/.hidden.yaml").write_text("x")
    (root / "pipelines/notes.txt").write_text("x")
    (root / "pipelines/bad.yaml").write_text("steps: 1\n")
    files = find_pipelines(root)
    assert [(each.name, each.path, len(each.problems)) for each in files] == [
        ("alpha", "pipelines/alpha.yml", 0),
        ("bad", "pipelines/bad.yaml", 1),
        ("zeta", "pipelines/p.yaml", 0),
    ]
    assert load_pipeline(root, "p").name == "zeta"  # the file's name will do


def test_an_absolute_path_can_be_validated(write: Any) -> None:
    root = write("steps: 1\n")
    (problem,) = validate_file(root, root / "pipelines/p.yaml")
    assert problem.file == "pipelines/p.yaml"


def test_a_bom_and_windows_line_ends_are_read(root: Path) -> None:
    text = "\ufeffname: x\r\nsteps:\r\n  a: {script: scripts/train.py}\r\n"
    (root / "pipelines/p.yaml").write_bytes(text.encode())
    assert validate_file(root, Path("pipelines/p.yaml")) == []


def test_reading_pipelines_loads_nothing_heavy() -> None:
    heavy = "{'pandas', 'mlflow', 'sklearn', 'dbos', 'sqlalchemy', 'pydantic', 'textual', 'rich'}"
    code = f"import sys, core.pipelines; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
