"""The example workspace does what its README says, on a copy of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.pipelines import bind_params, code_fingerprint, find_pipelines, load_pipeline

EXAMPLE = Path(__file__).resolve().parents[2] / "assets/examples/bike-demand"
LEAKS = {"casual", "registered", "cnt", "instant", "dteday", "ts"}
MONTH = "2011-10"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, so that nothing is written into the example."""
    folder = tmp_path_factory.mktemp("example") / "bike-demand"
    ignore = shutil.ignore_patterns("__pycache__", ".opsdeck")
    return Path(shutil.copytree(EXAMPLE, folder, ignore=ignore))


@pytest.fixture(scope="module")
def code(workspace: Path) -> Iterator[Any]:
    """The modules of the copy, importable, logging to an MLflow store of their own."""
    import mlflow

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(workspace))
        patch.setenv("OMP_NUM_THREADS", "1")
        store = f"sqlite:///{workspace}/mlflow.db"
        patch.setenv("MLFLOW_TRACKING_URI", store)  # taken away again, as MLflow sets it too
        mlflow.set_tracking_uri(store)
        experiment = mlflow.create_experiment("test", (workspace / "artifacts").as_uri())
        mlflow.set_experiment(experiment_id=experiment)

        class Code:
            import bike.data as data
            import bike.model as model
            import bike.report as report

        yield Code
        # MLflow itself keeps the store: its default would be made in the current folder at exit.
        for name in [each for each in sys.modules if each.split(".")[0] == "bike"]:
            del sys.modules[name]


@pytest.fixture(scope="module")
def hours(workspace: Path) -> Any:
    """What `bike-data` makes of the sources, by the published table: a row an hour, the absent
    ones without a count."""
    import pandas as pd

    given = pd.read_csv(workspace / "data/bike_hourly.csv.gz", parse_dates=["ts"])
    every = pd.date_range(given["ts"].min(), given["ts"].max(), freq="h", name="ts")
    return given.set_index("ts").reindex(every).reset_index()


@pytest.fixture(scope="module")
def trained(code: Any, hours: Any) -> Any:
    """Data, model and MLflow run of a small training."""
    import mlflow

    with mlflow.start_run() as run:
        hourly, report = code.data.validate(code.data.acquire(hours, MONTH))
        parts = code.data.split(hourly, MONTH)
        model, example = code.model.train(parts[0], parts[1], seed=1, iterations=40)
    return run.info.run_id, report, parts, model, example


def test_the_pipelines_are_right() -> None:
    files = find_pipelines(EXAMPLE)
    assert [(each.name, each.problems) for each in files] == [
        ("bike-data", ()), ("bike-demand", ()), ("bike-retrain", ()), ("bike-tuning", ()),
        ("checks", ()),
    ]  # fmt: skip


def test_the_whole_loop_is_there_with_release_behind_the_gate() -> None:
    spec = load_pipeline(EXAMPLE, "bike-demand")
    assert [step.name for step in spec.steps] == [
        "acquire", "validate", "split", "train", "evaluate", "register", "gate", "deploy",
    ]  # fmt: skip
    assert spec.step("deploy").needs == ("gate", "register")
    assert "evaluate.metrics" in spec.step("gate").options["evidence"]
    assert bind_params(spec, {"month": "2012-02"})["month"] == "2012-02"
    hours = spec.step("acquire").inputs["hours"]
    assert (hours.kind, hours.name) == ("dataset", "bike_hours")  # its version is in the key
    assert not spec.step("evaluate").cache  # it reads the champion


def test_editing_the_model_leaves_the_data_steps_cached(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(EXAMPLE, tmp_path / "w"))
    spec = load_pipeline(copy, "bike-demand")
    before = {step.name: code_fingerprint(copy, step) for step in spec.steps}
    with (copy / "bike/model.py").open("a") as stream:
        stream.write("# another idea\n")
    after = {step.name: code_fingerprint(copy, step) for step in spec.steps}
    assert [name for name in before if before[name] != after[name]] == ["train"]


def test_absent_hours_are_counted(code: Any, hours: Any) -> None:
    import mlflow

    with mlflow.start_run() as run:
        _, report = code.data.validate(code.data.acquire(hours, "2012-12"))
    assert (report["rows"], report["missing_hours"]) == (17_379, 165)
    assert mlflow.get_run(run.info.run_id).data.metrics["missing_hours"] == 165


def test_time_splits_cleanly(trained: Any) -> None:
    train, valid, holdout = trained[2]
    assert set(holdout["ts"].dt.strftime("%Y-%m")) == {MONTH}
    assert max(train["ts"].max(), valid["ts"].max()) < holdout["ts"].min()
    assert not set(train["ts"]) & set(valid["ts"])


def test_no_leak_reaches_the_model(trained: Any) -> None:
    model, example = trained[3], trained[4]
    assert list(example.columns) == list(model.feature_names_in_)
    assert not LEAKS & set(model.feature_names_in_)


def test_losses_are_logged_for_each_iteration(trained: Any) -> None:
    import mlflow

    client = mlflow.MlflowClient()
    for name in ("train_loss", "valid_loss"):
        history = client.get_metric_history(trained[0], name)
        assert [point.step for point in history] == list(range(1, 41))
        assert history[-1].value < history[0].value / 2
    assert client.get_run(trained[0]).data.params["seed"] == "1"


def test_the_seed_decides_the_model(code: Any, trained: Any) -> None:
    import mlflow

    train, valid, holdout = trained[2]
    with mlflow.start_run():
        again, example = code.model.train(train, valid, seed=1, iterations=40)
    rows = holdout[list(example.columns)]
    assert (again.predict(rows) == trained[3].predict(rows)).all()


def test_the_first_version_is_judged_alone(
    code: Any, trained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    monkeypatch.delenv("OPSDECK_CHAMPION_MODEL", raising=False)
    train, _, holdout = trained[2]
    with mlflow.start_run():
        metrics, comparison, forecast, by_hour = code.report.evaluate(trained[3], train, holdout)
    assert metrics["mae"] < metrics["naive_mae"] < 60
    assert metrics["r2"] > 0.7
    assert not any("champion" in name for name in metrics)
    assert sum(line["rows"] for line in comparison) == metrics["rows"] == len(holdout)
    assert json.loads(json.dumps([metrics, comparison])) == [metrics, comparison]
    assert [type(figure).__name__ for figure in (forecast, by_hour)] == ["Figure", "Figure"]


def test_the_champion_is_judged_on_the_same_rows(
    code: Any, trained: Any, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    train, valid, holdout = trained[2]
    folder = workspace / "champion"
    with mlflow.start_run():
        weak, example = code.model.train(train, valid, seed=1, iterations=3)
        mlflow.sklearn.save_model(
            weak,
            folder,
            input_example=example,
            pip_requirements=["scikit-learn"],
            serialization_format="cloudpickle",
        )
        monkeypatch.setenv("OPSDECK_CHAMPION_MODEL", str(folder))
        monkeypatch.setenv("OPSDECK_CHAMPION_VERSION", "4")
        metrics, comparison, *_ = code.report.evaluate(trained[3], train, holdout)
        alone, *_ = code.report.evaluate(weak, train, holdout)
    assert metrics["champion_version"] == "4"
    assert metrics["champion_mae"] == alone["mae"] > metrics["mae"]
    assert metrics["mae_change_percent"] < 0
    assert all("champion_mae" in line for line in comparison)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda raw: raw.drop(columns=["temp", "hr"]), "missing columns: hr, temp"),
        (lambda raw: raw.loc[[*raw.index, 3]], "1 hours are given twice, the first is 2011-01-01"),
        (lambda raw: raw.assign(hum=raw["hum"].where(raw.index > 4)), "hum has 5 missing values"),
        (lambda raw: raw.assign(cnt=raw["cnt"] - 100), "cnt is out of 0..5000 in"),
    ],
)
def test_broken_data_are_refused(code: Any, hours: Any, spoil: Any, message: str) -> None:
    raw = code.data.acquire(hours, "2011-02")
    with pytest.raises(ValueError, match=message):
        code.data.validate(spoil(raw))


def test_a_month_outside_the_data_is_refused(code: Any, hours: Any) -> None:
    with pytest.raises(ValueError, match="there are no hours in 2013-01"):
        code.data.acquire(hours, "2013-01")


def test_the_three_sources_are_the_published_table(workspace: Path, hours: Any) -> None:
    import pandas as pd

    data = workspace / "data"
    rentals, weather = (
        pd.read_csv(data / f"{name}.csv.gz", parse_dates=["ts"]) for name in ("rentals", "weather")
    )
    calendar = pd.read_csv(data / "calendar.csv.gz", parse_dates=["day"])
    joined = rentals.merge(weather, on="ts").assign(day=lambda rows: rows["ts"].dt.normalize())
    joined = joined.merge(calendar, on="day")
    known = hours[hours["cnt"].notna()].reset_index(drop=True)
    for column in ("casual", "registered", "temp", "hum", "holiday", "season"):
        assert (joined[column] == known[column]).all(), column


def test_the_script_keeps_the_script_mode_contract(
    code: Any, hours: Any, trained: Any, workspace: Path, tmp_path: Path
) -> None:
    channel, model, output = (tmp_path / name for name in ("channel", "model", "output"))
    for folder in (channel, model, output):
        folder.mkdir()
    code.data.validate(code.data.acquire(hours, "2011-12"))[0].to_parquet(
        channel / "hourly.parquet"
    )
    done = subprocess.run(
        [sys.executable, str(workspace / "scripts/baseline.py"), "--alpha", "2.5"],
        env={
            **os.environ,
            "SM_CHANNEL_HOURLY": str(channel),
            "SM_MODEL_DIR": str(model),
            "SM_OUTPUT_DATA_DIR": str(output),
            "MLFLOW_TRACKING_URI": f"sqlite:///{workspace}/mlflow.db",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((output / "report.json").read_text())
    assert report["alpha"] == 2.5
    assert 0 < report["mae"] < 90
    assert (model / "model.joblib").stat().st_size > 0


def test_traffic_is_real_rows_without_heavy_imports(workspace: Path) -> None:
    program = (
        "import sys; from bike.traffic import requests; import json\n"
        "bodies = [json.loads(b)['dataframe_split'] for b in requests('2012-03')]\n"
        "print(json.dumps([len(bodies), bodies[0], len(list(requests('2012-03', 100))),"
        " sorted({'pandas', 'mlflow', 'numpy'} & set(sys.modules))]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=workspace,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    count, first, batches, heavy = json.loads(done.stdout)
    assert (count, batches, heavy) == (743, 8, [])
    assert len(first["columns"]) == len(first["data"][0])
    assert not LEAKS & set(first["columns"])


def test_nothing_of_opsdeck_is_imported() -> None:
    for file in sorted(EXAMPLE.rglob("*.py")):
        text = file.read_text()
        for package in ("core", "screens", "console", "opsdeck"):
            assert f"import {package}" not in text, file
            assert f"from {package}" not in text, file
