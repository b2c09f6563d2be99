"""All that keeps one dataset small and quick, in the order in which it pays off."""

from __future__ import annotations

import time

from core.errors import NotFound, OpsdeckError
from core.lake.compacting import compact
from core.lake.due import SWEEP_SECONDS
from core.lake.expiring import expire, older_than_days
from core.lake.files import delete_folder
from core.lake.mirror import mirror
from core.lake.sweeping import sweep
from core.lake.tables import Tables
from core.reads.datasets import find_dataset
from core.state.lake_tables import datasets

MOST_VERSIONS = 500
"""Let go at a time; the next time is soon."""


def keep_up(tables: Tables, name: str) -> str:
    """Catch up with the lake, let versions go, merge small files, delete what is left over.

    Returns what was done, in words. Raises `NotFound` and what the steps raise.
    """
    try:
        found = find_dataset(tables.session.reader, name, dropped=True)
    except NotFound:
        mirror(tables.session, name, tables.load(name))
        return "taken into the catalogue"
    keep = tables.config.keep
    if found.dropped_at is not None:
        if found.location and time.time() - found.dropped_at > keep.dropped_days * 86_400:
            return _forget(tables, name, found.location)
        return "dropped"
    mirror(tables.session, name, tables.load(name))
    done: list[str] = []
    expiry = expire(
        tables,
        name,
        keep=keep.snapshots,
        older_than=older_than_days(keep.days),
        most=MOST_VERSIONS,
    )
    if expiry.numbers:
        done.append(f"{len(expiry.numbers)} versions expired")
    try:
        merged = compact(tables, name)
    except OpsdeckError as error:  # others rewrite it just now: the next time
        done.append(error.one_line())
    else:
        if merged.snapshot is not None:
            done.append(f"{merged.files_before} files merged into {merged.files_after}")
    if _unswept(tables, name):
        swept = sweep(tables, name)
        done.append(f"{swept.files} files deleted, {swept.waiting} later")
    return ", ".join(done) or "nothing to do"


def _unswept(tables: Tables, name: str) -> bool:
    book = tables.session.workspace.state_dir / "lake" / "sweeps" / f"{name}.json"
    try:
        found = book.stat()
    except FileNotFoundError:
        return True
    return found.st_size > len("{}") or time.time() - found.st_mtime > SWEEP_SECONDS


def _forget(tables: Tables, name: str, location: str) -> str:
    """Delete the files of a dataset that was dropped long enough ago."""
    with tables.plain():
        delete_folder(dict(tables.catalog.properties), location)
    with tables.session.change("data drop") as tx:
        tx.execute(datasets.update().where(datasets.c.name == name).values(location=""))
        tx.journal("dataset.purged", f"dataset/{name}")
    return "files of the dropped dataset deleted"
