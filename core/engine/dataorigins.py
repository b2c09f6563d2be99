"""Which columns the rows of data steps are made of, from step to step, and into a dataset.

A frame that a data step puts out says so in its Parquet file, so that it is part of the
artifact's content: a step is taken from the cache only where its rows are from the same columns.
A file of anybody else's says nothing that counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.domain.datalineage import Edge, NodeKind, edges_between
from core.lineage import (
    LineageUnknown,
    Origin,
    Origins,
    SqlLineage,
    derived,
    lineage_of_sql,
    origins_from_json,
    unknown_origins,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from core.domain.features import FeatureUse, FeatureView
    from core.governance.access import Access
    from core.recipes.steps import Transformed

KEY = b"opsdeck.origins"
"""The key in a Parquet file's metadata."""


def read_origins(path: Path) -> Origins | None:
    """What a frame's file says; None where it says nothing."""
    import pyarrow.parquet as pq

    told = (pq.read_schema(path).metadata or {}).get(KEY)
    return None if told is None else origins_from_json(told)


def with_origins(rows: pa.Table, origins: Origins | None) -> pa.Table:
    """The rows with what a file of them is to say."""
    told = None if origins is None else {KEY: origins.to_json().encode()}
    return rows.replace_schema_metadata(told)


def of_query(
    access: Access,
    sql: str,
    tables: Mapping[str, Origins],
    at: Mapping[str, str],
    made: Sequence[str],
) -> Origins:
    """Of a query's columns, which are `made`; `tables` are its own, `at` the snapshots of the
    datasets that it names without a version."""
    from core.governance.tree import table_names
    from core.lineage import origins_in
    from core.query.statement import read_statement

    statement = read_statement(sql, at)
    refs = {ref.table.lower(): ref for ref in statement.tables}
    own = {name.lower(): origins for name, origins in tables.items()}
    known: dict[str, Origins] = {}
    for name in table_names(statement.tree):
        ref = refs[name.lower()]
        if name.lower() in own:
            known[name] = own[name.lower()]
        else:
            columns = access.schema(ref.dataset, at=ref.at).names
            known[name] = origins_in(ref.dataset, columns)
    schemas = {name: dict.fromkeys(each.columns, "VARCHAR") for name, each in known.items()}
    try:
        found = lineage_of_sql(statement.sql, schemas)
    except LineageUnknown:
        return unknown_origins(made)
    return _composed(found, known, made)


def _composed(found: SqlLineage, known: Mapping[str, Origins], made: Sequence[str]) -> Origins:
    names = {name.lower(): name for name in found.columns}
    if [name.lower() for name in made] != list(names):
        return unknown_origins(made)  # DuckDB understood it otherwise
    pairs = {
        name: [(known[table], column) for table, column in found.columns[names[name.lower()]]]
        for name in made
    }
    copied = frozenset(name for name in made if names[name.lower()] in found.copied)
    rows = [
        origin
        for table, column in found.indirect
        if table in known
        for origin in known[table].of(column) or ()
    ]
    before = [origin for each in known.values() for origin in each.rows]
    return derived(pairs, copied=copied, rows=(*rows, *before))


def of_transform(
    done: Transformed, inputs: Mapping[str, Origins], fitted_on: Origins
) -> dict[str, Origins]:
    """Of what a recipe made of each input: of its own columns and, where it has learned
    something, of those that it was fitted on."""
    made = {}
    for name, table in done.outputs.items():
        own = inputs[name]
        columns = list(dict.fromkeys((*own.columns, *fitted_on.columns)))
        followed, deciding = done.fitted.followed(columns, done.traces[name])
        pairs: dict[str, list[tuple[Origins, str]]] = {}
        copied = []
        for column in table.column_names:
            sources = followed.get(column)
            if sources is None:
                pairs[column] = [(unknown_origins(()), column)]
                continue
            pairs[column] = [(own, each) for each in sources if each in own.columns]
            if _touched(column, done.traces[name]):
                learned = fitted_on.columns if done.fitted.learned else ()
                pairs[column] += [(fitted_on, each) for each in sources if each in learned]
            elif tuple(sources) == (column,):
                copied.append(column)
        found = derived(pairs, copied=frozenset(copied), rows=own.rows)
        decided = own.deciding(each for each in deciding if each in own.columns)
        made[name] = Origins(found.columns, decided.rows)
    return made


def _touched(column: str, traces: Iterable[Any]) -> bool:
    return any(column in (*trace.added, *trace.changed) for trace in traces)


def of_features(
    entities: Origins,
    uses: Iterable[tuple[FeatureUse, FeatureView]],
    have: Mapping[str, Sequence[str]],
    made: Sequence[str],
) -> Origins:
    """Of entity rows with features; `have` are the columns of each source."""
    from core.features.rowwise import lineage_columns
    from core.features.trainingset import origins

    found: dict[str, tuple[Origin, ...] | None] = {
        name: entities.of(name) for name in made if name in entities.columns
    }
    for use, view in uses:
        lineage = {view.ref: lineage_columns(view.spec, have[view.spec.source])}
        for name, pairs in origins([(use, view)], lineage).items():
            feature = name.removeprefix(use.prefix)
            found[name] = tuple(Origin(*pair, False, view.ref, feature) for pair in pairs)
    return Origins({name: found.get(name) for name in made}, entities.rows)


def labels_of(
    origins: Origins, columns: Iterable[str], datasets: Sequence[str]
) -> dict[str, list[tuple[str, str]]]:
    """For each column the pairs of dataset and column whose labels it bears: those of all the
    `datasets` where nobody knows what is in it."""
    every = [(dataset, "") for dataset in datasets]
    found = {}
    for column in columns:
        known = origins.of(column)
        pairs = every if known is None else [(each.dataset, each.column) for each in known]
        found[column] = list(dict.fromkeys(pairs))
    return found


def edges_of(
    origins: Origins,
    columns: Sequence[str],
    datasets: Sequence[str],
    target: str,
    **of: str,
) -> list[Edge]:
    """The edges into a dataset that rows were stored in, column by column; `of` says by which
    pipeline (detail), run_id and snapshot_id. One of a column as it is says so in its detail."""
    end = (NodeKind.DATASET, target)
    labels = labels_of(origins, columns, datasets)
    edges: list[Edge] = []
    for dataset in datasets:
        made = {
            column: tuple(each for name, each in pairs if name == dataset)
            for column, pairs in labels.items()
        }
        made[""] = tuple(o.column for o in origins.rows if o.dataset == dataset and o.column)
        edges += edges_between((NodeKind.DATASET, dataset), end, "pipeline", columns=made, **of)
    same = {
        (each.dataset, each.column, column)
        for column in columns
        for each in origins.of(column) or ()
        if each.copied
    }
    edges = [
        replace(edge, detail=f"{edge.detail}, as it is")
        if (edge.source.name, edge.source.column, edge.target.column) in same
        else edge
        for edge in edges
    ]
    views: dict[str, dict[str, tuple[str, ...]]] = {}
    for column in columns:
        for each in origins.of(column) or ():
            if each.view:
                features = views.setdefault(each.view, {}).setdefault(column, ())
                views[each.view][column] = tuple(dict.fromkeys((*features, each.feature)))
    for view, made in sorted(views.items()):
        edges += edges_between((NodeKind.FEATURE_VIEW, view), end, "pipeline", columns=made, **of)
    return edges
