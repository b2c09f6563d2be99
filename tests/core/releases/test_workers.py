"""Workers of a version: in strategies, in pipeline files, at the endpoint that a deployment makes,
and in SageMaker's words."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.plans import plan_from_json, plan_json
from core.engine import deploywork
from core.errors import BadInput, PipelineInvalid
from core.ids import new_id
from core.ops import open_ops
from core.pipelines import load_pipeline
from core.releases import rows
from core.releases.sagemakerscaling import DIMENSION, METRIC, scaling
from core.releases.strategy import parse_plan, read_plan, with_workers
from core.serving.bounds import ScheduledBounds, VariantWorkers
from core.serving.config import EndpointConfig
from core.state import schema
from core.windows import DAYS, parse_window
from tests.support.opened import write_workspace


@pytest.mark.parametrize("written", [{"min": 1, "max": 4}, "1:4", "1-4"])
def test_a_strategy_says_its_workers(written: Any) -> None:
    plan = parse_plan({"preset": "canary", "workers": written})
    assert plan.workers == (1, 4)
    assert plan_from_json(plan_json(plan)) == plan
    assert with_workers(plan, None).workers == (1, 4)
    assert with_workers(plan, [2, 2]).workers == (2, 2)


def test_a_plan_from_before_there_were_workers_has_none() -> None:
    text = plan_json(parse_plan("canary")).replace(', "workers": null', "")
    assert plan_from_json(text).workers is None


@pytest.mark.parametrize(
    "written", [0, 33, 64, True, None, 1.5, "4:1", "x", [], {"min": 1}, {"min": "a", "max": 2}]
)
def test_bounds_that_cannot_be_are_named_with_their_key(written: Any) -> None:
    if written is True:
        written = {"min": True, "max": True}
    (problem,) = read_plan({"preset": "canary", "workers": written})[1]
    assert problem.where == "strategy.workers"
    assert "bounds from 1 to 32" in problem.message


PIPELINE = """\
steps:
  train: {{function: "a:train", outputs: [model]}}
  register: {{register: {{model: train.model}}}}
  deploy:
    deploy:
      strategy: canary
      workers: {workers}
"""


@pytest.mark.parametrize(
    ("text", "bounds"),
    [("{min: 1, max: 4}", [1, 4]), ("1:4", [1, 4]), ('"2-3"', [2, 3]), ("2", [2, 2])],
)
def test_a_deploy_step_says_them_too(tmp_path: Path, text: str, bounds: list[int]) -> None:
    found = pipeline(tmp_path, text)
    (options,) = (step.options for step in found.steps if step.name == "deploy")
    assert options["workers"] == bounds


@pytest.mark.parametrize("text", ["0", "4:1", "[1, 4]", "{min: 1}", "{min: 1, max: [2]}", "many"])
def test_what_is_wrong_there_is_named_with_its_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(PipelineInvalid) as caught:
        pipeline(tmp_path, text)
    told = str(caught.value.message)
    assert "deploy.workers" in told
    assert "bounds of workers from 1 to 32" in told


def pipeline(folder: Path, workers: str) -> Any:
    (folder / "a.py").write_text("def train():\n    return {'model': 1}\n")
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "p.yaml").write_text(PIPELINE.format(workers=workers))
    return load_pipeline(folder, "p")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model."""
    import mlflow.sklearn
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.linear_model import LinearRegression

    folder = tmp_path_factory.mktemp("models") / "v1"
    x = pd.DataFrame({"x": [0.0, 1.0, 2.0]})
    mlflow.sklearn.save_model(
        LinearRegression().fit(x, x["x"]),
        folder,
        signature=infer_signature(x, x["x"]),
        input_example=x,
        pip_requirements=["scikit-learn"],
        serialization_format="cloudpickle",
    )
    return folder


def test_a_deployment_gives_its_version_workers_that_a_later_load_finds(
    tmp_path: Path, model: Path, woken: list[Any]
) -> None:
    root = write_workspace(tmp_path / "space")
    with open_ops(root, actor="author") as ops:
        run = ops.runs.start("chain", {})
        with ops.session.change("test") as tx:
            tx.execute(
                schema.model_versions.insert().values(
                    name="demand", version=1, run_id=run.id, step="register",
                    path=os.path.relpath(model, ops.workspace.state_dir),
                    digest="ab" * 32, created_at=tx.now,
                )
            )  # fmt: skip
            plan = with_workers(parse_plan("canary"), (2, 3))
            made = rows.create_deployment(
                tx, new_id(), endpoint="bike", model="demand", version=1, strategy=plan
            )
        control = ops.endpoints.control("bike")
        try:
            engine: Any = SimpleNamespace(
                session=ops.session,
                store=ops.session.store(),
                workspace=ops.workspace,
                hold_if_stopping=lambda: None,
            )
            assert deploywork.load_version(engine, made["id"]) == "progressing"
            (revision,) = ops.endpoints.get("bike").revisions
            assert (revision.workers, revision.worker_bounds) == (2, (2, 3))
            control.unload(1)
            assert ops.endpoints.get("bike").revisions[0].workers is None
            control.load(1, model, "demand", 1)
            assert ops.endpoints.get("bike").revisions[0].worker_bounds == (2, 3), "as a rollback"
            changed = ops.endpoints.configure("bike", workers={1: (1, 1)})
            assert (changed.revisions[0].workers, changed.revisions[0].worker_bounds) == (1, (1, 1))
        finally:
            control.stop()


OFFICE = ScheduledBounds("Mon-Fri 08:00-18:00 Europe/Berlin", min_workers=2, max_workers=6)


def test_bounds_are_a_scalable_target_and_windows_are_scheduled_actions() -> None:
    config = EndpointConfig(max_workers=3, target_per_worker=1.5, schedule=(OFFICE,))
    found = scaling(None, config, "bike", "AllTraffic")
    assert found is not None
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/bike/variant/AllTraffic",
        "ScalableDimension": DIMENSION,
    }
    assert found["RegisterScalableTarget"] == {**target, "MinCapacity": 1, "MaxCapacity": 3}
    policy = found["PutScalingPolicy"]["TargetTrackingScalingPolicyConfiguration"]
    assert policy["PredefinedMetricSpecification"] == {"PredefinedMetricType": METRIC}
    assert policy["TargetValue"] == 1.5
    assert [(a["Schedule"], a["Timezone"]) for a in found["PutScheduledAction"]] == [
        ("cron(0 8 ? * MON,TUE,WED,THU,FRI *)", "Europe/Berlin"),
        ("cron(0 18 ? * MON,TUE,WED,THU,FRI *)", "Europe/Berlin"),
    ]
    own = scaling((1, 1), config, "bike", "r7", 7)
    assert own is None, "one by name stays one, whatever the windows give to all"
    named = replace(OFFICE, variants=(VariantWorkers(7, 1, 4),))
    only = scaling((1, 1), replace(config, schedule=(named,)), "bike", "r7", 7)
    assert only is not None
    assert only["PutScheduledAction"][0]["ScalableTargetAction"]["MaxCapacity"] == 4
    assert scaling(None, EndpointConfig(), "bike", "r1", 1) is None


@pytest.mark.parametrize(
    ("window", "opens", "closes"),
    [
        ("22:00-06:00", "cron(0 22 ? * * *)", "cron(0 6 ? * * *)"),
        ("Sun 22:30-06:15", "cron(30 22 ? * SUN *)", "cron(15 6 ? * MON *)"),
        ("Sat 22:00-24:00", "cron(0 22 ? * SAT *)", "cron(0 0 ? * SUN *)"),
        ("Sat-Sun 00:00-24:00", "cron(0 0 ? * SAT *)", "cron(0 0 ? * MON *)"),
    ],
)
def test_windows_over_midnight_close_on_the_next_day(window: str, opens: str, closes: str) -> None:
    config = EndpointConfig(schedule=(replace(OFFICE, window=window),))
    found = scaling(None, config, "bike", "r1", 1)
    assert found is not None
    assert [action["Schedule"] for action in found["PutScheduledAction"]] == [opens, closes]


@pytest.mark.parametrize(
    ("windows", "said"),
    [
        (["Mon 08:00-12:00", "Mon-Fri 11:00-13:00"], "meet"),
        (["Mon 08:00-12:00", "Mon 12:00-13:00"], "meet"),
        (["Sun 22:00-06:00", "Mon 05:00-07:00"], "meet"),
        (["Mon 08:00-12:00", "Tue 08:00-12:00 Asia/Tokyo"], "meet"),
        (["00:00-24:00"], "always open"),
    ],
)
def test_windows_that_it_could_not_follow_are_named(windows: list[str], said: str) -> None:
    config = EndpointConfig(schedule=tuple(replace(OFFICE, window=text) for text in windows))
    with pytest.raises(BadInput, match=said):
        scaling(None, config, "bike", "r1", 1)


@given(
    days=st.sets(st.sampled_from(DAYS), min_size=1),
    start=st.integers(0, 1439),
    lasts=st.integers(1, 1440),
)
def test_the_actions_put_in_force_what_holds_here(days: set[str], start: int, lasts: int) -> None:
    """Played minute by minute through two weeks."""
    end = start + lasts
    if end > 1440:
        end -= 1440
        if end == start:
            return
    clock = [f"{minute // 60:02}:{minute % 60:02}" for minute in (start, end)]
    text = f"{','.join(sorted(days))} {clock[0]}-{clock[1]}"
    window = parse_window(text)
    config = EndpointConfig(schedule=(replace(OFFICE, window=text),))
    try:
        found = scaling(None, config, "bike", "r1", 1)
    except BadInput:
        assert (len(days), start, end) == (7, 0, 1440)
        return
    assert found is not None
    actions = [
        (*_when(a["Schedule"]), a["ScalableTargetAction"]) for a in found["PutScheduledAction"]
    ]
    monday, force = 1_763_942_400, None  # 2025-11-24 00:00 UTC
    for minute in range(14 * 1440):
        day, now = minute // 1440 % 7, minute % 1440
        # At the same minute what opens comes after what closes.
        for on, at, action in reversed(actions):
            if now == at and day in on:
                force = action
        if minute >= 7 * 1440 and minute % 7 == 0:
            low, high = config.worker_bounds(1, monday + minute * 60.0)
            assert force == {"MinCapacity": low, "MaxCapacity": high}, (minute, window)


def _when(schedule: str) -> tuple[set[int], int]:
    minute, hour, _, _, days, _ = schedule.removeprefix("cron(").removesuffix(")").split()
    listed = range(7) if days == "*" else [DAYS.index(day.lower()) for day in days.split(",")]
    return set(listed), int(hour) * 60 + int(minute)


def test_the_client_takes_the_requests() -> None:
    botocore = pytest.importorskip("botocore.session")
    from botocore.validate import ParamValidator

    model = botocore.get_session().get_service_model("application-autoscaling")
    config = EndpointConfig(max_workers=3, schedule=(OFFICE,))
    found = scaling((1, 4), config, "bike", "AllTraffic") or {}
    found |= scaling(None, config, "bike", "AllTraffic") or {}
    actions = found.pop("PutScheduledAction")
    assert len(actions) == 2
    requests = [*found.items(), *(("PutScheduledAction", action) for action in actions)]
    for operation, request in requests:
        shape = model.operation_model(operation).input_shape
        assert not ParamValidator().validate(request, shape).has_errors()
    assert METRIC in model.shape_for("MetricType").enum
    assert DIMENSION in model.shape_for("ScalableDimension").enum
