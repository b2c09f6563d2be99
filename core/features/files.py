"""Files under `features/`: one definition of a feature view each, checked key by key.

Every fault is told with its file, line and key; reading one imports neither the lake nor SQL.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.domain.features import FEATURE_TYPES, KEY_TYPES, EntityKey, Feature, FeatureSpec
from core.domain.pipeline import Problem
from core.errors import NotFound
from core.features.errors import FeaturesInvalid
from core.pipelines._fields import read_fields
from core.pipelines._keys import Key
from core.pipelines._nodes import MAX_BYTES, Map, Node, Scalar, Seq, describe, read_nodes
from core.pipelines._report import Report, did_you_mean

FOLDER = "features"
MAX_FEATURES = 1000
MAX_KEYS = 16
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_COLUMN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")

TOP: Mapping[str, Key] = {
    "name": Key("text", "The view's name; the file's name without its ending by default."),
    "description": Key("text", "What it says of an entity, in a sentence."),
    "owner": Key("text", "Who answers for it."),
    "source": Key("text", "The dataset or view that its rows come from."),
    "entity": Key("node", "The key: a list of columns, or a mapping of column to type."),
    "event_time": Key("text", "The column that says when a row became true."),
    "created_time": Key("text", "The column that says when a row was written."),
    "deleted": Key("text", "A column that is true where the entity's row is gone."),
    "ttl": Key("duration", "A row older than this counts as none: 90s, 2h, 7d."),
    "transform": Key("node", "SQL over the source, or a mapping of column to expression."),
    "where": Key("text", "An SQL condition: only these rows of the source."),
    "features": Key("node", "A mapping of feature to type, or to type, default, description."),
    "online": Key("flag", "Whether it is kept in the online store too."),
    "every": Key("duration", "How often a worker brings the online store up to date: 10m."),
}
FEATURE: Mapping[str, Key] = {
    "type": Key("text", "One of: " + ", ".join(FEATURE_TYPES)),
    "default": Key("scalar", "What stands where there is no value; null by default."),
    "description": Key("text", "What it means."),
}
_ALIASES = {"double": "float", "number": "float", "long": "int", "integer": "int", "str": "string",
            "text": "string", "boolean": "bool", "float64": "float", "int64": "int",
            "datetime": "timestamp"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FeatureFile:
    """One file: its definition where it is right, else its problems. `path` is relative to the
    workspace; `lines` are those of its keys."""

    name: str
    path: str
    problems: tuple[Problem, ...] = ()
    spec: FeatureSpec | None = None
    lines: Mapping[str, int] | None = None


def find_files(root: Path) -> list[FeatureFile]:
    """Every definition of the workspace `root`, by name."""
    folder = root / FOLDER
    if not folder.is_dir():
        return []
    try:
        paths = sorted(p for p in folder.iterdir() if p.suffix in (".yaml", ".yml"))
    except OSError as error:
        raise FeaturesInvalid(f"{FOLDER}/ cannot be read: {error.strerror}") from None
    found: list[FeatureFile] = []
    first: dict[str, str] = {}
    for path in paths:
        if path.name.startswith("."):
            continue
        each = read_file(root, path)
        if each.name in first:
            message = f"{first[each.name]} is called {each.name} too"
            fault = Problem(each.path, 1, "name", message, "give one of them another name")
            each = FeatureFile(each.name, each.path, (*each.problems, fault))
        first.setdefault(each.name, each.path)
        found.append(each)
    return sorted(found, key=lambda each: (each.name, each.path))


def load_spec(root: Path, name: str) -> FeatureFile:
    """The definition called `name`; raises `FeaturesInvalid`, or `NotFound` with the closest."""
    files = find_files(root)
    wanted = [each for each in files if each.name == name]
    if not wanted:
        hint = did_you_mean(name, [each.name for each in files])
        hint = hint or f"write {FOLDER}/{name}.yaml"
        raise NotFound(f"no feature view {name} in {FOLDER}/", hint)
    for each in wanted:
        refuse_problems(each)
    return wanted[0]


def refuse_problems(file: FeatureFile) -> FeatureSpec:
    """The file's definition; raises `FeaturesInvalid` with all that is wrong with it."""
    if file.problems or file.spec is None:
        more = f" (and {len(file.problems) - 1} more)" if len(file.problems) > 1 else ""
        first = file.problems[0]
        where = f"{first.file}:{first.line}" + (f":{first.key}" if first.key else "")
        message = f"{where}: {first.message}{more}"
        raise FeaturesInvalid(message, first.suggestion, file.problems)
    return file.spec


def read_file(root: Path, path: Path) -> FeatureFile:
    """Read one file; whatever is in it, this returns."""
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    report = Report(shown)
    text = _text(path, report)
    node = read_nodes(text, report) if text is not None else None
    if node is None:
        return FeatureFile(path.stem, shown, report.problems)
    if not isinstance(node, Map):
        report.add(node.line, "", f"expected a mapping, found {describe(node)}", "start: source:")
        return FeatureFile(path.stem, shown, report.problems)
    reading = _Reading(report, node, path.stem)
    spec = reading.spec()
    lines = {entry.key: entry.line for entry in node.entries}
    lines |= reading.lines
    good = None if report.problems else spec
    return FeatureFile(reading.name, shown, report.problems, good, lines)


def _text(path: Path, report: Report) -> str | None:
    try:
        with path.open("rb") as stream:
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


class _Reading:
    """One file's mapping on its way to a definition."""

    def __init__(self, report: Report, node: Map, stem: str) -> None:
        self._report = report
        self._node = node
        self._top = read_fields(report, "", node, TOP, "a feature view")
        self.name = str(self._top.get("name", stem))
        self.lines: dict[str, int] = {}

    def spec(self) -> FeatureSpec | None:
        top = self._top
        if not _NAME.fullmatch(self.name):
            self._add("name", f"{self.name!r} is not allowed", "a-z, 0-9 and _, a letter first")
        source = self._required("source")
        event_time = self._required("event_time")
        if source and not _NAME.fullmatch(source):
            self._add("source", f"{source!r} is no dataset's name", "a-z, 0-9 and _")
        entity, features = self._entity(), self._features()
        sql, transform = self._transform()
        self._distinct(entity, features, event_time)
        if top.get("every") is not None and not top.get("online"):
            self._add("every", "keeps the online store up to date", "add online: true")
        for key in ("every", "ttl"):
            if top.get(key) == 0:
                self._add(key, "must be longer than nothing", "such as 10m")
        if self._report.problems:
            return None
        return FeatureSpec(
            name=self.name, source=source, entity=entity, event_time=event_time,
            features=features, created_time=top.get("created_time"), deleted=top.get("deleted"),
            ttl=top.get("ttl"), sql=sql, transform=transform, where=top.get("where"),
            owner=top.get("owner", ""), description=top.get("description", ""),
            online=top.get("online", False), every=top.get("every"),
        )  # fmt: skip

    def _add(self, key: str, message: str, hint: str = "", line: int = 0) -> None:
        entry = self._node.get(key.split(".")[0])
        self._report.add(line or (entry.line if entry else self._node.line), key, message, hint)

    def _required(self, key: str) -> str:
        if key not in self._top and self._node.get(key) is None:
            self._add(key, "missing", TOP[key].doc)
        return str(self._top.get(key, ""))

    def _entity(self) -> tuple[EntityKey, ...]:
        node: Node | None = self._top.get("entity")
        if node is None:
            self._add("entity", "missing", "such as entity: {station: string}")
            return ()
        found: list[EntityKey] = []
        if isinstance(node, Map):
            for entry in node.entries:
                kind = self._type(f"entity.{entry.key}", entry.node, KEY_TYPES)
                found.append(EntityKey(entry.key, kind))
        else:
            for item in node.items if isinstance(node, Seq) else (node,):
                name = item.text if isinstance(item, Scalar) and item.value is not None else ""
                found.append(EntityKey(name, "string"))
        if not found or len(found) > MAX_KEYS:
            self._add("entity", f"1 to {MAX_KEYS} columns make a key, here are {len(found)}")
        for key in found:
            self._column("entity", key.name)
        return tuple(found)

    def _features(self) -> tuple[Feature, ...]:
        node: Node | None = self._top.get("features")
        if not isinstance(node, Map) or not node.entries:
            self._add("features", "missing" if node is None else "expected a mapping",
                      "such as features: {temp: float}")  # fmt: skip
            return ()
        if len(node.entries) > MAX_FEATURES:
            self._add("features", f"more than {MAX_FEATURES}", "make several views of it")
        found: list[Feature] = []
        for entry in node.entries:
            where = f"features.{entry.key}"
            self.lines[where] = entry.line
            self._column(where, entry.key, entry.line)
            if isinstance(entry.node, Map):
                found.append(self._feature(where, entry.key, entry.node))
            else:
                found.append(Feature(entry.key, self._type(where, entry.node, FEATURE_TYPES)))
        return tuple(found)

    def _feature(self, where: str, name: str, node: Map) -> Feature:
        given = {e.key: e.node for e in node.entries}
        values = read_fields(self._report, where, node, FEATURE, "a feature")
        kind = "float"
        if "type" in given:
            kind = self._type(f"{where}.type", given["type"], FEATURE_TYPES)
        else:
            self._add(where, "has no type", "one of " + ", ".join(FEATURE_TYPES), node.line)
        default = values.get("default")
        value = None
        if isinstance(default, Scalar):
            value = _default(default.value, kind)
            if value is None:
                self._add(f"{where}.default", f"{describe(default)} is no {kind}", "", default.line)
        return Feature(name, kind, value, values.get("description", ""))

    def _type(self, where: str, node: Node, known: tuple[str, ...]) -> str:
        text = node.text.strip().lower() if isinstance(node, Scalar) else ""
        kind = _ALIASES.get(text, text)
        if kind not in known:
            self._add(where, f"{describe(node)} is no type", did_you_mean(text, known), node.line)
            return known[0]
        return kind

    def _column(self, where: str, name: str, line: int = 0) -> None:
        if not _COLUMN.fullmatch(name):
            self._add(where, f"{name!r} is not allowed as a column",
                      "letters, digits and _, a letter first", line)  # fmt: skip

    def _transform(self) -> tuple[str | None, dict[str, str]]:
        node: Node | None = self._top.get("transform")
        if node is None:
            return None, {}
        if isinstance(node, Scalar):
            if not isinstance(node.value, str) or not node.value.strip():
                self._add("transform", "expected SQL, or a mapping of column to expression")
                return None, {}
            if self._top.get("where") is not None:
                self._add("where", "goes into the SQL of transform")
            return node.value.strip().rstrip(";"), {}
        found: dict[str, str] = {}
        for entry in node.entries if isinstance(node, Map) else ():
            where = f"transform.{entry.key}"
            self.lines[where] = entry.line
            self._column(where, entry.key, entry.line)
            if not isinstance(entry.node, Scalar) or not entry.node.text.strip():
                self._add(where, f"expected an expression, found {describe(entry.node)}",
                          "", entry.line)  # fmt: skip
            else:
                found[entry.key] = entry.node.text.strip()
        if not found:
            self._add("transform", "expected SQL, or a mapping of column to expression")
        return None, found

    def _distinct(
        self, entity: tuple[EntityKey, ...], features: tuple[Feature, ...], event_time: str
    ) -> None:
        keys = [key.name for key in entity]
        for key in keys:
            if keys.count(key) > 1:
                self._add("entity", f"{key} is named twice")
        for feature in features:
            if feature.name in keys or feature.name == event_time:
                self._add(f"features.{feature.name}", "is part of the key or the event time",
                          "give it another name by transform", self.lines.get(
                              f"features.{feature.name}", 0))  # fmt: skip


def _default(value: Any, kind: str) -> Any:
    """A default as its feature's type has it; None where it is no such thing."""
    if kind == "bool":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool):
        return None
    if kind == "int":
        return value if isinstance(value, int) else None
    if kind == "float":
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
    return value if isinstance(value, str) and kind == "string" else None
