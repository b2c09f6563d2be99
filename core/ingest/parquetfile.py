"""Parquet files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import types as pt

from core.domain.ingest import BadRow
from core.ingest.convert import Converted, text_to
from core.ingest.errors import BadRows
from core.ingest.guess import Guessed
from core.ingest.reading import Formats, Typed, Types, assembled
from core.ingest.sources import Source
from core.ingest.streams import reading
from core.ingest.words import word_of

_ROWS = 64_000
_INDEX = re.compile(r"__index_level_\d+__")


class ParquetReader:
    """One Parquet file. Records are numbered from 1."""

    def __init__(self, source: Source) -> None:
        """Reads the footer; raises `BadRows`."""
        if source.compression is not None:
            raise BadRows(f"{source.uri}: Parquet within {source.compression}", "unpack it first")
        self.uri = source.uri
        self._source = source
        with reading(source), source.open() as stream:
            self._schema = self._explained(lambda: pq.ParquetFile(stream).schema_arrow)
        self._names = [name for name in self._schema.names if not _INDEX.fullmatch(name)]
        if len(set(self._names)) != len(self._names):
            raise BadRows(f"{self.uri}: two columns have the same name", "rename one of them")

    def guesses(self, wanted: Types) -> dict[str, Guessed]:
        """As the footer says."""
        return {name: Guessed(self._schema.field(name).type) for name in self._names}

    def typed(self, types: Types, formats: Formats, *, skip: bool) -> Iterator[Typed]:
        """The records; columns of text may be read as other types."""
        first = 1
        with reading(self._source), self._source.open() as stream:
            file = self._explained(lambda: pq.ParquetFile(stream))
            batches = file.iter_batches(_ROWS, columns=self._names)
            while True:
                batch = self._explained(lambda: next(batches, None))
                if batch is None:
                    return
                if not batch.num_rows:
                    continue
                found = {
                    name: _converted(batch.column(name), types[name], formats.get(name, ()))
                    for name in self._names
                }
                yield assembled(found, first)
                first += batch.num_rows

    def unreadable(self) -> Iterator[BadRow]:
        """A Parquet file is whole or broken."""
        return iter(())

    def lines(self, records: set[int]) -> dict[int, tuple[int, str]]:
        """Rows have no lines: their numbers stand for them."""
        return {record: (record, "") for record in records}

    def note(self) -> str:
        """Nothing."""
        return ""

    def _explained(self, ask: Any) -> Any:
        try:
            return ask()
        except pa.ArrowException as error:
            said = " ".join(str(error).split())
            if "magic bytes" in said or "smaller than the minimum" in said or "0 bytes" in said:
                said = "no Parquet file, or cut off (its end is not there)"
            raise BadRows(f"{self.uri}: {said[:200]}", "copy it again") from error
        except OSError as error:
            if error.errno is not None:
                raise
            said = " ".join(str(error).split())[:200]
            raise BadRows(f"{self.uri}: damaged: {said}", "copy it again") from error


def _converted(values: Any, target: pa.DataType, formats: Any) -> Converted:
    if values.type == target:
        return Converted(values, [])
    if pt.is_dictionary(values.type):
        values = values.dictionary_decode()
    text = pt.is_string(values.type) or pt.is_large_string(values.type)
    if text and not (pt.is_string(target) or pt.is_large_string(target)):
        return text_to(values.cast(pa.string()), target, formats)
    if pt.is_timestamp(values.type) and pt.is_timestamp(target):
        return Converted(pc.cast(values, target, safe=False), [])  # nanoseconds are cut
    if pt.is_floating(values.type) and pt.is_integer(target):
        whole = pc.equal(pc.floor(values), values)
        return _checked(values, pc.if_else(whole, values, None), target)
    return _checked(values, values, target)


def _checked(given: Any, values: Any, target: pa.DataType) -> Converted:
    """Cast what can be, and name what cannot."""
    try:
        found = pc.cast(values, target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        parts = [_one(values[index : index + 1], target) for index in range(len(values))]
        found = pa.concat_arrays(parts)
    lost = pc.and_(pc.is_valid(given), pc.is_null(found))
    return Converted(
        found,
        [
            (index, f"{given[index].as_py()!r:.40} is no {word_of(target)}")
            for index in pc.indices_nonzero(lost).to_pylist()
        ],
    )


def _one(value: Any, target: pa.DataType) -> Any:
    try:
        return pc.cast(value, target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.nulls(1, target)
