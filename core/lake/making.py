"""Making datasets."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException, TableAlreadyExistsError
from pyiceberg.schema import assign_fresh_schema_ids

from core.domain.dataset import Dataset
from core.errors import BadInput, NotFound
from core.lake.arrowtypes import storable
from core.lake.catalog import TABLE_PROPERTIES
from core.lake.commits import Note
from core.lake.errors import DatasetExists
from core.lake.mirror import mirror
from core.lake.partitions import partition_spec
from core.lake.tables import Tables
from core.reads import datasets as _reads
from core.session import Session
from core.state.lake_tables import datasets


class MakingMixin:
    """What `Lake` does to make a dataset."""

    session: Session
    tables: Tables

    def create(
        self,
        name: str,
        schema: pa.Schema,
        *,
        owner: str,
        kind: str = "table",
        description: str = "",
        partition: Sequence[str] = (),
        settings: Mapping[str, Any] | None = None,
    ) -> Dataset:
        """A new, empty dataset; its first snapshot is that emptiness.

        `partition` names columns, with a transform where wanted: `day(at)`, `month(at)`,
        `bucket(16, id)`, `truncate(3, code)`. Raises `DatasetExists`.
        """
        self.session.refuse_when_read_only("data create")
        identifier = self.tables.identifier(name)
        arrow = storable(schema)
        if not len(arrow):
            raise BadInput(f"dataset {name}: no columns", "a dataset has at least one")
        note = Note("create", owner)
        location = f"{self.tables.config.warehouse}/{name}-{uuid.uuid4().hex[:12]}"
        with self.tables.plain():
            catalog = self.tables.catalog
            made = assign_fresh_schema_ids(catalog._convert_schema_if_needed(arrow))
            transaction = catalog.create_table_transaction(
                identifier,
                made,
                location=location,
                partition_spec=partition_spec(name, made, partition),
                properties={
                    **TABLE_PROPERTIES,
                    "opsdeck.kind": kind,
                    "opsdeck.owner": owner,
                    "comment": description,
                },
            )
            transaction.append(arrow.empty_table(), snapshot_properties=note.properties())
            try:
                table = transaction.commit_transaction()
            except (TableAlreadyExistsError, CommitFailedException) as error:
                raise DatasetExists(f"dataset {name}: exists already") from error
        self._describe(name, owner, kind, description, settings)
        mirror(self.session, name, table)
        return _reads.find_dataset(self.session.reader, name)

    def _describe(
        self,
        name: str,
        owner: str,
        kind: str,
        description: str,
        settings: Mapping[str, Any] | None,
    ) -> None:
        """The row of a new dataset, in place of one of that name that was dropped."""
        with self.session.change("data create") as tx:
            tx.execute(datasets.delete().where(datasets.c.name == name))
            tx.execute(
                datasets.insert().values(
                    name=name,
                    kind=kind,
                    description=description,
                    owner=owner,
                    created_at=tx.now,
                    created_by=tx.actor,
                    settings=json.dumps(dict(settings or {})),
                )
            )

    def ensure(
        self,
        name: str,
        schema: pa.Schema,
        *,
        owner: str,
        kind: str = "table",
        description: str = "",
        partition: Sequence[str] = (),
        settings: Mapping[str, Any] | None = None,
    ) -> Dataset:
        """The dataset of this name, created unless it exists (its columns are left alone)."""
        try:
            table = self.tables.load(name)
        except NotFound:
            try:
                return self.create(
                    name,
                    schema,
                    owner=owner,
                    kind=kind,
                    description=description,
                    partition=partition,
                    settings=settings,
                )
            except DatasetExists:  # somebody was quicker
                table = self.tables.load(name)
        try:
            return _reads.find_dataset(self.session.reader, name)
        except NotFound:
            mirror(self.session, name, table)
            return _reads.find_dataset(self.session.reader, name)
