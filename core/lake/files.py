"""The files of a table: which its versions refer to, which lie in its folder, deleting some."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlparse

import pyarrow.fs as pafs
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in a table's folder; `modified` is epoch seconds."""

    path: str
    size: int
    modified: float


def files_of(table: Table, snapshot_ids: Iterable[int]) -> set[str]:
    """Manifest lists, manifests and data files that these snapshots refer to."""
    found: set[str] = set()
    seen: set[str] = set()
    for identity in snapshot_ids:
        snapshot = table.snapshot_by_id(identity)
        if snapshot is None:
            continue
        found.add(_plain(snapshot.manifest_list))
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path in seen:
                continue
            seen.add(manifest.manifest_path)
            found.add(_plain(manifest.manifest_path))
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
                found.add(_plain(entry.data_file.file_path))
    return found


def all_files(table: Table) -> set[str]:
    """Everything that the table refers to now, its own metadata files included."""
    found = files_of(table, [each.snapshot_id for each in table.snapshots()])
    found.add(_plain(table.metadata_location))
    found |= {_plain(each.metadata_file) for each in table.metadata.metadata_log}
    found |= {_plain(each.statistics_path) for each in table.metadata.statistics}
    return found


def stored_files(properties: dict[str, str], location: str) -> Iterator[StoredFile]:
    """Every file in a folder of the warehouse and below."""
    system, path = file_system(properties, location)
    selector = pafs.FileSelector(path, recursive=True, allow_not_found=True)
    for info in system.get_file_info(selector):
        if info.type == pafs.FileType.File:
            modified = info.mtime_ns / 1e9 if info.mtime_ns else 0.0
            yield StoredFile(info.path, info.size or 0, modified)


def file_system(properties: dict[str, str], location: str) -> tuple[Any, str]:
    """Arrow's file system of a place, and the path in it."""
    io = PyArrowFileIO(properties)
    scheme, netloc, path = io.parse_location(location, properties)
    return io.fs_by_scheme(scheme, netloc), path


def size_of_all(table: Table, paths: Iterable[str]) -> int:
    """Bytes of these files, as far as they exist."""
    wanted = set(paths)
    stored = stored_files(dict(table.io.properties), table.location())
    return sum(each.size for each in stored if each.path in wanted)


def delete_all(table: Table, paths: Iterable[str]) -> int:
    """Delete these files; returns how many there were."""
    return delete_paths(dict(table.io.properties), table.location(), paths)


def delete_paths(properties: dict[str, str], location: str, paths: Iterable[str]) -> int:
    """Delete files of a folder of the warehouse; one that is gone is no error."""
    system, _ = file_system(properties, location)
    deleted = 0
    for path in paths:
        try:
            system.delete_file(path)
        except FileNotFoundError:
            continue
        deleted += 1
    return deleted


def delete_folder(properties: dict[str, str], location: str) -> None:
    """Delete a table's folder with all that is in it; one that is gone is no error."""
    system, path = file_system(properties, location)
    if system.get_file_info(path).type != pafs.FileType.NotFound:
        system.delete_dir(path)


def _plain(location: str) -> str:
    """A location as Arrow's file systems name it."""
    uri = urlparse(location)
    if not uri.scheme or uri.scheme == "file":
        return uri.path if uri.scheme else location
    return f"{uri.netloc}{uri.path}"
