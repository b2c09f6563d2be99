"""Tie each step's inputs to what provides them: outputs of other steps, parameters, literals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.domain.pipeline import Param, Source
from core.pipelines._data import DATASET
from core.pipelines._nodes import Entry, Map, Node, Scalar, plain
from core.pipelines._report import Report, closest, did_you_mean
from core.pipelines._steps import Draft

_PARAM = re.compile(r"\$\{\s*params\.([^}\s]*)\s*\}")
_DOTTED = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)\.([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True, slots=True)
class Known:
    """What inputs may refer to: the steps, who puts out what, and the parameters."""

    steps: Mapping[str, Draft]
    params: Mapping[str, Param]
    providers: Mapping[str, tuple[str, ...]]

    @staticmethod
    def of(drafts: Iterable[Draft], params: Mapping[str, Param]) -> Known:
        """Gather it from the steps as read."""
        steps = {draft.name: draft for draft in drafts}
        providers: dict[str, tuple[str, ...]] = {}
        for draft in steps.values():
            # What a search has chosen is taken by its full name only: a parameter that is tuned
            # stays what it is for every other step.
            chosen = draft.options.get("ranges", ()) if draft.kind == "tune" else ()
            for output in [each for each in draft.outputs if each not in chosen]:
                providers[output] = (*providers.get(output, ()), draft.name)
        return Known(steps, params, providers)


def wire(report: Report, draft: Draft, known: Known) -> dict[str, Source]:
    """The inputs of a function, script, notebook or data step; faults go to `report`."""
    inputs: dict[str, Source] = {}
    stated: set[str] = set(draft.options.get("ranges", ()))
    for entry in draft.inputs.entries if draft.inputs is not None else ():
        stated.add(entry.key)
        source = _stated(report, draft, entry, known)
        if source is not None:
            inputs[entry.key] = source
    signature = draft.signature
    if signature is None or signature.opaque:
        return inputs
    line = draft.lines["function"]
    for entry in draft.inputs.entries if draft.inputs is not None else ():
        if entry.key not in signature.names and not signature.takes_any:
            message = f"{draft.target} takes no {entry.key}"
            hint = did_you_mean(entry.key, signature.names)
            report.add(entry.line, f"{draft.path}.inputs.{entry.key}", message, hint)
    for name in signature.names:
        if name not in stated and name not in signature.positional_only:
            optional = name in signature.optional
            source = _inferred(report, draft, name, optional, line, known)
            if source is not None:
                inputs[name] = source
    return inputs


def _inferred(
    report: Report, draft: Draft, name: str, optional: bool, line: int, known: Known
) -> Source | None:
    """The source of a function's parameter by its name; None leaves it to its default."""
    where = f"{draft.path}.inputs.{name}"
    providers = [step for step in known.providers.get(name, ()) if step != draft.name]
    if len(providers) > 1:
        steps = " and ".join(providers)
        hint = f"say which: inputs: {{{name}: {providers[0]}.{name}}}"
        report.add(line, where, f"{steps} both put out {name}", hint)
        return None
    if providers:
        return Source("output", name, providers[0])
    if name in known.params:
        return Source("param", name)
    if not optional:
        others = {output for output, steps in known.providers.items() if draft.name not in steps}
        hint = did_you_mean(name, {*others, *known.params})
        report.add(line, where, f"nothing provides {name}, which {draft.target} takes", hint)
    return None


def _stated(report: Report, draft: Draft, entry: Entry, known: Known) -> Source | None:
    """What `inputs:` gives: `step.output`, `dataset:x`, `${params.x}`, `{value: …}`, a literal."""
    where, node = f"{draft.path}.inputs.{entry.key}", entry.node
    if isinstance(node, Map) and [each.key for each in node.entries] == ["value"]:
        return Source("value", value=plain(node.entries[0].node))
    if isinstance(node, Scalar) and isinstance(node.value, str):
        text = node.value
        match = _PARAM.fullmatch(text)
        if match is not None:
            if match[1] in known.params:
                return Source("param", match[1])
            hint = did_you_mean(match[1], known.params) or "declare it under params:"
            report.add(node.line, where, f"no parameter {match[1]}", hint)
            return None
        dataset = DATASET.fullmatch(text)
        if dataset is not None:
            return Source("dataset", dataset[1], value=dataset[2])
        if text.startswith("dataset:"):
            hint = "dataset:NAME or dataset:NAME@VERSION; {value: …} for the text itself"
            report.add(node.line, where, f"{text[:40]!r} names no dataset", hint)
            return None
        dotted = _DOTTED.fullmatch(text)
        if dotted is not None and (dotted[1] in known.steps or _meant(dotted, known)):
            return reference(report, where, text, node.line, draft.name, known)
        if text in known.providers and draft.name not in known.providers[text]:
            step = known.providers[text][0]
            hint = f"write {step}.{text}, or {{value: {text}}} for the word itself"
            report.add(node.line, where, f"{text} is an output of {step}", hint)
            return None
    _no_templates(report, where, node)
    return Source("value", value=plain(node))


def _meant(dotted: re.Match[str], known: Known) -> bool:
    """Whether `a.b`, where no step is called `a`, is a slip rather than a literal text."""
    return dotted[2] in known.providers or closest(dotted[1], known.steps, 0.8) is not None


def _no_templates(report: Report, where: str, node: Node) -> None:
    """`${params.x}` stands for a whole value; inside another it would stay as it is: say so."""
    if isinstance(node, Scalar):
        if isinstance(node.value, str) and "${" in node.value:
            hint = "pass the parameter itself: ${params.name} alone"
            report.add(node.line, where, f"{node.text[:40]!r} mixes text and ${{…}}", hint)
        return
    children = [e.node for e in node.entries] if isinstance(node, Map) else node.items
    for child in children:
        _no_templates(report, where, child)


def reference(
    report: Report, where: str, text: str, line: int, user: str, known: Known
) -> Source | None:
    """The output that `step.output` names, for the step `user`; None with the reason noted."""
    name, _, output = text.partition(".")
    step = known.steps.get(name)
    if step is None:
        near = closest(name, known.steps, 0.6)
        providers = known.providers.get(output, ())
        hint = f"did you mean {near}.{output}?" if near and near in providers else ""
        if not hint and providers:
            hint = f"did you mean {providers[0]}.{output}?"
        report.add(line, where, f"no step {name}", hint or did_you_mean(name, known.steps))
        return None
    if name == user:
        report.add(line, where, f"{name} can't take its own output", "")
        return None
    if output not in step.outputs:
        if not step.ok:
            return None  # what it puts out is unknown until its own fault is mended
        hint = did_you_mean(output, step.outputs) or f"a {step.kind} step puts out nothing"
        report.add(line, where, f"{name} puts out no {output}", hint)
        return None
    return Source("output", output, name)


def known_steps(
    report: Report, draft: Draft, names: Iterable[tuple[str, int]], known: Known
) -> list[str]:
    """Those of `names` (under `after:`) that are steps; the others are noted."""
    found: list[str] = []
    for name, line in names:
        if name in known.steps:
            found.append(name)
        else:
            hint = did_you_mean(name, known.steps)
            report.add(line, f"{draft.path}.after", f"no step {name}", hint)
    return list(dict.fromkeys(found))


def needs_of(inputs: Mapping[str, Source], after: Iterable[str], *more: str) -> tuple[str, ...]:
    """The steps that a step waits for, each once."""
    steps: list[Any] = [s.step for s in inputs.values() if s.kind == "output"]
    return tuple(dict.fromkeys([*steps, *after, *more]))
