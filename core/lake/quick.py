"""Staging changes of a table without copying all of its metadata each time.

pyiceberg makes a deep copy of the metadata whenever somebody looks at a transaction's, some
sixteen times a commit, and once more in the catalogue: at a hundred snapshots nine tenths of
what a commit costs. Its records are frozen, so that the copies are not needed: here they are
shared, and what is staged is worked out once.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from pyiceberg.table import StagedTable, Table, Transaction
from pyiceberg.table.locations import load_location_provider
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.update import (
    TableRequirement,
    TableUpdate,
    _apply_table_update,
    _TableMetadataUpdateContext,
    _update_table_metadata_log,
)
from pyiceberg.utils.datetime import datetime_to_millis

if TYPE_CHECKING:
    from pyiceberg.typedef import Identifier

    from core.lake.catalog import DatabaseCatalog


def updated(
    base: TableMetadata, updates: tuple[TableUpdate, ...], location: str | None = None
) -> TableMetadata:
    """The metadata with updates applied, as `update_table_metadata` makes it.

    `location` is the file that `base` came from: then the log of such files gets it.
    """
    context = _TableMetadataUpdateContext()
    new = base
    for update in updates:
        new = _apply_table_update(update, new, context)
    if context.has_changes():
        if location:
            new = _update_table_metadata_log(new, location, base.last_updated_ms)
        if base.last_updated_ms == new.last_updated_ms:
            now = datetime_to_millis(datetime.now().astimezone())
            new = new.model_copy(update={"last_updated_ms": now})
    new.spec().check_compatible(new.schema())
    new.sort_order().check_compatible(new.schema())
    return new


class QuickTransaction(Transaction):
    """A transaction whose metadata is not to be changed by whoever looks at it."""

    _seen: tuple[object, object, TableMetadata] | None = None

    @property
    def table_metadata(self) -> TableMetadata:
        """The metadata with what is staged so far."""
        base, updates = self._table.metadata, self._updates
        if not updates:
            return base
        if self._seen is None or self._seen[0] is not base or self._seen[1] is not updates:
            self._seen = (base, updates, updated(base, updates))
        return self._seen[2]


def staged(
    catalog: DatabaseCatalog,
    table: Table,
    identifier: Identifier,
    requirements: tuple[TableRequirement, ...],
    updates: tuple[TableUpdate, ...],
) -> StagedTable:
    """What the table would be after the updates; raises where a requirement is not met."""
    for requirement in requirements:
        requirement.validate(table.metadata)
    metadata = updated(table.metadata, updates, table.metadata_location)
    version = catalog._parse_metadata_version(table.metadata_location) + 1
    provider = load_location_provider(metadata.location, metadata.properties)
    location = provider.new_table_metadata_file_location(version)
    return StagedTable(
        identifier=identifier,
        metadata=metadata,
        metadata_location=location,
        io=catalog._load_file_io(properties=metadata.properties, location=location),
        catalog=catalog,
    )
