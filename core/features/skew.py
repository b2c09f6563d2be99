"""How far the online store is from the offline rows of the same moment.

Some entities of either side are asked for online, and joined point in time offline, by the same
definition: what differs is what a model would see other than what it was trained on. Heavy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa

from core.domain.features import FeatureDrift, FeatureSkew, FeatureSpec, Freshness
from core.features import sql
from core.features.join import JoinPart, point_in_time
from core.features.online import OnlineReader
from core.ids import short_id

_KEY_ARROW = {"string": pa.string(), "int": pa.int64(), "bool": pa.bool_(), "date": pa.string()}


def measure(
    spec: FeatureSpec,
    version: int,
    rows: Callable[[], pa.Table | pa.RecordBatchReader],
    file: Path,
    *,
    now: float,
    sample: int = 1000,
    spill: Path | None = None,
) -> FeatureSkew:
    """Compare up to `sample` entities; `rows` opens the offline ones. Raises `NotOnline`."""
    reader = OnlineReader(file)
    try:
        asked = _entities(spec, reader.sample(math.ceil(sample / 2)), rows, sample, spill)
        offline = _offline(spec, asked, rows, now, spill)
        online = [reader.row([key[name] for name in spec.keys], now) for key in asked]
    finally:
        reader.close()
    pairs = []
    lags: list[float] = []
    missing = [0, 0]
    for mine, theirs in zip(online, offline, strict=True):
        values = {name: theirs[name] for name in (f.name for f in spec.features)}
        pairs.append((mine.values, values))
        fresh, there = mine.state is Freshness.FRESH, theirs["at"] is not None
        missing[0] += there and not fresh
        missing[1] += fresh and not there
        if fresh and there and mine.event_at is not None:
            lags.append(max(0.0, theirs["at"] - mine.event_at))
    different = sum(any(not _same(m[n], t[n]) for n in m) for m, t in pairs)
    return FeatureSkew(
        id=short_id(), view=spec.name, version=version, at=now, entities=len(asked),
        different=different, missing_online=missing[0], missing_offline=missing[1],
        lag_p50=median(lags) if lags else None, lag_max=max(lags) if lags else None,
        features=tuple(_drift(feature.name, pairs) for feature in spec.features),
    )  # fmt: skip


def _entities(
    spec: FeatureSpec,
    online: Sequence[Mapping[str, Any]],
    rows: Callable[[], pa.Table | pa.RecordBatchReader],
    sample: int,
    spill: Path | None,
) -> list[dict[str, Any]]:
    """Keys of the online store, and of the offline rows as many as there is room for."""
    names = sql.key_columns(len(spec.entity))
    listed = ", ".join(names)
    with sql.connection(spill) as con:
        sql.make_rows(con, spec, rows())
        found = con.execute(
            f"SELECT {listed} FROM (SELECT DISTINCT {listed} FROM {sql.ROWS}) AS keys"
            f" ORDER BY random() LIMIT {int(sample)}"
        ).fetchall()
    keys: dict[tuple[Any, ...], dict[str, Any]] = {}
    plain = [[str(part) if _is_date(part) else part for part in row] for row in found]
    for row in [*([key[name] for name in spec.keys] for key in online), *plain]:
        if len(keys) < sample:
            keys.setdefault(tuple(row), dict(zip(spec.keys, row, strict=True)))
    return list(keys.values())


def _offline(
    spec: FeatureSpec,
    asked: Sequence[Mapping[str, Any]],
    rows: Callable[[], pa.Table | pa.RecordBatchReader],
    now: float,
    spill: Path | None,
) -> list[dict[str, Any]]:
    """The point-in-time row of each key at `now`, with `at`, its event in epoch seconds."""
    columns = {
        key.name: pa.array([each[key.name] for each in asked], _KEY_ARROW[key.type])
        for key in spec.entity
    }
    moment = pa.array([round(now * 1e6)] * len(asked), pa.timestamp("us"))
    entities = pa.table({**columns, "opsdeck now": moment})
    found = point_in_time(
        entities, [JoinPart(spec, rows, prefix="_")], time="opsdeck now", times=True, spill=spill
    )
    result = []
    for row in found.to_pylist():
        at = row["_event_time"]
        values: dict[str, Any] = {}
        for feature in spec.features:
            value = row[f"_{feature.name}"]
            if feature.type == "timestamp" and value is not None:
                value = value.isoformat() + "Z"
            values[feature.name] = value
        result.append({**values, "at": None if at is None else at.timestamp()})
    return result


def _drift(name: str, pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> FeatureDrift:
    different = sum(not _same(mine[name], theirs[name]) for mine, theirs in pairs)
    gaps = [
        abs(mine[name] - theirs[name])
        for mine, theirs in pairs
        if _is_number(mine[name]) and _is_number(theirs[name])
    ]
    return FeatureDrift(
        name,
        len(pairs),
        different,
        sum(gaps) / len(gaps) if gaps else None,
        max(gaps, default=None),
    )


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return bool(left == right)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_date(value: Any) -> bool:
    return hasattr(value, "isoformat")
