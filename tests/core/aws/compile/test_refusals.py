"""What cannot be said there is refused in one line that names pipeline, step and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.aws.compile import PLACEHOLDERS, lower, pipeline_definition, target_of
from core.aws.compile.errors import (
    CannotCompile,
    NameNotThere,
    NoImage,
    OverLimit,
    StrategyNotThere,
)
from core.domain.pipeline import PipelineSpec, Source, StepSpec

MODEL = {"model": Source("output", "model", "train")}


def spec_of(*steps: StepSpec, **more: Any) -> PipelineSpec:
    return PipelineSpec("demand", "pipelines/demand.yaml", steps, **more)


def work(name: str = "train", **more: Any) -> StepSpec:
    return StepSpec(name, "function", "a:b", **{"outputs": ("model",), **more})


def deploy(strategy: Any, /, **there: Any) -> tuple[StepSpec, ...]:
    return (
        work(),
        StepSpec("register", "register", inputs=MODEL, needs=("train",), options={"name": "m"}),
        StepSpec(
            "deploy",
            "deploy",
            needs=("register",),
            options={"register": "register", "strategy": strategy},
            sagemaker=there,
        ),
    )


REFUSED = [
    ((StepSpec("take", "data", "ingest"),), CannotCompile, "take: ingest"),
    ((StepSpec("search", "tune", "a:b"),), CannotCompile, "search: a tune step"),
    ((work(python=".venv/bin/python"),), CannotCompile, "train: python"),
    ((work(sagemaker={"spot": True}),), CannotCompile, "train: spot"),
    ((work(sagemaker={"subnets": ["subnet-1"]}),), CannotCompile, "train: subnets"),
    ((work(memory_mb=1 << 20),), OverLimit, "train: memory"),
    ((work(timeout=1e6),), OverLimit, "train: timeout"),
    ((work(env={"A": "x" * 600}),), OverLimit, "train: env A"),
    ((work(outputs=tuple(f"o{n}" for n in range(11))),), OverLimit, "train: 11 outputs"),
    (deploy([{"shadow": 60}, {"set_weight": 100}]), StrategyNotThere, "deploy: "),
    (deploy([{"set_weight": 60}, {"bake": 60}, {"set_weight": 100}]), StrategyNotThere, "deploy:"),
]


@pytest.mark.parametrize(("steps", "kind", "words"), REFUSED)
def test_it_is_refused_in_one_line(
    steps: tuple[StepSpec, ...], kind: type[CannotCompile], words: str
) -> None:
    spec = spec_of(*steps)
    with pytest.raises(kind) as refused:
        lower(spec, target_of(spec))
    assert type(refused.value) is kind
    line = refused.value.one_line()
    assert "\n" not in line
    assert f"pipeline demand, step {words}" in line


def test_codes_are_their_own() -> None:
    codes = [each.code for each in (CannotCompile, StrategyNotThere, OverLimit, NameNotThere)]
    assert [*codes, NoImage.code] == ["E740", "E741", "E742", "E743", "E744"]


def test_a_strategy_for_there_goes_before_the_pipelines_own() -> None:
    there = [{"set_weight": 10}, {"bake": 600}, {"set_weight": 100}]
    spec = spec_of(*deploy([{"shadow": 60}, {"set_weight": 100}], strategy=there, alarms=["a"]))
    made = pipeline_definition(lower(spec, target_of(spec)), target_of(spec))
    config = made["Steps"][-1]["Arguments"]["DeploymentConfig"]
    assert config["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["Type"] == "CANARY"
    assert config["AutoRollbackConfiguration"] == {"Alarms": [{"AlarmName": "a"}]}


def test_steps_that_a_deploy_step_needs_have_names_of_their_own() -> None:
    spec = spec_of(*deploy([{"set_weight": 100}]), work("deploy-model", outputs=()))
    with pytest.raises(NameNotThere, match="step deploy-model"):
        pipeline_definition(lower(spec, target_of(spec)), target_of(spec))


@pytest.mark.parametrize("name", ["___", "a" * 90])
def test_a_name_that_nothing_has_there(name: str) -> None:
    with pytest.raises(NameNotThere, match="no name there"):
        target_of(replace(spec_of(work()), name=name))


def test_names_lose_what_they_may_not_have() -> None:
    assert target_of(replace(spec_of(work()), name="bike_demand.v2")).name == "bike-demand-v2"


def test_memory_chooses_the_instance() -> None:
    spec = spec_of(work(memory_mb=10_000))
    job = lower(spec, target_of(spec)).job("train")
    assert job.machine.instance_type == "ml.m5.xlarge"


def test_a_steps_settings_go_before_the_pipelines() -> None:
    spec = spec_of(
        work(sagemaker={"instance_type": "ml.c5.xlarge"}),
        sagemaker={"instance_type": "ml.m5.large", "kms_key": "alias/a", "bucket": "mine"},
    )
    target = target_of(spec)
    machine = lower(spec, target).job("train").machine
    assert (machine.instance_type, machine.kms_key) == ("ml.c5.xlarge", "alias/a")
    assert target.bucket == "mine"
    assert "${ArtifactBucket}" in PLACEHOLDERS
    assert "${ArtifactBucket}" not in target.open
