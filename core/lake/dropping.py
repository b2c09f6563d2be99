"""Taking a dataset out of the lake. Its files stay for a while, so that it can come back."""

from __future__ import annotations

import time

from pyiceberg.exceptions import NoSuchTableError, TableAlreadyExistsError

from core.domain.dataset import Dataset
from core.domain.upkeep import Drop
from core.errors import NotFound, WrongState
from core.lake.errors import DatasetExists
from core.lake.mirror import mirror
from core.lake.references import readers_of
from core.lake.sweeping import sweep_dropped
from core.lake.tables import Tables
from core.reads.datasets import find_dataset, list_refs
from core.state.lake_tables import dataset_refs, dataset_snapshots, datasets

_POINTER = "metadata_location"


def drop(
    tables: Tables, name: str, *, purge: bool = False, force: bool = False, dry_run: bool = False
) -> Drop:
    """Drop a dataset; `purge` deletes its files at once. Raises `WrongState` where something
    reads it, unless `force`."""
    session = tables.session
    session.refuse_when_read_only("data drop")
    found = find_dataset(session.reader, name)
    names = tuple(ref.name for ref in list_refs(session.reader, name))
    readers = readers_of(session.reader, name)
    until = None if purge else time.time() + tables.config.keep.dropped_days * 86_400
    result = Drop(
        name, found.rows, found.bytes, found.snapshots, names, readers, until, dry_run=dry_run
    )
    if dry_run:
        return result
    if readers and not force:
        raise WrongState(
            f"dataset {name}: {', '.join(readers)} read{'s' if len(readers) == 1 else ''} it",
            "drop these first, or add --force",
        )
    with tables.plain():
        try:
            pointer = tables.catalog.load_table(tables.identifier(name)).metadata_location
            tables.catalog.drop_table(tables.identifier(name))
        except NoSuchTableError:  # dropped by somebody who died right then
            pointer = ""
    _mark(tables, found, pointer, purge)
    if purge:
        sweep_dropped(tables, found.location)
    return result


def _mark(tables: Tables, found: Dataset, pointer: str, purge: bool) -> None:
    import json

    settings = {**found.settings, _POINTER: pointer}
    with tables.session.change("data drop") as tx:
        tx.execute(
            datasets.update()
            .where(datasets.c.name == found.name)
            .values(
                dropped_at=tx.now,
                settings=json.dumps(settings),
                location="" if purge else found.location,
            )
        )
        tx.execute(dataset_refs.delete().where(dataset_refs.c.dataset == found.name))
        tx.execute(
            dataset_snapshots.update()
            .where(
                dataset_snapshots.c.dataset == found.name,
                dataset_snapshots.c.expired_at.is_(None),
            )
            .values(expired_at=tx.now)
        )
        tx.journal(
            "dataset.dropped",
            f"dataset/{found.name}",
            rows=found.rows,
            bytes=found.bytes,
            purged=purge,
        )


def undrop(tables: Tables, name: str) -> Dataset:
    """Bring back a dataset that was dropped and whose files are still there.

    Raises `NotFound` where there is none, `DatasetExists` where the name is taken.
    """
    import json

    session = tables.session
    session.refuse_when_read_only("data drop --undo")
    found = find_dataset(session.reader, name, dropped=True)
    if found.dropped_at is None:
        raise DatasetExists(f"dataset {name}: is there; it was not dropped")
    pointer = found.settings.get(_POINTER)
    if not pointer or not found.location:
        raise NotFound(f"dataset {name}: its files were deleted", "ingest it again")
    with tables.plain():
        try:
            table = tables.catalog.register_table(tables.identifier(name), str(pointer))
        except TableAlreadyExistsError as error:
            raise DatasetExists(f"dataset {name}: the name is taken meanwhile") from error
    settings = {key: value for key, value in found.settings.items() if key != _POINTER}
    with session.change("data drop --undo") as tx:
        tx.execute(
            datasets.update()
            .where(datasets.c.name == name)
            .values(dropped_at=None, settings=json.dumps(settings), metadata_version=None)
        )
        live = [str(each.snapshot_id) for each in table.snapshots()]
        tx.execute(
            dataset_snapshots.update()
            .where(dataset_snapshots.c.dataset == name, dataset_snapshots.c.snapshot_id.in_(live))
            .values(expired_at=None)
        )
        tx.journal("dataset.restored", f"dataset/{name}")
    mirror(session, name, table)
    return find_dataset(session.reader, name)
