"""Policies follow columns that are renamed, so that a new name hides nothing less."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from core.session import Session

if TYPE_CHECKING:
    from core.state.store import Transaction


@contextmanager
def following_renames(session: Session, dataset: str, renames: Mapping[str, str]) -> Iterator[None]:
    """Round the renaming of columns (old name to new): before it the new names get the labels,
    masks and grants of the old ones; after it grants name the new ones only, and row filters are
    rewritten. Labels and masks stay under the old names too: older snapshots have them.

    Where the renaming fails, what was added is about columns that are not there.
    """
    if renames:
        with session.change("data alter") as tx:
            _add(tx, dataset, renames)
    yield
    if renames:
        with session.change("data alter") as tx:
            _finish(tx, dataset, renames)


def _add(tx: Transaction, dataset: str, renames: Mapping[str, str]) -> None:
    import sqlalchemy as sa

    from core.state.lake_tables import dataset_tags

    for old, new in renames.items():
        for row in tx.rows(sa.select(dataset_tags).filter_by(dataset=dataset, column_name=old)):
            key = {"dataset": dataset, "column_name": new, "tag": row["tag"]}
            if tx.row(sa.select(dataset_tags.c.tag).filter_by(**key)) is None:
                tx.execute(dataset_tags.insert().values(**{**row, "column_name": new}))
    for row in _grants(tx, dataset):
        columns = None if row["columns"] is None else json.loads(row["columns"])
        if columns is not None:
            columns += [new for old, new in renames.items() if old in columns]
        masks = json.loads(row["masks"])
        masks |= {new: masks[old] for old, new in renames.items() if old in masks}
        _put(tx, row, columns=columns, masks=masks, row_filter=row["row_filter"])


def _finish(tx: Transaction, dataset: str, renames: Mapping[str, str]) -> None:
    changed = []
    for row in _grants(tx, dataset):
        columns = None if row["columns"] is None else json.loads(row["columns"])
        if columns is not None:
            gone = renames.keys() - set(renames.values())
            columns = [name for name in dict.fromkeys(columns) if name not in gone]
        row_filter = _renamed_filter(row["row_filter"], renames)
        if columns is not None or row_filter != row["row_filter"]:
            changed.append(f"{row['action']} of {row['principal']}")
        _put(tx, row, columns=columns, masks=json.loads(row["masks"]), row_filter=row_filter)
    if changed:
        tx.journal("data.grants_renamed", f"dataset/{dataset}", renamed=renames, grants=changed)


def _renamed_filter(text: str | None, renames: Mapping[str, str]) -> str | None:
    """The filter over the new names; as it is where it names none that was renamed."""
    if text is None:
        return None
    from core.governance.conditions import rename_columns

    return rename_columns(text, renames)


def _grants(tx: Transaction, dataset: str) -> list[Mapping[str, Any]]:
    import sqlalchemy as sa

    from core.state.lake_tables import grants

    return tx.rows(sa.select(grants).filter_by(dataset=dataset))


def _put(
    tx: Transaction,
    row: Mapping[str, Any],
    *,
    columns: list[str] | None,
    masks: Mapping[str, str],
    row_filter: str | None,
) -> None:
    from core.state.lake_tables import grants

    values = {
        "columns": None if columns is None else json.dumps(columns),
        "masks": json.dumps(masks),
        "row_filter": row_filter,
    }
    if values != {key: row[key] for key in values}:
        tx.execute(grants.update().where(grants.c.id == row["id"]).values(**values))
