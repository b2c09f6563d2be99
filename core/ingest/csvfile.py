"""CSV files: read by Arrow in pieces, gone over again line by line where something is wrong."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.csv as pc

from core.domain.ingest import BadRow
from core.errors import BadInput
from core.ingest.errors import BadRows
from core.ingest.options import ReadOptions
from core.ingest.sources import Source
from core.ingest.streams import Tap, opened, reading

_BLOCK = 4 << 20
_MOST_FIELD = 1 << 30
_DELIMITERS = ",;\t|"


class TextChunk(NamedTuple):
    """Some records as text columns, and the number of the first one (from 1)."""

    table: Any
    first: int


class CsvFile:
    """One CSV file. Records are numbered from 1, without the line of names."""

    def __init__(self, source: Source, options: ReadOptions) -> None:
        """Reads the line of names; raises `BadRows`."""
        self.source = source
        self._options = options
        with reading(source), opened(source, options.encoding) as stream:
            head = _first_record(source, stream)
        self._head_bytes = len(head.encode())
        self.delimiter = options.delimiter or _delimiter(head)
        self.names = _names(source, head, self.delimiter)
        self.skipped = 0
        self.unended = False

    def chunks(self, *, skip_ragged: bool = False, most: int | None = None) -> Iterator[TextChunk]:
        """The records. Raises `BadRows` for rows with too many or too few fields (unless they
        are to be skipped), quotes that never end, and text in another encoding."""
        first = 1
        self.skipped = 0
        with reading(self.source), opened(self.source, self._options.encoding) as raw:
            raw.read(self._head_bytes)
            tap = Tap(raw)
            for table in self._parsed(tap, skip_ragged):
                yield TextChunk(table, first)
                first += table.num_rows
                if most is not None and first > most:
                    return
            self.unended = tap.last not in (b"\n", b"\r")
            if tap.quotes % 2 and (found := self._open_quote()):
                raise BadRows(
                    f"{self.source.uri}:{found}: a quote is opened and never closed",
                    "the file is cut off, or the quote should be doubled",
                )

    def _parsed(self, tap: Tap, skip_ragged: bool) -> Iterator[Any]:
        def ragged(row: Any) -> str:
            self.skipped += 1
            return "skip" if skip_ragged else "error"

        kinds = {name: pa.binary() for name in self.names}
        try:
            reader = pc.open_csv(
                pa.PythonFile(tap, mode="r"),
                read_options=pc.ReadOptions(
                    column_names=self.names, block_size=_BLOCK, use_threads=False
                ),
                parse_options=pc.ParseOptions(
                    delimiter=self.delimiter, newlines_in_values=True, invalid_row_handler=ragged
                ),
                convert_options=pc.ConvertOptions(
                    column_types=kinds,
                    null_values=["", *self._options.nulls],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=True,
                    check_utf8=False,
                ),
            )
            while True:
                try:
                    batch = reader.read_next_batch()
                except StopIteration:
                    return
                if batch.num_rows:
                    yield self._as_text(batch, skip_ragged)
        except pa.ArrowInvalid as error:
            if str(error) == "Empty CSV file":
                return
            raise self._explained(error) from error

    def _as_text(self, batch: Any, skip: bool) -> Any:
        try:
            columns = [column.cast(pa.string()) for column in batch.columns]
        except pa.ArrowInvalid as error:
            if not skip:
                raise self._explained(error) from error
            good = [all(map(_is_text, row.values())) for row in batch.to_pylist()]
            self.skipped += good.count(False)
            columns = [column.cast(pa.string()) for column in batch.filter(pa.array(good)).columns]
        return pa.Table.from_arrays(columns, names=self.names)

    def _explained(self, error: Exception) -> BadRows:
        """The first fault as a line of the file: found by reading it again, slowly."""
        uri = self.source.uri
        for row in self.faults(most=1):
            column = f":{row.column}" if row.column else ""
            hint = "the file is damaged or cut off there; --on-error quarantine takes the rest"
            if "UTF-8" in row.reason:
                hint = "--encoding latin-1 (or cp1252) reads it, if that is what it is"
                if self._has_more_than_ascii():
                    hint = "other lines are: encodings are mixed; --on-error quarantine takes those"
            return BadRows(f"{uri}:{row.line}{column}: {row.reason}", hint)
        if line := self._open_quote():
            return BadRows(
                f"{uri}:{line}: a quote is opened and never closed",
                "the file is cut off, or the quote should be doubled",
            )
        return BadRows(f"{uri}: {' '.join(str(error).split())[:200]}", "mend the file")

    def _has_more_than_ascii(self) -> bool:
        return any(not record.bad and not record.text.isascii() for record in self._records())

    def faults(self, most: int = 1000) -> Iterator[BadRow]:
        """Rows that are ragged or not text, with their lines; slow."""
        for record in self._records():
            if record.bad:
                yield record.bad
                most -= 1
                if not most:
                    return

    def lines(self, records: set[int]) -> dict[int, tuple[int, str]]:
        """The line and text of each of these records (numbered as chunks do); slow."""
        found: dict[int, tuple[int, str]] = {}
        number = 0
        for record in self._records():
            if record.bad:
                continue
            number += 1
            if number in records:
                found[number] = (record.line, record.text)
                if len(found) == len(records):
                    break
        return found

    def _records(self) -> Iterator[_Record]:
        csv.field_size_limit(_MOST_FIELD)
        wanted = len(self.names)
        encoding = self._options.encoding
        with reading(self.source), opened(self.source, encoding) as raw:
            lines = _Lines(raw)
            rows = csv.reader(lines, delimiter=self.delimiter)
            try:
                next(rows, None)
                while True:
                    start = lines.count + 1
                    lines.kept.clear()
                    row = next(rows, None)
                    if row is None:
                        return
                    if row:
                        yield _judged(self.source.uri, row, wanted, start, lines)
            except csv.Error:
                return  # the caller has an error already

    def _open_quote(self) -> int | None:
        """The line with a quote that is never closed, if there is one; slow."""
        csv.field_size_limit(_MOST_FIELD)
        with opened(self.source, self._options.encoding) as raw:
            lines = _Lines(raw)
            rows = csv.reader(lines, delimiter=self.delimiter, strict=True)
            start = 1
            try:
                for _ in rows:
                    start = lines.count + 1
                    lines.kept.clear()
            except csv.Error as error:
                return start if "unexpected end" in str(error) else None
        return None


class _Record(NamedTuple):
    line: int
    text: str
    bad: BadRow | None


def _judged(uri: str, row: list[str], wanted: int, start: int, lines: _Lines) -> _Record:
    text = "".join(lines.kept).rstrip("\r\n")
    shown = text.encode("utf-8", "backslashreplace").decode()[:2000]
    if len(row) != wanted:
        reason = f"{len(row)} fields where the first line names {wanted}"
        return _Record(start, shown, BadRow(uri, start, reason, shown))
    for offset, line in enumerate(lines.kept):
        for column, letter in enumerate(line, start=1):
            if 0xDC80 <= ord(letter) <= 0xDCFF:
                reason = f"byte 0x{ord(letter) - 0xDC00:02x} is not UTF-8 text"
                bad = BadRow(uri, start + offset, reason, shown, str(column))
                return _Record(start, shown, bad)
    return _Record(start, shown, None)


def _is_text(value: bytes | None) -> bool:
    try:
        return value is None or value.decode() is not None
    except UnicodeDecodeError:
        return False


class _Lines:
    """A file's lines as text, with bytes that are none kept; those of the present record too."""

    def __init__(self, raw: BinaryIO) -> None:
        self._text = io.TextIOWrapper(raw, "utf-8", "surrogateescape", newline="")
        self.count = 0
        self.kept: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._text)
        self.count += 1
        self.kept.append(line)
        return line


def _first_record(source: Source, stream: BinaryIO) -> str:
    """The line of names, as it stands, with its line end; more than one line where quoted."""
    head = b""
    while True:
        line = stream.readline(1 << 20)
        head += line
        if not line or head.count(b'"') % 2 == 0 or len(head) > 1 << 20:
            break
    if not head.strip():
        raise BadRows(f"{source.uri}: empty", "the first line must name the columns")
    try:
        return head.decode()
    except UnicodeDecodeError as error:
        raise BadRows(
            f"{source.uri}:1: byte 0x{head[error.start]:02x} is not UTF-8 text",
            "--encoding latin-1 (or cp1252, utf-16) reads it, if that is what it is",
        ) from error


def _delimiter(head: str) -> str:
    return max(_DELIMITERS, key=lambda one: (head.count(one), -_DELIMITERS.index(one)))


def _names(source: Source, head: str, delimiter: str) -> list[str]:
    try:
        names = [name.strip() for name in next(csv.reader([head], delimiter=delimiter))]
    except csv.Error as error:
        raise BadRows(f"{source.uri}:1: {error}", "mend the line of names") from error
    check_names(f"{source.uri}:1", names)
    return names


def check_names(where: str, names: list[str]) -> None:
    """Raise `BadRows` for names of columns that are missing, or that are there twice."""
    if all(_is_number(name) for name in names):
        raise BadRows(f"{where}: numbers instead of names of columns", "add a line of names")
    seen: dict[str, str] = {}
    for position, name in enumerate(names, start=1):
        if not name:
            raise BadRows(f"{where}: column {position} has no name", "name it in the first line")
        if name.lower() in seen:
            twice = name if seen[name.lower()] == name else f"{seen[name.lower()]} and {name}"
            raise BadRows(f"{where}: two columns are called {twice}", "rename one of them")
        seen[name.lower()] = name


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def check_delimiter(text: str) -> str:
    """A delimiter as given (`tab` or `\\t` mean one); raises `BadInput`."""
    found = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if len(found) != 1 or not found.isascii() or found in '"\r\n':
        raise BadInput(f"--delimiter {text!r}: must be one character", "for example: ';' or tab")
    return found
