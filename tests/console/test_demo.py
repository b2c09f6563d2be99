"""`opsdeck demo --headless`: the main job, every outcome checked by the demo itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

STEPS = (
    "make the example workspace",
    "start the worker",
    "run bike-data",
    "run bike-demand for 2012-01",
    "approve v1 and release it",
    "run bike-demand for 2012-02",
    "approve v2 and release it",
    "compare with mlflow models predict",
    "roll back under traffic",
    "count what the client saw",
    "ask again, and reject",
    "play the months up to 2012-04",
    "see the quality go, in one alert",
    "retrain by the trigger",
    "approve v3: shadow, canary, production",
    "play the months up to 2012-06",
    "see the quality back",
    "release v1, watched by an alarm",
    "release v1 again, compared",
    "verify the journal",
    "compare the aliases with MLflow's",
    "stop the worker and the endpoint",
)


AWS_STEPS = (
    "start the simulated account",
    "list what has run",
    "start a pipeline and see it end",
    "approve a model package",
    "roll an endpoint back",
    "an alarm is raised",
    "a read-only account sends no change",
)


def opsdeck(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "console.main", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=900,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "OPSDECK_ACTOR": "tester", "GIT_CEILING_DIRECTORIES": str(cwd)},
    )


@pytest.mark.slow
@pytest.mark.timeout(1000)
def test_the_whole_loop_without_a_screen(tmp_path: Path) -> None:
    """Without a terminal `demo` says that it goes on headless, and leaves nothing running."""
    try:
        done = opsdeck("demo", "shop", "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        report = json.loads(done.stdout)
        assert [line["what"] for line in report["steps"]] == list(STEPS)
        assert report["ok"] and all(line["ok"] and line["outcome"] for line in report["steps"])
        verified = opsdeck("-w", "shop", "audit", "verify", cwd=tmp_path)
        assert verified.returncode == 0, verified.stderr
        workers = json.loads(opsdeck("-w", "shop", "stop", "--json", cwd=tmp_path).stdout)
        assert workers == {"workers": 0, "endpoints": [], "failed": {}}
    finally:
        opsdeck("-w", "shop", "stop", cwd=tmp_path)


def test_a_folder_that_is_another_workspace_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "opsdeck.yaml").write_text("name: other\n")
    done = opsdeck("demo", "other", "--headless", cwd=tmp_path)
    assert done.returncode == 2
    assert "not the example workspace" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_demo_on_the_simulated_account(tmp_path: Path) -> None:
    done = opsdeck("demo", "--aws", "--headless", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert document["ok"] is True
    assert tuple(line["what"] for line in document["steps"]) == AWS_STEPS
    assert list(tmp_path.iterdir()) == [], "nothing is left of it"
