"""The reader over MLflow's REST API, for a tracking server whose database is out of reach."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.errors import BadInput
from core.tracking._http import HttpClient, NoSuchEndpoint
from core.tracking.reader import (
    DEFAULT_HISTORY_LIMIT,
    MetricSeries,
    ModelVersion,
    RegisteredModel,
    RunInfo,
    number,
    series_of,
)

_HISTORY_PAGE = 10_000
_RUNS_PAGE = 200  # the server takes about 10 ms a run: a page must fit the time limit
_MODELS_PAGE = 1000
_INTERVAL_MAX = 2500  # the server's own; beyond, it samples
_INT32_MAX = 2**31 - 1
_API = "/api/2.0/mlflow/"


class RestReader:
    """`TrackingReader` on an MLflow server (or one that speaks its API)."""

    def __init__(self, uri: str, http: HttpClient | None = None) -> None:
        """Credentials in `uri` are used and never shown; `http` sends the requests, where they
        need more than those."""
        self._http = http or HttpClient(uri)
        self._lock = threading.Lock()
        # Where pages begin, as far as known: (experiment, offset) to the server's token.
        self._tokens: dict[tuple[str | None, int], str] = {}

    def metric_keys(self, run_id: str) -> list[str]:
        """Names of the metrics that a run has, sorted."""
        return sorted(item["key"] for item in self._run_data(run_id).get("metrics", ()))

    def metric_history(
        self,
        run_id: str,
        key: str,
        after_step: int | None = None,
        limit: int = DEFAULT_HISTORY_LIMIT,
    ) -> MetricSeries:
        """Values at steps greater than `after_step`; few new ones cost one request."""
        items = None if after_step is None else self._interval(run_id, key, after_step)
        if items is None:
            items = self._whole_history(run_id, key)
        points = sorted(
            (int(item.get("step", 0)), int(item["timestamp"]), _number(item["value"]))
            for item in items
        )
        if after_step is not None:
            points = [point for point in points if point[0] > after_step]
        return series_of(key, points, limit)

    def latest_metrics(self, run_ids: Sequence[str]) -> dict[str, dict[str, float]]:
        """For each run that exists, its metrics' values at their last step; a request a run."""
        found = {}
        for run_id in dict.fromkeys(run_ids):
            run = self._run(run_id)
            if run is not None:
                found[run_id] = _metrics(run.get("data", {}))
        return found

    def params(self, run_id: str) -> dict[str, str]:
        """A run's parameters."""
        return _texts(self._run_data(run_id).get("params"))

    def tags(self, run_id: str) -> dict[str, str]:
        """A run's tags."""
        return _texts(self._run_data(run_id).get("tags"))

    def runs(
        self, experiment: str | None = None, limit: int = 100, offset: int = 0
    ) -> list[RunInfo]:
        """Runs, the last started first; going on where another call ended is cheap."""
        names = self._experiments(experiment)
        if not names or limit <= 0:
            return []
        found: list[RunInfo] = []
        with self._lock:
            starts = [at for of, at in self._tokens if of == experiment and at <= offset]
            position = max(starts, default=0)
            token = self._tokens.get((experiment, position), "")
        while True:
            # A page ends where the call does, so that the next one may begin there.
            wanted = min(_RUNS_PAGE, (offset if position < offset else offset + limit) - position)
            page = self._search_runs(list(names), wanted, token)
            runs = page.get("runs", [])
            if position >= offset:
                found.extend(_run_info(run, names) for run in runs)
            position += len(runs)
            token = str(page.get("next_page_token") or "")
            if not token or not runs:
                return found
            with self._lock:
                self._tokens[experiment, position] = token
            if position >= offset + limit:
                return found

    def registered_models(self) -> list[RegisteredModel]:
        """All registered models, by name."""
        query = {"max_results": _MODELS_PAGE}
        models = [
            RegisteredModel(
                item["name"],
                item.get("description", ""),
                _time(item.get("creation_timestamp")),
                _time(item.get("last_updated_timestamp")),
                max((int(v["version"]) for v in item.get("latest_versions", ())), default=0),
                _texts(item.get("tags")),
                {a["alias"]: int(a["version"]) for a in item.get("aliases", ())},
            )
            for item in self._pages("registered-models/search", "registered_models", query)
        ]
        return sorted(models, key=lambda model: model.name)

    def model_versions(self, name: str) -> list[ModelVersion]:
        """All versions of a model, the newest first."""
        pointing: dict[int, list[str]] = {}
        for alias, version in self.aliases(name).items():
            pointing.setdefault(version, []).append(alias)
        quote = '"' if "'" in name else "'"
        query = {"filter": f"name={quote}{name}{quote}", "max_results": _MODELS_PAGE}
        versions = [
            ModelVersion(
                name,
                int(item["version"]),
                item.get("run_id", ""),
                item.get("source", ""),
                item.get("status", ""),
                item.get("description", ""),
                _time(item.get("creation_timestamp")),
                _time(item.get("last_updated_timestamp")),
                _texts(item.get("tags")),
                tuple(sorted(pointing.get(int(item["version"]), ()))),
            )
            for item in self._pages("model-versions/search", "model_versions", query)
        ]
        return sorted(versions, key=lambda version: -version.version)

    def aliases(self, name: str) -> dict[str, int]:
        """A model's aliases and the versions they point at."""
        answer = self._get("registered-models/get", {"name": name})
        model = answer.get("registered_model", {}) if answer else {}
        return {item["alias"]: int(item["version"]) for item in model.get("aliases", ())}

    def close(self) -> None:
        """Close connections; the reader opens new ones when it is used again."""
        self._http.close()

    def _get(self, path: str, query: Mapping[str, Any]) -> dict[str, Any] | None:
        return self._http.request("GET", _API + path, query=query)

    def _pages(self, path: str, items: str, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
        token = ""
        while True:
            answer = self._get(path, query | ({"page_token": token} if token else {})) or {}
            yield from answer.get(items, ())
            token = answer.get("next_page_token") or ""
            if not token:
                return

    def _run(self, run_id: str) -> dict[str, Any] | None:
        try:
            answer = self._get("runs/get", {"run_id": run_id})
        except BadInput:  # the server looks at an id's form before it looks for the run
            return None
        if answer is None:
            return None
        run: dict[str, Any] = answer.get("run", {})
        return run if run.get("info", {}).get("lifecycle_stage") != "deleted" else None

    def _run_data(self, run_id: str) -> dict[str, Any]:
        data: dict[str, Any] = (self._run(run_id) or {}).get("data", {})
        return data

    def _whole_history(self, run_id: str, key: str) -> list[dict[str, Any]]:
        query = {"run_id": run_id, "metric_key": key, "max_results": _HISTORY_PAGE}
        try:
            return list(self._pages("metrics/get-history", "metrics", query))
        except BadInput:
            return []

    def _interval(self, run_id: str, key: str, after: int) -> list[dict[str, Any]] | None:
        """New points by the endpoint of MLflow's own pages; None when it can't tell them all."""
        if not -_INT32_MAX <= after < _INT32_MAX:
            return None
        query = {
            "run_ids": run_id,
            "metric_key": key,
            "start_step": after + 1,
            "end_step": _INT32_MAX,
            "max_results": _INTERVAL_MAX,
        }
        path = "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval"
        try:
            answer = self._http.request("GET", path, query=query)
        except (BadInput, NoSuchEndpoint):  # an older server, or another's: the long way
            return None
        items: list[dict[str, Any]] = (answer or {}).get("metrics", [])
        if answer is None or len(items) >= _INTERVAL_MAX:
            return None
        if not items:  # nothing new, unless steps have grown beyond what the endpoint takes
            latest = self._run_data(run_id).get("metrics", ())
            beyond = any(m["key"] == key and int(m.get("step", 0)) > _INT32_MAX for m in latest)
            return None if beyond else []
        return items

    def _experiments(self, name: str | None) -> dict[str, str]:
        if name is not None:
            answer = self._get("experiments/get-by-name", {"experiment_name": name})
            found = [answer["experiment"]] if answer else []
        else:
            query = {"max_results": 1000, "view_type": "ACTIVE_ONLY"}
            found = list(self._pages("experiments/search", "experiments", query))
        return {
            str(item["experiment_id"]): item["name"]
            for item in found
            if item.get("lifecycle_stage") != "deleted"
        }

    def _search_runs(self, ids: list[str], size: int, token: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "experiment_ids": ids,
            "max_results": size,
            "run_view_type": "ACTIVE_ONLY",
        }
        if token:
            body["page_token"] = token
        return self._http.request("POST", _API + "runs/search", body=body) or {}


def _run_info(run: Mapping[str, Any], names: Mapping[str, str]) -> RunInfo:
    info, data = run["info"], run.get("data", {})
    return RunInfo(
        info["run_id"],
        info.get("run_name", ""),
        names.get(str(info.get("experiment_id")), ""),
        info.get("status", ""),
        _time(info.get("start_time")),
        _time(info.get("end_time")),
        _texts(data.get("params")),
        _texts(data.get("tags")),
        _metrics(data),
    )


def _metrics(data: Mapping[str, Any]) -> dict[str, float]:
    return {item["key"]: _number(item["value"]) for item in data.get("metrics", ())}


def _number(value: Any) -> float:
    return number(float(value))  # "NaN" comes as a string, as protobuf's JSON has it


def _texts(items: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    return {item["key"]: item.get("value", "") for item in items or ()}


def _time(value: Any) -> int | None:
    return int(value) if value else None
