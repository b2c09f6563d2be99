"""Requests a second and latencies against other servers: same model, same machine, one run.

`python benchmarks/rivals.py [--json FILE] [--seconds 6]`. Single-row JSON requests to a gradient
boosting model through `wrk`, with 64 connections and with one: `mlflow models serve`, MLServer,
BentoML (as it comes, and with adaptive batching), and an endpoint (native, capturing, two
processes, ONNX).
MLServer and BentoML get virtual environments of their own under `.cache/` beside
this file, with the scikit-learn of this one. Needs `wrk` and, the first time, a package index.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pickle
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
os.environ["OMP_NUM_THREADS"] = "1"  # for all: with more they wait for each other's threads

ROW = {"hour": 8.0, "temp": 0.5, "hum": 0.25}
SPLIT = {"dataframe_split": {"columns": list(ROW), "data": [list(ROW.values())]}}
V2 = {
    "inputs": [
        {"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [list(ROW.values())]},
    ]
}
START_SECONDS = 120
GOAL_NATIVE, GOAL_ONNX = 50, 100
"""Times the throughput of `mlflow models serve` at 64 connections."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One server under one number of connections. Latencies in milliseconds."""

    server: str
    connections: int
    per_second: float
    p50: float
    p99: float
    failed: int


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(name: str) -> Path:
    """The interpreter of a rival's own virtual environment, made if need be."""
    folder = HERE / ".cache" / name
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
        print(f"   installing {name} …", file=sys.stderr, flush=True)
        subprocess.run(
            [uv, "venv", "-q", "--clear", "--python", sys.executable, folder], check=True
        )
        wanted = [f"scikit-learn=={version('scikit-learn')}", "pandas", "-r"]
        wanted.append(str(HERE / "rivals" / f"{name}.txt"))
        subprocess.run([uv, "pip", "install", "-q", "--python", python, *wanted], check=True)
        (folder / ".ready").touch()
    return python


@contextlib.contextmanager
def served(command: list[str], cwd: Path, ready: str, extra: dict[str, str]) -> Iterator[None]:
    """A server process group, from its readiness to its end."""
    log = (cwd / "log").open("ab")
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **extra},
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                urllib.request.urlopen(ready, timeout=2).close()
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise SystemExit(
                        f"{command[0]} did not start:\n{(cwd / 'log').read_text()[-2000:]}"
                    ) from None
                time.sleep(0.2)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.close()


def wrk(server: str, url: str, body: Any, connections: int, seconds: float) -> Measured:
    """Post one body over and over; the first second is not counted."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(
            f"wrk.method = 'POST'\nwrk.body = [==[{json.dumps(body)}]==]\n"
            "wrk.headers['Content-Type'] = 'application/json'\n"
        )
        script.flush()
        command = ["wrk", "-t1", f"-c{connections}", "--latency", "-s", script.name, url]
        subprocess.run([*command, "-d1s"], check=True, capture_output=True)
        done = subprocess.run(
            [*command, f"-d{seconds:g}s"], check=True, capture_output=True, text=True
        )
    text = done.stdout
    rate = float(_find(r"Requests/sec:\s+([\d.]+)", text))
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    lost = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    failed = (int(bad[1]) if bad else 0) + (sum(map(int, lost.groups())) if lost else 0)
    return Measured(server, connections, rate, _ms(text, "50%"), _ms(text, "99%"), failed)


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"wrk said:\n{text}")
    return found[1]


def _ms(text: str, share: str) -> float:
    value = _find(rf"{share}\s+([\d.]+(?:us|ms|s))", text)
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", value).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def measure(server: str, url: str, body: Any, seconds: float) -> list[Measured]:
    """With 64 connections and with one."""
    return [wrk(server, url, body, connections, seconds) for connections in (64, 1)]


def mlflow_serve(model: Path, folder: Path, seconds: float) -> list[Measured]:
    """`mlflow models serve` as it comes: one worker."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model)]
    command += ["--env-manager", "local", "-p", str(port), "--workers", "1"]
    root = f"http://127.0.0.1:{port}"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with served(command, folder, f"{root}/ping", {"PATH": path}):
        return measure("mlflow models serve", f"{root}/invocations", SPLIT, seconds)


def mlserver(pickled: Path, folder: Path, seconds: float) -> list[Measured]:
    """MLServer with its scikit-learn runtime, in its own process (no extra workers)."""
    port = free_port()
    settings = {
        "http_port": port,
        "grpc_port": free_port(),
        "metrics_port": free_port(),
        "parallel_workers": 0,
        "debug": False,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    model = {
        "name": "boosting",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(pickled)},
    }
    (folder / "model-settings.json").write_text(json.dumps(model))
    command = [str(environment("mlserver").with_name("mlserver")), "start", str(folder)]
    root = f"http://127.0.0.1:{port}/v2"
    with served(command, folder, f"{root}/models/boosting/ready", {}):
        return measure("MLServer", f"{root}/models/boosting/infer", V2, seconds)


def bentoml(pickled: Path, folder: Path, seconds: float, batch: bool) -> list[Measured]:
    """BentoML, one worker, as it comes or with adaptive batching."""
    port = free_port()
    shutil.copy(HERE / "rivals" / "service.py", folder / "service.py")
    command = [str(environment("bentoml").with_name("bentoml")), "serve", "service:Boosting"]
    command += ["--port", str(port), "--working-dir", str(folder)]
    extra = {"MODEL": str(pickled), "BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(folder)}
    extra["BATCH"] = str(int(batch))
    root = f"http://127.0.0.1:{port}"
    with served(command, folder, f"{root}/readyz", extra):
        body = {"rows": [list(ROW.values())]}
        name = "BentoML, batching" if batch else "BentoML"
        return measure(name, f"{root}/predict", body, seconds)


def opsdeck(name: str, model: Path, folder: Path, seconds: float, **config: Any) -> list[Measured]:
    """An endpoint with these settings."""
    from core.serving import EndpointControl
    from core.serving.config import EndpointConfig

    EndpointConfig(**config).write(folder)
    control = EndpointControl(folder)
    info = control.ensure_running("bench")
    try:
        report = control.load(1, model, "boosting", 1)
        control.set_table({1: 100.0})
        _wait_for_servers(control, config.get("min_servers", 1))
        if config.get("onnx") and "onnx" not in report.flavour:
            print(f"   no ONNX: {report.detail}", file=sys.stderr)
            return []
        return measure(name, f"http://127.0.0.1:{info.port}/invocations", SPLIT, seconds)
    finally:
        control.stop()


def _wait_for_servers(control: Any, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(control.status().servers) < count:
        if time.monotonic() > deadline:
            raise SystemExit(f"only {len(control.status().servers)} server processes came up")
        time.sleep(0.2)


def table(rows: list[Measured]) -> None:
    """Print what was measured, with ratios to mlflow's."""
    base = {r.connections: r for r in rows if r.server.startswith("mlflow")}
    print(
        f"{'server':<26}{'conns':>6}{'req/s':>10}{'x mlflow':>10}"
        f"{'p50 ms':>9}{'p99 ms':>9}{'failed':>8}"
    )
    for row in sorted(rows, key=lambda r: (-r.connections, r.per_second)):
        ratio = row.per_second / base[row.connections].per_second
        print(
            f"{row.server:<26}{row.connections:>6}{row.per_second:>10,.0f}{ratio:>10.1f}"
            f"{row.p50:>9.2f}{row.p99:>9.2f}{row.failed:>8}"
        )


def goals(rows: list[Measured]) -> list[str]:
    """What fell short of the goals, in words."""
    at = {(r.server, r.connections): r for r in rows}
    mlflow = at["mlflow models serve", 64]
    ours = [r for r in rows if r.server.startswith("opsdeck") and r.connections == 64]
    rivals = [r for r in rows if not r.server.startswith("opsdeck") and r.connections == 64]
    missed = []
    for row in ours:
        wanted = GOAL_ONNX if "ONNX" in row.server else GOAL_NATIVE
        ratio = row.per_second / mlflow.per_second
        if ratio < wanted:
            missed.append(f"{row.server}: {ratio:.0f} x mlflow, not {wanted} x")
        if row.p99 >= min(r.p99 for r in rivals):
            missed.append(f"{row.server}: p99 is not the lowest")
        if row.failed:
            missed.append(f"{row.server}: {row.failed} requests failed")
    return missed


def main() -> int:
    """Measure every server in turn; exit 1 where a goal was missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, default=HERE / "results" / "rivals.json")
    parser.add_argument("--seconds", type=float, default=6)
    args = parser.parse_args()
    if shutil.which("wrk") is None:
        print("this benchmark needs wrk (Debian package wrk)", file=sys.stderr)
        return 2
    from benchmarks.serving import save_models

    rows: list[Measured] = []
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        model = save_models(root)[0]
        pickled = root / "model.pickle"
        with (model / "model.pkl").open("rb") as file:
            pickled.write_bytes(pickle.dumps(_plain(pickle.load(file))))

        def ours(name: str, folder: Path, **config: Any) -> list[Measured]:
            # The others keep nothing of what they are asked.
            return opsdeck(name, model, folder, args.seconds, **{"capture_rate": 0.0, **config})

        jobs: list[tuple[str, Callable[[Path], list[Measured]]]] = [
            ("mlflow", lambda f: mlflow_serve(model, f, args.seconds)),
            ("mlserver", lambda f: mlserver(pickled, f, args.seconds)),
            ("bentoml", lambda f: bentoml(pickled, f, args.seconds, batch=False)),
            ("bentoml-batching", lambda f: bentoml(pickled, f, args.seconds, batch=True)),
            ("native", lambda f: ours("opsdeck", f)),
            ("captured", lambda f: ours("opsdeck, all captured", f, capture_rate=1.0)),
            ("fleet", lambda f: ours("opsdeck, 2 processes", f, min_servers=2, max_servers=2)),
            ("onnx", lambda f: ours("opsdeck, ONNX", f, onnx=True)),
        ]
        for name, job in jobs:
            (root / f"run-{name}").mkdir(mode=0o700)
            rows += job(root / f"run-{name}")
            print(f"   {name} measured", file=sys.stderr, flush=True)
    table(rows)
    missed = goals(rows)
    args.json.parent.mkdir(exist_ok=True)
    found = [{name: getattr(r, name) for name in Measured.__slots__} for r in rows]
    args.json.write_text(json.dumps({"rows": found, "missed": missed}, indent=1))
    for each in missed:
        print(f"missed: {each}")
    return int(bool(missed))


def _plain(model: Any) -> Any:
    """The estimator without its column names: the other servers send it plain arrays."""
    if hasattr(model, "feature_names_in_"):
        del model.feature_names_in_
    return model


if __name__ == "__main__":
    sys.exit(main())
