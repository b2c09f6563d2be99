"""The triggers that the files under `monitors/` define, and what is wrong with each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.domain.pipeline import Problem
from core.domain.trigger import TriggerDefinition
from core.monitors.files import read_watch_files
from core.monitors.places import line_of
from core.pipelines._nodes import Map, read_nodes
from core.pipelines._report import Report
from core.releases.values import Problems

SECTION = "triggers"


@dataclass(frozen=True, slots=True)
class TriggerFiles:
    """What is written: `definitions` that are right in form, by name; the `places` (file, line)
    of all that are written; `problems` by name, under "" those of whole files. `monitors` and
    `alarms` are the names of what the same files define."""

    definitions: Mapping[str, TriggerDefinition] = field(default_factory=dict)
    places: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    problems: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    monitors: frozenset[str] = frozenset()
    alarms: frozenset[str] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that is written, right or wrong."""
        return tuple(sorted({*self.places, *self.definitions}))


def load_triggers(root: Path) -> TriggerFiles:
    """Read the files of a workspace; whatever is in them, this returns."""
    files = read_watch_files(root)
    definitions = {each.name: each for each in files.triggers}
    places: dict[str, tuple[str, int]] = {}
    for path in files.paths:
        node = _section(root / path)
        if node is not None:
            for entry in node.entries:
                places.setdefault(entry.key, (path, entry.line))
    problems: dict[str, list[Problem]] = {}
    for problem in files.problems:
        section, _, rest = problem.key.partition(".")
        if section == SECTION:
            problems.setdefault(_name_in(rest, places), []).append(problem)
        elif not problem.key:
            problems.setdefault("", []).append(problem)
    return TriggerFiles(
        definitions,
        places,
        {name: tuple(found) for name, found in problems.items()},
        frozenset(each.name for each in files.monitors) | frozenset(files.broken),
        frozenset(each.name for each in files.alarms),
    )


def placed(root: Path, file: str, problems: Problems) -> tuple[Problem, ...]:
    """Problems with the line in the file of what they are about."""
    report = Report(file)
    node = _nodes(root / file)
    return tuple(
        Problem(
            report.file,
            line_of(node, each.where) if node is not None else 1,
            each.where,
            each.message,
            each.hint,
        )
        for each in problems.found
    )


def _name_in(rest: str, places: Mapping[str, tuple[str, int]]) -> str:
    """The trigger that a place under the section is in; names may hold anything here."""
    fitting = [name for name in places if rest == name or rest.startswith((f"{name}.", f"{name}["))]
    return max(fitting, key=len, default="")


def _nodes(path: Path) -> Map | None:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):  # whoever reads the files has said so
        return None
    node = read_nodes(text, Report(path.name))
    return node if isinstance(node, Map) else None


def _section(path: Path) -> Map | None:
    top = _nodes(path)
    entry = top.get(SECTION) if top is not None else None
    return entry.node if entry is not None and isinstance(entry.node, Map) else None
