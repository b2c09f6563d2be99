"""The augmented set: captured requests with their labels, as the newest version of a dataset.

The rows of one endpoint take the place of those that it gave before, so that each inference id
is there once, late labels come in, and what was deleted from the capture goes. Rows that the
dataset has from elsewhere stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.domain.datalineage import NodeKind, edges_between
from core.domain.trigger import Augment
from core.errors import NotFound
from core.reads import datasets as _datasets
from core.session import Session
from core.state.edges import record_edges
from core.triggers.capturedrows import (
    AT,
    FROM,
    ID,
    LABELLED_AT,
    PROVENANCE,
    ROW,
    Counted,
    labelled_requests,
    labels_as_of,
    rows_of,
)
from core.triggers.errors import AugmentFailed

if TYPE_CHECKING:
    import pyarrow as pa

    from core.domain.dataset import Snapshot

_TIMES = (AT, LABELLED_AT)
_MARK = "augmented"
"""In a dataset's settings: it was made here, for this endpoint."""


@dataclass(frozen=True, slots=True)
class Augmented:
    """What was made: the dataset's version (`snapshot` its id), rows from the capture and how
    they differ from the version before, and what was left out for which reason."""

    dataset: str
    snapshot: str = ""
    version: int = 0
    rows: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    until: float | None = None
    left: Mapping[str, int] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """For the firing's row."""
        told: dict[str, Any] = {"dataset": self.dataset, "rows": self.rows, "left": dict(self.left)}
        if self.snapshot:
            told |= {"snapshot": self.snapshot, "version": self.version}
        told |= {"added": self.added, "changed": self.changed, "removed": self.removed}
        return told | ({"until": self.until} if self.until is not None else {})


def augment(
    session: Session,
    wanted: Augment,
    endpoint: str,
    *,
    by: str,
    as_of: float,
    batch_id: str | None = None,
    message: str = "",
) -> Augmented:
    """Bring the dataset up to what is labelled as of a moment (epoch seconds), in the name of
    `by`; the same `batch_id` again changes nothing more.

    Raises `AugmentFailed` (no such endpoint; fewer rows than `least` where they are `needed`;
    columns that clash), `Refused`, and what the lake raises.
    """
    folder = session.workspace.endpoints_dir / endpoint
    if not endpoint or not folder.is_dir():
        raise AugmentFailed(
            f"dataset {wanted.dataset}: no endpoint {endpoint or 'is known'} to take rows from",
            "name it: augment: {endpoint: NAME}",
        )
    counted = Counted()
    labels = labels_as_of(folder, as_of)
    found = labelled_requests(folder, wanted, labels, as_of, counted)
    reasons = _reasons(session, endpoint)
    rows = [row for each in found for row in rows_of(endpoint, each, wanted, reasons, counted)]
    left = {key: n for key in Counted.__slots__ if key != "labels" and (n := getattr(counted, key))}
    if len(rows) < wanted.least:
        if wanted.needed:
            raise AugmentFailed(
                f"dataset {wanted.dataset}: {len(rows)} labelled rows, fewer than {wanted.least}",
                "label some: opsdeck labels queue, or bring labels: opsdeck endpoints labels",
            )
        return Augmented(wanted.dataset, left=left)
    return _written(session, wanted, endpoint, rows, left, by, batch_id, message)


def _reasons(session: Session, endpoint: str) -> dict[str, str]:
    """Why rows were picked for labelling, by inference id."""
    rows = session.reader.rows(
        "SELECT inference_id, reason FROM label_tasks WHERE endpoint = :name"
        " AND handed_at IS NOT NULL",
        name=endpoint,
    )
    return {row["inference_id"]: row["reason"] for row in rows}


def _written(
    session: Session,
    wanted: Augment,
    endpoint: str,
    rows: Sequence[Mapping[str, Any]],
    left: Mapping[str, int],
    by: str,
    batch_id: str | None,
    message: str,
) -> Augmented:
    from core.governance.access import open_access
    from core.lake import open_lake

    name = wanted.dataset
    table = table_of(name, rows)
    access = open_access(session)
    with open_lake(session) as lake:
        try:
            access.check_write(name, by)
            own = _made_here(session, name)
            lake.ensure(
                name,
                table.schema,
                owner="",  # nobody's in particular: whoever is there may govern it
                description=_says(endpoint),
                settings={_MARK: endpoint},
            )
            before = _before(lake, name, endpoint)
            added, changed, removed = differences(before, table)
            if added or changed or removed:
                snapshot = lake.overwrite(
                    name,
                    table,
                    where=f"{FROM} = '{endpoint}'" if not own or before is not None else None,
                    by=by,
                    batch_id=batch_id,
                    message=message,
                    evolve="any" if own else "add",
                )
            else:
                snapshot = _current(session, name)
        finally:
            access.close()
    until = max(row[AT] for row in rows)
    made = Augmented(
        name, snapshot.id, snapshot.number, len(rows), added, changed, removed, until, left
    )
    _record(session, made, endpoint, table, wanted)
    return made


def _says(endpoint: str) -> str:
    return f"requests of endpoint {endpoint} with what turned out to be true"


def table_of(name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table; raises `AugmentFailed` naming a column whose values do not go together."""
    import pyarrow as pa

    names = list(dict.fromkeys(key for row in rows for key in row))
    arrays, fields = [], []
    for each in names:
        values = [row.get(each) for row in rows]
        try:
            if each in _TIMES:
                micros = [None if value is None else int(value * 1e6) for value in values]
                made = pa.array(micros, pa.int64()).cast(pa.timestamp("us", "UTC"))
            else:
                made = pa.array(_alike(values))
        except (pa.ArrowException, OverflowError) as error:
            said = " ".join(str(error).split())[:120]
            raise AugmentFailed(
                f"dataset {name}: the values of {each} do not go together: {said}",
                "leave the column out: augment: {keep: [...]}, or mend the labels",
            ) from error
        if pa.types.is_null(made.type):
            made = made.cast(pa.float64())
        arrays.append(made)
        fields.append(pa.field(each, made.type))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _alike(values: list[Any]) -> list[Any]:
    """Whole numbers among fractions as fractions, as JSON has them."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return [None if value is None else float(value) for value in values]
    return values


def _made_here(session: Session, name: str) -> bool:
    """Whether the dataset was made by this module, or is not there yet: then its columns may
    change as the model's do."""
    try:
        return bool(_datasets.find_dataset(session.reader, name).settings.get(_MARK))
    except NotFound:
        return True


def _before(lake: Any, name: str, endpoint: str) -> pa.Table | None:
    """The rows of this endpoint as they stand; None where there are no rows at all."""
    found = _datasets.find_dataset(lake.session.reader, name)
    if found.current_snapshot is None:
        return None
    names = {column.name for column in found.columns}
    if FROM not in names:
        return None
    return lake.read(name, where=f"{FROM} = '{endpoint}'").read_all()


def differences(before: pa.Table | None, after: pa.Table) -> tuple[int, int, int]:
    """Rows added, changed and removed, by inference id and row."""
    old = {} if before is None else _by_key(before, after.schema.names)
    new = _by_key(after, after.schema.names)
    added = sum(key not in old for key in new)
    changed = sum(key in old and old[key] != value for key, value in new.items())
    return added, changed, sum(key not in new for key in old)


def _by_key(table: pa.Table, names: Sequence[str]) -> dict[tuple[Any, Any], tuple[Any, ...]]:
    import pyarrow as pa

    columns = []
    for name in names:
        if name not in table.schema.names:
            columns.append([None] * table.num_rows)
            continue
        column = table.column(name)
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.int64())
        columns.append(column.to_pylist())
    identity, place = names.index(ID), names.index(ROW)
    return {(row[identity], row[place]): row for row in zip(*columns, strict=True)}


def _current(session: Session, name: str) -> Snapshot:
    found = _datasets.find_dataset(session.reader, name)
    assert found.current_snapshot is not None, name
    return _datasets.find_snapshot(session.reader, name, found.current_snapshot)


def _record(
    session: Session, made: Augmented, endpoint: str, table: pa.Table, wanted: Augment
) -> None:
    """The edge from the capture to the dataset, column by column, and a line of the journal."""
    renamed = dict(wanted.columns)
    own = {*PROVENANCE, wanted.label, wanted.weight_column}
    columns = {name: (renamed.get(name, name),) for name in table.schema.names if name not in own}
    with session.change("triggers augment") as tx:
        record_edges(
            tx,
            edges_between(
                (NodeKind.CAPTURE, endpoint),
                (NodeKind.DATASET, made.dataset),
                "augment",
                columns=columns,
                detail="captured requests with labels",
                snapshot_id=made.snapshot,
            ),
        )
        tx.journal(
            "trigger.augment",
            f"dataset/{made.dataset}",
            endpoint=endpoint,
            version=made.version,
            rows=made.rows,
            added=made.added,
            changed=made.changed,
            removed=made.removed,
        )
