"""A point-in-time join in plain Python, slow and obvious: what the real one is held to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def reference_join(
    entities: Sequence[Row],
    rows: Sequence[Row],
    *,
    keys: Sequence[str],
    features: Sequence[str],
    defaults: Mapping[str, Any] | None = None,
    ttl: int | None = None,
    cutoff: bool = False,
) -> list[dict[str, Any]]:
    """The features of each entity row, in order. Times (`t`, `et`, `cr`) are whole numbers."""
    defaults = defaults or {}
    return [
        {
            name: value
            if (value := None if row is None else row[name]) is not None
            else defaults.get(name)
            for name in features
        }
        for row in (_row_of(entity, rows, keys, features, ttl, cutoff) for entity in entities)
    ]


def _row_of(
    entity: Row,
    rows: Sequence[Row],
    keys: Sequence[str],
    features: Sequence[str],
    ttl: int | None,
    cutoff: bool,
) -> Row | None:
    if entity["t"] is None or any(entity[key] is None for key in keys):
        return None
    known = [
        row
        for row in rows
        if row["et"] is not None
        and all(row[key] == entity[key] for key in keys)
        and row["et"] <= entity["t"]
        and not (cutoff and row["cr"] is not None and row["cr"] > entity["t"])
    ]
    if not known:
        return None
    best = max(known, key=lambda row: _rank(row, features))
    if best["del"] or (ttl is not None and entity["t"] - best["et"] > ttl):
        return None
    return best


def _rank(row: Row, features: Sequence[str]) -> tuple[Any, ...]:
    created = (0, 0) if row["cr"] is None else (1, row["cr"])
    return (row["et"], created, row["del"], tie_of([row[name] for name in features]))


def tie_of(values: Sequence[Any]) -> int:
    """What settles rows that nothing else tells apart: the lower half of the MD5 of their
    values as JSON, as DuckDB's `md5_number_lower(to_json(…))`."""
    packed = {f"f{number}": value for number, value in enumerate(values)}
    text = json.dumps(packed, separators=(",", ":"), ensure_ascii=False)
    return int.from_bytes(hashlib.md5(text.encode()).digest()[8:], "little")
