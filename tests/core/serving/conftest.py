"""Small real models, real endpoints, and clients that count what failed."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"

from core.errors import OpsdeckError
from core.serving import EndpointControl

COLUMNS = ["hour", "temp", "hum"]
ROW = [8, 0.5, 0.25]


def split(*rows: list[Any], columns: list[str] | None = None) -> bytes:
    """A dataframe_split body."""
    return json.dumps({"dataframe_split": {"columns": columns or COLUMNS, "data": rows}}).encode()


TRICKY = '''
import os, signal, time
import mlflow.pyfunc

class Tricky(mlflow.pyfunc.PythonModel):
    """Adds one; -1 raises, -9 kills the process, -5 hangs, above 1000 it is slow."""
    def predict(self, context, model_input, params=None):
        x = float(model_input["x"].iloc[0])
        if x == -1: raise RuntimeError("secret\\nsecond line")
        if x == -9: os.kill(os.getpid(), signal.SIGKILL)
        if x == -5: time.sleep(600)
        if x > 1000: time.sleep(0.7)
        return [x + 1]

mlflow.models.set_model(Tricky())
'''

DEADLY = """
import os
import mlflow.pyfunc

class Deadly(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        os._exit(3)
    def predict(self, context, model_input, params=None):
        return [0]

mlflow.models.set_model(Deadly())
"""


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Model directories by name: one, two (gradient boosting), words (a string column),
    tricky and deadly (pyfunc)."""
    import mlflow.pyfunc
    import mlflow.sklearn
    import numpy as np
    import pandas as pd
    from mlflow.models import infer_signature
    from mlflow.types import ColSpec, Schema
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    root = tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(7)
    x = pd.DataFrame(
        {"hour": rng.integers(0, 24, 400), "temp": rng.random(400), "hum": rng.random(400)}
    )
    saved: dict[str, Any] = {"pip_requirements": ["scikit-learn"]}
    saved |= {"serialization_format": "cloudpickle"}
    for name, factor in (("one", 1.0), ("two", 2.0)):
        y = factor * (x.hour + 10 * x.temp)
        model = HistGradientBoostingRegressor(max_iter=20, random_state=0).fit(x, y)
        signature = infer_signature(x, y)
        mlflow.sklearn.save_model(
            model, root / name, signature=signature, input_example=x.head(4), **saved
        )
    x["sky"] = rng.choice(["clear", "rain"], 400)
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["sky"]), remainder="passthrough"
    )
    pipe = make_pipeline(encode, LinearRegression()).fit(x, x.hour * 1.0)
    mlflow.sklearn.save_model(
        pipe,
        root / "words",
        signature=infer_signature(x, x.hour * 1.0),
        input_example=x.head(4),
        **saved,
    )
    signature = mlflow.models.ModelSignature(inputs=Schema([ColSpec("double", "x")]))
    for name, code in (("tricky", TRICKY), ("deadly", DEADLY)):
        file = root / f"{name}.py"
        file.write_text(code)
        mlflow.pyfunc.save_model(
            root / name, python_model=str(file), signature=signature, pip_requirements=["mlflow"]
        )
    return {path.name: path for path in root.iterdir() if path.is_dir()}


Start = Callable[..., EndpointControl]


def end(control: EndpointControl) -> None:
    """Stop an endpoint; when it does not stop, kill exactly its processes."""
    try:
        control.stop()
    except OpsdeckError:
        info = control.info()
        for pid in (info.pid, *info.server_pids) if info else ():
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
        raise


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start an endpoint of its own in a folder; stopped after the test."""
    begun: list[EndpointControl] = []

    def start(name: str = "bike", folder: Path | None = None) -> EndpointControl:
        control = EndpointControl(folder or tmp_path / "endpoints" / name)
        begun.append(control)
        control.ensure_running(name)
        return control

    yield start
    for control in begun:
        end(control)


@pytest.fixture(scope="session")
def shared(
    models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EndpointControl]:
    """One endpoint for all tests that leave it whole: r1 one, r2 two, r3 words, r4 tricky."""
    control = EndpointControl(tmp_path_factory.mktemp("shared") / "bike")
    control.ensure_running("bike")
    for revision, name in enumerate(("one", "two", "words", "tricky"), start=1):
        control.load(revision, models[name], name, revision)
    control.set_table({1: 100})
    yield control
    end(control)


@pytest.fixture
def endpoint(shared: EndpointControl) -> EndpointControl:
    """The shared endpoint, with everything routed to r1."""
    shared.set_table({1: 100}, "the test's start")
    return shared


class Load:
    """Keep-alive clients that send requests until told to stop, and keep what went wrong."""

    def __init__(self, port: int, clients: int = 6, body: bytes = split(ROW)) -> None:
        self.answers = 0
        self.failures: list[str] = []
        self.revisions: set[str] = set()
        self._port = port
        self._body = body
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        self.wait_for(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def wait_for(self, more: int, seconds: float = 30) -> None:
        """Wait until so many more requests have been answered."""
        goal, deadline = self.answers + more, time.monotonic() + seconds
        while self.answers < goal:
            assert time.monotonic() < deadline, f"only {self.answers} of {goal} answers"
            time.sleep(0.005)

    def _send(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        while not self._stop.is_set():
            try:
                connection.request("POST", "/invocations", self._body)
                reply = connection.getresponse()
                text = reply.read()
                problem = "" if reply.status == 200 else f"{reply.status} {text!r}"
                revision = reply.headers.get("x-amzn-invoked-production-variant", "")
            except (OSError, http.client.HTTPException) as error:
                problem, revision = repr(error), ""
                connection.close()
            with self._lock:
                if problem:
                    self.failures.append(problem)
                else:
                    self.answers += 1
                    self.revisions.add(revision)
        connection.close()


@pytest.fixture
def load() -> type[Load]:
    """The class of clients that keep an endpoint busy."""
    return Load


@pytest.fixture(name="split")
def split_fixture() -> Callable[..., bytes]:
    """Makes a dataframe_split body of rows."""
    return split
