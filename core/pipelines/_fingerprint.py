"""The hash of the code that a step runs: its module and what that imports of the workspace."""

from __future__ import annotations

import ast
import hashlib
import json
from importlib.metadata import version
from pathlib import Path

from core.domain.pipeline import StepSpec
from core.errors import PipelineInvalid
from core.pipelines._modules import Modules, Unparsable


def code_fingerprint(root: Path, step: StepSpec) -> str:
    """SHA-256 (hex) over the step's code, for the key of its cache.

    For a function or script: the bytes of its file and of every workspace module that it
    imports, directly or not, anywhere in its text (found with `ast`; a module imported by a
    computed name isn't seen, and installed packages are the environment's business). For a
    notebook: its bytes. For a data step: the files that its settings name, and this version of
    Opsdeck. For a built-in step: its options. Raises `PipelineInvalid` when a
    file is gone or can't be parsed.
    """
    digest = hashlib.sha256(f"{step.kind}\0{step.target}\0".encode())
    if step.kind == "data":
        digest.update(version("opsdeck").encode())
    if step.target:
        try:
            files = _named(root, step) if step.kind == "data" else _files(Modules(root), step)
            for shown, data in sorted((_shown(root, file), file.read_bytes()) for file in files):
                digest.update(f"{shown}\0{len(data)}\0".encode())
                digest.update(data)
        except Unparsable as error:
            raise PipelineInvalid(f"step {step.name}: {error}", "mend the module") from None
        except OSError as error:
            message = f"step {step.name}: {error.filename} can't be read: {error.strerror}"
            raise PipelineInvalid(message, "was it moved since the run started?") from None
    else:
        digest.update(json.dumps(dict(step.options), sort_keys=True).encode())
    return digest.hexdigest()


def _named(root: Path, step: StepSpec) -> set[Path]:
    """The files of the workspace that a data step's settings name: a recipe, expectations."""
    given = [str(source.value) for source in step.inputs.values() if source.kind == "value"]
    found = [(root / text).resolve() for text in given if 0 < len(text) < 300]
    return {file for file in found if file.is_relative_to(root.resolve()) and file.is_file()}


def _shown(root: Path, file: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name


def _files(modules: Modules, step: StepSpec) -> set[Path]:
    """The step's file and, for Python, all that it imports inside the workspace."""
    beside: tuple[Path, ...] = ()
    if "function" in (step.kind, step.options.get("runs")):
        module = step.target.partition(":")[0]
        first = modules.find(module)
        if first is None:
            message = f"step {step.name}: no module {module} in the workspace"
            raise PipelineInvalid(message, "was it moved since the run started?")
        start = _with_packages(modules, module)
    else:
        first = modules.root / step.target
        start = {first}
        if step.kind == "notebook":
            return start
        beside = (first.parent,)  # Python puts a script's own folder on its path
    found: set[Path] = set()
    waiting = list(start)
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        for name in _imported(modules, file):
            waiting.extend(_with_packages(modules, name, beside))
    return found


def _imported(modules: Modules, file: Path) -> set[str]:
    """Dotted names that `file` may import, modules or not."""
    names: set[str] = set()
    for node in ast.walk(modules.tree(file)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = modules.absolute(file, node)
            if base:
                names.add(base)
                names.update(f"{base}.{a.name}" for a in node.names if a.name != "*")
            elif base is not None:  # `from . import x` in the workspace's own folder
                names.update(alias.name for alias in node.names)
    return names


def _with_packages(modules: Modules, name: str, beside: tuple[Path, ...] = ()) -> set[Path]:
    """The files run by importing `name`: its own and those of the packages around it."""
    parts = name.split(".")
    dotted = (".".join(parts[: end + 1]) for end in range(len(parts)))
    return {file for each in dotted if (file := modules.find(each, also=beside)) is not None}
