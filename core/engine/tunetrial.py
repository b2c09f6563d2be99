"""One trial of a tune step: a step process with its own log, limits, MLflow run and artifacts."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.domain.pipeline import StepSpec
from core.domain.run import OutputRef
from core.domain.tuning import trial_log
from core.engine.artifacts import publish, refuse_without_room
from core.engine.context import Engine
from core.engine.execution import Execution, Order, Outcome
from core.engine.logfiles import log_path
from core.errors import OpsdeckError, WorkerUnavailable
from core.ids import new_id
from core.pipelines._report import did_you_mean
from core.tracking import TrackingReader, open_reader
from core.tuning import ObjectiveMissing, TuneSpec

LOOK_SECONDS = 1.0
"""How often the metric of a trial is looked at that may be ended early."""

LOST_RETRIES = 3
_ENDED = {"": "FINISHED", "stopped": "KILLED", "cancelled": "KILLED"}


@dataclass(frozen=True, slots=True)
class Setting:
    """What all trials of a step have in common. `request` is what a step process is told;
    `experiment` and `parent` are of MLflow, `number` of the run."""

    engine: Engine
    run_id: str
    number: int
    step: StepSpec
    spec: TuneSpec
    request: Mapping[str, Any]
    work_dir: Path
    experiment: str
    parent: str
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """How a trial ended: `how` is "" (well), "failed", "stopped" or "cancelled"."""

    how: str
    reason: str = ""
    value: float | None = None
    outputs: tuple[OutputRef, ...] = ()
    curve: Mapping[int, float] | None = None
    usage: Mapping[str, Any] | None = None


def child_run(setting: Setting, number: int, tags: Mapping[str, str]) -> str:
    """A run of MLflow's below the run's own, for one execution of a trial."""
    name = f"#{setting.number} {trial_log(setting.step.name, number)}"
    told = {"opsdeck.run_id": f"{setting.run_id}:{new_id()}", "opsdeck.step": setting.step.name}
    told |= {"opsdeck.trial": str(number), "mlflow.parentRunId": setting.parent, **tags}
    return str(
        setting.engine.tracker.call(
            "create_run",
            experiment=setting.experiment,
            name=name,
            tags=told,
            unique_tag="opsdeck.run_id",  # may be asked for again where the tracker died
        )
    )


def end_child(
    setting: Setting, mlflow_run: str, params: Mapping[str, Any], value: float | None, how: str
) -> None:
    """Have MLflow's run say what the trial was given and what came of it, where the trial did
    not itself."""
    with closing(open_reader(setting.engine.workspace.tracking_uri)) as reader:
        known = reader.params(mlflow_run)
        logged = setting.spec.metric in reader.metric_keys(mlflow_run)
    call = setting.engine.tracker.call
    missing = {name: str(given) for name, given in params.items() if name not in known}
    if missing:
        call("log_params", run_id=mlflow_run, params=missing)
    if value is not None and not logged:
        point = (setting.spec.metric, value, 0, int(time.time() * 1000))
        call("log_metrics", run_id=mlflow_run, points=[point])
    call("end_run", run_id=mlflow_run, status=_ENDED.get(how, "FAILED"))


def run_trial(
    setting: Setting,
    number: int,
    params: Mapping[str, Any],
    mlflow_run: str,
    cancelled: Callable[[], bool],
    hopeless: Callable[[Mapping[int, float]], bool],
) -> Done:
    """Execute a trial to its end. A fault of its own is in what is returned."""
    watch = _Watch(setting, mlflow_run, hopeless)
    try:
        outcome = _execute(setting, number, params, mlflow_run, lambda: cancelled() or watch.over())
        setting.engine.hold_if_stopping()
        usage = {
            "exit_code": outcome.exit.code,
            "signal": outcome.exit.signal,
            "cpu_seconds": round(outcome.exit.cpu_seconds, 3),
            "max_rss_mb": round(outcome.exit.max_rss_mb, 1),
        }
        if watch.stopped and outcome.reason:
            last = watch.curve[max(watch.curve)]
            return Done("stopped", "worse than half of the others", last, (), watch.curve, usage)
        if outcome.reason:
            how = "cancelled" if outcome.stopped == "cancelled" else "failed"
            return Done(how, outcome.reason, usage=usage)
        return _judged(setting, number, mlflow_run, outcome, usage)
    except (OpsdeckError, OSError) as error:
        setting.engine.hold_if_stopping()
        reason = error.one_line() if isinstance(error, OpsdeckError) else str(error)
        return Done("failed", reason)
    finally:
        watch.close()
        shutil.rmtree(_folder(setting, number), ignore_errors=True)


def _execute(
    setting: Setting,
    number: int,
    params: Mapping[str, Any],
    mlflow_run: str,
    cancelled: Callable[[], bool],
) -> Outcome:
    engine, step = setting.engine, setting.step
    folder = _folder(setting, number)
    inputs = {name: {"value": value} for name, value in params.items()}
    env = {"MLFLOW_RUN_ID": mlflow_run, "OPSDECK_TRIAL": str(number)}
    request = {
        **setting.request,
        "kind": step.options["runs"],
        "inputs": {**setting.request["inputs"], **inputs},
        "outputs": list(setting.outputs),
        "out_dir": str(folder),
        "env": {**setting.request["env"], **env},
    }
    log = log_path(engine.workspace.runs_dir, setting.run_id, trial_log(step.name, number))
    for left in reversed(range(LOST_RETRIES)):
        refuse_without_room(engine.workspace.state_dir)
        shutil.rmtree(folder, ignore_errors=True)
        execution = f"{setting.work_dir.name}-{number}-{left}"
        order = Order(execution, request, folder, log, 1, step.timeout, step.memory_mb)
        try:
            outcome = Execution(engine.warm, order, cancelled).run(lambda _: None)
        except WorkerUnavailable:
            engine.hold_if_stopping()
            if not left:
                raise
            continue
        engine.hold_if_stopping()
        if not outcome.exit.lost or outcome.stopped or not left:
            return outcome
    raise AssertionError("unreachable")


def _judged(
    setting: Setting, number: int, mlflow_run: str, outcome: Outcome, usage: Mapping[str, Any]
) -> Done:
    workspace, spec = setting.engine.workspace, setting.spec
    outputs = tuple(publish(workspace.artifacts_dir, workspace.state_dir, outcome.outputs))
    curve: Mapping[int, float] = {}
    if spec.output:
        ref = next(each for each in outputs if each.name == spec.output)
        value = _told(spec, ref, workspace.state_dir / ref.path)
    else:
        with closing(open_reader(setting.engine.workspace.tracking_uri)) as reader:
            latest = reader.latest_metrics([mlflow_run]).get(mlflow_run, {})
            if spec.metric in latest and spec.early_stopping != "off":
                curve = _curve(reader, mlflow_run, spec.metric)
        if spec.metric not in latest:
            hint = did_you_mean(spec.metric, latest) or "log it: mlflow.log_metric"
            raise ObjectiveMissing(f"the trial logged no metric {spec.metric}", hint)
        value = latest[spec.metric]
    if not math.isfinite(value):
        raise ObjectiveMissing(f"{spec.metric} is {value}", "a number is needed")
    return Done("", "", value, outputs, curve, usage)


def _told(spec: TuneSpec, ref: OutputRef, path: Path) -> float:
    """The number that an output of a trial is, or that stands in it."""
    value = json.loads(path.read_text()) if ref.kind == "json" else None
    if isinstance(value, Mapping):
        if spec.metric not in value:
            hint = did_you_mean(spec.metric, value)
            raise ObjectiveMissing(f"there is no {spec.metric} in the output {ref.name}", hint)
        value = value[spec.metric]
    if isinstance(value, bool) or not isinstance(value, int | float):
        hint = "a number, or a mapping with it"
        raise ObjectiveMissing(f"the output {ref.name} says no {spec.metric}", hint)
    return float(value)


class _Watch:
    """Looks at the metric of a trial now and then, and says when it is hopeless."""

    def __init__(
        self, setting: Setting, mlflow_run: str, hopeless: Callable[[Mapping[int, float]], bool]
    ) -> None:
        self._setting, self._run, self._hopeless = setting, mlflow_run, hopeless
        self._reader: TrackingReader | None = None
        self._next = time.monotonic() + LOOK_SECONDS
        self.curve: Mapping[int, float] = {}
        self.stopped = False

    def over(self) -> bool:
        """Whether to end it; asked at every tick."""
        off = self._setting.spec.early_stopping == "off"
        if self.stopped or off or time.monotonic() < self._next:
            return self.stopped
        if self._reader is None:
            self._reader = open_reader(self._setting.engine.workspace.tracking_uri)
        found = _curve(self._reader, self._run, self._setting.spec.metric)
        if found and found != self.curve:
            self.curve = found
            self.stopped = self._hopeless(found)
        self._next = time.monotonic() + LOOK_SECONDS
        return self.stopped

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()


def _curve(reader: TrackingReader, mlflow_run: str, metric: str) -> dict[int, float]:
    series = reader.metric_history(mlflow_run, metric)
    pairs = zip(series.steps, series.values, strict=True)
    return {step: value for step, value in pairs if math.isfinite(value)}


def _folder(setting: Setting, number: int) -> Path:
    return setting.work_dir / f"trial-{number}"
