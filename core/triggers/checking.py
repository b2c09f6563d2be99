"""Whether what a trigger names is there: its pipeline and parameters, datasets, monitors, alarms;
and whether the data that its run writes would make it fire again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.domain.pipeline import PipelineSpec
from core.domain.trigger import CauseKind, Condition, TriggerDefinition
from core.errors import BadInput
from core.pipelines import PipelineFile, bind_params, find_pipelines
from core.pipelines._report import did_you_mean
from core.releases.values import Problems
from core.state.reading import Reader
from core.triggers.templates import templates

_WORD = re.compile(r"\b[a-z][a-z0-9_]{0,62}\b")


@dataclass(frozen=True, slots=True)
class Known:
    """What there is. `datasets` also holds those that some pipeline or view makes; `sources`
    maps a view to the datasets that it is made from. `monitors` and `alarms` are those that
    files define."""

    pipelines: Mapping[str, PipelineFile] = field(default_factory=dict)
    datasets: frozenset[str] = frozenset()
    sources: Mapping[str, frozenset[str]] = field(default_factory=dict)
    monitors: frozenset[str] = frozenset()
    alarms: frozenset[str] = frozenset()

    def spec(self, name: str) -> PipelineSpec | None:
        """A pipeline that is right."""
        file = self.pipelines.get(name)
        return file.spec if file is not None else None


def survey(
    root: Path, reader: Reader, monitors: Iterable[str] = (), alarms: Iterable[str] = ()
) -> Known:
    """Look around in a workspace: its pipeline files, its datasets, its views."""
    pipelines = {each.name: each for each in find_pipelines(root)}
    views = {
        path.stem: frozenset(_WORD.findall(_text(path).lower()))
        for path in (root / "views").glob("*.sql")
    }
    there = {
        row["name"] for row in reader.rows("SELECT name FROM datasets WHERE dropped_at IS NULL")
    }
    made = {
        name for each in pipelines.values() if each.spec is not None for name in writes(each.spec)
    }
    return Known(
        pipelines,
        frozenset(there | made | set(views)),
        views,
        frozenset(monitors),
        frozenset(alarms),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # whoever refreshes the view says so
        return ""


def check_trigger(
    problems: Problems,
    definition: TriggerDefinition,
    known: Known,
    others: Sequence[TriggerDefinition] = (),
) -> None:
    """Note what a trigger names that is not there."""
    where = definition.where
    spec = _pipeline(problems, definition, known)
    if spec is not None:
        _params(problems, definition, spec)
        if not model_of(definition, spec):
            hint = "name the model that its runs are about: model: NAME"
            problems.add(f"{where}.model", f"{definition.pipeline} registers none or several", hint)
    for condition in definition.conditions:
        _names(problems, condition, known)
    made = {other.augment.dataset for other in (*others, definition) if other.augment}
    for key, value in definition.params.items():
        for each in templates(value) if isinstance(value, str) else ():
            if each.word in ("newest", "version"):
                _dataset(problems, f"{where}.params.{key}", each.path[0], known, made)
    cycle = cycle_of(definition, (*others, definition), known)
    if cycle:
        hint = "let it go by a schedule, or watch a dataset that no run of it writes"
        problems.add(f"{where}.on", f"it would make itself fire: {cycle}", hint)


def _pipeline(
    problems: Problems, definition: TriggerDefinition, known: Known
) -> PipelineSpec | None:
    name = definition.pipeline
    file = known.pipelines.get(name)
    where = f"{definition.where}.pipeline"
    if file is None:
        hint = did_you_mean(name, known.pipelines) or f"write pipelines/{name}.yaml"
        problems.add(where, f"no pipeline {name}", hint)
        return None
    if file.spec is None:
        count = len(file.problems)
        told = file.problems[0].one_line() if file.problems else "it cannot be read"
        more = f" (and {count - 1} more)" if count > 1 else ""
        hint = f"see: opsdeck pipelines validate {name}"
        problems.add(where, f"{file.path} is wrong: {told}{more}", hint)
    return file.spec


def _params(problems: Problems, definition: TriggerDefinition, spec: PipelineSpec) -> None:
    """Names, and the values of those that hold no template."""
    declared = {param.name: param for param in spec.params}
    plain: dict[str, str] = {}
    for name, value in definition.params.items():
        where = f"{definition.where}.params.{name}"
        if name not in declared:
            hint = did_you_mean(name, declared) or f"{spec.name} takes no parameters"
            problems.add(where, f"{spec.name} has no such parameter", hint)
        elif not (isinstance(value, str) and "${" in value):
            plain[name] = as_text(value)
    for param in spec.params:
        if param.required and param.name not in definition.params:
            where = f"{definition.where}.params"
            problems.add(where, f"{spec.name} needs {param.name}", f"add {param.name}: …")
    for name, text in plain.items():
        alone = PipelineSpec(spec.name, spec.path, (), (declared[name],))
        try:
            bind_params(alone, {name: text})
        except BadInput as error:
            message = error.message.removeprefix(f"{name}: ")
            problems.add(f"{definition.where}.params.{name}", message, error.hint)


def as_text(value: Any) -> str:
    """A parameter's value as it would be given with `-p`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _names(problems: Problems, condition: Condition, known: Known) -> None:
    kind = condition.kind
    if kind is CauseKind.NEW_DATA:
        _dataset(problems, f"{condition.where}.new_data", condition.dataset, known, set())
    elif kind is CauseKind.MONITOR and condition.monitor not in known.monitors:
        hint = did_you_mean(condition.monitor, known.monitors) or "define it under monitors:"
        problems.add(f"{condition.where}.monitor", f"no monitor {condition.monitor}", hint)
    elif kind is CauseKind.ALARM and condition.alarm not in known.alarms:
        hint = did_you_mean(condition.alarm, known.alarms) or "define it under alarms:"
        problems.add(f"{condition.where}.alarm", f"no alarm {condition.alarm}", hint)
    elif kind is CauseKind.METRIC:
        source, _, name = condition.source.partition("/")
        if source == "monitor" and name not in known.monitors:
            hint = did_you_mean(name, known.monitors) or "define it under monitors:"
            problems.add(f"{condition.where}.metric", f"no monitor {name}", hint)


def _dataset(problems: Problems, where: str, name: str, known: Known, more: set[str]) -> None:
    if name not in known.datasets | more:
        hint = did_you_mean(name, known.datasets | more) or "see: opsdeck data list"
        problems.add(where, f"no dataset {name}, and no pipeline or view that makes it", hint)


def model_of(definition: TriggerDefinition, spec: PipelineSpec | None) -> str:
    """The model that a trigger's runs are about; "" where nobody can say."""
    if definition.model or spec is None:
        return definition.model
    names = {step.options.get("name", spec.name) for step in spec.steps if step.kind == "register"}
    return str(names.pop()) if len(names) == 1 else "" if names else spec.name


def endpoint_of(definition: TriggerDefinition, spec: PipelineSpec | None) -> str:
    """The endpoint that serves the model: as said, that of the deploy step, or the model's."""
    said = definition.augment.endpoint if definition.augment else ""
    if said or definition.endpoint:
        return said or definition.endpoint
    steps = spec.steps if spec is not None else ()
    names = {step.options.get("endpoint") for step in steps if step.kind == "deploy"}
    return str(names.pop()) if len(names) == 1 else model_of(definition, spec)


def writes(spec: PipelineSpec) -> frozenset[str]:
    """The datasets that a pipeline's data steps write. What code writes by itself is not
    known."""
    found: set[str] = set()
    for step in spec.steps:
        if step.kind != "data":
            continue
        key = "views" if step.target == "refresh" else "dataset"
        source = step.inputs.get(key)
        if step.target in ("ingest", "store", "refresh") and source is not None:
            value = source.value
            found.update([value] if isinstance(value, str) else value or [])
    return frozenset(each for each in found if isinstance(each, str))


def cycle_of(
    definition: TriggerDefinition, among: Sequence[TriggerDefinition], known: Known
) -> str:
    """How the trigger's run would make it fire again, in words: `retrain → captured_bike →
    retrain`; "" where it would not."""
    by_name = {each.name: each for each in among}
    waiting: list[tuple[str, ...]] = [(definition.name,)]
    seen: set[str] = set()
    while waiting:
        path = waiting.pop(0)
        for written in sorted(_written(by_name[path[-1]], known)):
            for other in by_name.values():
                if written not in _watched(other, known):
                    continue
                if other.name == definition.name:
                    return " → ".join((*path, written, other.name))
                if other.name not in seen:
                    seen.add(other.name)
                    waiting.append((*path, other.name))
    return ""


def _written(definition: TriggerDefinition, known: Known) -> frozenset[str]:
    spec = known.spec(definition.pipeline)
    own = frozenset((definition.augment.dataset,)) if definition.augment else frozenset()
    return own | (writes(spec) if spec is not None else frozenset())


def _watched(definition: TriggerDefinition, known: Known) -> frozenset[str]:
    """The datasets whose change may make it fire, those behind views among them."""
    found = {c.dataset for c in definition.conditions if c.kind is CauseKind.NEW_DATA}
    waiting = list(found)
    while waiting:
        for source in known.sources.get(waiting.pop(), frozenset()) & known.datasets:
            if source not in found:
                found.add(source)
                waiting.append(source)
    return frozenset(found)
