"""The files under `monitors/`: monitors, SLOs, alarms and triggers, each read by who owns it.

A section's reader is `read_…(problems, where, mapping)`: `mapping` is plain (name → definition),
`problems` gathers `(place, message, hint)`, with places such as `alarms.slow.threshold` below
`where`; it answers the records that are good, each with a `name`. What is wrong in one
definition costs no other one.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.domain.monitor import MonitorDefinition
from core.domain.pipeline import Problem
from core.monitors.definition import read_monitor
from core.monitors.errors import MonitorsInvalid
from core.monitors.places import line_of
from core.pipelines._nodes import MAX_BYTES, Map, Node, describe, plain, read_nodes
from core.pipelines._report import Report, did_you_mean
from core.releases.values import Problems

FOLDER = "monitors"
OTHERS: Mapping[str, tuple[str, str]] = {
    "slos": ("core.slo", "read_slos"),
    "alarms": ("core.alarms", "read_alarms"),
    "triggers": ("core.triggers", "read_triggers"),
}
"""Who reads the sections that are not monitors."""
SECTIONS = ("monitors", *OTHERS)
Reader = Callable[[Problems, str, Any], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class WatchFiles:
    """All that the files define, and all that is wrong with them.

    `raw` is each good monitor's definition as it was written. `broken` maps the names of
    monitors that could not be read to their file; `unreadable` are files of which nothing at
    all could be read: whatever was defined there before is broken, too. `paths` are all files.
    """

    monitors: tuple[MonitorDefinition, ...] = ()
    slos: tuple[Any, ...] = ()
    alarms: tuple[Any, ...] = ()
    triggers: tuple[Any, ...] = ()
    problems: tuple[Problem, ...] = ()
    raw: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    def monitor(self, name: str) -> MonitorDefinition | None:
        """The good definition of this name."""
        return next((each for each in self.monitors if each.name == name), None)


def read_watch_files(root: Path) -> WatchFiles:
    """Read every file under `monitors/`; whatever is in them, this returns."""
    reading = _Reading()
    for path in watch_paths(root):
        reading.file(root, path)
    return reading.result()


def watch_paths(root: Path) -> list[Path]:
    """The files, by name. Raises `MonitorsInvalid` where the folder cannot be read."""
    folder = root / FOLDER
    if not folder.is_dir():
        return []
    try:
        files = [each for each in folder.iterdir() if each.suffix in {".yaml", ".yml"}]
    except OSError as error:
        message = f"the folder {FOLDER}/ can't be read: {error.strerror}"
        raise MonitorsInvalid(message, "check its permissions") from None
    return sorted(each for each in files if not each.name.startswith("."))


def stamp(root: Path) -> tuple[tuple[str, int, int], ...]:
    """Changes whenever a file may have: name, time of its last change, size. Cheap."""
    found = []
    for path in watch_paths(root):
        try:
            stat = path.stat()
        except OSError:
            continue
        found.append((path.name, stat.st_mtime_ns, stat.st_size))
    return tuple(found)


def section_reader(section: str) -> Reader:
    """Who reads a section that is not of monitors."""
    package, name = OTHERS[section]
    found: Reader = getattr(importlib.import_module(package), name)
    return found


class _Reading:
    """The files, one after the other; names are unique in their section over all of them."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
        self._places: dict[tuple[str, str], tuple[str, int]] = {}
        self._problems: list[Problem] = []
        self._raw: dict[str, Mapping[str, Any]] = {}
        self._broken: dict[str, str] = {}
        self._unreadable: list[str] = []
        self._paths: list[str] = []

    def result(self) -> WatchFiles:
        by_section = {name: tuple(found.values()) for name, found in self._found.items()}
        return WatchFiles(
            **by_section,
            problems=tuple(self._problems),
            raw=self._raw,
            broken=self._broken,
            unreadable=tuple(self._unreadable),
            paths=tuple(self._paths),
        )

    def file(self, root: Path, path: Path) -> None:
        shown = path.relative_to(root).as_posix()
        self._paths.append(shown)
        report = Report(shown)
        node = _nodes(path, report)
        if node is None:
            self._unreadable.append(shown)
        else:
            for entry in node.entries:
                if entry.key in SECTIONS:
                    self._section(report, node, entry.key, entry.node)
                elif not entry.key.startswith("x-"):
                    hint = did_you_mean(entry.key, SECTIONS)
                    report.add(entry.line, entry.key, "unknown section", hint)
        self._problems += report.problems

    def _section(self, report: Report, root: Map, section: str, node: Node) -> None:
        if not isinstance(node, Map):
            if plain(node) is not None:
                message = f"expected a mapping of names, found {describe(node)}"
                report.add(node.line, section, message, f"{section}: {{NAME: …}}")
            return
        fresh = {}
        for entry in node.entries:
            before = self._places.get((section, entry.key))
            if before is not None:
                where = f"{section}.{entry.key}"
                first = f"{before[0]}:{before[1]}"
                report.add(entry.line, where, f"the name is taken by {first}", "rename one")
                continue
            self._places[section, entry.key] = (report.file, entry.line)
            fresh[entry.key] = entry
        if section == "monitors":
            for name, entry in fresh.items():
                self._monitor(report, root, name, plain(entry.node), entry.line)
            return
        problems = Problems()
        found = section_reader(section)(
            problems, section, {n: plain(e.node) for n, e in fresh.items()}
        )
        self._found[section] |= {record.name: record for record in found}
        _note(report, root, problems)

    def _monitor(self, report: Report, root: Map, name: str, data: Any, line: int) -> None:
        problems = Problems()
        found = read_monitor(problems, f"monitors.{name}", name, data, report.file, line)
        _note(report, root, problems)
        if found is None:
            self._broken[name] = report.file
        else:
            self._found["monitors"][name] = found
            self._raw[name] = data


def _note(report: Report, root: Map, problems: Problems) -> None:
    for each in problems.found:
        report.add(line_of(root, each.where), each.where, each.message, each.hint)


def _nodes(path: Path, report: Report) -> Map | None:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        report.add(1, "", f"the file can't be read: {error.strerror or error}")
        return None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        report.add(line, "", f"not UTF-8: byte 0x{data[error.start]:02x}", "save it as UTF-8")
        return None
    if len(data) > MAX_BYTES:
        report.add(1, "", f"the file is larger than {MAX_BYTES:,} bytes")
        return None
    if not any(line.split("#")[0].strip() for line in text.splitlines()):
        return Map(1, ())  # nothing but comments: a file that proposes something
    node = read_nodes(text, report)
    if node is not None and not isinstance(node, Map):
        report.add(node.line, "", f"expected a mapping, found {describe(node)}", "monitors: …")
        return None
    return node if not report.problems else None
