"""Deleting files that no version refers to, and folders of datasets that were dropped.

A commit in progress has written files that no version refers to yet, and somebody may still
read a version that was expired a moment ago. So a file is deleted when it is older than the
safe age, and when an earlier sweep has found it unreferenced already, long enough before.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from core.domain.upkeep import Sweep
from core.lake.files import StoredFile, all_files, delete_folder, delete_paths, stored_files
from core.lake.tables import Tables

GRACE_SECONDS = 900.0
"""Between first finding a file unreferenced and deleting it."""


def sweep(
    tables: Tables,
    name: str,
    *,
    older_than_hours: float | None = None,
    grace: float = GRACE_SECONDS,
    dry_run: bool = False,
) -> Sweep:
    """Delete what no version of a dataset refers to any more; see the module."""
    tables.session.refuse_when_read_only("data sweep")
    hours = tables.config.keep.orphan_hours if older_than_hours is None else older_than_hours
    now = time.time()
    table = tables.load(name)
    with tables.plain():
        # Listed before the references are read: what a commit adds meanwhile is not listed.
        stored = list(stored_files(dict(table.io.properties), table.location()))
        table = tables.load(name)
        referred = all_files(table)
    old = [each for each in stored if each.path not in referred]
    young = [each for each in old if each.modified > now - hours * 3600]
    old = [each for each in old if each.modified <= now - hours * 3600]
    book = _Book(tables, name)
    ripe = book.ripe(old, now, grace)
    if not dry_run:
        with tables.plain():
            delete_paths(dict(table.io.properties), table.location(), (e.path for e in ripe))
        book.keep([each for each in old if each not in ripe], now)
    return Sweep(
        dataset=name,
        files=len(ripe),
        bytes=sum(each.size for each in ripe),
        waiting=len(young) + len(old) - len(ripe),
        dry_run=dry_run,
    )


class _Book:
    """Since when each file of a dataset has been found unreferenced."""

    def __init__(self, tables: Tables, name: str) -> None:
        folder = tables.session.workspace.state_dir / "lake" / "sweeps"
        self._path: Path = folder / f"{name}.json"
        try:
            self._since: dict[str, float] = json.loads(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            self._since = {}

    def ripe(self, files: list[StoredFile], now: float, grace: float) -> list[StoredFile]:
        """Those that were found so long ago already."""
        return [each for each in files if now - self._since.get(each.path, now) >= grace]

    def keep(self, files: list[StoredFile], now: float) -> None:
        """Remember these, and when they were first found."""
        kept = {each.path: self._since.get(each.path, now) for each in files}
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(kept), encoding="utf-8")
        temporary.replace(self._path)


def sweep_dropped(tables: Tables, location: str) -> None:
    """Delete the folder of a dataset that was dropped; raises `LakeUnavailable`."""
    with tables.plain():
        delete_folder({**tables.catalog.properties}, location)
