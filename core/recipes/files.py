"""Recipe files (`recipes/NAME.yaml`): finding them, reading them, saying all that is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.domain.pipeline import Problem
from core.domain.recipe import Transformation
from core.errors import NotFound
from core.pipelines._nodes import (
    MAX_BYTES,
    Entry,
    Map,
    Node,
    Scalar,
    Seq,
    describe,
    plain,
    read_nodes,
)
from core.pipelines._report import Report, did_you_mean
from core.recipes.catalogue import catalogue, nearest
from core.recipes.errors import RecipeInvalid
from core.recipes.recipe import STAGES, Recipe, Step
from core.recipes.values import fault

FOLDER = "recipes"
MAX_STEPS = 300
NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
TYPES = ("number", "integer", "float", "text", "category", "flag", "time", "date", "datetime",
         "duration", "list", "binary")  # fmt: skip
TOP_KEYS: Mapping[str, str] = {
    "name": "The recipe's name; the file's name without its ending by default.",
    "description": "What it is for, in a sentence.",
    "target": "The column to be predicted: no selector but its name chooses it.",
    "steps": "What happens, one step after the other.",
}
STEP_KEYS: Mapping[str, str] = {
    "use": "The transformation (see: opsdeck recipes list).",
    "name": "What the step is called in previews and messages.",
    "columns": "On which columns: names, /regex/, type:number, tag:pii, all.",
    "except": "Of those leave these out.",
    "with": "The transformation's parameters.",
    "as": "Names of the results: {column} is the input, {name} the result's usual name.",
    "keep": "Leave the inputs of results with other names in place.",
    "when": "An SQL condition on rows; others keep what they had.",
    "stage": "both, fit (the training part only) or apply (later data only).",
    "optional": "Pass the step over where no column fits.",
    "target": "The target of this step, where it is another than the recipe's.",
}


@dataclass(frozen=True, slots=True)
class RecipeFile:
    """One recipe file: the recipe when it is right, else its problems. `path` is relative."""

    name: str
    path: str
    problems: tuple[Problem, ...] = ()
    recipe: Recipe | None = None


def find_recipes(root: Path) -> list[RecipeFile]:
    """Every recipe file of a workspace, by name."""
    folder = root / FOLDER
    if not folder.is_dir():
        return []
    files = [each for each in folder.iterdir() if each.suffix in {".yaml", ".yml"}]
    return [read_recipe(root, each) for each in sorted(files) if not each.name.startswith(".")]


def load_recipe(root: Path, ref: str) -> Recipe:
    """The recipe of a file, by its path or by its name in `recipes/`.

    Raises `RecipeInvalid` with every problem of the file, `NotFound` with the nearest name.
    """
    named = [root / FOLDER / f"{ref}{ending}" for ending in (".yaml", ".yml")]
    given = Path(ref) if Path(ref).is_absolute() else root / ref
    found = next((each for each in (given, *named) if each.is_file()), None)
    if found is None:
        known = [each.stem for each in (root / FOLDER).glob("*.y*ml")]
        hint = did_you_mean(ref, known) or f"make one with: opsdeck recipes new {ref}"
        raise NotFound(f"recipe {ref}: no such file", hint)
    file = read_recipe(root, found)
    if file.recipe is None:
        raise invalid(file)
    return file.recipe


def invalid(file: RecipeFile) -> RecipeInvalid:
    """The error that says what is wrong with a file."""
    more = f" (and {len(file.problems) - 1} more)" if len(file.problems) > 1 else ""
    return RecipeInvalid(
        f"{file.problems[0].one_line()}{more}",
        f"see all: opsdeck recipes validate {file.path}" if more else "",
        problems=file.problems,
    )


def read_recipe(root: Path, file: Path) -> RecipeFile:
    """Read one file; whatever is in it, this returns."""
    shown = file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        problem = Problem(shown, 1, "", f"the file can't be read: {error.strerror or error}")
        return RecipeFile(file.stem, shown, (problem,))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = Problem(shown, line, "", "not UTF-8 text", "save it as UTF-8")
        return RecipeFile(file.stem, shown, (problem,))
    if len(data) > MAX_BYTES:
        problem = Problem(shown, 1, "", f"the file is larger than {MAX_BYTES:,} bytes")
        return RecipeFile(file.stem, shown, (problem,))
    recipe, problems = parse(text, shown, file.stem)
    return RecipeFile(recipe.name if recipe else file.stem, shown, problems, recipe)


def parse(text: str, file: str, stem: str) -> tuple[Recipe | None, tuple[Problem, ...]]:
    """The recipe in a text and every problem it has; the recipe only where it has none."""
    report = Report(file)
    node = read_nodes(text, report)
    if node is None:
        return None, report.problems
    if not isinstance(node, Map):
        report.add(
            node.line, "", f"expected a mapping, found {describe(node)}", "start with steps:"
        )
        return None, report.problems
    _known_keys(report, "", node, TOP_KEYS)
    name = _text(report, node, "name", "") or stem
    if not NAME.fullmatch(name):
        line = (node.get("name") or node).line
        report.add(line, "name", f"{name!r:.60} is no name", "a-z, 0-9, _ and -, a letter first")
    steps = _steps(report, node)
    recipe = Recipe(
        name=name,
        steps=steps,
        description=_text(report, node, "description", ""),
        target=_text(report, node, "target", ""),
        path=file,
    )
    return (None if report.problems else recipe), report.problems


def _known_keys(report: Report, where: str, node: Map, keys: Mapping[str, str]) -> None:
    for entry in node.entries:
        if entry.key not in keys and not entry.key.startswith("x-"):
            hint = did_you_mean(entry.key, keys)
            report.add(entry.line, _at(where, entry.key), "unknown key", hint)


def _at(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _text(report: Report, node: Map, key: str, where: str) -> str:
    entry = node.get(key)
    if entry is None:
        return ""
    found = entry.node.value if isinstance(entry.node, Scalar) else None
    if isinstance(found, str) and (found or key == "description"):
        return found
    report.add(entry.line, _at(where, key), f"expected a text, found {describe(entry.node)}")
    return ""


def _flag(report: Report, node: Map, key: str, where: str) -> bool:
    entry = node.get(key)
    if entry is None:
        return False
    if isinstance(entry.node, Scalar) and isinstance(entry.node.value, bool):
        return entry.node.value
    report.add(entry.line, _at(where, key), f"expected true or false, found {describe(entry.node)}")
    return False


def _steps(report: Report, node: Map) -> tuple[Step, ...]:
    entry = node.get("steps")
    if entry is None or not isinstance(entry.node, Seq) or not entry.node.items:
        line = entry.line if entry else node.line
        report.add(line, "steps", "the recipe has no steps", "add a list: steps: [{use: …}]")
        return ()
    items = entry.node.items
    if len(items) > MAX_STEPS:
        report.add(entry.line, "steps", f"{len(items)} steps, more than {MAX_STEPS}", "split it")
        return ()
    steps = [_step(report, item, f"steps[{index}]") for index, item in enumerate(items, start=1)]
    names: dict[str, int] = {}
    for step in steps:
        if step and step.name in names and step.name != step.use:
            report.add(step.line, "name", f"two steps are called {step.name}", "name one otherwise")
        if step:
            names[step.name] = step.line
    return tuple(step for step in steps if step is not None)


def _step(report: Report, node: Node, where: str) -> Step | None:
    if isinstance(node, Scalar) and isinstance(node.value, str):
        node = Map(node.line, (Entry("use", node.line, node),))
    if not isinstance(node, Map):
        report.add(node.line, where, f"expected a mapping, found {describe(node)}", "{use: NAME}")
        return None
    _known_keys(report, where, node, STEP_KEYS)
    use = _text(report, node, "use", where)
    about = catalogue().get(use)
    if about is None:
        line = (node.get("use") or node).line
        if use:
            near = nearest(use)
            hint = f"did you mean {near}?" if near else "see: opsdeck recipes list"
            report.add(line, f"{where}.use", f"no transformation {use!r:.60}", hint)
        elif node.get("use") is None:
            report.add(line, where, "says no transformation", "add use: NAME")
        return None
    stage = _text(report, node, "stage", where) or "both"
    if stage not in STAGES:
        line = (node.get("stage") or node).line
        report.add(line, f"{where}.stage", f"{stage!r} is none", "known: " + ", ".join(STAGES))
    columns = _selectors(report, node, "columns", where)
    if not columns and about.arity != "frame" and node.get("columns") is None:
        report.add(node.line, where, f"{use} needs columns", "add columns: [NAME], or columns: all")
    pattern = _text(report, node, "as", where)
    return Step(
        name=_text(report, node, "name", where) or use,
        use=use,
        columns=columns,
        leave_out=_selectors(report, node, "except", where),
        params=_params(report, node, about, where),
        pattern=pattern,
        keep=_flag(report, node, "keep", where),
        when=_text(report, node, "when", where),
        stage=stage,
        optional=_flag(report, node, "optional", where),
        target=_text(report, node, "target", where),
        line=node.line,
    )


def _selectors(report: Report, node: Map, key: str, where: str) -> tuple[str, ...]:
    entry = node.get(key)
    if entry is None:
        return ()
    items = entry.node.items if isinstance(entry.node, Seq) else (entry.node,)
    found: list[str] = []
    for item in items:
        if not isinstance(item, Scalar) or item.value in (None, ""):
            message = f"expected names of columns, found {describe(item)}"
            report.add(item.line, _at(where, key), message, "such as [temp, type:text, /^lag_/]")
            continue
        word = item.text
        problem = _selector_fault(word)
        if problem:
            report.add(item.line, _at(where, key), *problem)
        found.append(word)
    if not found and not items:
        report.add(entry.line, _at(where, key), "no columns", "name one")
    return tuple(found)


def _selector_fault(word: str) -> tuple[str, str] | None:
    if len(word) > 2 and word.startswith("/") and word.endswith("/"):
        if len(word) > 200:
            return "the regular expression is longer than 200 characters", "name the columns"
        try:
            re.compile(word[1:-1])
        except (re.error, OverflowError) as error:
            return f"{word} is no regular expression: {error}", ""
    elif word.startswith("type:") and word[5:] not in TYPES:
        return f"no type {word[5:]!r}", did_you_mean(word[5:], TYPES)
    return None


def _params(report: Report, node: Map, about: Transformation, where: str) -> Mapping[str, Any]:
    entry = node.get("with")
    given: dict[str, Any] = {}
    known = {each.name: each for each in about.parameters}
    place = f"{where}.with"
    if entry is not None and not isinstance(entry.node, Map):
        report.add(entry.line, place, f"expected a mapping, found {describe(entry.node)}")
        return given
    for each in entry.node.entries if entry is not None and isinstance(entry.node, Map) else ():
        parameter = known.get(each.key)
        if parameter is None:
            hint = did_you_mean(each.key, known) or f"{about.name} takes none"
            report.add(each.line, f"{place}.{each.key}", "no such parameter", hint)
            continue
        value = plain(each.node)
        if (isinstance(value, str) and parameter.types == ("columns",)) or (
            isinstance(value, str) and parameter.types == ("columns", "null")
        ):
            value = [value]
        problem = fault(parameter, value)
        if problem:
            report.add(each.line, f"{place}.{each.key}", *problem)
        given[each.key] = value
    written = (
        {each.key for each in entry.node.entries}
        if entry and isinstance(entry.node, Map)
        else set()
    )
    for parameter in about.parameters:
        if parameter.required and parameter.name not in written:
            line = entry.line if entry is not None else node.line
            report.add(line, place, f"{about.name} needs {parameter.name}", parameter.help)
    return given
