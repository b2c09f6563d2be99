"""Changing a dataset's columns: what a batch brings along, and what somebody asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from pyarrow import types as pt
from pyiceberg.exceptions import ResolveError
from pyiceberg.exceptions import ValidationError as IcebergInvalid
from pyiceberg.schema import Schema
from pyiceberg.table import Table, Transaction
from pyiceberg.table.update.schema import UpdateSchema
from pyiceberg.types import IcebergType

from core.errors import BadInput
from core.lake.arrowtypes import storable
from core.lake.errors import SchemaMismatch

EVOLVE = ("add", "refuse", "any")


@dataclass(frozen=True, slots=True)
class Changes:
    """What has to change of a dataset's columns before a batch fits.

    `replaced` columns get a new type that cannot hold the old values: these are no longer
    seen in newer versions.
    """

    added: tuple[pa.Field, ...] = ()
    widened: tuple[pa.Field, ...] = ()
    replaced: tuple[pa.Field, ...] = ()
    relaxed: tuple[str, ...] = ()
    problems: tuple[str, ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.added or self.widened or self.replaced or self.relaxed)

    def words(self) -> str:
        """The changes for a message."""
        parts = [f"new column {each.name} ({each.type})" for each in self.added]
        parts += [f"{each.name} widened to {each.type}" for each in self.widened]
        parts += [f"{each.name} replaced by {each.type}" for each in self.replaced]
        return "; ".join([*parts, *(f"{each} may be missing" for each in self.relaxed)])


def needed(table: Table, given: pa.Schema, evolve: str) -> Changes:
    """What a batch with this schema needs. Raises `SchemaMismatch` where `evolve` forbids it.

    `evolve`: `refuse` nothing changes; `add` new columns and safe widening; `any` also columns
    whose type cannot be widened, and columns that must have values but are absent.
    """
    if evolve not in EVOLVE:
        raise BadInput(f"evolve {evolve!r}: unknown", "use add, refuse or any")
    changes = _compare(table.schema().as_arrow(), given)
    name = table.name()[-1]
    if changes.problems and evolve != "any":
        more = f" (and {len(changes.problems) - 1} more)" if len(changes.problems) > 1 else ""
        raise SchemaMismatch(
            f"dataset {name}: {changes.problems[0]}{more}",
            "mend the rows, or allow the change with evolve any",
        )
    if changes and evolve == "refuse":
        raise SchemaMismatch(
            f"dataset {name}: the rows would change its columns: {changes.words()}",
            "allow it with evolve add, or mend the rows",
        )
    return changes


def _compare(have: pa.Schema, given: pa.Schema) -> Changes:
    added, widened, replaced, problems = [], [], [], []
    known = {field.name.lower(): field for field in have}
    for field_, stored in zip(given, storable(given), strict=True):
        old = known.get(field_.name.lower())
        if old is None:
            added.append(stored.with_nullable(True))
        elif old.name != field_.name:
            problems.append(f"column {field_.name!r} is called {old.name!r} there")
        elif pt.is_null(field_.type) or fits(stored.type, old.type):
            continue
        elif fits(old.type, stored.type, exactly=True):
            widened.append(stored)
        else:
            replaced.append(stored.with_nullable(True))
            problems.append(f"column {field_.name!r} holds {old.type}, the rows have {stored.type}")
    present = {name.lower() for name in given.names}
    relaxed = [
        field_.name for field_ in have if not field_.nullable and field_.name.lower() not in present
    ]
    problems += [f"column {name!r} is missing, and it must have values" for name in relaxed]
    return Changes(tuple(added), tuple(widened), tuple(replaced), tuple(relaxed), tuple(problems))


def fits(given: pa.DataType, target: pa.DataType, *, exactly: bool = False) -> bool:
    """Whether each value of one type has a place in the other; `exactly`: as Iceberg widens."""
    if given == target:
        return True
    if pt.is_integer(given):
        wider = pt.is_integer(target) and target.bit_width > given.bit_width
        return wider or (not exactly and (pt.is_floating(target) or pt.is_decimal(target)))
    if pt.is_floating(given):
        return pt.is_floating(target) and bool(target.bit_width > given.bit_width)
    if pt.is_decimal(given) and pt.is_decimal(target):
        return bool(target.scale == given.scale and target.precision >= given.precision)
    if pt.is_date(given):
        return not exactly and pt.is_timestamp(target) and target.tz is None
    nested = pt.is_list(given) or pt.is_large_list(given)
    if nested and (pt.is_list(target) or pt.is_large_list(target)):
        return bool(given.value_type == target.value_type)
    return False


def apply(transaction: Transaction, changes: Changes) -> None:
    """Put what a batch needs into a transaction."""
    with transaction.update_schema() as update:
        for each in changes.replaced:
            update.delete_column(_path(each.name))
        for each in changes.added:
            update.add_column(_path(each.name), iceberg_type(each))
        for each in changes.widened:
            update.update_column(_path(each.name), iceberg_type(each))
        for name in changes.relaxed:
            update.make_column_optional(_path(name))
    if changes.replaced:  # a name is free again only after its column has gone
        with transaction.update_schema() as update:
            for each in changes.replaced:
                update.add_column(_path(each.name), iceberg_type(each))


def _path(name: str) -> tuple[str, ...]:
    """A name with a dot in it is no path into a struct."""
    return (name,)


def iceberg_type(field_: pa.Field) -> IcebergType:
    """Iceberg's type of an Arrow field; raises `BadInput`."""
    from pyiceberg.io.pyarrow import _ConvertToIcebergWithoutIDs, visit_pyarrow

    found = visit_pyarrow(storable(pa.schema([field_])), _ConvertToIcebergWithoutIDs())
    assert isinstance(found, Schema)
    return found.fields[0].field_type


def edit(
    update: UpdateSchema,
    table: Table,
    *,
    add: Mapping[str, pa.DataType] | None = None,
    widen: Mapping[str, pa.DataType] | None = None,
    rename: Mapping[str, str] | None = None,
    drop: Iterable[str] = (),
    doc: Mapping[str, str] | None = None,
) -> None:
    """Put what somebody asks for into an update; raises `BadInput` for what cannot be done."""
    name = table.name()[-1]
    known = set(table.schema().column_names)
    for column in [*(widen or {}), *(rename or {}), *drop, *(doc or {})]:
        if column not in known:
            raise BadInput(
                f"dataset {name}: no column {column!r}", "columns: " + ", ".join(sorted(known))
            )
    try:
        for column in drop:
            update.delete_column(_path(column))
        for column, new in (rename or {}).items():
            storable(pa.schema([pa.field(new, pa.int64())]))
            update.rename_column(_path(column), new)
        for column, kind in (add or {}).items():
            update.add_column(_path(column), iceberg_type(pa.field(column, kind)))
        for column, kind in (widen or {}).items():
            update.update_column(_path(column), iceberg_type(pa.field(column, kind)))
        for column, text in (doc or {}).items():
            update.update_column(_path(column), doc=text)
    except (ValueError, IcebergInvalid, ResolveError) as error:
        raise BadInput(f"dataset {name}: {' '.join(str(error).split())[:200]}") from error
