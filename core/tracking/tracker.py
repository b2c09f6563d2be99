"""The helper process that alone writes to MLflow through its client.

It imports the standard library and, once `init` is asked for, mlflow; nothing of Opsdeck,
so that it can be run by path with any interpreter or forked from a server which has
mlflow loaded already. It speaks JSON lines: a request is `{"id", "op", "args"}`, its
answer `{"id", "ok": true, "result"}` or `{"id", "ok": false, "error": {"type", "code",
"message"}}`, one answer a request, in order. A line that is no request is answered with
`"id": null`. It ends when its input does.

Operations (`args` → result); all may be repeated without harm, `create_run` only when
`unique_tag` names one of its tags:

- `init {tracking_uri, artifact_root?}` → `{"pid", "mlflow"}`; must come first
- `create_run {experiment, name?, tags?, unique_tag?}` → run id
- `end_run {run_id, status?}`, `reopen_run {run_id}` → null
- `log_params {run_id, params}`, `log_metrics {run_id, points}` → null; a point is
  `[key, value, step, milliseconds]`
- `register_version {name, source, run_id?, tags?, description?}` → version (a number)
- `set_alias {name, alias, version}`, `delete_alias {name, alias}` → null
- `set_version_tags {name, version, tags}` → null
- `ping {}` → `{"pid", "mlflow"}`
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sqlite3
import sys
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

STEP_EXECUTION_TAG = "opsdeck.step_execution"
"""Tag of a model version that names the step execution which registered it."""

_PARAMS_AT_ONCE = 100  # the REST API's own limits
_METRICS_AT_ONCE = 1000
_ANALYZE_AFTER_RUNS = 500
_ANALYZE_FROM_RUNS = 50


class Refused(Exception):
    """A request that cannot be done; `code` is one of MLflow's error codes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Session:
    """The operations (its public methods) on one tracking store, through one MLflow client."""

    def __init__(self) -> None:
        self._client: Any = None
        self._uri = ""
        self._artifact_root: str | None = None
        self._experiments: dict[str, str] = {}
        self._ended_since_analyze = 0

    def init(self, tracking_uri: str, artifact_root: str | None = None) -> dict[str, Any]:
        """Open the store, creating an SQLite one whole or not at all."""
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        os.environ["DO_NOT_TRACK"] = "true"
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
        root = _as_uri(artifact_root) if artifact_root else None
        path = _sqlite_path(tracking_uri)
        if path is not None:
            _relax_sqlite_fsync()
            _create_sqlite(path, root)
            _tune_sqlite(path)
        import mlflow

        mlflow.set_tracking_uri(tracking_uri)
        mlflow.set_registry_uri(tracking_uri)
        self._client = mlflow.MlflowClient(tracking_uri, tracking_uri)
        self._uri, self._artifact_root = tracking_uri, root
        self._experiments.clear()
        self._client.search_experiments(max_results=1)  # fails now if the store is broken
        return self.ping()

    def ping(self) -> dict[str, Any]:
        """Which process this is, and which mlflow it has."""
        return {"pid": os.getpid(), "mlflow": getattr(sys.modules.get("mlflow"), "__version__", "")}

    def create_run(
        self,
        experiment: str,
        name: str | None = None,
        tags: dict[str, Any] | None = None,
        unique_tag: str | None = None,
    ) -> str:
        """Create a run; with `unique_tag` return the run which has that tag's value already."""
        text_tags = {key: str(value) for key, value in (tags or {}).items()}
        experiment_id = self._experiment(experiment)
        run_id = None
        if unique_tag is not None:
            if unique_tag not in text_tags:
                raise Refused("INVALID_PARAMETER_VALUE", f"unique_tag {unique_tag!r} is no tag")
            run_id = self._run_with_tag(experiment_id, unique_tag, text_tags[unique_tag])
        if run_id is None:
            run = self._open().create_run(experiment_id, tags=text_tags, run_name=name)
            run_id = str(run.info.run_id)
        return run_id

    def end_run(self, run_id: str, status: str = "FINISHED") -> None:
        """Set a run's final status: FINISHED, FAILED or KILLED."""
        if status not in ("FINISHED", "FAILED", "KILLED"):
            raise Refused("INVALID_PARAMETER_VALUE", f"status {status!r} is none a run ends with")
        self._open().set_terminated(run_id, status=status)
        self._ended_since_analyze += 1
        path = _sqlite_path(self._uri)
        if path is not None and self._ended_since_analyze >= _ANALYZE_AFTER_RUNS:
            self._ended_since_analyze = 0
            _tune_sqlite(path)

    def reopen_run(self, run_id: str) -> None:
        """A run that had ended goes on: RUNNING again."""
        self._open().update_run(run_id, status="RUNNING")

    def log_params(self, run_id: str, params: dict[str, Any]) -> None:
        """Log parameters; a parameter once set can't change."""
        from mlflow.entities import Param

        entities = [Param(key, str(value)) for key, value in params.items()]
        for start in range(0, len(entities), _PARAMS_AT_ONCE):
            self._open().log_batch(run_id, params=entities[start : start + _PARAMS_AT_ONCE])

    def log_metrics(self, run_id: str, points: list[tuple[str, float, int, int]]) -> None:
        """Log values of metrics: key, value, step, time in milliseconds."""
        from mlflow.entities import Metric

        entities = [Metric(key, value, at, step) for key, value, step, at in points]
        for start in range(0, len(entities), _METRICS_AT_ONCE):
            self._open().log_batch(run_id, metrics=entities[start : start + _METRICS_AT_ONCE])

    def log_datasets(self, run_id: str, datasets: dict[str, str]) -> None:
        """Log which versions of datasets a run read (name to snapshot), as MLflow's inputs."""
        from mlflow.entities import Dataset, DatasetInput

        inputs = [
            DatasetInput(
                Dataset(name, snapshot[:36], "iceberg", json.dumps({"snapshot": snapshot}))
            )
            for name, snapshot in sorted(datasets.items())
        ]
        self._open().log_inputs(run_id, inputs)

    def register_version(
        self,
        name: str,
        source: str,
        run_id: str | None = None,
        tags: dict[str, Any] | None = None,
        description: str | None = None,
    ) -> int:
        """Register the model folder `source` as the next version of `name`.

        When a version has the same `opsdeck.step_execution` tag already, that one is meant.
        """
        client = self._open()
        text_tags = {key: str(value) for key, value in (tags or {}).items()}
        path = _local_path(source)
        if path is not None and not (path / "MLmodel").is_file():
            raise Refused("INVALID_PARAMETER_VALUE", f"{path} holds no MLmodel file")
        self._registered_model(name)
        execution = text_tags.get(STEP_EXECUTION_TAG)
        if execution is not None:
            for version in self._versions(name):
                if version.tags.get(STEP_EXECUTION_TAG) == execution:
                    return int(version.version)
        location = str(path.resolve()) if path is not None else source
        created = client.create_model_version(
            name, location, run_id=run_id, tags=text_tags, description=description
        )
        return int(created.version)

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Point an alias of a registered model at one of its versions."""
        self._open().set_registered_model_alias(name, alias, str(version))

    def delete_alias(self, name: str, alias: str) -> None:
        """Take an alias away; fine if there is none."""
        self._open().delete_registered_model_alias(name, alias)

    def set_version_tags(self, name: str, version: int, tags: dict[str, Any]) -> None:
        """Set tags of a model version."""
        for key, value in tags.items():
            self._open().set_model_version_tag(name, str(version), key, str(value))

    def _open(self) -> Any:
        if self._client is None:
            raise Refused("INVALID_STATE", "init must come first")
        return self._client

    def _experiment(self, name: str) -> str:
        known = self._experiments.get(name)
        if known is not None:
            return known
        client = self._open()
        found = client.get_experiment_by_name(name)
        if found is None:
            root = self._artifact_root
            location = f"{root}/{urllib.parse.quote(name, safe='')}" if root else None
            with _ignoring("RESOURCE_ALREADY_EXISTS"):  # another process was first
                client.create_experiment(name, artifact_location=location)
            found = client.get_experiment_by_name(name)
        experiment_id = str(found.experiment_id)
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(experiment_id)
        self._experiments[name] = experiment_id
        return experiment_id

    def _run_with_tag(self, experiment_id: str, tag: str, value: str) -> str | None:
        if any(quote in tag + value for quote in "'\"`"):  # the filter language escapes none
            raise Refused("INVALID_PARAMETER_VALUE", f"tag {tag!r}: no quotes in a unique tag")
        runs = self._open().search_runs([experiment_id], f"tags.`{tag}` = '{value}'", max_results=1)
        return str(runs[0].info.run_id) if runs else None

    def _registered_model(self, name: str) -> None:
        client = self._open()
        with _ignoring("RESOURCE_DOES_NOT_EXIST"):
            client.get_registered_model(name)
            return
        with _ignoring("RESOURCE_ALREADY_EXISTS"):  # another process was first
            client.create_registered_model(name)

    def _versions(self, name: str) -> Iterator[Any]:
        """Versions of a model, the newest first: a repeated call finds its own soon."""
        quote = '"' if "'" in name else "'"
        token: str | None = None
        while True:
            page = self._open().search_model_versions(
                f"name = {quote}{name}{quote}",
                max_results=1000,
                order_by=["version_number DESC"],
                page_token=token,
            )
            yield from page
            token = page.token
            if not token:
                return


OPS = frozenset(name for name in vars(Session) if not name.startswith("_"))


def answer(session: Session, line: bytes) -> dict[str, Any]:
    """Do what one request line asks for; never raises for a bad line or a failed request."""
    request_id: Any = None
    try:
        try:
            request = json.loads(line)
        except ValueError as error:
            raise Refused("BAD_REQUEST", f"not a JSON line: {error}") from error
        if not isinstance(request, dict):
            raise Refused("BAD_REQUEST", "a request is a JSON object")
        request_id = request.get("id")
        op, args = request.get("op"), request.get("args", {})
        if not isinstance(op, str) or op not in OPS:
            raise Refused("BAD_REQUEST", f"unknown op {op!r}")
        if not isinstance(args, dict):
            raise Refused("BAD_REQUEST", f"{op}: args is a JSON object")
        method: Callable[..., Any] = getattr(session, op)
        return {"id": request_id, "ok": True, "result": method(**args)}
    except Exception as error:  # noqa: BLE001 - the boundary: every failure is an answer
        return {"id": request_id, "ok": False, "error": _describe(error)}


def serve(read_fd: int, write_fd: int) -> None:
    """Answer requests from `read_fd` on `write_fd` until the input ends.

    When these are the standard descriptors they are moved away first: standard output then
    is standard error, so that no library's print can get between the answers.
    """
    reader, writer = _protected(read_fd, write_fd)
    session = Session()
    with reader, writer:
        for line in reader:
            if not line.strip():
                continue
            reply = json.dumps(answer(session, line), separators=(",", ":")).encode() + b"\n"
            try:
                writer.write(reply)
                writer.flush()
            except BrokenPipeError:
                os._exit(0)  # nobody listens; closing would try to flush again


def _protected(read_fd: int, write_fd: int) -> tuple[IO[bytes], IO[bytes]]:
    new_read, new_write = os.dup(read_fd), os.dup(write_fd)
    if read_fd == 0:
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
    else:
        os.close(read_fd)
    if write_fd == 1:
        os.dup2(2, 1)
    else:
        os.close(write_fd)
    return os.fdopen(new_read, "rb"), os.fdopen(new_write, "wb")


@contextlib.contextmanager
def _ignoring(code: str) -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != code:
            raise


def _describe(error: BaseException) -> dict[str, str]:
    code = getattr(error, "code", None) or getattr(error, "error_code", None)
    if code is None:
        code = "BAD_REQUEST" if isinstance(error, (TypeError, ValueError)) else "INTERNAL_ERROR"
    text = " ".join(str(error).split()) or type(error).__name__
    return {"type": type(error).__name__, "code": str(code), "message": text[:2000]}


def _as_uri(path_or_uri: str) -> str:
    if "://" in path_or_uri or path_or_uri.startswith("file:"):
        return path_or_uri.rstrip("/")
    return Path(path_or_uri).resolve().as_uri()


def _local_path(source: str) -> Path | None:
    parts = urllib.parse.urlsplit(source)
    if parts.scheme == "":
        return Path(source)
    if parts.scheme == "file":
        return Path(urllib.parse.unquote(parts.path))
    return None


def _sqlite_path(uri: str) -> Path | None:
    prefix = "sqlite:///"
    return Path(uri[len(prefix) :].split("?")[0]) if uri.startswith(prefix) else None


def _relax_sqlite_fsync() -> None:
    """`synchronous=NORMAL` on every connection: with WAL it loses nothing but the last commits."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    if not event.contains(Engine, "connect", _on_connect):
        event.listen(Engine, "connect", _on_connect)


def _on_connect(connection: Any, _record: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=NORMAL")


def _create_sqlite(path: Path, artifact_root: str | None) -> None:
    """Create the store beside its place and rename it there, so that no half of it is seen.

    MLflow runs all its migrations for a new store; a kill in the middle of them would leave
    a file that it refuses ever after.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.with_name(path.name + ".lock")):
        if path.exists() and path.stat().st_size > 0:
            return
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        for stale in path.parent.glob(path.name + ".new-*"):
            stale.unlink()
        fresh = path.with_name(f"{path.name}.new-{os.getpid()}")
        root = artifact_root or (path.parent.resolve() / "mlartifacts").as_uri()
        create: Any = SqlAlchemyStore  # mlflow is only typed in part
        create(f"sqlite:///{fresh}", root).engine.dispose()
        with contextlib.closing(sqlite3.connect(fresh)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        fresh.replace(path)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)  # released with the descriptor, also by a kill
        yield


def _tune_sqlite(path: Path) -> None:
    """WAL for a store that came without it, and statistics for SQLite's planner.

    Statistics of a handful of runs would say that a run's id selects nothing, and do harm.
    Fails at once for a file that is no database: MLflow tries such a one for 100 seconds.
    """
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=20)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA analysis_limit=1000")  # some milliseconds, at any size
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            some = f"SELECT COUNT(*) FROM (SELECT 1 FROM runs LIMIT {_ANALYZE_FROM_RUNS})"
            if "runs" in tables and connection.execute(some).fetchone()[0] == _ANALYZE_FROM_RUNS:
                connection.execute("ANALYZE")
                connection.commit()
    except sqlite3.Error as error:
        raise Refused("TEMPORARILY_UNAVAILABLE", f"{path}: {error}") from error


if __name__ == "__main__":
    # Run by path, Python puts this file's folder first: mlflow has no business with its names.
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != here]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the worker, which closes us
    serve(0, 1)
