"""From a pipeline of ours to what it is there: each step a job, a registration, a question or a
deployment; or a refusal in one line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from core.aws.compile.deploying import deployment_of
from core.aws.compile.errors import CannotCompile, OverLimit, at
from core.aws.compile.machines import machine_of, settings_of
from core.aws.compile.nodes import (
    Deployment,
    Job,
    Joined,
    Lowered,
    Made,
    Node,
    Param,
    Question,
    Registration,
    Rows,
    Value,
)
from core.aws.compile.target import Target, there
from core.domain.pipeline import PipelineSpec, Source, StepSpec

RUNNER = "opsdeck_runner.py"
MOST_CHANNELS = 9
"""Of a processing job, which takes ten inputs: the tenth is the code."""
MOST_OUTPUTS = 10
MOST_TRAINING_CHANNELS = 20
MOST_ARGUMENTS = 45
LONGEST_LITERAL = 200
"""Characters of a literal that stands in an argument; a longer one goes with the source."""
LONGEST_VARIABLE = 512
SERVING_CODE = {
    "SAGEMAKER_PROGRAM": "inference.py",
    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
}
"""How a scikit-learn container finds what the runner puts beside a model."""

_DATA = "data steps read and write the lake by Opsdeck itself, which is not in a container there"


def lower(spec: PipelineSpec, target: Target) -> Lowered:
    """The pipeline there. Raises `CannotCompile` or one of its kind for the first step that
    cannot be said."""
    return _Lowering(spec, target).lowered()


class _Lowering:
    """One pass over the steps, in their order."""

    def __init__(self, spec: PipelineSpec, target: Target) -> None:
        self.spec, self.target = spec, target
        self.datasets: dict[str, tuple[str, str | None]] = {}
        self.plans: dict[str, dict[str, Any]] = {}
        self.jobs: dict[str, Job] = {}
        self.registered = {
            source.step: source.name
            for step in spec.steps
            if step.kind == "register" and (source := step.inputs.get("model")) is not None
        }
        self.gated = {
            str(step.options.get("register", "")) for step in spec.steps if step.kind == "gate"
        }

    def lowered(self) -> Lowered:
        nodes = tuple(self._node(step) for step in self.spec.steps)
        return Lowered(self.spec, nodes, self.datasets, self.plans, tuple(self._remarks(nodes)))

    def _node(self, step: StepSpec) -> Node:
        if step.kind in ("function", "script", "notebook"):
            self.jobs[step.name] = job = self._job(step)
            return job
        if step.kind == "register":
            return self._registration(step)
        if step.kind == "gate":
            return self._question(step)
        if step.kind == "deploy":
            return deployment_of(self.spec, step, self.target)
        why, hint = (
            (f"{step.target}: {_DATA}", "run it here: what it makes is taken along as a snapshot")
            if step.kind == "data"
            else ("a tune step searches in our own engine", "tune here, and run the best there")
        )
        raise CannotCompile(at(self.spec.name, step.name, why), hint)

    # work

    def _job(self, step: StepSpec) -> Job:
        training = step.kind == "script" or step.name in self.registered
        channels: dict[str, Value] = {}
        arguments: dict[str, Value] = {}
        plan: dict[str, dict[str, Any]] = {}
        for name, source in step.inputs.items():
            plan[name] = self._given(step, name, source, channels, arguments)
        self._within_limits(step, training, channels, arguments)
        # What another training job put out is an archive, which only the runner unpacks.
        plain = step.kind == "script" and not any(
            isinstance(made := channels.get(name), Made) and self.jobs[made.step].type == "training"
            for name in channels
        )
        plain = plain and all(name in arguments or name in channels for name in step.inputs)
        env = {**self.spec.env, **step.env}
        self._check_env(step, env)
        model = self.registered.get(step.name, "model" if "model" in step.outputs else "")
        if not plain:
            self.plans[step.name] = {
                "kind": step.kind,
                "target": step.target,
                "inputs": plan,
                "outputs": list(step.outputs),
                "model": model if training else "",
                "env": dict(env),
            }
        return Job(
            name=step.name,
            type="training" if training else "processing",
            machine=machine_of(self.spec, step, self.target, training),
            needs=step.needs,
            arguments=arguments,
            channels=channels,
            outputs=step.outputs,
            env={**self._tracking(step), **env},
            program=step.target if plain else RUNNER,
            model=model if training else "",
        )

    def _given(
        self,
        step: StepSpec,
        name: str,
        source: Source,
        channels: dict[str, Value],
        arguments: dict[str, Value],
    ) -> dict[str, Any]:
        """Where an input comes from, for the job (noted in `channels` or `arguments`) and, as
        JSON, for the runner."""
        if source.kind == "output":
            if source.step not in self.jobs:
                why = f"{name} is put out by {source.step}, which makes no file there"
                raise CannotCompile(at(self.spec.name, step.name, why))
            channels[name] = Made(source.step, source.name)
            return {"from": "output", "output": source.name}
        if source.kind == "dataset":
            channels[name] = Rows(self._dataset(source))
            return {"from": "dataset"}
        if source.kind == "param":
            arguments[name] = Param(source.name)
            declared = next(each for each in self.spec.params if each.name == source.name)
            absent = declared.default is None and not declared.required
            return {"from": "argument", "type": declared.type, "empty": None if absent else ""}
        text = str(source.value)
        if step.kind == "script" and "\n" not in text and len(text) <= LONGEST_LITERAL:
            arguments[name] = text
        return {"from": "value", "value": source.value}

    def _dataset(self, source: Source) -> str:
        wanted = (source.name, None if source.value is None else str(source.value))
        for key, known in self.datasets.items():
            if known == wanted:
                return key
        key = base = source.name + (f"-at-{_plain(wanted[1])}" if wanted[1] else "")
        while key in self.datasets:
            key = f"{base}-{len(self.datasets)}"
        self.datasets[key] = wanted
        return key

    def _within_limits(
        self,
        step: StepSpec,
        training: bool,
        channels: Mapping[str, Value],
        arguments: Mapping[str, Value],
    ) -> None:
        most = MOST_TRAINING_CHANNELS if training else MOST_CHANNELS
        for count, limit, what in (
            (len(channels), most, "inputs that are files"),
            (0 if training else len(step.outputs), MOST_OUTPUTS, "outputs"),
            (len(arguments), MOST_ARGUMENTS, "parameters"),
        ):
            if count > limit:
                kind = "training" if training else "processing"
                why = f"{count} {what}: a {kind} job there takes {limit}"
                raise OverLimit(at(self.spec.name, step.name, why), "split the step in two")

    def _check_env(self, step: StepSpec, env: Mapping[str, str]) -> None:
        for name, value in env.items():
            if len(value) > LONGEST_VARIABLE:
                why = f"env {name}: {len(value)} characters, a job there takes {LONGEST_VARIABLE}"
                raise OverLimit(at(self.spec.name, step.name, why), "put it in a file")

    def _tracking(self, step: StepSpec) -> dict[str, str]:
        found = {"OPSDECK_STEP": step.name}
        if self.target.tracking:
            found["MLFLOW_TRACKING_URI"] = self.target.tracking
            found["MLFLOW_EXPERIMENT_NAME"] = self.spec.name
        return found

    # releasing

    def _registration(self, step: StepSpec) -> Registration:
        source = step.inputs["model"]
        if source.step not in self.jobs:
            why = f"its model is put out by {source.step}, which makes no file there"
            raise CannotCompile(at(self.spec.name, step.name, why))
        given = settings_of(self.spec, step)
        own = "serving_image" in given
        metadata: dict[str, Value] = {
            "opsdeck.pipeline": self.spec.name,
            "opsdeck.step": step.name,
            "opsdeck.run": Param("opsdeck-run"),
        }
        return Registration(
            name=step.name,
            needs=step.needs,
            group=there(str(step.options["name"]), self.spec.name),
            model=Made(source.step, source.name),
            image=str(given.get("serving_image", self.target.serving_image)),
            pending=step.name in self.gated,
            metrics=self._document(step.inputs.get("metrics")),
            description=str(step.options.get("description", "")),
            environment={} if own else SERVING_CODE,
            metadata=metadata,
            retries=step.retries,
            backoff=step.backoff,
        )

    def _document(self, source: Source | None) -> Value | None:
        """The address of an output that is a JSON file by itself; a training job's outputs are
        in one archive."""
        if source is None or source.step not in self.jobs:
            return None
        if self.jobs[source.step].type == "training":
            return None
        return Joined((Made(source.step, source.name), f"/{source.name}.json"))

    def _question(self, step: StepSpec) -> Question:
        expires = step.options.get("expires")
        register = str(step.options.get("register", ""))
        evidence: dict[str, Value] = {
            name: Made(source.step, source.name)
            for name, source in step.inputs.items()
            if source.kind == "output" and source.step in self.jobs
        }
        return Question(
            name=step.name,
            needs=step.needs,
            register=register,
            environment=str(step.options.get("environment", "production")),
            queue=self.target.queue,
            expires=None if expires is None else max(1, round(expires)),
            evidence=evidence,
        )

    def _remarks(self, nodes: tuple[Node, ...]) -> list[str]:
        said: list[str] = []
        if any(isinstance(node, Job) for node in nodes):
            said.append("steps that compare with the champion find none there")
        if any(param.pattern for param in self.spec.params):
            said.append("patterns of parameters are checked when a run is started from here")
        if any(step.kind == "gate" and step.options.get("auto") for step in self.spec.steps):
            said.append("a gate's auto rule is not asked there: a person decides")
        for node in nodes:
            if isinstance(node, Deployment) and "AutoRollbackConfiguration" not in node.config:
                said.append(
                    f"{node.name}: no alarm brings {node.endpoint} back:"
                    " name some by sagemaker: {alarms: […]}"
                )
        if not self.target.tracking and self.jobs:
            said.append("MLflow is not reachable there: name it by sagemaker: {tracking: …}")
        return said


def _plain(text: str | None) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text or "").strip("-")
