"""A version registered from a plain folder is one that MLflow's own tools can use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.tracking.tracker_client import Tracker

SAVE = """
import json, sys
import mlflow, pandas as pd
from sklearn.linear_model import LinearRegression
x = pd.DataFrame({"hour": [0.0, 6.0, 12.0, 18.0], "temp": [0.2, 0.4, 0.9, 0.5]})
model = LinearRegression().fit(x, [10.0, 60.0, 300.0, 250.0])
mlflow.sklearn.save_model(model, sys.argv[1], input_example=x.head(1))
json.dump(model.predict(x).tolist(), sys.stdout)
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.xdist_group("tracking")
def test_mlflow_models_predict(embedded: Tracker, store_folder: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": f"sqlite:///{store_folder / 'mlflow.db'}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "OMP_NUM_THREADS": "1",
    }
    # A store of ours names folders by their content's hash.
    folder = tmp_path / "artifacts" / "sha256" / "ab" / "abcdef0123"
    folder.parent.mkdir(parents=True)
    saved = subprocess.run(
        [sys.executable, "-c", SAVE, str(folder)], capture_output=True, timeout=120,
        env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert saved.returncode == 0, saved.stderr.decode()
    run = embedded.call("create_run", experiment="predict")
    version = embedded.call("register_version", name="demand", source=str(folder), run_id=run)
    rows = {"hour": [0.0, 6.0, 12.0, 18.0], "temp": [0.2, 0.4, 0.9, 0.5]}
    request, output = tmp_path / "in.json", tmp_path / "out.json"
    request.write_text(json.dumps({"inputs": rows}))
    command = [
        sys.executable, "-m", "mlflow", "models", "predict", "-m", f"models:/demand/{version}",
        "--env-manager", "local", "-i", str(request), "-t", "json", "-o", str(output),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=150, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    predicted = json.loads(output.read_text())["predictions"]
    assert predicted == pytest.approx(json.loads(saved.stdout))
