"""One step as its mapping says it, before its inputs are tied to other steps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from core.domain.pipeline import StepKind
from core.pipelines._builtins import read_built_in
from core.pipelines._data import data_outputs, data_settings
from core.pipelines._fields import read_fields
from core.pipelines._keys import (
    BUILT_IN_KINDS,
    DATA_VERBS,
    IDENTIFIER,
    KINDS,
    STEP,
    STEP_NAME,
    WORK,
    keys_of,
)
from core.pipelines._modules import Modules, Signature, Unparsable
from core.pipelines._nodes import Entry, Map, Node, describe
from core.pipelines._report import Report, did_you_mean
from core.pipelines._tune import BEST, check_names, read_tune

_ARGUMENT = r"[A-Za-z_][A-Za-z0-9_-]{0,99}"

Name = tuple[str, int]  # a name and the line it stands in


@dataclass(slots=True)
class Draft:
    """A step that has been read but not yet tied to the others.

    `lines` are those of its keys; `signature` is None when the step isn't a function, or
    when its function could not be found (noted already). `ok` is False when the step has
    faults that make tying it pointless.
    """

    name: str
    line: int
    kind: StepKind
    target: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    after: tuple[Name, ...] = ()
    inputs: Map | None = None
    lines: Mapping[str, int] = field(default_factory=dict)
    signature: Signature | None = None
    ok: bool = True

    @property
    def path(self) -> str:
        """The step's place in the file: `steps.name`."""
        return f"steps.{self.name}"


def read_step(report: Report, entry: Entry, modules: Modules) -> Draft:
    """The step under `entry`; not `ok` when it has no single kind to speak of (noted)."""
    name, path = entry.key, f"steps.{entry.key}"
    if not re.fullmatch(STEP_NAME, name):
        hint = "letters, digits, `_` and `-`, starting with a letter"
        report.add(entry.line, path, "not a name for a step", hint)
    if not isinstance(entry.node, Map):
        message = f"expected a mapping, found {describe(entry.node)}"
        report.add(entry.line, path, message, f"such as {{function: module:{_identifier(name)}}}")
        return Draft(name, entry.line, "function", outputs=(name,), ok=False)
    values = read_fields(report, path, entry.node, STEP, "a step")
    lines = {each.key: each.line for each in entry.node.entries}
    kinds = [each.key for each in entry.node.entries if each.key in KINDS]
    if len(kinds) != 1:
        _kinds_fault(report, entry, path, kinds)
        broken = Draft(name, entry.line, "function", values=values, lines=lines, ok=False)
        broken.outputs = _outputs(report, broken, values.get("outputs"))
        return broken
    for key in entry.node.entries:
        if key.key in STEP and key.key not in keys_of(kinds[0]):
            message = f"a {kinds[0]} step has no {key.key}"
            report.add(key.line, f"{path}.{key.key}", message, "remove it")
    kind = cast(StepKind, "data" if kinds[0] in DATA_VERBS else kinds[0])
    draft = Draft(name, entry.line, kind, values=values, lines=lines, after=values.get("after", ()))
    draft.ok = kinds[0] in values
    if kind == "data":
        return _data(report, draft, kinds[0])
    if kind == "tune":
        return _tune(report, draft, modules)
    if kind in BUILT_IN_KINDS:
        if draft.ok:
            draft.options = read_built_in(report, path, kind, values[kind])
        return draft
    draft.target = values.get(kind, "")
    draft.outputs = _outputs(report, draft, values.get("outputs"))
    draft.inputs = _inputs(report, draft, values.get("inputs"))
    if draft.target and kind == "function":
        draft.signature = _function(report, draft, modules)
    elif draft.target:
        _file(report, draft, modules.root)
    return draft


def _tune(report: Report, draft: Draft, modules: Modules) -> Draft:
    node = draft.values.get("tune")
    options = read_tune(report, draft.path, node) if node is not None else None
    given = draft.values.get("outputs")
    own = _outputs(report, draft, given) if given is not None else ()
    draft.inputs = _inputs(report, draft, draft.values.get("inputs"))
    if options is None or node is None:
        draft.ok = False
        return draft
    draft.target = options.pop("target")
    draft.options = options
    draft.outputs = (BEST, *options["ranges"], *own)
    entry = node.get(options["runs"]) if isinstance(node, Map) else None
    draft.lines = {**draft.lines, options["runs"]: entry.line if entry else draft.line}
    if draft.target and options["runs"] == "function":
        draft.signature = _function(report, draft, modules)
    elif draft.target:
        _file(report, draft, modules.root, "script")
    signature = draft.signature
    takes = None
    if signature is not None and not signature.opaque and not signature.takes_any:
        takes = signature.names
    target = {**options, "target": draft.target}
    check_names(report, draft.path, node, target, draft.inputs, own, takes)
    draft.ok = bool(draft.target)
    return draft


def _data(report: Report, draft: Draft, verb: str) -> Draft:
    draft.target = verb
    if draft.ok:
        draft.inputs = data_settings(report, draft.path, verb, draft.values[verb])
        draft.ok = draft.inputs is not None
    given = draft.values.get("outputs")
    if given is not None:
        draft.outputs = _outputs(report, draft, given)
    elif draft.inputs is not None:
        draft.outputs = data_outputs(draft.name, verb, draft.inputs)
    return draft


def _kinds_fault(report: Report, entry: Entry, path: str, kinds: list[str]) -> None:
    if kinds:
        message = "two kinds in one step: " + ", ".join(kinds)
        report.add(entry.line, path, message, "make one step of each")
        return
    message = "says nothing to do: one of " + ", ".join(KINDS)
    keys = [each.key for each in entry.node.entries] if isinstance(entry.node, Map) else []
    meant = next((m for key in keys if key not in WORK and (m := did_you_mean(key, KINDS))), "")
    report.add(entry.line, path, message, meant if meant.startswith("did") else "")


def _outputs(report: Report, draft: Draft, given: tuple[Name, ...] | None) -> tuple[str, ...]:
    if given is None:  # what a function returns; a script or notebook may write nothing
        return (draft.name,) if draft.kind == "function" else ()
    found: dict[str, int] = {}
    for name, line in given:
        where = f"{draft.path}.outputs"
        if not re.fullmatch(IDENTIFIER, name):
            hint = "letters, digits and `_`, as a Python name"
            report.add(line, where, f"{name!r} is not a name for an output", hint)
        elif name in found:
            report.add(line, where, f"{name} is listed twice", "each output has its own name")
        else:
            found[name] = line
    return tuple(found)


def _inputs(report: Report, draft: Draft, node: Node | None) -> Map | None:
    if node is None:
        return None
    if isinstance(node, Map):
        # A script's become arguments and SM_CHANNEL_…, a function's become keywords.
        script = "script" in (draft.kind, draft.options.get("runs"))
        pattern = _ARGUMENT if script else IDENTIFIER
        for entry in node.entries:
            if not re.fullmatch(pattern, entry.key):
                where = f"{draft.path}.inputs.{entry.key}"
                hint = "letters, digits and `_`, as a Python name"
                report.add(entry.line, where, "not a name for an input", hint)
        return node
    hint = "such as {frame: acquire.raw, limit: 3}"
    message = f"expected a mapping, found {describe(node)}"
    report.add(draft.lines["inputs"], f"{draft.path}.inputs", message, hint)
    return None


def _function(report: Report, draft: Draft, modules: Modules) -> Signature | None:
    """The signature of `module:function`, or None with the reason noted."""
    where, line = _place(draft, "function"), draft.lines["function"]
    module, colon, name = draft.target.partition(":")
    if not (colon and name.isidentifier() and all(p.isidentifier() for p in module.split("."))):
        hint = _colon_hint(draft.target)
        report.add(line, where, f"{draft.target!r} is not module:function", hint)
        return None
    file = modules.find(module)
    if file is None:
        message = f"no module {module} in the workspace"
        report.add(line, where, message, did_you_mean(module, modules.names()))
        return None
    try:
        signature = modules.signature(file, name)
        if signature is None:
            message = f"{modules.relative(file)} defines no function {name}"
            report.add(line, where, message, did_you_mean(name, modules.functions(file)))
            return None
    except Unparsable as error:
        report.add(line, where, f"the module is not valid Python: {error}")
        return None
    except OSError as error:
        report.add(line, where, f"the module can't be read: {error.strerror}")
        return None
    if signature.is_async:
        report.add(line, where, f"{name} is async", "a step is a plain function")
    if signature.positional_only:
        names = ", ".join(signature.positional_only)
        report.add(line, where, f"{name} takes {names} by position only", "remove the `/`")
    return signature


def _place(draft: Draft, key: str) -> str:
    return f"{draft.path}.tune.{key}" if draft.kind == "tune" else f"{draft.path}.{key}"


def _colon_hint(target: str) -> str:
    if ":" not in target and target.count(".") >= 1 and not target.endswith(".py"):
        module, _, name = target.rpartition(".")
        return f"did you mean {module}:{name}?"
    if target.partition(":")[0].endswith(".py"):
        path, _, name = target.partition(":")
        return f"did you mean {path[:-3].strip('./').replace('/', '.')}:{name or 'function'}?"
    return "such as package.module:function"


def _file(report: Report, draft: Draft, root: Path, kind: str = "") -> None:
    """Check that the script or notebook is a file of the workspace, with its ending."""
    kind = kind or draft.kind
    where, line = _place(draft, kind), draft.lines[kind]
    ending = ".py" if kind == "script" else ".ipynb"
    path = Path(draft.target)
    if "\0" in draft.target or path.is_absolute() or ".." in path.parts:
        report.add(line, where, "a path outside the workspace", "relative to the workspace")
    elif path.suffix != ending:
        report.add(line, where, f"{draft.target} doesn't end in {ending}")
    elif not _is_file(root / path):
        beside = [p.relative_to(root).as_posix() for p in _beside(root / path, ending)]
        report.add(line, where, f"no file {draft.target}", did_you_mean(draft.target, beside))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _beside(path: Path, ending: str) -> list[Path]:
    try:
        return sorted(path.parent.glob("*" + ending))[:100]
    except OSError:
        return []


def _identifier(name: str) -> str:
    return re.sub(r"\W", "_", name) or "function"
