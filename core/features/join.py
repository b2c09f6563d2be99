"""The point-in-time join: to each entity row the features that were true at its time.

One output row for each entity row, in its order. Of a view's rows with the entity's key the
one with the newest event that is not after the entity's time counts; among several of the same
event the newest created one; among those a deleted one, then one by its values. It gives
nothing where it is older than the view's TTL or says that the entity is gone. With a cut-off
only rows that had been created by the entity's time are looked at.

DuckDB's ASOF JOIN finds the newest event and created time as one number; a second join fetches
the rows, so that several of one moment are seen and told apart. Heavy: imports DuckDB.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from core.domain.features import FeatureSpec
from core.features import sql
from core.features.errors import JoinRefused, TransformFailed
from core.features.sql import ROWS, key_columns, literal


@dataclass(frozen=True, slots=True)
class JoinPart:
    """One view in a join. `rows` opens the source's rows; `keys` maps a key of the view to the
    entity rows' column where they differ; `only` picks features; `prefix` stands before their
    names; `ref` is what the view is called in errors."""

    spec: FeatureSpec
    rows: Callable[[], pa.Table | pa.RecordBatchReader]
    ref: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    prefix: str = ""


def point_in_time(
    entities: pa.Table,
    parts: Sequence[JoinPart],
    *,
    time: str,
    cutoff: bool = False,
    times: bool = False,
    spill: Path | None = None,
) -> pa.Table:
    """The entity rows with every part's features beside them.

    `time` names the entity rows' column of times. With `cutoff` a feature row counts only where
    it was created by then (one without a created time: from its event on); with `times` a
    column `VIEW__event_time` says from when each part's row is. Raises `JoinRefused` where the
    entity rows do not fit, and `TransformFailed`.
    """
    if time not in entities.column_names:
        raise _no_column(time, entities, "the entity rows' time")
    _refuse_clashes(entities, parts, times)
    result = entities
    for part in parts:
        with sql.connection(spill) as con:
            found = _one(con, entities, part, time, cutoff)
        wanted = part.only or tuple(feature.name for feature in part.spec.features)
        for number, feature in enumerate(part.spec.features):
            if feature.name in wanted:
                column = found.column(f"f{number}")
                result = result.append_column(part.prefix + feature.name, column)
        if times:
            result = result.append_column(_time_name(part), found.column("at"))
    return result


def _one(
    con: duckdb.DuckDBPyConnection, entities: pa.Table, part: JoinPart, time: str, cutoff: bool
) -> pa.Table:
    """One view's features for every entity row, in their order: f0, f1, …, and `at`."""
    spec = part.spec
    if cutoff and spec.created_time is None:
        raise JoinRefused(
            f"feature view {part.ref or spec.name} has no created_time to cut off by",
            "declare created_time, or join without the cut-off",
        )
    newest = _take_entities(con, entities, part, time)
    sql.make_rows(con, spec, part.rows(), until=None if newest is None else newest + 1)
    _match(con, len(spec.entity), cutoff)
    _settle_ties(con, spec)
    valid = "NOT h.del"
    if spec.ttl is not None:
        valid += f" AND e.t - h.et <= {round(spec.ttl * 1e6)}"
    values = ", ".join(
        f"coalesce(CASE WHEN {valid} THEN h.f{i} END, {_default(spec, i)}) AS f{i}"
        for i in range(len(spec.features))
    )
    return con.sql(
        f"SELECT {values}, CASE WHEN {valid} THEN make_timestamp(h.et) END AS at"
        " FROM opsdeck_entities e LEFT JOIN opsdeck_hits h ON e.i = h.i ORDER BY e.i"
    ).to_arrow_table()


def _take_entities(
    con: duckdb.DuckDBPyConnection, entities: pa.Table, part: JoinPart, time: str
) -> int | None:
    """Make the table of the entity rows' numbers, keys and times; the newest time."""
    spec = part.spec
    names = [part.keys.get(name, name) for name in spec.keys]
    for name in names:
        if name not in entities.column_names:
            raise _no_column(name, entities, f"key of feature view {part.ref or spec.name}")
    number = pa.array(np.arange(entities.num_rows, dtype=np.int64))
    taken = [*dict.fromkeys([*names, time])]
    given = pa.table([number, *(entities.column(n) for n in taken)], ["opsdeck i", *taken])
    con.register("opsdeck_given", given)
    types = {str(r[0]): str(r[1]) for r in con.execute("DESCRIBE opsdeck_given").fetchall()}
    try:
        keys = [
            f"{sql.key_value(name, types[name], key.type)} AS k{place}"
            for place, (name, key) in enumerate(zip(names, spec.entity, strict=True))
        ]
        at = sql.micros(time, types[time], "time")
        con.execute(
            f'CREATE TEMP TABLE opsdeck_entities AS SELECT "opsdeck i" AS i, {", ".join(keys)},'
            f" {at} AS t FROM opsdeck_given"
        )
    except (duckdb.Error, TransformFailed) as error:
        text = error.message if isinstance(error, TransformFailed) else str(error).splitlines()[0]
        raise JoinRefused(f"the entity rows do not fit {part.ref or spec.name}: {text}") from error
    newest = sql.scalar(con, "SELECT max(t) FROM opsdeck_entities")
    return None if newest is None else int(newest)


def _match(con: duckdb.DuckDBPyConnection, keys: int, cutoff: bool) -> None:
    """Make `opsdeck_hits`: the entity rows' numbers with the rows that count for them."""
    names = key_columns(keys)
    same = " AND ".join(f"e.{name} = r.{name}" for name in names)
    listed = ", ".join(names)
    if cutoff:
        # Whatever had become known by a moment, the newest event of it: as it changes.
        con.execute(
            f"CREATE TEMP TABLE opsdeck_known AS SELECT {listed}, av, max(x) OVER"
            f" (PARTITION BY {listed} ORDER BY av RANGE UNBOUNDED PRECEDING) AS x FROM {ROWS}"
        )
        best = f"opsdeck_entities e ASOF JOIN opsdeck_known r ON {same} AND e.t >= r.av"
    else:
        best = f"opsdeck_entities e ASOF JOIN {ROWS} r ON {same} AND {sql.upper('e.t')} >= r.x"
    entity = ", ".join(f"e.{name}" for name in names)
    con.execute(f"CREATE TEMP TABLE opsdeck_best AS SELECT e.i, {entity}, r.x FROM {best}")
    con.execute(
        f"CREATE TEMP TABLE opsdeck_hits AS SELECT e.i, r.* FROM opsdeck_best e"
        f" JOIN {ROWS} r ON {same} AND e.x = r.x"
    )


def _settle_ties(con: duckdb.DuckDBPyConnection, spec: FeatureSpec) -> None:
    """Leave one row a number in `opsdeck_hits` where several are of the same moment."""
    if not sql.scalar(con, "SELECT count(*) - count(DISTINCT i) FROM opsdeck_hits"):
        return
    con.execute(
        "CREATE OR REPLACE TEMP TABLE opsdeck_hits AS SELECT * FROM opsdeck_hits QUALIFY"
        f" row_number() OVER (PARTITION BY i ORDER BY del DESC, {sql.tie(spec.features)} DESC) = 1"
    )


def _default(spec: FeatureSpec, number: int) -> str:
    feature = spec.features[number]
    return f"{literal(feature.default)}::{sql.FEATURE_SQL[feature.type]}"


def _time_name(part: JoinPart) -> str:
    return f"{part.prefix or part.spec.name + '__'}event_time"


def _refuse_clashes(entities: pa.Table, parts: Sequence[JoinPart], times: bool) -> None:
    """Raises `JoinRefused` where two columns of the result would have one name."""
    taken = dict.fromkeys(entities.column_names, "the entity rows")
    for part in parts:
        ref = part.ref or part.spec.name
        have = [feature.name for feature in part.spec.features]
        unknown = [name for name in part.only if name not in have]
        if unknown:
            raise JoinRefused(
                f"feature view {ref} has no feature {unknown[0]}", f"it has {', '.join(have)[:80]}"
            )
        names = [part.prefix + name for name in part.only or have]
        for name in [*names, *([_time_name(part)] if times else [])]:
            if name in taken:
                raise JoinRefused(
                    f"column {name} would come from {taken[name]} and from {ref}",
                    "give the view's features a prefix, or pick some of them",
                )
            taken[name] = ref


def _no_column(name: str, entities: pa.Table, what: str) -> JoinRefused:
    from core.pipelines._report import did_you_mean

    hint = did_you_mean(name, entities.column_names)
    return JoinRefused(f"no column {name} ({what})", hint or "name the one that holds it")
