"""A view's rows in the lake, as somebody may see them: for joins, histories and samples.

Heavy: opens the lake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.domain.features import FeatureRow, FeatureSpec, FeatureView
from core.features import sql
from core.features.errors import TransformFailed
from core.features.keys import key_values
from core.features.place import spill_of
from core.features.rowwise import columns_needed, is_row_by_row, source_columns
from core.governance.access import Access
from core.session import Session

if TYPE_CHECKING:
    import pyarrow as pa


def opener(
    access: Access, spec: FeatureSpec, at: str | None, purpose: str, skip: str | None = None
) -> Callable[[], pa.RecordBatchReader]:
    """What opens the source's rows as the session's actor may see them. `skip` lets rows go
    that do not meet a condition over the source's columns."""

    def open_() -> pa.RecordBatchReader:
        have = access.schema(spec.source, at=at, purpose=purpose).names
        wanted = columns_needed(spec, have)
        return access.scan(spec.source, at=at, columns=wanted, purpose=purpose, skip=skip)

    return open_


def history(
    session: Session, access: Access, view: FeatureView, given: Mapping[str, Any], *,
    at: str | None = None, limit: int = 50,
) -> tuple[FeatureRow, ...]:  # fmt: skip
    """The offline rows of a key, the newest event first, those that do not count (corrected
    since, deleted) among them. Raises `BadInput` for another key, `Refused`."""
    spec = view.spec
    values = key_values(spec, given)
    rows = opener(access, spec, at, f"history of {view.ref}", _skip(access, spec, values))()
    same = " AND ".join(
        f"k{n} = {sql.literal(value)}::{sql.KEY_SQL[key.type]}"
        for n, (key, value) in enumerate(zip(spec.entity, values, strict=True))
    )
    columns = ", ".join(sql.feature_columns(len(spec.features)))
    with sql.connection(spill_of(session.workspace)) as con:
        sql.make_rows(con, spec, rows)
        found = con.execute(
            f"SELECT et, cr, del, {columns} FROM {sql.ROWS} WHERE {same}"
            f" ORDER BY x DESC, del DESC, {sql.tie(spec.features)} DESC LIMIT {int(limit)}"
        ).fetchall()
    names = [feature.name for feature in spec.features]
    return tuple(
        FeatureRow(
            row[0] / 1e6,
            None if row[1] is None else row[1] / 1e6,
            bool(row[2]),
            {n: _plain(value) for n, value in zip(names, row[3:], strict=True)},
            bool(place and found[place - 1][0] == row[0]),
        )
        for place, row in enumerate(found)
    )


def source_values(
    spec: FeatureSpec, schema: pa.Schema, values: Sequence[Any]
) -> dict[str, Any] | None:
    """The source's columns with the values that a key's rows have in them; None where the key
    is made of something else. Raises `TransformFailed` where a value is in no such column."""
    origin = source_columns(spec)
    if origin is None or any(name not in schema.names for name in origin.values()):
        return None
    return {
        origin[key.name]: _typed(schema.field(origin[key.name]).type, value, key.name)
        for key, value in zip(spec.entity, values, strict=True)
    }


def _typed(kind: pa.DataType, value: Any, name: str) -> Any:
    """A key's value as its column has it."""
    import pyarrow as pa

    try:
        if pa.types.is_integer(kind):
            return int(value)
        if pa.types.is_floating(kind):
            return float(value)
        if pa.types.is_boolean(kind):
            return value in (True, "true")
    except ValueError:
        raise TransformFailed(f"key {name}: {value!r} is not in a column of {kind}") from None
    return str(value)


def _skip(access: Access, spec: FeatureSpec, values: Sequence[Any]) -> str | None:
    """What may be skipped for one key's sake; None where all rows are needed."""
    if not is_row_by_row(spec):
        return None
    try:
        wanted = source_values(spec, access.schema(spec.source), values)
    except TransformFailed:
        return None
    if wanted is None or not all(str(value).isprintable() for value in wanted.values()):
        return None
    return " and ".join(f"{sql.quoted(c)} = {sql.literal(v)}" for c, v in wanted.items())


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
