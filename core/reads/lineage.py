"""The lineage graph, as read from the state: recorded edges, and those that other rows imply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.domain.datalineage import Edge, Node, NodeKind
from core.errors import BadInput, NotFound
from core.state.reading import Reader

_ORDER = "ORDER BY target_kind, target, target_column, source_kind, source, source_column"


def edges_into(reader: Reader, node: Node) -> tuple[Edge, ...]:
    """All edges whose target is this thing or a column of it."""
    return (*_recorded(reader, "target", node), *_implied_into(reader, node))


def edges_from(reader: Reader, node: Node) -> tuple[Edge, ...]:
    """All edges whose source is this thing or a column of it."""
    return (*_recorded(reader, "source", node), *_implied_from(reader, node))


def find_node(reader: Reader, ref: str) -> Node:
    """The node that somebody means by `[KIND/]NAME[.COLUMN]`; raises `NotFound`, `BadInput`.

    Without a kind the first that has the name: dataset, feature view, model, endpoint.
    """
    kind, slash, rest = ref.partition("/")
    if slash and kind in set(NodeKind):
        return _exists(reader, _split(reader, NodeKind(kind), rest), ref)
    for guess in _GUESSES:
        node = _split(reader, guess, ref)
        if _known(reader, node.whole()):
            return _exists(reader, node, ref)
    hint = "write KIND/NAME, where KIND is one of " + ", ".join(NodeKind)
    raise NotFound(f"{ref}: nothing of that name in the lineage", hint)


_GUESSES = (
    NodeKind.DATASET, NodeKind.FEATURE_VIEW, NodeKind.MODEL, NodeKind.ENDPOINT,
    NodeKind.RUN, NodeKind.SOURCE, NodeKind.CAPTURE,
)  # fmt: skip


def _split(reader: Reader, kind: NodeKind, name: str) -> Node:
    """A name with a column behind the last dot, unless all of it is the name."""
    if kind is NodeKind.MODEL:
        return Node(kind, _version_of(reader, name))
    whole = Node(kind, name.removeprefix("#") if kind is NodeKind.RUN else name)
    before, dot, column = name.rpartition(".")
    if dot and kind is not NodeKind.SOURCE and not _known(reader, whole):
        return Node(kind, before, column)
    return whole


def _version_of(reader: Reader, name: str) -> str:
    """NAME/VERSION; of a bare name its newest version."""
    if "/" in name:
        return name
    rows = reader.rows(
        "SELECT max(version) AS newest FROM model_versions WHERE name = :name", name=name
    )
    newest = rows[0]["newest"] if rows else None
    return name if newest is None else f"{name}/{newest}"


def _exists(reader: Reader, node: Node, ref: str) -> Node:
    if not _known(reader, node.whole()):
        raise NotFound(f"{ref}: no such {node.kind.replace('_', ' ')} in the lineage")
    if node.column:
        seen = (*_recorded(reader, "target", node), *_recorded(reader, "source", node))
        columns = {
            n.column for e in seen for n in (e.source, e.target) if n.whole() == node.whole()
        }
        columns |= _columns_of(reader, node.name)
        if node.column not in columns:
            known = ", ".join(sorted(filter(None, columns))) or "none is known"
            raise BadInput(f"{ref}: {node.name} has no column {node.column}", f"known: {known}")
    return node


def _columns_of(reader: Reader, dataset: str) -> set[str]:
    import json

    rows = reader.rows("SELECT schema FROM datasets WHERE name = :name", name=dataset)
    return {column["name"] for row in rows for column in json.loads(row["schema"] or "[]")}


_TABLES: Mapping[NodeKind, str] = {
    NodeKind.DATASET: "SELECT name FROM datasets WHERE name = :name",
    NodeKind.FEATURE_VIEW: "SELECT name FROM feature_views WHERE name = :name",
    NodeKind.MODEL: "SELECT name FROM model_versions"
    " WHERE name || '/' || CAST(version AS TEXT) = :name",
    NodeKind.ENDPOINT: "SELECT name FROM endpoints WHERE name = :name",
    NodeKind.CAPTURE: "SELECT name FROM endpoints WHERE name = :name",
    NodeKind.RUN: "SELECT id FROM runs WHERE CAST(number AS TEXT) = :name",
}


def _known(reader: Reader, node: Node) -> bool:
    table = _TABLES.get(node.kind)
    if table and reader.rows(table, name=node.name):
        return True
    found = (
        "SELECT id FROM lineage_edges WHERE source_kind = :kind AND source = :name"
        " UNION ALL SELECT id FROM lineage_edges WHERE target_kind = :kind AND target = :name"
        " LIMIT 1"
    )
    return bool(reader.rows(found, kind=node.kind.value, name=node.name))


def _recorded(reader: Reader, end: str, node: Node) -> tuple[Edge, ...]:
    rows = reader.rows(
        f"SELECT * FROM lineage_edges WHERE {end}_kind = :kind AND {end} = :name {_ORDER}",
        kind=node.kind.value,
        name=node.name,
    )
    return tuple(_edge(row) for row in rows)


def _edge(row: Mapping[str, Any]) -> Edge:
    return Edge(
        Node(NodeKind(row["source_kind"]), row["source"], row["source_column"]),
        Node(NodeKind(row["target_kind"]), row["target"], row["target_column"]),
        row["via"],
        row["detail"],
        row["run_id"],
        row["snapshot_id"],
        row["by"],
        row["first_at"],
        row["last_at"],
    )


# Edges that need no row of their own: a run makes model versions, an endpoint serves them.

_TRAINED = (
    "SELECT v.name, v.version, v.created_at, r.number, r.id AS run_id, r.pipeline"
    " FROM model_versions v JOIN runs r ON r.id = v.run_id"
)
_DEPLOYED = (
    "SELECT endpoint, model, version, min(created_at) AS first_at, max(created_at) AS last_at,"
    " max(CASE WHEN state IN ('stable', 'canary') THEN 1 ELSE 0 END) AS serves FROM revisions"
)


def _implied_into(reader: Reader, node: Node) -> tuple[Edge, ...]:
    if node.kind is NodeKind.MODEL:
        name, _, version = node.name.rpartition("/")
        rows = reader.rows(
            f"{_TRAINED} WHERE v.name = :name AND CAST(v.version AS TEXT) = :version",
            name=name,
            version=version,
        )
        return tuple(_trained(row) for row in rows)
    if node.kind is NodeKind.ENDPOINT:
        return _deployed(reader, "endpoint = :name", name=node.name)
    if node.kind is NodeKind.RUN:
        return _repeated(reader, "r", node.name)
    return ()


def _implied_from(reader: Reader, node: Node) -> tuple[Edge, ...]:
    if node.kind is NodeKind.RUN:
        rows = reader.rows(f"{_TRAINED} WHERE CAST(r.number AS TEXT) = :number", number=node.name)
        return (*(_trained(row) for row in rows), *_repeated(reader, "p", node.name))
    if node.kind is NodeKind.MODEL:
        name, _, version = node.name.rpartition("/")
        where = "model = :name AND CAST(version AS TEXT) = :version"
        return _deployed(reader, where, name=name, version=version)
    return ()


def _repeated(reader: Reader, end: str, number: str) -> tuple[Edge, ...]:
    """What a run that repeats another from a step on has kept of it."""
    rows = reader.rows(
        "SELECT p.number AS before, r.number, r.id AS run_id, r.from_step, r.created_at"
        " FROM runs r JOIN runs p ON p.id = r.parent_run_id WHERE r.from_step IS NOT NULL"
        f" AND CAST({end}.number AS TEXT) = :number ORDER BY r.number",
        number=number,
    )
    return tuple(
        Edge(
            Node(NodeKind.RUN, str(row["before"])),
            Node(NodeKind.RUN, str(row["number"])),
            "rerun",
            f"from {row['from_step']}",
            row["run_id"],
            first_at=row["created_at"],
            last_at=row["created_at"],
        )
        for row in rows
    )


def _trained(row: Mapping[str, Any]) -> Edge:
    return Edge(
        Node(NodeKind.RUN, str(row["number"])),
        Node(NodeKind.MODEL, f"{row['name']}/{row['version']}"),
        "train",
        row["pipeline"],
        row["run_id"],
        first_at=row["created_at"],
        last_at=row["created_at"],
    )


def _deployed(reader: Reader, where: str, **params: str) -> tuple[Edge, ...]:
    rows = reader.rows(
        f"{_DEPLOYED} WHERE {where} GROUP BY endpoint, model, version"
        " ORDER BY endpoint, model, version DESC",
        **params,
    )
    return tuple(
        Edge(
            Node(NodeKind.MODEL, f"{row['model']}/{row['version']}"),
            Node(NodeKind.ENDPOINT, row["endpoint"]),
            "deploy",
            "serves" if row["serves"] else "served",
            first_at=row["first_at"],
            last_at=row["last_at"],
        )
        for row in rows
    )


def neighbours(reader: Reader, *, forward: bool) -> Callable[[Node], tuple[Edge, ...]]:
    """What a walk of the graph asks for, in one direction."""
    return lambda node: edges_from(reader, node) if forward else edges_into(reader, node)
