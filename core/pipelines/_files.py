"""Pipeline files of a workspace: find them, read them, say everything that is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.domain.pipeline import Param, PipelineSpec, Problem, StepSpec
from core.errors import NotFound, PipelineInvalid
from core.pipelines._fields import read_fields
from core.pipelines._graph import topological_order
from core.pipelines._keys import (
    BUILT_IN_KINDS,
    DEFAULTS,
    SAGEMAKER,
    SAGEMAKER_TOP,
    TOP,
    UNCACHED_VERBS,
    keys_of,
)
from core.pipelines._modules import Modules
from core.pipelines._nodes import MAX_BYTES, Map, Node, Scalar, describe, read_nodes
from core.pipelines._params import read_params
from core.pipelines._releases import wire_release
from core.pipelines._report import Report, did_you_mean
from core.pipelines._sagemaker import read_sagemaker
from core.pipelines._steps import Draft, read_step
from core.pipelines._tune import tie_tune
from core.pipelines._wiring import Known, known_steps, needs_of, wire
from core.units import MAX_SECONDS

FOLDER = "pipelines"
MAX_STEPS = 500


@dataclass(frozen=True, slots=True)
class PipelineFile:
    """One file under `pipelines/`: its pipeline when it is right, else its problems.

    `path` is relative to the workspace.
    """

    name: str
    path: str
    problems: tuple[Problem, ...] = ()
    spec: PipelineSpec | None = None


def find_pipelines(root: Path) -> list[PipelineFile]:
    """Every pipeline file of the workspace `root`, by name; reads files, imports nothing."""
    modules = Modules(root)
    found: list[PipelineFile] = []
    first: dict[str, str] = {}
    for file in _candidates(root):
        each = _read(root, file, modules)
        if each.name in first:
            hint = "give one of them another name"
            message = f"{first[each.name]} is called {each.name} too"
            fault = Problem(each.path, 1, "name", message, hint)
            each = PipelineFile(each.name, each.path, (*each.problems, fault))
        first.setdefault(each.name, each.path)
        found.append(each)
    return sorted(found, key=lambda each: (each.name, each.path))


def load_pipeline(root: Path, name: str) -> PipelineSpec:
    """The pipeline called `name` in the workspace `root`.

    Raises `PipelineInvalid` with every problem of its file, and `NotFound` with the closest
    name when there is no such pipeline.
    """
    files = find_pipelines(root)
    wanted = [each for each in files if each.name == name]
    wanted = wanted or [each for each in files if Path(each.path).stem == name]
    if not wanted:
        known = [each.name for each in files]
        hint = did_you_mean(name, known) or f"put one in {FOLDER}/{name}.yaml"
        raise NotFound(f"no pipeline {name} in {FOLDER}/", hint)
    for each in wanted:
        if each.problems:
            raise PipelineInvalid(*_summary(each), problems=each.problems)
    spec = wanted[0].spec
    assert spec is not None  # a file without problems has been read
    return spec


def validate_file(root: Path, path: Path) -> list[Problem]:
    """Everything wrong with one pipeline file (`path` absolute or relative to `root`)."""
    return list(_read(root, root / path, Modules(root)).problems)


def _summary(file: PipelineFile) -> tuple[str, str]:
    problems = file.problems
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    message = f"{file.path} has {count}: {problems[0].one_line()}{more}"
    return message, f"see all: opsdeck pipelines validate {file.name}"


def _candidates(root: Path) -> list[Path]:
    folder = root / FOLDER
    if not folder.is_dir():
        return []
    try:
        files = [each for each in folder.iterdir() if each.suffix in {".yaml", ".yml"}]
    except OSError as error:
        message = f"the folder {FOLDER}/ can't be read: {error.strerror}"
        raise PipelineInvalid(message, "check its permissions") from None
    return sorted(each for each in files if not each.name.startswith("."))


def _read(root: Path, file: Path, modules: Modules) -> PipelineFile:
    """Read one file; whatever is in it, this returns."""
    shown = file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)
    report = Report(shown)
    text = _text_of(file, report)
    node = read_nodes(text, report) if text is not None else None
    if node is None:
        return PipelineFile(file.stem, shown, report.problems)
    if not isinstance(node, Map):
        report.add(node.line, "", f"expected a mapping, found {describe(node)}", "start with name:")
        return PipelineFile(file.stem, shown, report.problems)
    name, spec = _pipeline(report, node, file.stem, shown, modules)
    return PipelineFile(name, shown, report.problems, None if report.problems else spec)


def _text_of(file: Path, report: Report) -> str | None:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        report.add(1, "", f"the file can't be read: {error.strerror or error}")
        return None
    if len(data) > MAX_BYTES:
        report.add(1, "", f"the file is larger than {MAX_BYTES:,} bytes")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        report.add(line, "", f"not UTF-8: byte 0x{data[error.start]:02x}", "save it as UTF-8")
        return None


def _pipeline(
    report: Report, node: Map, stem: str, shown: str, modules: Modules
) -> tuple[str, PipelineSpec | None]:
    """The file's name for itself, and the pipeline, which is sound only without problems."""
    top = read_fields(report, "", node, TOP, "a pipeline")
    name: str = top.get("name", stem)
    params = read_params(report, top["params"]) if _given(top, "params") else {}
    defaults: dict[str, Any] = {}
    if _given(top, "defaults"):
        defaults = read_fields(report, "defaults", top["defaults"], DEFAULTS, "defaults")
    drafts = _drafts(report, node, top.get("steps"), modules)
    if drafts is None:
        return name, None
    steps = _tied(report, drafts, params, defaults, name)
    order, cycles = topological_order({step.name: step.needs for step in steps.values()})
    for cycle in cycles:
        path = " → ".join((*cycle, cycle[0]))
        line = steps[cycle[0]].line
        message = f"the steps wait for each other: {path}"
        report.add(line, f"steps.{cycle[0]}", message, "remove one of these inputs or `after`s")
    ordered = tuple(steps[each] for each in order)
    env = top.get("env", {})
    text = top.get("description", "")
    there = read_sagemaker(report, "sagemaker", top.get("sagemaker"), SAGEMAKER_TOP)
    return name, PipelineSpec(name, shown, ordered, tuple(params.values()), text, env, there)


def _given(top: dict[str, Any], key: str) -> bool:
    """Whether `key` is there with something under it (`params:` alone means none)."""
    node = top.get(key)
    return node is not None and not (isinstance(node, Scalar) and node.value is None)


def _drafts(report: Report, top: Map, node: Node | None, modules: Modules) -> list[Draft] | None:
    if not isinstance(node, Map) or not node.entries:
        entry = top.get("steps")
        if entry is None:
            report.add(top.line, "steps", "the pipeline has no steps", "add `steps:`")
        elif isinstance(node, Map) or not _given({"steps": node}, "steps"):
            report.add(entry.line, "steps", "the pipeline has no steps", "add one under `steps:`")
        else:
            hint = "a mapping of the step's name to what it is"
            message = f"expected a mapping, found {describe(entry.node)}"
            report.add(entry.line, "steps", message, hint)
        return None
    if len(node.entries) > MAX_STEPS:
        message = f"{len(node.entries)} steps, more than {MAX_STEPS}"
        report.add(node.line, "steps", message, "split it into several pipelines")
        return None
    return [read_step(report, entry, modules) for entry in node.entries]


def _tied(
    report: Report,
    drafts: list[Draft],
    params: dict[str, Param],
    defaults: dict[str, Any],
    pipeline: str,
) -> dict[str, StepSpec]:
    """The steps with their inputs and needs, in the file's order.

    Gates come before deploys, which ask which register step each gate is about.
    """
    known = Known.of(drafts, params)
    steps: dict[str, StepSpec] = {}
    for draft in sorted(drafts, key=lambda each: each.kind == "deploy"):
        after = known_steps(report, draft, draft.after, known)
        if draft.kind in BUILT_IN_KINDS:
            inputs, options, more = wire_release(report, draft, known, pipeline, after)
            draft.options = options
            needs = needs_of(inputs, after, *more)
        else:
            inputs = wire(report, draft, known) if draft.ok else {}
            options, needs = {}, needs_of(inputs, after)
            if draft.kind == "tune":
                options = tie_tune(report, draft.path, draft.options, params)
        given = draft.values.get("sagemaker")
        there = read_sagemaker(report, f"{draft.path}.sagemaker", given, SAGEMAKER)
        steps[draft.name] = _spec(draft, defaults, inputs, options, needs, there)
    return {draft.name: steps[draft.name] for draft in drafts}


def _spec(
    draft: Draft,
    defaults: dict[str, Any],
    inputs: dict[str, Any],
    options: dict[str, Any],
    needs: tuple[str, ...],
    sagemaker: dict[str, Any],
) -> StepSpec:
    blank = StepSpec(draft.name, draft.kind)
    built_in = draft.kind in BUILT_IN_KINDS
    kind = draft.target if draft.kind == "data" else draft.kind
    allowed = keys_of(kind)
    given = {key: value for key, value in defaults.items() if key in allowed} | dict(draft.values)
    # A gate waits for people and a deployment for its pauses: no limit but the file's own.
    limit = MAX_SECONDS if draft.kind in {"gate", "deploy"} else blank.timeout
    return StepSpec(
        name=draft.name,
        kind=draft.kind,
        target=draft.target,
        inputs=inputs,
        outputs=draft.outputs,
        needs=needs,
        retries=given.get("retries", blank.retries),
        backoff=given.get("backoff", blank.backoff),
        timeout=given.get("timeout", limit),
        cache=False if built_in or kind in UNCACHED_VERBS else given.get("cache", blank.cache),
        memory_mb=given.get("memory"),
        env=given.get("env", {}),
        python=given.get("python"),
        options=options,
        line=draft.line,
        sagemaker=sagemaker,
    )
