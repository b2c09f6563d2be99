"""Real stores with the same content: SQLite made by the tracker, PostgreSQL, and a server."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")

from core.tracking.tracker_client import Tracker

EXPERIMENT = "bike-demand"
MODEL = "bike-demand"
LONG_RUN_STEPS = 3000


@dataclass(frozen=True)
class Content:
    """Ids of what `fill` wrote."""

    runs: tuple[str, ...]
    long_run: str
    odd_run: str
    deleted_run: str


@dataclass(frozen=True)
class Store:
    """A store under test: where our reader and where MLflow's client look, and its content."""

    uri: str
    client_uri: str
    content: Content

    def client(self) -> Any:
        from mlflow import MlflowClient

        return MlflowClient(self.client_uri, self.client_uri)


def fill(uri: str, artifacts: Path) -> Content:
    """Write runs and models of every kind that a reader must cope with."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

    client = MlflowClient(uri, uri)
    experiment = client.create_experiment(EXPERIMENT, artifact_location=artifacts.as_uri())
    other = client.create_experiment("other team's", artifact_location=artifacts.as_uri())
    gone = client.create_experiment("gone", artifact_location=artifacts.as_uri())
    client.create_run(gone)
    client.delete_experiment(gone)
    runs = []
    for number in range(12):
        start = 1_700_000_000_000 + (number // 2) * 1000  # pairs start at the same time
        run = client.create_run(
            experiment if number % 4 else other, start_time=start, run_name=f"run {number}"
        ).info.run_id
        client.log_batch(
            run,
            metrics=[Metric("rmse", 40.0 - number, start, 0), Metric("mae", 1.5, start, 3)],
            params=[Param("depth", str(number)), Param("note", "größer, ≥ 3")],
            tags=[RunTag("opsdeck.run", f"r{number}")],
        )
        if number % 3 == 0:
            client.set_terminated(run, "FAILED" if number == 3 else "FINISHED")
        runs.append(run)
    long_run = client.create_run(experiment, start_time=1_600_000_000_000).info.run_id
    points = [Metric("loss", 1 / (i + 1), 10_000 + i, i) for i in range(LONG_RUN_STEPS)]
    for start in range(0, LONG_RUN_STEPS, 1000):
        client.log_batch(long_run, metrics=points[start : start + 1000])
    odd_run = client.create_run(experiment, start_time=1_500_000_000_000).info.run_id
    inf, nan = float("inf"), float("nan")
    odd = [
        *(Metric("stepless", float(i % 7), 5_000 + i, 0) for i in range(50)),
        *(Metric("odd values", v, 6_000 + i, i) for i, v in enumerate((nan, inf, -inf, 0.0))),
        *(Metric("backwards", float(i), 7_000 + i, 20 - i) for i in range(20)),
        *(Metric("epoch/time", float(i), 8_000 + i, 2**31 - 3 + i) for i in range(8)),
        *(Metric("negative", float(i), 9_000, i - 5) for i in range(10)),
    ]
    client.log_batch(odd_run, metrics=odd)
    deleted_run = client.create_run(experiment).info.run_id
    client.log_metric(deleted_run, "rmse", 1.0)
    client.delete_run(deleted_run)
    _fill_registry(client, artifacts, runs)
    return Content(tuple(runs), long_run, odd_run, deleted_run)


def _fill_registry(client: Any, artifacts: Path, runs: list[str]) -> None:
    model = artifacts / "model"
    model.mkdir(parents=True, exist_ok=True)
    client.create_registered_model(MODEL, tags={"team": "rides"}, description="hourly demand")
    for number in range(4):
        client.create_model_version(
            MODEL,
            str(model),
            run_id=runs[number],
            tags={"n": str(number)},
            description=f"v{number}",
        )
    client.delete_model_version(MODEL, "2")
    client.set_registered_model_alias(MODEL, "champion", "1")
    client.set_registered_model_alias(MODEL, "stable", "1")
    client.set_registered_model_alias(MODEL, "candidate", "4")
    client.create_registered_model("it's empty")
    client.create_registered_model("Zebra")
    client.register_prompt("prompt", "Hello {{ name }}")


@pytest.fixture(scope="session")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracker]:
    """A running tracker, its store not opened yet."""
    log = tmp_path_factory.mktemp("tracker") / "stderr.log"
    with log.open("wb") as stderr, Tracker.start(sys.executable, stderr=stderr) as started:
        yield started


@pytest.fixture(scope="session")
def store_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the embedded store lives."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="session")
def embedded(tracker: Tracker, store_folder: Path) -> Tracker:
    """The tracker, with the embedded store created and open."""
    tracker.init(f"sqlite:///{store_folder / 'mlflow.db'}", str(store_folder / "artifacts"))
    return tracker


@pytest.fixture(scope="session")
def sqlite_store(embedded: Tracker, store_folder: Path) -> Store:
    """A filled copy of the embedded store, so that other tests' writes don't show."""
    copy = store_folder / "filled.db"
    import sqlite3

    with sqlite3.connect(store_folder / "mlflow.db") as source, sqlite3.connect(copy) as target:
        source.backup(target)
    uri = f"sqlite:///{copy}"
    return Store(uri, uri, fill(uri, store_folder / "filled"))


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def rest_store(sqlite_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A real MLflow server over the SQLite store."""
    port = free_port()
    folder = tmp_path_factory.mktemp("server")
    command = [
        sys.executable, "-m", "mlflow", "server", "--backend-store-uri", sqlite_store.client_uri,
        "--default-artifact-root", str(folder), "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1",
    ]  # fmt: skip
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            _wait_for_http(port, server, folder / "server.log")
            yield Store(f"http://127.0.0.1:{port}", sqlite_store.client_uri, sqlite_store.content)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


@pytest.fixture(scope="session")
def arn_store(rest_store: Store) -> Iterator[Store]:
    """The same server, reached as managed MLflow is: by an ARN, with signed requests."""
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/team"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT", rest_store.uri)
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "simulated")
        yield Store(arn, rest_store.client_uri, rest_store.content)


def _wait_for_http(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
        finally:
            connection.close()
    pytest.fail(f"mlflow server did not start:\n{log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL cluster of its own, without fsync; skipped where there is none installed."""
    found = [shutil.which(name) for name in ("initdb", "postgres")]
    if None in found:
        pytest.skip("PostgreSQL is not installed")
    initdb, postgres = (str(name) for name in found)
    # pytest's own folders are closed to the user that the server runs as.
    with tempfile.TemporaryDirectory(prefix="opsdeck-pg-", ignore_cleanup_errors=True) as folder:
        yield from _postgres(Path(folder), initdb, postgres)


def _postgres(folder: Path, initdb: str, postgres: str) -> Iterator[str]:
    user: dict[str, Any] = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        user = {"user": "postgres", "group": "postgres", "extra_groups": []}
        shutil.chown(folder, "postgres", "postgres")
    data, port = folder / "data", free_port()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "cwd": folder}
    made = subprocess.run(
        [initdb, "-D", data, "-U", "ops", "-A", "trust", "-N"], timeout=60, **quiet, **user
    )
    assert made.returncode == 0, made.stderr.decode()
    options = ["-c", f"port={port}", "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
               "-c", f"unix_socket_directories={folder}", "-c", "shared_buffers=16MB"]  # fmt: skip
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [postgres, "-D", data, *options], stdout=log, stderr=log, cwd=folder, **user
        )
        try:
            yield _wait_for_postgres(f"postgresql://ops@127.0.0.1:{port}/postgres", server)
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(20)


def _wait_for_postgres(url: str, server: subprocess.Popen[bytes]) -> str:
    import psycopg

    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
            return url
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.fixture(scope="session")
def postgres_store(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The same content in PostgreSQL."""
    client_uri = postgres_url.replace("postgresql:", "postgresql+psycopg:")
    return Store(postgres_url, client_uri, fill(client_uri, tmp_path_factory.mktemp("pg-files")))
