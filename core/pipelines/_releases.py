"""Tie the built-in steps together: what a register takes, what a gate gates, what is deployed.

A gate is about the version that one register step makes; a deploy brings that version to an
endpoint and waits for its gates, so that no file can deploy past a gate by leaving it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.domain.pipeline import Source
from core.pipelines._report import Report, did_you_mean
from core.pipelines._steps import Draft
from core.pipelines._wiring import Known, reference


def wire_release(
    report: Report, draft: Draft, known: Known, pipeline: str, after: list[str]
) -> tuple[dict[str, Source], dict[str, Any], tuple[str, ...]]:
    """Inputs, final options and further needs of a register, gate or deploy step."""
    if not draft.ok:
        return {}, {}, ()
    if draft.kind == "register":
        inputs, options = _register(report, draft, known, pipeline)
        return inputs, options, ()
    if draft.kind == "gate":
        return _gate(report, draft, known, after)
    return _deploy(report, draft, known, pipeline, after)


def _register(
    report: Report, draft: Draft, known: Known, pipeline: str
) -> tuple[dict[str, Source], dict[str, Any]]:
    options = {"name": pipeline, **draft.options}
    inputs: dict[str, Source] = {}
    for key in ("model", "metrics", "training", "evaluation"):
        if key in options:
            text, line = options.pop(key)
            where = f"{draft.path}.register.{key}"
            source = reference(report, where, text, line, draft.name, known)
            if source is not None:
                inputs[key] = source
    return inputs, options


def _gate(
    report: Report, draft: Draft, known: Known, after: list[str]
) -> tuple[dict[str, Source], dict[str, Any], tuple[str, ...]]:
    options = dict(draft.options)
    inputs: dict[str, Source] = {}
    where = f"{draft.path}.gate.evidence"
    auto = options["auto"]
    if auto is not None:  # what it goes by is evidence, and so bound to the decision
        segments = [text for text, _ in auto["segments"]]
        options["evidence"] = [*options["evidence"], *auto["segments"]]
        options["auto"] = {**auto, "segments": segments}
    for text, line in options["evidence"]:
        step = known.steps.get(text)
        names = [text] if step is None else [f"{text}.{output}" for output in step.outputs]
        if step is not None and not names:
            report.add(line, where, f"{text} puts out nothing", "name a step that does")
        if step is None and "." not in text:
            report.add(line, where, f"no step {text}", did_you_mean(text, known.steps))
            continue
        for name in names:
            source = reference(report, where, name, line, draft.name, known)
            if source is not None:
                inputs[name] = source
    options["evidence"] = list(inputs)
    register = _register_of(report, draft, known, after)
    options["register"] = register or ""
    return inputs, options, (register,) if register else ()


def _deploy(
    report: Report, draft: Draft, known: Known, pipeline: str, after: list[str]
) -> tuple[dict[str, Source], dict[str, Any], tuple[str, ...]]:
    options = dict(draft.options)
    register = _register_of(report, draft, known, after)
    options["register"] = register or ""
    if "endpoint" not in options and register:
        options["endpoint"] = known.steps[register].options.get("name", pipeline)
    about = [
        name
        for name, step in known.steps.items()
        if step.kind == "gate" and step.options.get("register", register) == register
    ]
    # With one gate for staging and one for production, `after` says which comes first.
    gates = [name for name in about if name in after] or about
    options["gates"] = gates
    return {}, options, (*gates, *((register,) if register else ()))


def _register_of(report: Report, draft: Draft, known: Known, after: list[str]) -> str | None:
    """The register step that a gate or deploy is about; None with the reason noted.

    It is the one stated under `register:`, else one under `after:` (a gate there passes on
    its own), else the only one in the file.
    """
    registers = [name for name, step in known.steps.items() if step.kind == "register"]
    where = f"{draft.path}.{draft.kind}"
    line = draft.lines[draft.kind]
    stated = draft.options.get("register")
    if stated is not None:
        if stated in registers:
            return str(stated)
        hint = did_you_mean(stated, registers)
        report.add(line, f"{where}.register", f"no register step {stated}", hint)
        return None
    if not registers:
        verb = "ask approval for" if draft.kind == "gate" else "deploy"
        message = f"no register step makes a version to {verb}"
        report.add(line, where, message, "add a step with `register: {model: step.output}`")
        return None
    named = _passed_on(known.steps, after, registers)
    if len(named) == 1 or (not named and len(registers) == 1):
        return (named or registers)[0]
    hint = f"say which: {draft.kind}: {{register: {(named or registers)[0]}}}"
    report.add(line, where, "several register steps: " + ", ".join(named or registers), hint)
    return None


def _passed_on(steps: Mapping[str, Draft], after: list[str], registers: list[str]) -> list[str]:
    """The register steps that `after:` names, itself or by way of a gate or deploy."""
    found: list[str] = []
    for name in after:
        about = name if name in registers else steps[name].options.get("register")
        if about in registers:
            found.append(str(about))
    return list(dict.fromkeys(found))
