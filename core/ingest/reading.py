"""The three kinds of readers behind one face: names, types, and tables of the wanted types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from core.domain.ingest import BadRow
from core.ingest.convert import Converted, text_to, values_to
from core.ingest.csvfile import CsvFile
from core.ingest.guess import Guessed, TextGuess, ValueGuess
from core.ingest.options import ReadOptions

Types = Mapping[str, pa.DataType]
Formats = Mapping[str, Sequence[str]]


@dataclass
class Typed:
    """Some records as they are taken in: `bad` ones (record number, column, reason) are null
    where they are wrong, and `first` is the number of the first record."""

    table: pa.Table
    first: int
    bad: list[tuple[int, str, str]] = field(default_factory=list)


class Reader(Protocol):
    """One source. Records are numbered from 1; every call reads the source anew."""

    uri: str

    def guesses(self, wanted: Types) -> dict[str, Guessed]:
        """The columns in order with the types that all values have; columns in `wanted` are
        not looked into. Raises `BadRows`."""

    def typed(self, types: Types, formats: Formats, *, skip: bool) -> Iterator[Typed]:
        """The records with these types. Unless `skip`, raises `BadRows` at what is no record."""

    def unreadable(self) -> Iterator[BadRow]:
        """With `skip`: what was left out, for it was no record at all."""

    def lines(self, records: set[int]) -> dict[int, tuple[int, str]]:
        """Line and text of these records."""

    def note(self) -> str:
        """What was noticed while reading, if anything."""


class CsvReader:
    """A CSV file."""

    def __init__(self, file: CsvFile, options: ReadOptions) -> None:
        self.uri = file.source.uri
        self._file = file
        self._options = options

    def guesses(self, wanted: Types) -> dict[str, Guessed]:
        """All of a file is read, unless every column's type is known."""
        names = self._file.names
        open_ones = {name: TextGuess() for name in names if name not in wanted}
        if open_ones:
            for chunk in self._file.chunks(skip_ragged=self._options.on_error != "fail"):
                for name, guess in open_ones.items():
                    values = chunk.table.column(name).combine_chunks()
                    guess.feed(values, chunk.first)
        return {
            name: open_ones[name].found(self.uri, name)
            if name in open_ones
            else Guessed(wanted[name])
            for name in names
        }

    def typed(self, types: Types, formats: Formats, *, skip: bool) -> Iterator[Typed]:
        """The records, converted from text."""
        for chunk in self._file.chunks(skip_ragged=skip):
            found = {
                name: text_to(
                    chunk.table.column(name).combine_chunks(), types[name], formats.get(name, ())
                )
                for name in self._file.names
            }
            yield assembled(found, chunk.first)

    def unreadable(self) -> Iterator[BadRow]:
        """Rows with too many or too few fields."""
        if self._file.skipped:
            yield from self._file.faults()

    def lines(self, records: set[int]) -> dict[int, tuple[int, str]]:
        """By reading the file again."""
        return self._file.lines(records)

    def note(self) -> str:
        """A last line that may have been cut off: nothing else would tell."""
        return "its last line has no end: is the file whole?" if self._file.unended else ""


@dataclass
class ValueChunk:
    """Some records of values: by column, a missing key as None."""

    columns: dict[str, list[Any]]
    first: int


class Values(Protocol):
    """What holds records of values: JSON Lines, a database's rows."""

    uri: str

    def chunks(self, *, skip: bool) -> Iterator[ValueChunk]:
        """The records; a chunk has only the columns that it knows."""

    def unreadable(self) -> Iterator[BadRow]:
        """What `skip` has left out."""

    def lines(self, records: set[int]) -> dict[int, tuple[int, str]]:
        """Line and text of records."""


class ValueReader:
    """A source of values."""

    def __init__(self, source: Values, options: ReadOptions) -> None:
        self.uri = source.uri
        self._source = source
        self._options = options

    def guesses(self, wanted: Types) -> dict[str, Guessed]:
        """All records are looked at: any of them may have another key."""
        guesses: dict[str, ValueGuess] = {}
        for chunk in self._source.chunks(skip=self._options.on_error != "fail"):
            for name, values in chunk.columns.items():
                guess = guesses.setdefault(name, ValueGuess())
                if name not in wanted:
                    guess.feed(values, chunk.first)
        return {
            name: Guessed(wanted[name]) if name in wanted else guess.found(self.uri, name)
            for name, guess in guesses.items()
        }

    def typed(self, types: Types, formats: Formats, *, skip: bool) -> Iterator[Typed]:
        """The records, converted."""
        for chunk in self._source.chunks(skip=skip):
            count = len(next(iter(chunk.columns.values()), []))
            found = {
                name: values_to(chunk.columns[name], kind, formats.get(name, ()))
                if name in chunk.columns
                else Converted(pa.nulls(count, kind), [])
                for name, kind in types.items()
            }
            yield assembled(found, chunk.first)

    def unreadable(self) -> Iterator[BadRow]:
        """Lines that are no JSON objects."""
        return self._source.unreadable()

    def lines(self, records: set[int]) -> dict[int, tuple[int, str]]:
        """By reading the source again."""
        return self._source.lines(records)

    def note(self) -> str:
        """Nothing."""
        return ""


def assembled(found: Mapping[str, Converted], first: int) -> Typed:
    """Converted columns as a table, with what was bad by record."""
    table = pa.table({name: one.array for name, one in found.items()})
    bad = [
        (first + index, name, reason) for name, one in found.items() for index, reason in one.bad
    ]
    return Typed(table, first, sorted(bad))
