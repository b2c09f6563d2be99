"""The tune step: trial after trial, some of them at once, until the search is over.

It holds the slot of its step, in which one lane of trials runs; further lanes take a slot for
each trial, as a step does. Which values a trial gets depends on the seed and on the trials that
were over `max_parallel` numbers before it, and on nothing else: the same seed gives the same
trials, whichever of two was faster, and whichever worker died in between.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from core.domain.tuning import Trial, TrialStatus, trial_log
from core.engine import runstate
from core.engine.cachekey import cache_key
from core.engine.context import Engine
from core.engine.execution import Outcome
from core.engine.logfiles import log_path
from core.engine.logwriter import LogWriter
from core.engine.plan import Plan, read_plan
from core.engine.tunerows import TrialRows
from core.engine.tunespec import known_of, spec_of, warm_trials
from core.engine.tunetrial import Done, Setting, child_run, end_child, run_trial
from core.engine.warm import Exit
from core.lineage import environment_lock
from core.pipelines import code_fingerprint
from core.reads.trials import best_of, equal_trials
from core.tuning import TrialsFailed
from core.tuning.proposals import Known, hopeless, propose

if TYPE_CHECKING:
    from core.engine.stepwork import Prepared

LOOK_SECONDS = 0.3
BEST = "best"
_STATUS = {"failed": TrialStatus.FAILED, "stopped": TrialStatus.STOPPED}


def search(engine: Engine, run_id: str, generation: int, prepared: Prepared) -> Outcome:
    """Execute all trials that are left; the best one's values and outputs are the step's.

    Raises `TrialsFailed` and what a trial cannot be blamed for; `Overtaken`.
    """
    plan = read_plan(engine.session.reader, run_id)
    log = LogWriter(log_path(engine.workspace.runs_dir, run_id, prepared.step.name), 1)
    prepared.work_dir.mkdir(parents=True, exist_ok=True)
    try:
        return _Search(engine, plan, generation, prepared, log).run()
    finally:
        log.close()


class _Search:
    """One execution of a tune step. Use once. The lock guards everything that changes."""

    def __init__(
        self, engine: Engine, plan: Plan, generation: int, prepared: Prepared, log: LogWriter
    ) -> None:
        step = prepared.step
        self._engine, self._plan, self._step = engine, plan, step
        self._key, self._work_dir = prepared.key, prepared.work_dir
        self._run_id = str(plan.run["id"])
        self._log = log
        self._spec = spec_of(plan, step)
        self._rows = TrialRows(engine, self._run_id, generation, step.name, prepared.execution_id)
        self._setting = Setting(
            engine,
            self._run_id,
            int(plan.run["number"]),
            step,
            self._spec,
            prepared.request,
            prepared.work_dir,
            plan.spec.name,
            str(plan.run["mlflow_run_id"]),
            step.outputs[1 + len(self._spec.ranges) :],
        )
        self._code = code_fingerprint(engine.workspace.root, step)
        self._environment = environment_lock(step.python or sys.executable).sha256
        self._lock = threading.Condition()
        self._trials: dict[int, Trial] = {}
        self._taken: set[int] = set()
        self._fault: BaseException | None = None
        self._warm: tuple[Known, ...] = ()

    # --- the search as a whole -----------------------------------------------------------

    def run(self) -> Outcome:
        """All of it."""
        self._warm = warm_trials(self._engine, self._plan, self._step, self._spec)
        if self._warm:
            self._say(f"{len(self._warm)} trials are known from {self._spec.warm_start}")
        before = self._rows.take_up(self._key)
        if self._hopeless_search(before):
            self._rows.forget_failed()
            before = tuple(each for each in before if each.status is not TrialStatus.FAILED)
        self._trials = {each.number: each for each in before}
        done = sum(each.status.ended for each in before)
        if before:
            self._say(f"goes on after {done} trials")
        self._tell_progress()
        lanes = [
            threading.Thread(target=self._lane, args=(number,), name=f"trial {number}", daemon=True)
            for number in range(1, min(self._spec.max_parallel, self._spec.max_trials))
        ]
        for lane in lanes:
            lane.start()
        self._lane(0)
        for lane in lanes:
            while lane.is_alive():
                self._engine.hold_if_stopping()
                lane.join(LOOK_SECONDS)
        if self._fault is not None:
            if not isinstance(self._fault, runstate.Overtaken):
                self._rows.abandon("the search ended by a fault")
            raise self._fault
        return self._outcome()

    def _outcome(self) -> Outcome:
        ended = [each for each in self._trials.values() if each.status.ended]
        usage = Exit(
            0,
            None,
            sum(each.cpu_seconds or 0.0 for each in ended),
            max((each.max_rss_mb or 0.0 for each in ended), default=0.0),
        )
        if self._run_id in self._engine.cancelled:
            return Outcome(usage, reason="cancelled", stopped="cancelled")
        self._refuse_failed(len(ended))
        best = best_of(ended, self._spec.minimize)
        assert best is not None
        self._say(f"the best: {_shown(best)}")
        outputs = []
        for name, value in ((BEST, dict(best.params)), *best.params.items()):
            path = self._work_dir / f"{name}.json"
            path.write_text(json.dumps(value))
            outputs.append({"name": name, "kind": "json", "path": str(path)})
        note = f"trial {best.number} of {len(ended)}: {_shown(best)}"
        return Outcome(usage, outputs, note=note, published=list(best.outputs))

    def _hopeless_search(self, trials: Collection[Trial]) -> bool:
        """Whether too many have failed, or all have ended and none well."""
        failed = sum(each.status is TrialStatus.FAILED for each in trials)
        ended = sum(each.status.ended for each in trials)
        good = any(each.status.ended_well for each in trials)
        over = ended >= self._spec.max_trials
        return failed > self._spec.max_failed or (over and not good)

    def _refuse_failed(self, ended: int) -> None:
        """Raise `TrialsFailed` where too many failed, or none ended well at the end."""
        if not self._hopeless_search(self._trials.values()):
            return
        failed = [each for each in self._trials.values() if each.status is TrialStatus.FAILED]
        last = max(failed, key=lambda each: each.number, default=None)
        why = f"; the last: {last.message}" if last else ""
        hint = f"see: opsdeck runs trials {self._plan.run['number']}"
        if len(failed) > self._spec.max_failed:
            raise TrialsFailed(f"{len(failed)} of {ended} trials failed{why}", hint)
        raise TrialsFailed(f"none of {ended} trials ended well{why}", hint)

    # --- lanes ---------------------------------------------------------------------------

    def _lane(self, lane: int) -> None:
        """Trial after trial, until there is none to begin."""
        try:
            while True:
                with self._lock:
                    while not self._over() and self._next() is None:
                        self._lock.wait(LOOK_SECONDS)
                        self._engine.hold_if_stopping()
                    if self._over():
                        return
                with self._slot(lane):
                    number = self._take()
                    if number is not None:
                        self._try(number)
        except BaseException as error:  # noqa: BLE001 - raised again by the step's own thread
            with self._lock:
                self._fault = self._fault or error
                self._lock.notify_all()

    def _slot(self, lane: int) -> Any:
        if lane == 0:  # in the slot of the step itself
            return nullcontext()
        key = f"{self._run_id}:{trial_log(self._step.name, lane)}"
        return self._engine.slots.held(key, self._nothing_to_do)

    def _nothing_to_do(self) -> bool:
        with self._lock:
            return self._over() or self._next() is None

    def _take(self) -> int | None:
        with self._lock:
            number = None if self._over() else self._next()
            if number is not None:
                self._taken.add(number)
            return number

    def _over(self) -> bool:
        """Whether nothing more is to be begun."""
        if self._fault is not None or self._run_id in self._engine.cancelled:
            return True
        failed = sum(each.status is TrialStatus.FAILED for each in self._trials.values())
        return failed > self._spec.max_failed or len(self._begun()) >= self._spec.max_trials

    def _begun(self) -> set[int]:
        ended = {number for number, each in self._trials.items() if each.status.ended}
        return ended | self._taken

    def _next(self) -> int | None:
        """The next trial, where all that it has to know of are over."""
        begun = self._begun()
        number = next(n for n in range(self._spec.max_trials + 1) if n not in begun)
        if number >= self._spec.max_trials:
            return None
        ready = all(
            n in self._trials and self._trials[n].status.ended for n in self._known_by(number)
        )
        return number if ready else None

    def _known_by(self, number: int) -> range:
        """The trials that count when another one's values are chosen."""
        if self._spec.strategy == "random":
            return range(0)
        return range(max(0, number - self._spec.max_parallel + 1))

    # --- one trial -----------------------------------------------------------------------

    def _try(self, number: int) -> None:
        with self._lock:
            before = self._trials.get(number)
            known = [self._trials[n] for n in self._known_by(number)]
        if before is not None:  # a worker died in the middle of it
            params = dict(before.params)
            if before.mlflow_run_id:
                self._engine.tracker.call("end_run", run_id=before.mlflow_run_id, status="KILLED")
        else:
            params = propose(self._spec, number, [*self._warm, *map(known_of, known)])
        key = self._trial_key(params)
        equal = self._equal(key)
        tags = {"opsdeck.cached_from": equal.run_id} if equal else {}
        mlflow_run = child_run(self._setting, number, tags)
        self._rows.begin(
            number,
            search_key=self._key,
            trial_key=key,
            params=params,
            metric=self._spec.metric,
            mlflow_run_id=mlflow_run,
        )
        self._say(f"trial {number}: {_values(params)}")
        if equal is not None:
            done = Done("", "", equal.value, equal.outputs, equal.curve)
        else:
            done = run_trial(
                self._setting, number, params, mlflow_run, self._cancelled, self._hopeless
            )
        status = _STATUS.get(done.how, TrialStatus.SUCCEEDED)
        if done.how == "cancelled":
            status = TrialStatus.CANCELLED
        elif equal is not None:
            status = TrialStatus.CACHED
        end_child(self._setting, mlflow_run, params, done.value, done.how)
        self._rows.end(
            number,
            status,
            params,
            outputs=done.outputs,
            curve=done.curve,
            message=done.reason,
            value=done.value,
            cached_from=equal.run_id if equal else None,
            **(done.usage or {}),
        )
        self._ended(number, params, status, done)

    def _ended(self, number: int, params: dict[str, Any], status: TrialStatus, done: Done) -> None:
        told = done.usage or {}
        trial = Trial(
            self._run_id, self._step.name, number, status, params, self._spec.metric, done.value,
            message=done.reason, outputs=done.outputs, curve=done.curve or {},
            cpu_seconds=told.get("cpu_seconds"), max_rss_mb=told.get("max_rss_mb"),
        )  # fmt: skip
        with self._lock:
            self._trials[number] = trial
            self._taken.discard(number)
            best = best_of(self._trials.values(), self._spec.minimize)
            self._lock.notify_all()
        if status.ended_well:
            mark = ", the best so far" if best is trial else ""
            self._say(f"trial {number}: {self._spec.metric} {done.value:.6g}{mark}")
        else:
            self._say(f"trial {number}: {status}: {done.reason}")
        self._tell_progress(trial)

    def _cancelled(self) -> bool:
        return self._run_id in self._engine.cancelled or self._fault is not None

    def _hopeless(self, curve: Mapping[int, float]) -> bool:
        with self._lock:
            known = [known_of(each) for each in self._trials.values() if each.status.ended]
        return hopeless(self._spec, known, curve)

    def _trial_key(self, params: Mapping[str, Any]) -> str:
        """Stands for what a trial's result depends on."""
        given = {
            name: {"digest": each["digest"]} if "digest" in each else {"value": each["value"]}
            for name, each in self._setting.request["inputs"].items()
        }
        given |= {f"tune.{name}": {"value": value} for name, value in params.items()}
        judged = [self._spec.metric, self._spec.output, self._plan.seed(self._step)]
        given["tune"] = {"value": judged}
        env = self._plan.env(self._step)
        step = replace(self._step, outputs=self._setting.outputs)
        return cache_key(step, self._code, given, env, self._environment)

    def _equal(self, key: str) -> Trial | None:
        """An equal trial that ended well, and of which all is still there."""
        if not (self._plan.run["use_cache"] and self._step.cache):
            return None
        state_dir = self._engine.workspace.state_dir
        for each in equal_trials(self._engine.session.reader, key):
            if all((state_dir / ref.path).exists() for ref in each.outputs):
                return each
        return None

    # --- telling -------------------------------------------------------------------------

    def _tell_progress(self, trial: Trial | None = None) -> None:
        """The run's metrics say what each trial came to, as they end, and the best so far."""
        at, metric = int(time.time() * 1000), self._spec.metric
        points: list[tuple[str, float, int, int]] = []
        with self._lock:
            ended = [each for each in self._trials.values() if each.status.ended]
        if trial is not None and trial.status.ended_well and trial.value is not None:
            points.append((f"{self._step.name}/{metric}", trial.value, len(ended), at))
        best = best_of(ended, self._spec.minimize)
        if best is not None and best.value is not None:
            points.append((f"{self._step.name}/best_{metric}", best.value, len(ended), at))
        if points:
            self._engine.tracker.call("log_metrics", run_id=self._setting.parent, points=points)

    def _say(self, text: str) -> None:
        with self._lock:
            self._log.say(text)


def _values(params: Mapping[str, Any]) -> str:
    """`learning_rate=0.0512, loss=a`."""
    shown = {k: f"{v:.4g}" if isinstance(v, float) else str(v) for k, v in params.items()}
    return ", ".join(f"{name}={value}" for name, value in shown.items())


def _shown(trial: Trial) -> str:
    return f"{trial.metric} {trial.value:.6g} with {_values(trial.params)}"
