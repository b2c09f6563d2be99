"""Which tables lie in a folder or bucket: files of one format and one schema, by where they are."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from core.errors import OpsdeckError
from core.ingest.csvfile import CsvFile
from core.ingest.guess import Guessed, TextGuess, ValueGuess
from core.ingest.jsonfile import JsonLines
from core.ingest.options import ReadOptions
from core.ingest.parquetfile import ParquetReader
from core.ingest.planning import merged
from core.ingest.sources import Source

MOST_LOOKED_INTO = 64
"""Of one folder's files so many, evenly spread, are opened; the rest are taken to be like them."""

_ALIKE = 0.5  # share of all columns that two files of one table have in common
_TAIL = re.compile(r"([-_.]?(part|chunk|batch)?[-_.]?\d[\d\-_.tTzZ]*)+$")


@dataclass
class FoundTable:
    """Files that belong together. `columns` are by name, `partitions` the folders' columns;
    `broken` are files that could not be read, with the reason."""

    name: str
    folder: str
    format: str
    files: list[Source]
    columns: dict[str, Guessed]
    partitions: tuple[str, ...] = ()
    broken: list[tuple[str, str]] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(one.size for one in self.files)


def find_tables(sources: Iterable[Source], root: str) -> list[FoundTable]:
    """The tables among files; what cannot be read at all is a table without columns."""
    groups: dict[tuple[str, str], list[Source]] = {}
    for source in sources:
        groups.setdefault((_folder(source.uri), source.format), []).append(source)
    found: list[FoundTable] = []
    for (folder, format_), files in sorted(groups.items()):
        found += _split(folder, format_, files)
    _name(found, root.rstrip("/"))
    return found


def _folder(uri: str) -> str:
    """Where a file's table is: its folder, without those that are partitions."""
    folder = posixpath.dirname(uri)
    while "=" in posixpath.basename(folder):
        folder = posixpath.dirname(folder)
    return folder


def _split(folder: str, format_: str, files: Sequence[Source]) -> list[FoundTable]:
    """One table, or several where the columns say so."""
    tables: list[FoundTable] = []
    broken: list[tuple[str, str]] = []
    step = max(1, -(-len(files) // MOST_LOOKED_INTO))
    looked = set(files[::step]) | {files[-1]}
    rest: list[Source] = []
    for source in files:
        if source not in looked:
            rest.append(source)
            continue
        try:
            columns = sniff(source)
        except OpsdeckError as error:
            broken.append((source.uri, error.message.removeprefix(f"{source.uri}: ")))
            continue
        home = next((table for table in tables if _joins(table, columns)), None)
        if home is None:
            home = FoundTable("", folder, format_, [], {})
            tables.append(home)
        home.files.append(source)
        home.columns = merged(home.columns, columns)
    if not tables:
        tables = [FoundTable("", folder, format_, [], {})]
    for source in rest:
        _nearest(tables, source).files.append(source)
    for table in tables:
        names = (name for source in table.files for name, _ in source.partitions)
        table.partitions = tuple(dict.fromkeys(names))
    tables[0].broken = broken
    return tables


def _joins(table: FoundTable, columns: dict[str, Guessed]) -> bool:
    """Whether a file with these columns may belong to a table."""
    ours, theirs = set(table.columns), set(columns)
    if len(ours & theirs) < _ALIKE * len(ours | theirs):
        return False
    try:
        merged(table.columns, columns)
    except OpsdeckError:
        return False
    return True


def _nearest(tables: Sequence[FoundTable], source: Source) -> FoundTable:
    """Of several tables in a folder the one whose files are called like this one."""
    stem = _stem(source.uri)
    return next((t for t in tables if t.files and _stem(t.files[0].uri) == stem), tables[0])


def sniff(source: Source) -> dict[str, Guessed]:
    """A file's columns by its beginning; raises what is wrong with it."""
    options = ReadOptions()
    if source.format == "parquet":
        return ParquetReader(source).guesses({})
    if source.format == "jsonl":
        return _first_values(source, options)
    file = CsvFile(source, options)
    texts = {name: TextGuess() for name in file.names}
    for chunk in file.chunks(skip_ragged=True, most=1):
        for name, text in texts.items():
            text.feed(chunk.table.column(name).combine_chunks(), chunk.first)
    return {name: text.found(source.uri, name) for name, text in texts.items()}


def _first_values(source: Source, options: ReadOptions) -> dict[str, Guessed]:
    lines = JsonLines(source, options)
    values: dict[str, ValueGuess] = {}
    for chunk in lines.chunks(skip=True):
        for name, column in chunk.columns.items():
            values.setdefault(name, ValueGuess()).feed(column, chunk.first)
        break
    else:
        for bad in lines.unreadable():
            return _refuse(f"{bad.uri}:{bad.line}: {bad.reason}")
    return {name: one.found(source.uri, name) for name, one in values.items()}


def _refuse(message: str) -> dict[str, Guessed]:
    from core.ingest.errors import BadRows

    raise BadRows(message, "one object a line")


def _name(tables: Sequence[FoundTable], root: str) -> None:
    """Names for datasets: of the folder where it holds one table, else of the files."""
    by_folder: dict[str, int] = {}
    for table in tables:
        by_folder[table.folder] = by_folder.get(table.folder, 0) + 1
    taken: set[str] = set()
    for table in tables:
        alone = by_folder[table.folder] == 1 and (table.folder != root or len(table.files) != 1)
        text = posixpath.basename(table.folder) if alone else ""
        if not text and table.files:
            text = _stem(table.files[0].uri)
        name = dataset_name(text or posixpath.basename(table.folder))
        base, number = name, 2
        while name in taken:
            name, number = f"{base[:60]}_{number}", number + 1
        taken.add(name)
        table.name = name


def _stem(uri: str) -> str:
    """A file's name without endings, numbers and dates at its end."""
    stem = posixpath.basename(uri).partition(".")[0]
    return _TAIL.sub("", stem) or stem


def dataset_name(text: str) -> str:
    """A name that a dataset may have, as near as can be to a text."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    if not name or not name[0].isalpha():
        name = f"t_{name}".rstrip("_")
    return name[:63]


def schema_of_table(columns: dict[str, Guessed], more: Iterable[str] = ()) -> pa.Schema:
    """Columns as Arrow has them; those without any value, and of folders (`more`), as text."""
    fields = [
        (name, pa.string() if pa.types.is_null(one.type) else one.type)
        for name, one in columns.items()
    ]
    return pa.schema([*fields, *((name, pa.string()) for name in more if name not in columns)])
