"""Records on their way through an intake: do they fit the dataset, and as a table."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from core.domain.dataset import Column
from core.errors import BadInput
from core.ingest.convert import values_to
from core.ingest.errors import BadRows
from core.ingest.guess import ValueGuess
from core.ingest.jsonfile import by_column
from core.ingest.words import type_of

Record = dict[str, Any]


class Problem(NamedTuple):
    """Why a record cannot be taken; `record` counts from 1."""

    record: int
    reason: str


class Shape:
    """What the records of an intake must look like. Thread-safe.

    `evolve`: columns that the dataset lacks are taken too; the first values that come decide
    their types.
    """

    def __init__(self, schema: pa.Schema, *, evolve: bool) -> None:
        self._lock = threading.Lock()
        self.evolve = evolve
        self._types: dict[str, pa.DataType] = {}
        self._needed: list[str] = []
        self._known: frozenset[str] = frozenset()
        self.follow(schema)

    def follow(self, schema: pa.Schema) -> None:
        """The dataset has these columns now."""
        with self._lock:
            extra = {name: kind for name, kind in self._types.items() if name not in self._known}
            types = {field.name: field.type for field in schema}
            self._known = frozenset(types)
            self._types = {**extra, **types}
            self._needed = [field.name for field in schema if not field.nullable]

    def types(self) -> dict[str, pa.DataType]:
        """The columns known by now."""
        with self._lock:
            return dict(self._types)

    def problems(self, records: Sequence[Record], most: int = 100) -> list[Problem]:
        """Why records cannot be taken, by record; none means that all can be."""
        columns = by_column(list(records))
        found: list[Problem] = []
        with self._lock:
            for name in columns.keys() - self._types.keys():
                reason = self._extend(name, columns[name])
                if reason:
                    found += [
                        Problem(index, reason)
                        for index, record in enumerate(records, start=1)
                        if name in record
                    ]
            types = dict(self._types)
        for name in self._needed:
            values = columns.get(name, [None] * len(records))
            found += [
                Problem(index, f"{name} is missing, and it must have a value")
                for index, value in enumerate(values, start=1)
                if value is None
            ]
        for name, values in columns.items():
            if name in types:
                found += [
                    Problem(index + 1, f"{name}: {reason}")
                    for index, reason in values_to(values, types[name]).bad
                ]
        return sorted(found)[:most]

    def _extend(self, name: str, values: list[Any]) -> str:
        """Take a new column in; returns why that cannot be."""
        if not self.evolve:
            close = [one for one in self._types if one.lower() == name.lower()]
            return f"{name!r:.80}: no such column" + (f" (it is {close[0]})" if close else "")
        if not name or len(name) > 255 or not name.isprintable():
            return f"{name!r:.80}: no name for a column"
        if any(one.lower() == name.lower() for one in self._types):
            return f"{name!r:.80}: another column differs in case only"
        guess = ValueGuess()
        guess.feed(values, 1)
        try:
            kind = guess.found("", name).type
        except BadRows:
            return f"{name!r:.80}: of several types at once"
        if not pa.types.is_null(kind):
            self._types[name] = kind
        return ""

    def table(self, records: Sequence[Record]) -> tuple[pa.Table, list[Problem]]:
        """Accepted records as a table, without those that do not fit (any more)."""
        problems = self.problems(records, most=len(records) * 100)
        bad = {problem.record for problem in problems}
        good = [record for index, record in enumerate(records, start=1) if index not in bad]
        columns = by_column(good)
        with self._lock:
            types = {
                name: kind
                for name, kind in self._types.items()
                if name in self._known or name in columns
            }
        arrays = {
            name: values_to(columns[name], kind).array
            if name in columns
            else pa.nulls(len(good), kind)
            for name, kind in types.items()
        }
        return pa.table(arrays), problems


def schema_of(columns: Sequence[Column]) -> pa.Schema | None:
    """Mirrored columns as Arrow has them, without opening the lake; None where one is nested."""
    fields = []
    for column in columns:
        try:
            kind = type_of(column.name, column.type)
        except BadInput:
            return None
        fields.append(pa.field(column.name, kind, column.nullable))
    return pa.schema(fields)


def lines_of(records: Sequence[Mapping[str, Any]]) -> bytes:
    """Records as JSON Lines."""
    import orjson

    return b"".join(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records)
