"""The source as it is packed, and the runner that unpacks it in a job, run as a container would."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from core.aws.compile import lower, target_of
from core.aws.running import images, package
from core.aws.running.errors import PackageFailed
from core.aws.running.package import package as packed
from core.pipelines import load_pipeline

PIPELINE = """
name: chain
params:
  month: "2012-01"
  rate: {type: float, default: 0.5}
  quick: true
  note: {type: str, required: false}
steps:
  load:
    function: work:load
    outputs: [rows, info]
  train:
    function: work:train
    outputs: [model, facts]
  use:
    function: work:use
    inputs: {model: train.model, facts: train.facts, rows: load.rows}
    outputs: [told]
  shout:
    script: scripts/shout.py
    inputs: {facts: train.facts, word: "hey, you"}
    outputs: [said]
  register: {register: {model: train.model, name: chain}}
"""
WORK = """
import os
import pandas as pd
from sklearn.linear_model import LinearRegression

def load(month, rate, quick, note):
    rows = pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 6.0]})
    return rows, {"month": month, "rate": rate, "quick": quick, "note": note,
                  "step": os.environ["OPSDECK_STEP"]}

def train(rows, info):
    model = LinearRegression().fit(rows[["x"]], rows["y"])
    return model, {**info, "slope": round(float(model.coef_[0]), 6)}

def use(model, facts, rows):
    return {"predicted": [round(float(v), 6) for v in model.predict(rows[["x"]])], **facts}
"""
SHOUT = """
import argparse, json, os
from pathlib import Path
parser = argparse.ArgumentParser()
parser.add_argument("--word")
facts = json.loads((Path(os.environ["SM_CHANNEL_FACTS"]) / "facts.json").read_text())
(Path(os.environ["SM_OUTPUT_DATA_DIR"]) / "said.json").write_text(
    json.dumps({"word": parser.parse_args().word, "slope": facts["slope"]})
)
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    (root / "pipelines").mkdir(parents=True)
    (root / "scripts").mkdir()
    (root / "opsdeck.yaml").write_text("name: site\ndatabase: postgresql://u:secret@h/d\n")
    (root / "pipelines/chain.yaml").write_text(PIPELINE)
    (root / "work.py").write_text(WORK)
    (root / "scripts/shout.py").write_text(SHOUT)
    (root / ".env").write_text("KEY=secret")
    return root


class Container:
    """`/opt/ml` of one job after the other, and the bucket between them."""

    def __init__(self, root: Path, home: Path) -> None:
        spec = load_pipeline(root, "chain")
        self.lowered = lower(spec, target_of(spec))
        self.package = packed(root, self.lowered.plans)
        self.home, self.bucket = home, home.parent / "bucket"

    def run(self, step: str, **given: str) -> subprocess.CompletedProcess[str]:
        """Run a step's job as the service would, from what earlier ones put out."""
        job = self.lowered.job(step)
        home = self.home / step
        env = {"OPSDECK_ML_HOME": str(home), "OPSDECK_INSTALL": "no", "PATH": os.environ["PATH"]}
        if job.type == "processing":
            code = home / "processing/input/code"
            code.mkdir(parents=True)
            for name, data in self.package.files.items():
                (code / name).write_bytes(data)
            command = [str(code / "opsdeck_runner.py"), "--step", step]
            for name, value in given.items():
                command += ["--set", f"{name}={value}"]
        else:
            code = home / "code"
            with tarfile.open(fileobj=io.BytesIO(self.package.archive)) as archive:
                archive.extractall(code, filter="data")
            command = [str(code / "opsdeck_runner.py"), "--opsdeck_step", step]
            for name, value in given.items():
                command += [f"--{name}", value]
            env |= {"SM_MODEL_DIR": str(home / "model")}
        for name, source in job.channels.items():
            into = home / "processing/input" / name
            if job.type == "training":
                into = home / "input/data" / name
                env[f"SM_CHANNEL_{name.upper()}"] = str(into)
            self._bring(source, into)
        done = subprocess.run(
            [sys.executable, *command], env=env, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        self._take(job, home)
        return done

    def _bring(self, source: Any, into: Path) -> None:
        made = self.lowered.job(source.step)
        place = self.bucket / source.step
        into.mkdir(parents=True)
        if made.type == "processing":
            for file in (place / source.output).iterdir():
                (into / file.name).write_bytes(file.read_bytes())
        else:
            name = "model.tar.gz" if source.output == made.model else "output.tar.gz"
            (into / name).write_bytes((place / name).read_bytes())

    def _take(self, job: Any, home: Path) -> None:
        place = self.bucket / job.name
        place.mkdir(parents=True)
        if job.type == "processing":
            if (home / "processing/output").exists():
                (home / "processing/output").rename(place.with_name("x"))
                place.rmdir()
                place.with_name("x").rename(place)
            return
        for folder, name in (("model", "model.tar.gz"), ("output/data", "output.tar.gz")):
            with tarfile.open(place / name, "w:gz") as archive:
                if (home / folder).exists():
                    archive.add(home / folder, arcname=".")


def test_the_same_files_are_the_same_bytes_without_what_is_hidden(workspace: Path) -> None:
    container = Container(workspace, workspace.parent / "ml")
    again = packed(workspace, container.lowered.plans)
    assert again == container.package
    with tarfile.open(fileobj=io.BytesIO(again.archive)) as archive:
        names = archive.getnames()
        wanted = archive.extractfile("requirements.txt")
        assert wanted is not None
        lines = wanted.read().decode().splitlines()
    assert {"work.py", "scripts/shout.py", "pipelines/chain.yaml"} <= set(names)
    assert not {".env", "opsdeck.yaml"} & set(names)
    assert b"secret" not in again.archive
    assert any(line.startswith("scikit-learn==") for line in lines)
    (workspace / "work.py").write_text(WORK + "\n")
    assert packed(workspace, container.lowered.plans).digest != again.digest


def test_the_workspaces_own_requirements_are_taken(workspace: Path) -> None:
    (workspace / "requirements.txt").write_text("tiny==1.0\n")
    found = packed(workspace, {})
    with tarfile.open(fileobj=io.BytesIO(found.archive)) as archive:
        wanted = archive.extractfile("requirements.txt")
        assert wanted is not None and wanted.read() == b"tiny==1.0\n"


def test_a_source_that_is_too_large_is_refused_by_name(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "MOST_BYTES", 2000)
    (workspace / "big.csv").write_text("x" * 5000)
    with pytest.raises(PackageFailed, match=r"big\.csv is the largest"):
        packed(workspace, {})


def test_steps_run_there_as_they_run_here(workspace: Path, tmp_path: Path) -> None:
    container = Container(workspace, tmp_path / "ml")
    assert [job.type for job in map(container.lowered.job, ("load", "train", "use", "shout"))] == [
        "processing", "training", "processing", "training",
    ]  # fmt: skip
    for step, given in (
        ("load", {"month": "2012-03", "rate": "1e-3", "quick": "False", "note": ""}),
        ("train", {}),
        ("use", {}),
        ("shout", {"word": "hey, you"}),
    ):
        done = container.run(step, **given)
        assert done.returncode == 0, done.stderr
    told = json.loads((container.bucket / "use/told/told.json").read_text())
    assert told == {
        "predicted": [2.0, 4.0, 6.0],
        "month": "2012-03",
        "rate": 0.001,
        "quick": False,
        "note": None,
        "step": "load",
        "slope": 2.0,
    }
    with tarfile.open(container.bucket / "train/model.tar.gz") as archive:
        assert {"./MLmodel", "./code/inference.py"} <= set(archive.getnames())
    with tarfile.open(container.bucket / "shout/output.tar.gz") as archive:
        said = archive.extractfile("./said/said.json")
        assert said is not None
        assert json.load(said) == {"word": "hey, you", "slope": 2.0}


def test_a_step_that_fails_says_why_where_the_service_looks(
    workspace: Path, tmp_path: Path
) -> None:
    (workspace / "work.py").write_text(
        "def load(month, rate, quick, note): raise ValueError('no rows')\n"
        + WORK.split("def train")[0].split("def load")[0]
        + "def train"
        + WORK.split("def train")[1]
    )
    container = Container(workspace, tmp_path / "ml")
    done = container.run("load", month="2012-03", rate="1", quick="true")
    assert done.returncode == 1
    assert "ValueError: no rows" in (container.home / "load/output/failure").read_text()


def test_images_are_asked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("boto3")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = images.images_of("eu-central-1")
    assert ".dkr.ecr.eu-central-1.amazonaws.com/sagemaker-scikit-learn:" in found.work
    monkeypatch.setattr(images, "_asked", lambda region: pytest.fail("asked again"))
    assert images.images_of("eu-central-1") == found


def test_a_region_that_the_sdk_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("boto3")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(images.NoImage, match="mars-north-1"):
        images.images_of("mars-north-1")
