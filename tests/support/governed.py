"""A workspace with one dataset in memory, for what is governed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from core.errors import NotFound
from core.governance.access import Access
from core.ops import Ops, open_ops

CONFIG = """\
name: space
lake:
  admins: [root, "group:stewards"]
  groups: {analysts: [ann, bob], stewards: [sue]}
"""


class Memory:
    """Datasets in memory that read as the lake does; remembers what was asked of it."""

    def __init__(self, tables: dict[str, pa.Table], old: dict[str, pa.Table] | None = None) -> None:
        self.tables = tables
        self.old = old or {}
        self.asked: list[dict[str, Any]] = []

    def _table(self, name: str, at: str | None) -> pa.Table:
        return self.old[name] if at == "old" else self.tables[name]

    def read(
        self,
        name: str,
        *,
        at: str | None = None,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        limit: int | None = None,
    ) -> pa.RecordBatchReader:
        self.asked.append({"columns": columns, "where": where, "limit": limit})
        table = self._table(name, at)
        table = table if columns is None else table.select(list(columns))
        return (table if limit is None else table.slice(0, limit)).to_reader(max_chunksize=3)

    def schema(self, name: str, at: str | None = None) -> pa.Schema:
        return self._table(name, at).schema

    def resolve(self, name: str, at: str | None = None) -> str:
        if name not in self.tables:
            raise NotFound(f"dataset {name}: no such dataset")
        return at or "1"


PEOPLE = pa.table(
    {
        "id": pa.array([1, 2, 3, 4], pa.int32()),
        "email": ["ann@x.org", "bob@y.org", None, "dan@long-name.net"],
        "region": ["EU", "US", "EU", None],
        "pay": [10.5, 25.0, float("nan"), None],
        "born": pa.array([0, 5000, None, 12000], pa.date32()),
    }
)


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Callable[..., Ops]]:
    """Open one workspace as somebody."""
    root = tmp_path / "space"
    root.mkdir()
    (root / "opsdeck.yaml").write_text(CONFIG)
    opened: list[Ops] = []

    def open_(actor: str = "olga", **options: Any) -> Ops:
        opened.append(open_ops(root, actor=actor, **options))
        return opened[-1]

    yield open_
    for ops in opened:
        ops.close()


@pytest.fixture
def memory() -> Memory:
    """One dataset, `people`."""
    return Memory({"people": PEOPLE})


@pytest.fixture
def access(space: Callable[..., Ops], memory: Memory) -> Callable[..., Access]:
    """Access to it as somebody; olga owns it."""
    session = space("olga").session
    own(session, "people")

    def as_(actor: str) -> Access:
        return Access(space(actor).session, memory)

    return as_


def own(session: Any, name: str, owner: str = "olga", schema: pa.Schema | None = None) -> None:
    """Write the row of a dataset."""
    from core.state.lake_tables import datasets

    columns = [
        {"name": field.name, "type": str(field.type), "nullable": True, "doc": ""}
        for field in (schema or PEOPLE.schema)
    ]
    with session.change("test") as tx:
        tx.execute(
            datasets.insert().values(
                name=name,
                owner=owner,
                created_at=tx.now,
                created_by=owner,
                schema=json.dumps(columns),
            )
        )


def give(session: Any, dataset: str, principal: str, action: str = "read", **values: Any) -> None:
    """Write the row of a grant, unchecked."""
    from core.ids import new_id
    from core.state.lake_tables import grants

    if "columns" in values:
        values["columns"] = json.dumps(values["columns"])
    if "masks" in values:
        values["masks"] = json.dumps(values["masks"])
    with session.change("test") as tx:
        tx.execute(
            grants.insert().values(
                id=new_id(),
                dataset=dataset,
                principal=principal,
                action=action,
                at=tx.now,
                by=tx.actor,
                **values,
            )
        )


def label(session: Any, dataset: str, column: str, tag: str = "pii", origin: str = "") -> None:
    """Write the row of a label."""
    from core.state.lake_tables import dataset_tags

    with session.change("test") as tx:
        tx.execute(
            dataset_tags.insert().values(
                dataset=dataset, column_name=column, tag=tag, origin=origin, at=tx.now, by="olga"
            )
        )
