"""How a dataset's files are split: `day(at)`, `bucket(16, id)`, or a column as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import (
    BucketTransform,
    DayTransform,
    HourTransform,
    IdentityTransform,
    MonthTransform,
    TruncateTransform,
    YearTransform,
)

from core.errors import BadInput

_FORM = re.compile(r"\s*(?:(\w+)\s*\(\s*(?:(\d{1,6})\s*,\s*)?(.+?)\s*\)|(.+?))\s*")
_PLAIN: dict[str, Any] = {
    "hour": HourTransform,
    "day": DayTransform,
    "month": MonthTransform,
    "year": YearTransform,
    "identity": IdentityTransform,
}
_SIZED: dict[str, Any] = {"bucket": BucketTransform, "truncate": TruncateTransform}
_HINT = "for example: day(at), month(at), bucket(16, id), truncate(3, code), or a column"


def partition_spec(name: str, schema: Schema, partition: Sequence[str]) -> PartitionSpec:
    """Iceberg's partition spec; raises `BadInput`. No `partition`: files are not split."""
    fields = [_field(name, schema, text, 1000 + n) for n, text in enumerate(partition)]
    return PartitionSpec(*fields)


def _field(name: str, schema: Schema, text: str, field_id: int) -> PartitionField:
    found = _FORM.fullmatch(text)
    kind, size, column = (
        (found[1] or "identity", found[2], found[3] or found[4]) if found else ("", None, "")
    )
    if found and column not in {each.name for each in schema.fields}:
        raise BadInput(f"dataset {name}: partition {text!r}: no column {column!r}", _HINT)
    if kind in _SIZED and size:
        transform = _SIZED[kind](int(size))
    elif kind in _PLAIN and not size:
        transform = _PLAIN[kind]()
    else:
        raise BadInput(f"dataset {name}: partition {text!r}: not understood", _HINT)
    source = schema.find_field(column)
    if not transform.can_transform(source.field_type):
        raise BadInput(
            f"dataset {name}: partition {text!r}: {column} is a {source.field_type}", _HINT
        )
    label = column if kind == "identity" else f"{column}_{kind}"
    return PartitionField(
        source_id=source.field_id, field_id=field_id, transform=transform, name=label
    )
