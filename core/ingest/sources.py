"""Which files are meant: paths, folders, patterns, `s3://` addresses; and what they are."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from core.ingest import globs
from core.ingest.errors import SourceUnreadable

FORMATS = ("csv", "jsonl", "parquet")
_SUFFIXES = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".json": "jsonl", ".parquet": "parquet", ".pq": "parquet", ".parq": "parquet",
}  # fmt: skip
_COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".xz": "xz", ".lz4": "lz4"}
_HIVE = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,62})=([^/]*)")
_CHUNK = 1 << 20


class Store(Protocol):
    """Where files are: this host's disk, or a bucket. Errors are `SourceUnreadable`."""

    def walk(self, folder: str, depth: int | None) -> Iterator[tuple[str, int, str]]:
        """Every file below a folder: address, size in bytes, and a mark of its version."""

    def look(self, uri: str) -> tuple[int, str] | None:
        """Size and mark of a file; None for a folder. Raises `SourceUnreadable`."""

    def open(self, uri: str) -> BinaryIO:
        """The file's bytes, seekable."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file to be read. `mark` is its time of change or its etag; `partitions` are the
    `name=value` folders that it lies in, below what was asked for."""

    uri: str
    size: int
    mark: str
    format: str
    compression: str | None
    store: Store
    partitions: tuple[tuple[str, str], ...] = ()

    def open(self) -> BinaryIO:
        """The file's bytes as stored."""
        return self.store.open(self.uri)

    def digest(self) -> str:
        """A hash of the content; of an object in a bucket its etag, which is one."""
        if not isinstance(self.store, LocalStore):
            return self.mark
        found = hashlib.blake2b(digest_size=16)
        with self.open() as stream:
            while chunk := stream.read(_CHUNK):
                found.update(chunk)
        return found.hexdigest()

    def unchanged(self) -> bool:
        """Whether the file is still the one that was found."""
        return self.store.look(self.uri) == (self.size, self.mark)


class LocalStore:
    """This host's file systems."""

    def walk(self, folder: str, depth: int | None) -> Iterator[tuple[str, int, str]]:
        """Every regular file below a folder, in order; a folder that cannot be read is an
        error, for what is left out silently would be missed by nobody."""
        root = Path(folder or "/")

        def refuse(error: OSError) -> None:
            raise SourceUnreadable(
                f"{error.filename}: {error.strerror}", "nothing was read"
            ) from error

        for where, folders, names in os.walk(root, onerror=refuse):
            here = Path(where)
            if depth is not None and len(here.relative_to(root).parts) >= depth:
                folders.clear()
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                path = here / name
                found = self._stat(path)
                if stat.S_ISREG(found.st_mode):
                    yield str(path), found.st_size, str(found.st_mtime_ns)

    def look(self, uri: str) -> tuple[int, str] | None:
        """Size and time of change; refuses what is neither a file nor a folder."""
        found = self._stat(Path(uri))
        if stat.S_ISDIR(found.st_mode):
            return None
        if not stat.S_ISREG(found.st_mode):
            raise SourceUnreadable(f"{uri}: neither a file nor a folder", "name a regular file")
        return found.st_size, str(found.st_mtime_ns)

    def open(self, uri: str) -> BinaryIO:
        """The file, for reading."""
        try:
            return Path(uri).open("rb")
        except OSError as error:
            raise SourceUnreadable(f"{uri}: {error.strerror}", "can you read it?") from error

    def _stat(self, path: Path) -> os.stat_result:
        try:
            return path.stat()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise SourceUnreadable(f"{path}: {reason}", "name a file that is there") from error


def find(
    froms: Iterable[str],
    *,
    store_of: Callable[[str], Store],
    format: str | None = None,
    base: Path | None = None,
    hive: bool = True,
) -> list[Source]:
    """The files that are meant, each once, in the order given and sorted within.

    Hidden files and those whose name begins with `_` count only when named. Raises
    `SourceUnreadable` where one is not there, or a pattern or folder has no data in it.
    """
    found: dict[str, Source] = {}
    for text in froms:
        for source in _found(text, store_of, format, base or Path.cwd(), hive):
            found.setdefault(source.uri, source)
    return list(found.values())


def named(froms: Sequence[str], base: Path | None = None) -> str:
    """What is meant, in a line that means the same from any folder."""
    told = [
        text if "://" in text else os.path.normpath((base or Path.cwd()) / Path(text).expanduser())
        for text in froms
    ]
    if len(told) <= 3:
        return ", ".join(told)
    try:
        folder = os.path.commonpath(told)
    except ValueError:  # some here, some in a bucket
        folder = told[0]
    return f"{folder} and below ({len(told):,} named)"


def _found(
    text: str, store_of: Callable[[str], Store], format: str | None, base: Path, hive: bool
) -> list[Source]:
    if "\0" in text or not text.strip():
        raise SourceUnreadable(f"{text!r}: no file's name", "name a file, folder or pattern")
    remote = "://" in text
    address = text if remote else os.path.normpath(base / Path(text).expanduser())
    store = store_of(text)
    if not remote and Path(address).exists():
        pattern = False  # a name with brackets in it is still a name
    else:
        pattern = globs.is_pattern(address.partition("://")[2] if remote else address)
    if not pattern:
        seen = store.look(address)
        if seen is not None:
            return [_source(store, address, *seen, format, ())]
    root = globs.fixed_part(address) if pattern else address.rstrip("/")
    wanted = globs.compiled(address) if pattern else None
    kept = [
        (uri, size, mark)
        for uri, size, mark in store.walk(root, globs.depth(address) if pattern else None)
        if not _hidden(uri[len(root) :]) and (wanted is None or wanted.fullmatch(uri))
    ]
    if not pattern and format is None:  # a folder: what else lies in it is not meant
        kept = [one for one in kept if format_of(one[0])[0] is not None]
    if not kept:
        what = "nothing is like that" if pattern else "no CSV, JSON Lines or Parquet in it"
        raise SourceUnreadable(f"{text}: {what}", "look at the name, or give --format")
    return [
        _source(store, uri, size, mark, format, _partitions(uri, root) if hive else ())
        for uri, size, mark in kept
    ]


def _hidden(below: str) -> bool:
    return any(part.startswith((".", "_")) and "=" not in part for part in below.split("/"))


def _partitions(uri: str, root: str) -> tuple[tuple[str, str], ...]:
    from urllib.parse import unquote

    folders = uri[len(root) :].split("/")[:-1]
    matches = (_HIVE.fullmatch(folder) for folder in folders)
    return tuple((match[1], unquote(match[2])) for match in matches if match)


def format_of(name: str) -> tuple[str | None, str | None]:
    """Format and compression that a file's name tells."""
    stem, suffix = os.path.splitext(name.lower())  # noqa: PTH122 - an address, not a path
    compression = _COMPRESSIONS.get(suffix)
    if compression:
        suffix = os.path.splitext(stem)[1]  # noqa: PTH122
    return _SUFFIXES.get(suffix), compression


def _source(
    store: Store,
    uri: str,
    size: int,
    mark: str,
    format: str | None,
    partitions: Sequence[tuple[str, str]],
) -> Source:
    told, compression = format_of(uri)
    kind = format or told or _sniffed(store, uri, compression)
    return Source(uri, size, mark, kind, compression, store, tuple(partitions))


_KINDS = {b"PAR1": "parquet", b"PK\3\4": "", b"\x89PNG": "", b"\x7fELF": "", b"%PDF": ""}


def _sniffed(store: Store, uri: str, compression: str | None) -> str:
    """The format that the first bytes tell, where the name tells none."""
    if compression is None:
        with store.open(uri) as stream:
            head = stream.read(4096)
        kind = _KINDS.get(head[:4])
        if kind:
            return kind
        if kind is None and b"\0" not in head:
            return "jsonl" if head.lstrip()[:1] == b"{" else "csv"
    raise SourceUnreadable(
        f"{uri}: what kind of file is this?", f"give --format: {', '.join(FORMATS)}"
    )
