"""A model that reads feature views: what a request lacks is looked up by the entity's key.

A model names its views in its MLflow metadata (`opsdeck.features`), else the endpoint's setting
does. The look-up runs on the event loop before the signature is checked: it takes microseconds.
A model that names no views keeps its own engine, and nothing of this is loaded for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from core.domain.features import FeatureUse, Freshness
from core.errors import ModelUnusable, NotAWorkspace, OpsdeckError
from core.features.keys import BadKey
from core.features.online import OnlineReader, file_of
from core.features.place import folder_of
from core.features.uses import parse_pinned, uses_of_model
from core.serving.http.shapes import JSON, BadRequest, Table, cell, read_table
from core.serving.model.engines import Engine, ModelFailed
from core.serving.model.schema import Column, ModelSchema, Signature
from core.serving.records import LoadReport
from core.workspace import open_workspace

CHECK_SECONDS = 2.0
BOUNDS = (1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2)
"""Of the histogram of look-ups, in seconds."""

_TYPE_OF_KEY = {"string": "string", "int": "long", "bool": "boolean", "date": "string"}
_NEVER_NULL = frozenset({"integer", "long", "boolean"})


@dataclass(slots=True)
class LookupMeter:
    """What one view's look-ups came to since the model was loaded. `histogram` counts those up
    to each of `bounds` (seconds), and the rest."""

    ref: str
    bounds: tuple[float, ...] = BOUNDS
    states: dict[str, int] = field(default_factory=lambda: dict.fromkeys(Freshness, 0))
    histogram: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds_sum: float = 0.0
    age: float = 0.0  # of the last row that counted, in seconds

    def record(self, state: Freshness, seconds: float, age: float | None) -> None:
        """Note one look-up."""
        self.states[state] += 1
        self.seconds_sum += seconds
        place = 0
        while place < len(BOUNDS) and seconds > BOUNDS[place]:
            place += 1
        self.histogram[place] += 1
        if age is not None and state is Freshness.FRESH:
            self.age = age


class Lookup:
    """One view of a model. Lives on the event loop."""

    def __init__(self, use: FeatureUse, folder: Path, schema: ModelSchema) -> None:
        """Raises `NotOnline`, `OnlineUnavailable`, and `ModelUnusable` where the view has none
        of the model's inputs."""
        self.use = use
        self._path = file_of(folder, use.view, use.version)
        self._reader = OnlineReader(self._path)
        self._inode = self._path.stat().st_ino
        self._checked = time.monotonic()
        self.meter = LookupMeter(use.ref)
        spec = self._reader.spec
        self.keys = [(use.keys.get(key.name, key.name), key.type) for key in spec.entity]
        types = {column.name: column.type for column in schema.columns}
        self.features = {
            use.prefix + feature.name: place
            for place, feature in enumerate(spec.features)
            if use.prefix + feature.name in types and (not use.only or feature.name in use.only)
        }
        self._never_null = [name for name in self.features if types[name] in _NEVER_NULL]
        if not self.features:
            names = ", ".join(use.prefix + feature.name for feature in spec.features)
            raise ModelUnusable(
                f"feature view {use.ref} has none of the model's inputs (it has {names[:200]})",
                "name another view, or give a prefix",
            )

    def complete(self, table: Table, gaps: Mapping[str, int]) -> dict[str, list[Any]]:
        """The columns of the model's that a table lacks, wholly or (`gaps`) in some rows.
        Raises `BadRequest`, `ModelFailed`."""
        wanted = [n for n in self.features if n not in table.names or n in gaps]
        if not wanted:
            return {}
        places = [self._place(table, name, wanted[0]) for name, _ in self.keys]
        self._follow()
        known: dict[tuple[Any, ...], list[Any]] = {}
        found: dict[str, list[Any]] = {name: [] for name in wanted}
        columns = [(found[name], self.features[name]) for name in wanted]
        for number, row in enumerate(table.rows):
            key = tuple([row[place] for place in places])
            try:
                values = known.get(key)
            except TypeError:
                raise BadRequest(f"Row {number}: the key is no value but a list or object") from (
                    None
                )
            if values is None:
                values = known[key] = self._look_up(key, number, wanted)
            for column, place in columns:
                column.append(values[place])
        return found

    def _look_up(self, key: tuple[Any, ...], number: int, wanted: Sequence[str]) -> list[Any]:
        begun = time.perf_counter()
        try:
            state, values, age = self._reader.look_up(key)
        except BadKey as error:
            raise BadRequest(f"Row {number}: {error.message}") from None
        except OpsdeckError as error:
            raise ModelFailed(f"Features of {self.use.ref} cannot be read: {error.message}") from (
                error
            )
        self.meter.record(state, time.perf_counter() - begun, age)
        for feature in self._never_null:
            if values[self.features[feature]] is None and feature in wanted:
                names = (name for name, _ in self.keys)
                shown = ", ".join(f"{k}={v!r}"[:60] for k, v in zip(names, key, strict=True))
                raise BadRequest(
                    f"Row {number}: {self.use.ref} has no {feature} for {shown} ({state}), and the "
                    "model needs one: send it",
                    "no_features",
                )
        return values

    def _place(self, table: Table, name: str, missing: str) -> int:
        if name not in table.names:
            raise BadRequest(
                f"The request lacks column {missing}: send it, or {name}, by which it is looked up"
            )
        return table.names.index(name)

    def _follow(self) -> None:
        """Go over to another file where somebody has made the store anew."""
        now = time.monotonic()
        if now - self._checked < CHECK_SECONDS:
            return
        self._checked = now
        try:
            inode = self._path.stat().st_ino
            if inode != self._inode:
                self._reader, self._inode = OnlineReader(self._path), inode
        except (OSError, OpsdeckError) as error:
            self._checked = 0.0
            raise ModelFailed(
                f"Features of {self.use.ref} are gone: its online store has been deleted"
            ) from error


class FeaturedEngine:
    """An engine whose requests are completed before it sees them."""

    def __init__(self, inner: Engine, lookups: Sequence[Lookup]) -> None:
        columns = inner.signature.columns
        if columns is None:
            raise ModelUnusable(
                "the model names feature views, and has no signature with named columns",
                "log it again with a signature",
            )
        self.flavour = inner.flavour
        self.batches = inner.batches
        self.lookups = tuple(lookups)
        self._inner = inner
        self._texts = {column.name for column in columns.columns if column.type == "string"}
        self._rows: Callable[[Table], Any] | None = getattr(inner, "rows", None)
        self.signature, self.taken = _signatures(inner.signature, columns, self.lookups)

    def prepare(self, body: bytes, content_type: str) -> Any:
        """The request's rows with what they lack looked up."""
        table = read_table(body, content_type)
        gaps = table.gaps
        added: dict[str, list[Any]] = {}
        for lookup in self.lookups:
            added.update(lookup.complete(table, gaps))
        if not added:
            return self._inner.prepare(body, content_type)
        complete = _with(table, added, self._texts)
        if self._rows is not None:
            return self._rows(complete)
        split = {"columns": complete.names, "data": complete.rows}
        return self._inner.prepare(orjson.dumps({"dataframe_split": split}), JSON)

    def answer(self, inputs: Sequence[Any]) -> list[Any]:
        """The model's predictions."""
        return self._inner.answer(inputs)

    def describe(self, inputs: Any, body: bytes = b"", content_type: str = "") -> Any:
        """The input as the model got it, features and all."""
        return self._inner.describe(inputs, body, content_type)


def with_features(
    engine: Engine, report: LoadReport, names: Sequence[str], folder: Path
) -> tuple[Engine, LoadReport]:
    """The engine that looks up what its model's metadata name, else what `names` do; the same
    engine where that is nothing. Raises `ModelUnusable` where it cannot."""
    try:
        uses = uses_of_model(Path(report.model_path)) or parse_pinned(list(names))
        schema = engine.signature.columns or ModelSchema(())
        lookups = [Lookup(use, folder, schema) for use in uses]
        if not lookups:
            return engine, report
        featured = FeaturedEngine(engine, lookups)
    except ModelUnusable:
        raise
    except OpsdeckError as error:
        raise ModelUnusable(
            f"Model {report.model} version {report.version}: {error.message}", error.hint
        ) from error
    said = f"features from {', '.join(use.ref for use in uses)}"
    detail = f"{report.detail}; {said}" if report.detail else said
    return featured, replace(report, detail=detail)


def features_folder(endpoint: Path) -> Path:
    """Where the online stores are that the models of an endpoint in this folder read."""
    try:
        return folder_of(open_workspace(endpoint))
    except NotAWorkspace:  # an endpoint by itself
        return endpoint / "features"


def _with(table: Table, added: Mapping[str, list[Any]], texts: set[str]) -> Table:
    """A table with columns filled in: whole ones, and the empty cells of those with gaps."""
    rows = [list(row) for row in table.rows]
    if table.text:  # a CSV: cells become values here, since what is added are values already
        as_text = [name in texts for name in table.names]
        rows = [
            [None if not v else v if t else cell(v) for v, t in zip(row, as_text, strict=True)]
            for row in rows
        ]
    names = list(table.names)
    for name, values in added.items():
        if name in names:
            place = names.index(name)
            for row, value in zip(rows, values, strict=True):
                if row[place] is None:
                    row[place] = value
        else:
            names.append(name)
            for row, value in zip(rows, values, strict=True):
                row.append(value)
    gaps = {name: row for name, row in table.gaps.items() if name not in added}
    return Table(names, rows, gaps)


def _signatures(
    signature: Signature, schema: ModelSchema, lookups: Sequence[Lookup]
) -> tuple[Signature, Signature]:
    """What a request is told to hold (the keys in place of the features), and what it may."""
    features = {name for lookup in lookups for name in lookup.features}
    have = {column.name for column in schema.columns}
    keys = {
        name: Column(name, _TYPE_OF_KEY[kind])
        for lookup in lookups
        for name, kind in lookup.keys
        if name not in have
    }
    asked = (*(c for c in schema.columns if c.name not in features), *keys.values())
    all_ = (*schema.columns, *keys.values())
    return (
        replace(signature, columns=ModelSchema(asked)),
        replace(signature, columns=ModelSchema(all_)),
    )
